import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import { type RecordName, tokenRecordName } from '../../../lib/fleet/record-store.ts'
import { createSealing, type Sealing, UnreadableTokenError, withoutSealing } from '../../../lib/fleet/sealing.ts'
import { readSharedToken, type SharedToken, writeSharedToken } from '../../../lib/get-token/shared-token.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { someToken } from '../../support/virtual/some-token.ts'

const name = tokenRecordName('conn', 'the-digest')
const [namingKey, key] = [randomBytes(32), randomBytes(32)]
const theKeys = {
  namingKey: namingKey.toString('base64url'),
  encryptionKeys: [{ kid: 'the-kid', k: key.toString('base64url') }],
}

interface Far {
  secret: object
  isDown: boolean
  reads: number
}

function theSealing(secret: object = theKeys) {
  const far: Far = { secret, isDown: false, reads: 0 }
  const clock = { now: 0 }
  const store = {
    async get() {
      far.reads++
      if (far.isDown) throw new SecretError('secret_denied', 'no right to it')
      return new Secret(JSON.stringify(far.secret))
    },
  }
  return {
    far,
    clock,
    sealing: withTokens(
      createSealing(
        createSecretCache(singleVersionSecrets(store.get), () => clock.now),
        'tokenwell/test/cache',
      ),
    ),
  }
}

/** Seals and opens tokens as the token cache does. */
function withTokens({ digest, seal, open }: Sealing) {
  return {
    digest,
    seal: (record: RecordName, token: SharedToken) => seal(record, writeSharedToken(token)),
    open: async (record: RecordName, sealed: string) => readSharedToken(await open(record, sealed), record),
  }
}

function someEncryptionKey(kid: string) {
  return { kid, k: randomBytes(32).toString('base64url') }
}

function someSharedToken(members: Partial<SharedToken> = {}): SharedToken {
  return { ...someToken(), scope: 'a', generation: 7, asked: { scope: ['a'], further: {} }, ...members }
}

test('a token is sealed for its record by RFC 7516: dir, A256GCM, the kid and the name in the protected header', async () => {
  const { sealing } = theSealing()
  const token = someSharedToken()
  const sealed = await sealing.seal(name, token)
  assert.deepEqual(decodeProtectedHeader(sealed), {
    alg: 'dir',
    enc: 'A256GCM',
    kid: 'the-kid',
    record: 'conn/token#the-digest',
  })
  const { plaintext } = await compactDecrypt(sealed, key)
  assert.deepEqual(JSON.parse(new TextDecoder().decode(plaintext)), {
    ...token,
    accessToken: token.accessToken.reveal(),
  })
  const opened = await sealing.open(name, sealed)
  assert.deepEqual(opened, token)
  assert.ok(opened.accessToken.equals(token.accessToken))
  assert.notEqual(await sealing.seal(name, token), sealed, 'each time again')
})

test('a digest is the HMAC with the naming key, and tells nothing without that key', async () => {
  const { sealing } = theSealing()
  const expected = createHmac('sha256', namingKey).update('some text').digest('base64url')
  assert.equal(await sealing.digest('some text'), expected)
  const other = theSealing({ ...theKeys, namingKey: randomBytes(32).toString('base64url') })
  assert.notEqual(await other.sealing.digest('some text'), expected)
  const rotated = theSealing({ ...theKeys, encryptionKeys: [someEncryptionKey('next')] })
  assert.equal(await rotated.sealing.digest('some text'), expected)
})

test('known keys open tokens however old the keys are; a process that seals has them read again at the same time', async () => {
  const { sealing, far, clock } = theSealing()
  const sealed = await sealing.seal(name, someSharedToken())
  await turn()
  far.secret = { ...theKeys, encryptionKeys: [someEncryptionKey('next'), ...theKeys.encryptionKeys] }
  clock.now += 3_600_000
  await sealing.digest('some text')
  await sealing.open(name, sealed)
  assert.equal(far.reads, 1)

  const kidOf = async () => decodeProtectedHeader(await sealing.seal(name, someSharedToken()))['kid']
  assert.equal(await kidOf(), 'the-kid', 'no call waits for the secret')
  await turn()
  assert.equal(far.reads, 2)
  assert.equal(await kidOf(), 'next')
  assert.ok(await sealing.open(name, sealed))
})

test("a secret that can't be read any more, or holds no keys any more, stops no process from sealing", async () => {
  for (const spoilt of [{ isDown: true }, { secret: {} }]) {
    const { sealing, far, clock } = theSealing()
    await sealing.digest('some text')
    Object.assign(far, spoilt)
    clock.now += 300_000
    for (let count = 0; count < 2; count++) {
      assert.ok(await sealing.open(name, await sealing.seal(name, someSharedToken())))
      await turn()
    }
    assert.ok(far.reads > 1)
  }
})

test('a value sealed for one record can be decrypted in no other, of this connection or another', async () => {
  const { sealing } = theSealing()
  const sealed = await sealing.seal(name, someSharedToken())
  for (const other of [tokenRecordName('conn', 'other'), tokenRecordName('other', 'the-digest')])
    await assert.rejects(sealing.open(other, sealed), UnreadableTokenError)
})

test('a token that names another connection than its record does is not read', async () => {
  const { sealing } = theSealing()
  for (const each of [sealing, withTokens(withoutSealing(namingKey))]) {
    const sealed = await each.seal(name, someSharedToken({ connection: 'other' }))
    await assert.rejects(each.open(name, sealed), UnreadableTokenError)
  }
})

test('a JWE of another kind is not read, even if it holds a token and was made with the right key', async () => {
  const { sealing } = theSealing()
  const plaintext = new TextEncoder().encode(writeSharedToken(someSharedToken()).reveal())
  const sealedBy = (alg: string, enc: string, by: Uint8Array) =>
    new CompactEncrypt(plaintext)
      .setProtectedHeader({ alg, enc, kid: 'the-kid', record: 'conn/token#the-digest' })
      .encrypt(by)
  assert.ok(await sealing.open(name, await sealedBy('dir', 'A256GCM', key)))
  for (const [alg, enc, by] of [
    ['A256KW', 'A256GCM', key],
    ['dir', 'A128CBC-HS256', key],
    ['dir', 'A256GCM', randomBytes(32)],
  ] as const)
    await assert.rejects(
      sealedBy(alg, enc, by).then((sealed) => sealing.open(name, sealed)),
      UnreadableTokenError,
    )
})

test("a token that lacks a value that this version needs can't be read", async () => {
  const { sealing } = theSealing()
  const whole = someSharedToken()
  for (const member of ['id', 'issuedAt', 'refreshAt', 'usableUntil', 'expiresAt', 'generation'] as const) {
    const { [member]: _, ...rest } = whole
    const sealed = await sealing.seal(name, rest as SharedToken)
    await assert.rejects(sealing.open(name, sealed), UnreadableTokenError, member)
  }
  for (const asked of [null, 'text']) {
    const sealed = await sealing.seal(name, { ...whole, asked } as unknown as SharedToken)
    await assert.rejects(sealing.open(name, sealed), UnreadableTokenError)
  }
  const { asked: _, ...ofUser } = whole
  assert.equal(
    (await sealing.open(name, await sealing.seal(name, ofUser))).asked,
    undefined,
    'the password is not kept',
  )
})

test('an unknown kid makes the process read the secret once more, and is then a miss', async () => {
  const next = someEncryptionKey('next')
  const other = theSealing({ ...theKeys, encryptionKeys: [next] })
  const sealed = await other.sealing.seal(name, someSharedToken())
  const { sealing, far, clock } = theSealing()
  for (let count = 0; count < 3; count++) await assert.rejects(sealing.open(name, sealed), UnreadableTokenError)
  assert.equal(far.reads, 2)
  far.secret = { ...theKeys, encryptionKeys: [next, ...theKeys.encryptionKeys] }
  clock.now += 10_000
  assert.equal((await sealing.open(name, sealed)).generation, 7)
  assert.equal(far.reads, 3)
})

test('errors of the secret pass through, and are not kept', async () => {
  const { sealing, far } = theSealing()
  far.isDown = true
  await assert.rejects(sealing.digest('text'), SecretError)
  await assert.rejects(theSealing({}).sealing.digest('text'), KeyStoreError)
  far.isDown = false
  assert.ok(await sealing.digest('text'))
})

test('a cache that never leaves its process needs no encryption, but its names still tell nothing', async () => {
  const sealing = withTokens(withoutSealing(namingKey))
  const token = someSharedToken()
  assert.deepEqual(await sealing.open(name, await sealing.seal(name, token)), token)
  assert.equal(await sealing.digest('text'), await theSealing().sealing.digest('text'))
})

test("an error about a token that can't be read has the reason, and nothing of the content", async () => {
  const { sealing } = theSealing()
  const sealed = await sealing.seal(name, someSharedToken())
  const byAnother = await theSealing({ ...theKeys, encryptionKeys: [someEncryptionKey('next')] }).sealing.seal(
    name,
    someSharedToken(),
  )
  const [header, , ...others] = sealed.split('.')
  const notHeld =
    'The token was sealed with a key that the secret tokenwell/test/cache does not hold. Keep a key there until its tokens have expired.'
  const copied = 'The token was sealed for another record. Check who can write to the store of the shared cache.'
  const changed = 'The sealed token was changed, or sealed with another key of the same kid.'
  const reasons = [
    [name, 'no JWE at all', 'The sealed token is not a compact JWE.'],
    [name, '', 'The sealed token is not a compact JWE.'],
    [name, byAnother, notHeld],
    [tokenRecordName('conn', 'other'), sealed, copied],
    [name, [header, 'AAAA', ...others].join('.'), changed],
  ] as const
  for (const [record, text, message] of reasons)
    await assert.rejects(sealing.open(record, text), { name: 'UnreadableTokenError', message })
})

test('a secret without keys is read again as soon as it is fixed', async () => {
  const { sealing, far } = theSealing({})
  await assert.rejects(sealing.digest('text'), KeyStoreError)
  far.secret = theKeys
  assert.ok(await sealing.digest('text'))
})
