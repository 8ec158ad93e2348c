import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CryptoKey, jwtVerify } from 'jose'
import { fileSecrets, secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import type { SignatureAlgorithm } from '../../../lib/configuration/signature-algorithm.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import { createSignerCache, type SignerCache } from '../../../lib/signing/signer-cache.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const jwtBuilder = 'theBuilder'
const location = 'tokenwell/test/the-key'
const fiveMinutes = 5 * 60_000

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const one = p256()
const other = p256()
const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid })
const jwkSet = (...keys: object[]) => JSON.stringify({ keys })
const theSet = jwkSet(jwk(one, 'one'), jwk(other, 'other'))

/** A SignerCache over a folder of secrets, with a clock that the test moves and a count of reads. */
interface Stage {
  readonly signers: SignerCache
  store(text: string, name?: string): Promise<void>
  remove(): Promise<void>
  advance(milliseconds: number): void
  reads(): number
}

async function startStage(t: TestContext, text?: string): Promise<Stage> {
  const folder = await temporaryFolder(t)
  const store = async (content: string, name = location) => {
    const path = secretPath(folder, 'test', name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
  if (text !== undefined) await store(text)

  const files = fileSecrets(folder, 'test')
  let time = 1_700_000_000_000
  let reads = 0
  const get = (name: string) => {
    reads++
    return files.get(name)
  }
  return {
    signers: createSignerCache(
      createSecretCache(singleVersionSecrets(get), () => time),
      () => time,
    ),
    store,
    remove: () => rm(secretPath(folder, 'test', location)),
    advance(milliseconds) {
      time += milliseconds
    },
    reads: () => reads,
  }
}

async function isSignedBy(signer: Signer, alg: SignatureAlgorithm, key: KeyObject | CryptoKey | Uint8Array) {
  const signed = await signer.sign({ alg }, {})
  return jwtVerify(signed.reveal(), key, { algorithms: [alg] }).then(
    () => true,
    () => false,
  )
}

function refused(complaint: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof KeyStoreError)
    assert.ok(error.message.startsWith(`The secret ${location} `), error.message)
    assert.match(error.message, complaint)
    return true
  }
}

test('the only key of a secret signs if there is no alias', async (t) => {
  const { signers } = await startStage(t, jwkSet(jwk(one, 'one')))
  const signer = await signers.current({ jwtBuilder, location }, 'ES256')
  assert.equal(signer.keyId, 'one')
  assert.ok(await isSignedBy(signer, 'ES256', createPublicKey(one)))
})

test('the alias names the key that signs among several keys', async (t) => {
  const { signers } = await startStage(t, theSet)
  for (const [alias, key] of [
    ['one', one],
    ['other', other],
  ] as const) {
    const signer = await signers.current({ jwtBuilder, location, alias }, 'ES256')
    assert.equal(signer.keyId, alias)
    assert.ok(await isSignedBy(signer, 'ES256', createPublicKey(key)), alias)
  }
})

test('several keys without an alias are an error that lists the aliases', async (t) => {
  const { signers } = await startStage(t, theSet)
  await assert.rejects(
    signers.current({ jwtBuilder, location }, 'ES256'),
    refused(/holds several keys. Set keyAlias to the key that signs, one of: one, other\.$/),
  )
})

test('an unknown alias is an error that names it and lists the aliases that exist', async (t) => {
  const { signers } = await startStage(t, theSet)
  await assert.rejects(
    signers.current({ jwtBuilder, location, alias: 'One' }, 'ES256'),
    refused(/holds no key with the kid "One"\. Set keyAlias to one of: one, other\.$/),
  )
})

test('an alias must be right even if there is only one key', async (t) => {
  const { signers } = await startStage(t, jwkSet(jwk(one, 'one')))
  await assert.rejects(
    signers.current({ jwtBuilder, location, alias: 'other' }, 'ES256'),
    refused(/holds no key with the kid "other"\. .*: one\.$/),
  )
})

test('a key that does not fit the algorithm is refused with a message that describes the key', async (t) => {
  const { signers } = await startStage(t, jwkSet(jwk(one, 'one')))
  await assert.rejects(
    signers.current({ jwtBuilder, location }, 'RS256'),
    refused(/holds an EC key on P-256, but RS256 needs an RSA key\.$/),
  )
})

test('one secret serves two algorithms, each with the key that its alias names', async (t) => {
  const ed25519 = generateKeyPairSync('ed25519').privateKey
  const { signers } = await startStage(t, jwkSet(jwk(one, 'one'), jwk(ed25519, 'edwards')))
  const signer = await signers.current({ jwtBuilder, location, alias: 'one' }, 'ES256')
  assert.ok(await isSignedBy(signer, 'ES256', createPublicKey(one)))
  const edwards = await signers.current({ jwtBuilder, location, alias: 'edwards' }, 'EdDSA')
  assert.ok(await isSignedBy(edwards, 'EdDSA', createPublicKey(ed25519)))
})

test('a key that signs with one algorithm is checked again for another', async (t) => {
  const { signers } = await startStage(t, jwkSet(jwk(one, 'one')))
  await signers.current({ jwtBuilder, location }, 'ES256')
  await assert.rejects(
    signers.current({ jwtBuilder, location }, 'ES384'),
    refused(/holds an EC key on P-256, but ES384 needs /),
  )
})

test('two secrets have two signers, even with the same alias', async (t) => {
  const stage = await startStage(t, jwkSet(jwk(one, 'theAlias')))
  const anotherLocation = 'tokenwell/test/another-key'
  await stage.store(jwkSet(jwk(other, 'theAlias')), anotherLocation)
  for (const [name, key] of [
    [location, one],
    [anotherLocation, other],
  ] as const) {
    const signer = await stage.signers.current({ jwtBuilder, location: name, alias: 'theAlias' }, 'ES256')
    assert.ok(await isSignedBy(signer, 'ES256', createPublicKey(key)), name)
  }
})

for (const [algorithm, neededBytes] of [
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
] as const) {
  test(`${algorithm} takes a shared key of ${neededBytes} bytes, and the key is the text itself`, async (t) => {
    const key = randomBytes(neededBytes / 2).toString('hex')
    const { signers } = await startStage(t, key)
    const signer = await signers.current({ jwtBuilder, location }, algorithm)
    assert.ok(await isSignedBy(signer, algorithm, Buffer.from(key)))
    assert.equal(signer.keyId, undefined)
    assert.equal(signer.certificate, undefined)
  })

  test(`${algorithm} refuses a shared key under ${neededBytes} bytes, not counting a line break`, async (t) => {
    const key = randomBytes(neededBytes / 2)
      .toString('hex')
      .slice(1)
    const complaint = new RegExp(
      `holds a key of ${neededBytes - 1} bytes, but ${algorithm} needs at least ${neededBytes} bytes\\.$`,
    )
    for (const text of [key, `${key}\n`, `${key}\r\n`]) {
      const { signers } = await startStage(t, text)
      await assert.rejects(signers.current({ jwtBuilder, location }, algorithm), (error: Error) => {
        assert.ok(!error.message.includes(key.slice(0, 16)))
        return refused(complaint)(error)
      })
    }
  })
}

test('a shared key is measured and used in UTF-8', async (t) => {
  const key = 'ü'.repeat(16)
  const { signers } = await startStage(t, key)
  const signer = await signers.current({ jwtBuilder, location }, 'HS256')
  assert.ok(await isSignedBy(signer, 'HS256', Buffer.from(key, 'utf8')))
})

test('one line break at the end of a shared key is not a part of it, and everything else is', async (t) => {
  const key = randomBytes(32).toString('hex')
  for (const [text, meant] of [
    [`${key}\n`, key],
    [`${key}\r\n`, key],
    [`${key}\n\n`, `${key}\n`],
    [`\n${key}`, `\n${key}`],
    [`${key} `, `${key} `],
    [` ${key}\n`, ` ${key}`],
  ] as const) {
    const { signers } = await startStage(t, text)
    const signer = await signers.current({ jwtBuilder, location }, 'HS256')
    assert.ok(await isSignedBy(signer, 'HS256', Buffer.from(meant)), JSON.stringify(text.replace(key, 'key')))
  }
})

test('a signing secret is read once, and again only after 5 minutes', async (t) => {
  const stage = await startStage(t, jwkSet(jwk(one, 'one')))
  await stage.signers.current({ jwtBuilder, location }, 'ES256')
  await stage.store(jwkSet(jwk(other, 'other')))

  stage.advance(fiveMinutes - 1)
  assert.equal((await stage.signers.current({ jwtBuilder, location }, 'ES256')).keyId, 'one')
  assert.equal(stage.reads(), 1)

  stage.advance(1)
  const renewed = await stage.signers.current({ jwtBuilder, location }, 'ES256')
  assert.equal(renewed.keyId, 'other')
  assert.ok(await isSignedBy(renewed, 'ES256', createPublicKey(other)))
  assert.equal(stage.reads(), 2)

  stage.advance(fiveMinutes - 1)
  await stage.signers.current({ jwtBuilder, location }, 'ES256')
  assert.equal(stage.reads(), 2)
})

test('use does not make a key younger: it is read again 5 minutes after it was read', async (t) => {
  const stage = await startStage(t, jwkSet(jwk(one, 'one')))
  for (let minute = 0; minute <= 5; minute++) {
    await stage.signers.current({ jwtBuilder, location }, 'ES256')
    stage.advance(60_000)
  }
  assert.equal(stage.reads(), 2)
})

test('concurrent first uses read a signing secret once', async (t) => {
  const stage = await startStage(t, jwkSet(jwk(one, 'one')))
  const signers = await Promise.all(
    Array.from({ length: 20 }, () => stage.signers.current({ jwtBuilder, location }, 'ES256')),
  )
  assert.equal(stage.reads(), 1)
  assert.ok(signers.every(({ keyId }) => keyId === 'one'))
})

test('a failed read is not kept: the next use reads again', async (t) => {
  const stage = await startStage(t)
  const attempts = await Promise.allSettled([1, 2].map(() => stage.signers.current({ jwtBuilder, location }, 'ES256')))
  for (const attempt of attempts) assert.ok(attempt.status === 'rejected' && attempt.reason instanceof SecretError)
  assert.equal(stage.reads(), 1)

  await stage.store(jwkSet(jwk(one, 'one')))
  assert.equal((await stage.signers.current({ jwtBuilder, location }, 'ES256')).keyId, 'one')
  assert.equal(stage.reads(), 2)
})

test("a secret that can't be used is not kept: the next use reads again", async (t) => {
  const stage = await startStage(t, 'no key at all')
  await assert.rejects(stage.signers.current({ jwtBuilder, location }, 'ES256'), KeyStoreError)
  await stage.store(jwkSet(jwk(one, 'one')))
  assert.equal((await stage.signers.current({ jwtBuilder, location }, 'ES256')).keyId, 'one')
})

test('after its 5 minutes a key does not sign any more if the secret is gone', async (t) => {
  const stage = await startStage(t, jwkSet(jwk(one, 'one')))
  await stage.signers.current({ jwtBuilder, location }, 'ES256')
  await stage.remove()
  await stage.signers.current({ jwtBuilder, location }, 'ES256')
  stage.advance(fiveMinutes)
  await assert.rejects(stage.signers.current({ jwtBuilder, location }, 'ES256'), SecretError)
})
