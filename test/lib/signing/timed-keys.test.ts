import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { createSignerCache } from '../../../lib/signing/signer-cache.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const jwtBuilder = 'theBuilder'
const location = 'tokenwell/test/the-key'
const start = 1_795_539_600_000
const [minute, hour] = [60_000, 3_600_000]

interface SomeKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly signsFrom: number
  readonly signsUntil?: number
}

function someKey(kid: string, signsFrom: number, signsUntil?: number): SomeKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, signsFrom, ...(signsUntil !== undefined && { signsUntil }) }
}

function secretOf(keys: readonly SomeKey[]): Secret {
  const jwks = keys.map(({ privateKey, signsFrom, signsUntil, ...rest }) => ({
    ...privateKey.export({ format: 'jwk' }),
    ...rest,
    use: 'sig',
    alg: 'ES256',
    signsFrom: signsFrom / 1000,
    ...(signsUntil !== undefined && { signsUntil: signsUntil / 1000 }),
  }))
  return new Secret(JSON.stringify({ keys: jwks }))
}

/** A rotated secret that several instances read, each with its own clock. */
function theRotatedSecret(keys: readonly SomeKey[]) {
  const far = { secret: secretOf(keys), now: start, reads: 0 }
  const store = singleVersionSecrets(async () => {
    far.reads++
    return far.secret
  })
  return {
    far,
    /** @param ahead of the true time, in milliseconds */
    startInstance(ahead = 0) {
      const now = () => far.now + ahead
      const signers = createSignerCache(createSecretCache(store, now), now)
      return {
        signers,
        async sign() {
          const signer = await signers.current({ jwtBuilder, location }, 'ES256')
          const header = { alg: 'ES256', ...(signer.keyId !== undefined && { kid: signer.keyId }) }
          return (await signer.sign(header, { jti: 'some' })).reveal()
        },
      }
    },
  }
}

/** Whether the key that its header names, one of these keys, made it. */
async function isMadeBy(assertion: string, published: ReadonlyMap<string, KeyObject>): Promise<boolean> {
  const key = published.get(String(decodeProtectedHeader(assertion).kid))
  if (!key) return false
  return jwtVerify(assertion, key, { algorithms: ['ES256'] }).then(
    () => true,
    () => false,
  )
}

function publicHalves(keys: readonly SomeKey[]): ReadonlyMap<string, KeyObject> {
  return new Map(keys.map(({ kid, privateKey }) => [kid, createPublicKey(privateKey)]))
}

test('the signer changes at the millisecond at which the next key begins, without reading the secret', async () => {
  const keys = [someKey('next', start + minute), someKey('current', start, start + minute)]
  const { far, startInstance } = theRotatedSecret(keys)
  const { sign } = startInstance()
  for (const [now, kid] of [
    [start, 'current'],
    [start + minute - 1, 'current'],
    [start + minute, 'next'],
    [start + 4 * minute, 'next'],
  ] as const) {
    far.now = now
    const assertion = await sign()
    assert.ok(await isMadeBy(assertion, publicHalves(keys.filter((key) => key.kid === kid))), `${kid} at ${now}`)
  }
  assert.equal(far.reads, 1)
})

test('a signer is made once, and kept while its key signs', async () => {
  const { far, startInstance } = theRotatedSecret([someKey('b', start + minute), someKey('a', start, start + minute)])
  const { signers } = startInstance()
  const [one, two] = [
    await signers.current({ jwtBuilder, location }, 'ES256'),
    await signers.current({ jwtBuilder, location }, 'ES256'),
  ]
  assert.equal(one, two)
  far.now += minute
  const three = await signers.current({ jwtBuilder, location }, 'ES256')
  assert.notEqual(three, one)
  assert.equal(await signers.current({ jwtBuilder, location }, 'ES256'), three)
})

test('a replaced secret counts once it is read again', async () => {
  const first = someKey('first', start)
  const { far, startInstance } = theRotatedSecret([first])
  const { sign } = startInstance()
  await sign()
  const second = someKey('second', start + 6 * minute)
  far.secret = secretOf([second, { ...first, signsUntil: start + 6 * minute }])
  far.now = start + 5 * minute
  assert.equal(decodeProtectedHeader(await sign()).kid, 'first', 'the same key, of the new version')
  far.now = start + 6 * minute
  const assertion = await sign()
  assert.equal(decodeProtectedHeader(assertion).kid, 'second')
  assert.ok(await isMadeBy(assertion, publicHalves([second])))

  far.secret = secretOf([{ ...someKey('second', start), kid: 'second' }])
  far.now = start + 11 * minute
  assert.equal(await isMadeBy(await sign(), publicHalves([second])), false, 'another key under a known name')
})

test('while no key signs yet, each use reads the secret again, and the key signs as soon as its time has come', async () => {
  const { far, startInstance } = theRotatedSecret([someKey('first', start + 1)])
  const { sign } = startInstance()
  await assert.rejects(sign(), KeyStoreError)
  await assert.rejects(sign(), (error: Error) => {
    assert.match(error.message, new RegExp(`^The secret ${location} holds no key that signs now. The next key, first,`))
    return true
  })
  assert.equal(far.reads, 2)
  far.now += 1
  assert.equal(decodeProtectedHeader(await sign()).kid, 'first')
})

test('a current key that does not fit the algorithm is an error, but a next key that does not fit is not yet', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const { far, startInstance } = theRotatedSecret([
    { kid: 'wrong', privateKey: rsa, signsFrom: start + minute },
    someKey('right', start, start + minute),
  ])
  const { sign } = startInstance()
  assert.equal(decodeProtectedHeader(await sign()).kid, 'right')
  far.now += minute
  await assert.rejects(sign(), /holds a 2048 bit RSA key, but ES256 needs an EC key on P-256/)
})

/**
 * Twenty instances, whose clocks differ by up to a minute, sign every 5 minutes over these rotations, before a server that
 * reads the published set once an hour and never because of a `kid` that it doesn't know.
 */
async function rotateBefore(publishAhead: number, rotations: number) {
  let keys: SomeKey[] = [someKey('0', start - hour)]
  const { far, startInstance } = theRotatedSecret(keys)
  const instances = Array.from({ length: 20 }, (_, index) => startInstance((index / 19 - 0.5) * minute))
  let known = publicHalves(keys)
  let [refused, accepted] = [0, 0]
  const signedBy = new Set<string>()

  for (let tick = 0; tick < 40 * rotations + 30; tick++) {
    far.now = start + tick * 5 * minute
    if (tick % 40 === 35) {
      const signsFrom = far.now + publishAhead
      const [before] = keys
      assert.ok(before)
      keys = [someKey(String(tick), signsFrom), { ...before, signsUntil: signsFrom }]
      far.secret = secretOf(keys)
    }
    if (tick % 12 === 0) known = publicHalves(keys)
    for (const { sign } of instances) {
      const assertion = await sign()
      signedBy.add(String(decodeProtectedHeader(assertion).kid))
      if (await isMadeBy(assertion, known)) accepted++
      else refused++
    }
  }
  return { refused, accepted, signedBy: [...signedBy] }
}

test('twenty instances with different clocks never sign with a key that a server with an old set does not know', async () => {
  const { refused, accepted, signedBy } = await rotateBefore(2 * hour, 3)
  assert.deepEqual([refused, accepted], [0, 3_000])
  assert.deepEqual(signedBy, ['0', '35', '75', '115'])
})

test('a key that is published only when it signs is refused as long as the server keeps its old set', async () => {
  const { refused } = await rotateBefore(0, 1)
  assert.ok(refused > 0)
})
