import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { jwtVerify } from 'jose'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import type { SignatureAlgorithm } from '../../../lib/configuration/signature-algorithm.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import { createSignerCache } from '../../../lib/signing/signer-cache.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'

const jwtBuilder = 'theBuilder'
const location = 'tokenwell/test/the-key'
const minute = 60_000

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const [one, other, another] = [p256(), p256(), p256()]
const jwk = (key: KeyObject, kid: string, times: object = {}) => ({ ...key.export({ format: 'jwk' }), kid, ...times })
const jwkSet = (...keys: object[]) => JSON.stringify({ keys })
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** A secret with a previous version, and a clock that the test moves. */
function theSigners(current: string, previous?: string | SecretError) {
  const far = { current, previous, now: 0, reads: 0, previousReads: 0 }
  const store = {
    async get() {
      far.reads++
      return new Secret(far.current)
    },
    async getPrevious() {
      far.previousReads++
      if (far.previous instanceof SecretError) throw far.previous
      return far.previous === undefined ? undefined : new Secret(far.previous)
    },
  }
  const now = () => far.now
  return { far, signers: createSignerCache(createSecretCache(store, now), now) }
}

async function assertSignedBy(
  signer: Signer | undefined,
  key: KeyObject | Uint8Array,
  alg: SignatureAlgorithm = 'ES256',
) {
  assert.ok(signer)
  await jwtVerify((await signer.sign({ alg }, {})).reveal(), key, { algorithms: [alg] })
}

test("the previous key of an operator's key is in the secret's previous version", async () => {
  const { far, signers } = theSigners(pem(other), pem(one))
  const current = await signers.current({ jwtBuilder, location }, 'ES256')
  await assertSignedBy(await signers.previous({ jwtBuilder, location }, 'ES256'), createPublicKey(one))
  await assertSignedBy(current, createPublicKey(other))
  assert.equal(await signers.current({ jwtBuilder, location }, 'ES256'), current, 'which is kept meanwhile')
  assert.deepEqual([far.reads, far.previousReads], [1, 1])
})

test('if the previous version has several keys, the alias names the one', async () => {
  const { signers } = theSigners(jwkSet(jwk(other, 'a')), jwkSet(jwk(another, 'b'), jwk(one, 'a')))
  await assertSignedBy(await signers.previous({ jwtBuilder, location, alias: 'a' }, 'ES256'), createPublicKey(one))
  await assert.rejects(signers.previous({ jwtBuilder, location }, 'ES256'), /holds several keys/)
})

test('a shared key also has a previous key', async () => {
  const [before, now] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')]
  const { signers } = theSigners(now, before)
  await assertSignedBy(await signers.previous({ jwtBuilder, location }, 'HS256'), Buffer.from(before), 'HS256')
})

test('without a previous version, or with the same text in it, there is no previous key', async () => {
  for (const previous of [undefined, pem(one)]) {
    const { signers } = theSigners(pem(one), previous)
    assert.equal(await signers.previous({ jwtBuilder, location }, 'ES256'), undefined)
  }
})

test('a previous version that signs alike is no previous key, although it has another form or other members', async () => {
  const shared = randomBytes(32).toString('hex')
  const { signers } = theSigners(JSON.stringify({ key: shared, hosts: ['as.example.com'] }), `${shared}\n`)
  assert.equal(await signers.previous({ jwtBuilder, location }, 'HS256'), undefined)

  const ofOne = theSigners(JSON.stringify({ privateKey: pem(one), hosts: ['as.example.com'] }), pem(one))
  assert.equal(await ofOne.signers.previous({ jwtBuilder, location }, 'ES256'), undefined)
})

test('the same key with another kid or another certificate is a previous key', async () => {
  const certificate = await createKeyCertificate(one, 'theClient')
  for (const before of [JSON.stringify({ privateKey: pem(one), kid: 'a' }), pem(one) + certificate]) {
    const { signers } = theSigners(pem(one), before)
    await assertSignedBy(await signers.previous({ jwtBuilder, location }, 'ES256'), createPublicKey(one))
  }
})

test("a previous version that can't be read, or has no key that fits, is an error, and the current key still signs", async () => {
  const denied = new SecretError('secret_denied', 'no right')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  for (const [previous, expected] of [
    [denied, denied],
    ['no key at all', KeyStoreError],
    [pem(rsa), /holds a 2048 bit RSA key, but ES256 needs an EC key/],
    [jwkSet(jwk(one, 'a', { signsFrom: 5 })), /holds no key that signs now/],
  ] as const) {
    const { far, signers } = theSigners(pem(other), previous)
    await assert.rejects(signers.previous({ jwtBuilder, location }, 'ES256'), expected)
    await assertSignedBy(await signers.current({ jwtBuilder, location }, 'ES256'), createPublicKey(other))
    assert.equal(far.reads, 1)
  }
})

test('if keys have times, the clock decides the previous key, and the previous version is not read', async () => {
  const { far, signers } = theSigners(
    jwkSet(jwk(other, 'next', { signsFrom: 60 }), jwk(one, 'current', { signsFrom: 0, signsUntil: 60 })),
    jwkSet(jwk(another, 'gone', { signsFrom: 0 })),
  )
  assert.equal(await signers.previous({ jwtBuilder, location }, 'ES256'), undefined)
  far.now = minute - 1
  assert.equal(await signers.previous({ jwtBuilder, location }, 'ES256'), undefined)
  far.now = minute
  await assertSignedBy(await signers.previous({ jwtBuilder, location }, 'ES256'), createPublicKey(one))
  await assertSignedBy(await signers.current({ jwtBuilder, location }, 'ES256'), createPublicKey(other))
  assert.deepEqual([far.reads, far.previousReads], [1, 0])
})

test('the version before keys with times may have keys without times, and the other way round', async () => {
  const timed = jwkSet(jwk(other, 'current', { signsFrom: 0 }), jwk(another, 'next', { signsFrom: 60 }))
  const brought = theSigners(pem(one), timed)
  await assertSignedBy(await brought.signers.previous({ jwtBuilder, location }, 'ES256'), createPublicKey(other))
  const made = theSigners(timed, pem(one))
  assert.equal(
    await made.signers.previous({ jwtBuilder, location }, 'ES256'),
    undefined,
    'the first of its set has none',
  )
})

test('a revoked key is not used as a previous key, whether its version or its times make it one', async () => {
  const revoked = [{ jwtBuilder, kid: 'old', revokedAt: 0 }]
  const brought = theSigners(jwkSet(jwk(other, 'new')), jwkSet(jwk(one, 'old')))
  assert.equal((await brought.signers.previous({ jwtBuilder, location }, 'ES256'))?.keyId, 'old')
  brought.signers.revoke(revoked)
  await assert.rejects(
    brought.signers.previous({ jwtBuilder, location }, 'ES256'),
    /has no key that may sign: .*revoked old/,
  )
  const timed = theSigners(
    jwkSet(jwk(other, 'new', { signsFrom: 0 }), jwk(one, 'old', { signsFrom: 0, signsUntil: 0 })),
  )
  assert.equal((await timed.signers.previous({ jwtBuilder, location }, 'ES256'))?.keyId, 'old')
  timed.signers.revoke(revoked)
  assert.equal(await timed.signers.previous({ jwtBuilder, location }, 'ES256'), undefined)
})
