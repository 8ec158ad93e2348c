import assert from 'node:assert/strict'
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify, decodeProtectedHeader } from 'jose'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import type { KmsKeyReference } from '../../../lib/configuration/assertion-configuration.ts'
import type { SignatureAlgorithm } from '../../../lib/configuration/signature-algorithm.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import { createHeader } from '../../../lib/signing/assertion.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { KeyServiceError } from '../../../lib/signing/key-service.ts'
import { createKmsSigners, type PinnedKey } from '../../../lib/signing/kms-signers.ts'
import { keyIdOf } from '../../../lib/signing/signing-key.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'
import { arnOf, testKeyService } from '../../support/virtual/key-services.ts'

const alias = 'alias/tokenwell/local/one'
const rsa = generateKey('RS256', 2048)
const reference: KmsKeyReference = { jwtBuilder: 'theBuilder', kmsAlias: alias, publishAheadSeconds: 86_400 }

function signersFor(key: KeyObject, pins: readonly PinnedKey[] = []) {
  const keyService = testKeyService({ [alias]: key })
  let time = 1_800_000_000_000
  let reads = 0
  const signers = createKmsSigners({
    keyService,
    pinnedKeys: {
      read: async () => {
        reads++
        return pins
      },
    },
    now: () => time,
  })
  return {
    ...{ keyService, signers },
    pass: (milliseconds: number) => {
      time += milliseconds
    },
    reads: () => reads,
  }
}

const pinOf = (key: KeyObject, more: Partial<PinnedKey> = {}): PinnedKey => ({
  ...{ keyArn: arnOf(key), keyId: keyIdOf(key), publicKey: createPublicKey(key), certificates: [], signsFrom: 0 },
  ...more,
})

const refuses =
  (sentence: RegExp, isPassing = false) =>
  (error: Error) => {
    assert.ok(error instanceof KeyServiceError)
    assert.match(error.message, sentence)
    assert.equal(error.isPassing, isPassing)
    return true
  }

const keyFor = (algorithm: SignatureAlgorithm) => (/^[RP]S/.test(algorithm) ? rsa : generateKey(algorithm, 2048))

for (const algorithm of [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'] as const),
])
  test(`${algorithm}: what the key service signs is a JWS of that key, with the kid of its public key`, async () => {
    const key = keyFor(algorithm)
    const { signers } = signersFor(key)
    const signer = await signers.current(reference, algorithm)
    const jws = await signer.sign({ alg: algorithm }, { iss: 'me' })
    const { payload } = await compactVerify(jws.reveal(), createPublicKey(key))
    assert.equal(Buffer.from(payload).toString(), '{"iss":"me"}')
    assert.equal(signer.keyId, keyIdOf(key))
  })

test('the kid of the keyStore replaces that of the public key', async () => {
  const { signers } = signersFor(rsa)
  assert.equal((await signers.current({ ...reference, kid: 'ours' }, 'RS256')).keyId, 'ours')
})

test('a key that does not fit the algorithm is refused with what it is and what is needed', async () => {
  const { signers } = signersFor(rsa)
  await assert.rejects(
    signers.current(reference, 'ES256'),
    refuses(/^The KMS key alias\/tokenwell\/local\/one is a 2048 bit RSA key, but ES256 needs an EC key on P-256\.$/),
  )
})

test('a key that does not fit is refused alike where other keys are pinned', async () => {
  const { signers } = signersFor(rsa, [pinOf(rsa)])
  await assert.rejects(signers.current(reference, 'ES256'), refuses(/is a 2048 bit RSA key, but ES256 needs/))
})

test('the certificate of the keyStore and its chain are in the header', async () => {
  const { signers } = signersFor(rsa)
  for (const form of ['pem', 'der'] as const) {
    const pem = await createKeyCertificate(rsa, 'the client')
    const written = form === 'pem' ? pem : new X509Certificate(pem).raw.toString('base64')
    const signer = await signers.current({ ...reference, certificate: written }, 'RS256')
    const assertion = plainAssertion({ certificateThumbprint: 'x5t#S256', hasCertificateChain: true, key: reference })
    const header = createHeader(assertion, signer)
    const jws = await signer.sign(header, {})
    const { x5c } = decodeProtectedHeader(jws.reveal())
    assert.deepEqual(x5c, [new X509Certificate(pem).raw.toString('base64')])
    assert.ok(header['x5t#S256'])
  }
})

test('a certificate of another key, one that cannot be read and none at all each have their sentence', async () => {
  const { signers } = signersFor(rsa)
  const others = await createKeyCertificate(generateKey('RS256', 2048), 'another')
  await assert.rejects(
    signers.current({ ...reference, certificate: others }, 'RS256'),
    refuses(/has a certificate in its keyStore that belongs to another key/),
  )
  await assert.rejects(
    signers.current({ ...reference, certificate: 'MIIB' }, 'RS256'),
    refuses(/has a certificate in its keyStore that cannot be read/),
  )
  const signer = await signers.current(reference, 'RS256')
  for (const wish of [{ hasCertificateChain: true } as const, { certificateThumbprint: 'x5t' } as const])
    assert.throws(
      () => createHeader(plainAssertion({ key: reference, ...wish }), signer),
      refuses(/^The KMS key alias\/tokenwell\/local\/one has no certificate, but .* into certificate of the keyStore/),
    )
})

test('the key before has the certificate that was published with it, not that of the new key', async () => {
  const next = generateKey('RS256', 2048)
  const published = new X509Certificate(await createKeyCertificate(rsa, 'the client'))
  const { signers } = signersFor(next, [pinOf(rsa, { certificates: [published] })])
  const certificate = await createKeyCertificate(next, 'the client')
  const signer = await signers.current({ ...reference, certificate }, 'RS256')
  assert.deepEqual(signer.certificateChain, [published.raw.toString('base64')])
})

test('a key that the publication does not know signs nothing', async () => {
  const next = generateKey('RS256', 2048)
  const { signers, keyService } = signersFor(next, [pinOf(rsa, { signsUntil: 1 })])
  await assert.rejects(
    signers.current(reference, 'RS256'),
    refuses(/is not published yet for jwtBuilder\/theBuilder/, true),
  )
  assert.deepEqual(keyService.signed, [])
})

test('a key that the publication does not know signs nothing either while the publication cannot be read any longer', async () => {
  const next = generateKey('RS256', 2048)
  const keyService = testKeyService({ [alias]: next })
  let isDown = false
  const signers = createKmsSigners({
    keyService,
    pinnedKeys: {
      read: async () => {
        if (isDown) throw new CacheUnavailableError('the cache is down')
        return [pinOf(rsa, { signsUntil: 1 })]
      },
    },
    now: Date.now,
  })
  for (isDown of [false, true, true])
    await assert.rejects(signers.current(reference, 'RS256'), refuses(/is not published yet/, true))
})

test('an instance reads the pinned keys once in five minutes, and again when the fleet has learned of a change', async () => {
  const { signers, pass, reads } = signersFor(rsa, [pinOf(rsa)])
  for (let count = 0; count < 3; count++) await signers.current(reference, 'RS256')
  assert.equal(reads(), 1)
  pass(5 * 60_000)
  await signers.current(reference, 'RS256')
  assert.equal(reads(), 2)
  signers.readAllAgain()
  await signers.current(reference, 'RS256')
  assert.equal(reads(), 3)
})

test('after a defect while the pinned keys are read, the next request reads them, and goes on with those that are known', async () => {
  const next = generateKey('RS256', 2048)
  const failures: Error[] = []
  const signers = createKmsSigners({
    keyService: testKeyService({ [alias]: next }),
    pinnedKeys: {
      read: async () => {
        const failure = failures.shift()
        if (failure) throw failure
        return [pinOf(rsa)]
      },
    },
    now: Date.now,
  })
  await signers.current(reference, 'RS256')
  failures.push(new TypeError('a defect'), new CacheUnavailableError('the cache is down'))
  signers.readAllAgain()
  await assert.rejects(signers.current(reference, 'RS256'), TypeError)
  assert.equal((await signers.current(reference, 'RS256')).keyId, keyIdOf(rsa))
})

test('what is not a signature of the algorithm is never sent', async () => {
  const key = generateKey('ES256', 0)
  const { keyService } = signersFor(key)
  const signers = createKmsSigners({
    keyService: { ...keyService, sign: async () => new Uint8Array(64).fill(1) },
    pinnedKeys: { read: async () => [] },
    now: Date.now,
  })
  const signer = await signers.current(reference, 'ES256')
  await assert.rejects(signer.sign({ alg: 'ES256' }, {}), refuses(/made a signature that is not one of ES256/))
})

test('while KMS does not answer, a key that is pinned signs without its public key being asked for', async () => {
  const { signers, keyService } = signersFor(rsa, [pinOf(rsa)])
  keyService.failure = new KeyServiceError(alias, 'cannot be used now.', { isPassing: true })
  await signers.current(reference, 'RS256')
  assert.deepEqual(keyService.asked, [])
})
