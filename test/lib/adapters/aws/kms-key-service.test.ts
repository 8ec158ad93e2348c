import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { compactVerify } from 'jose'
import type { AwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { kmsKeyService } from '../../../../lib/adapters/aws/kms-key-service.ts'
import type { SignatureAlgorithm } from '../../../../lib/configuration/signature-algorithm.ts'
import { KeyServiceError } from '../../../../lib/signing/key-service.ts'
import { createKmsSigners } from '../../../../lib/signing/kms-signers.ts'
import { setEnvironment } from '../../../support/process/this-process.ts'
import { awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'
import { startStageKeys } from '../../../support/servers/stage-keys.ts'
import type { KeySpec } from '../../../support/servers/strict-kms.ts'

/** Long enough for a busy machine. */
const patient: AwsTimeouts = { connect: 60_000, answer: 60_000, total: 60_000 }
const alias = 'alias/tokenwell/local/one'
const reference = { jwtBuilder: 'theBuilder', kmsAlias: alias, publishAheadSeconds: 0 }
const digest = new Uint8Array(32)

async function startKms(t: TestContext, spec: KeySpec) {
  const { kms, environment, allow } = await startStageKeys(t, { names: ['one'] })
  setEnvironment(t, environment)
  const key = kms.createKey(spec)
  kms.pointAlias(alias, key)
  return { kms, key, allow, service: kmsKeyService({ timeouts: patient }) }
}

async function failureOf(running: Promise<unknown>): Promise<KeyServiceError> {
  const failure = await running.then(String, (error: unknown) => error)
  return failure instanceof KeyServiceError ? failure : assert.fail(String(failure))
}

const specs: readonly (readonly [KeySpec, readonly SignatureAlgorithm[]])[] = [
  ['RSA_2048', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['ECC_NIST_P256', ['ES256']],
  ['ECC_NIST_P384', ['ES384']],
  ['ECC_NIST_P521', ['ES512']],
  ['ECC_NIST_EDWARDS25519', ['Ed25519', 'EdDSA']],
]
for (const [spec, algorithms] of specs)
  test(`a KMS key with the spec ${spec} signs JWTs that verify with its public key, by its ARN`, async (t) => {
    const { kms, key, service } = await startKms(t, spec)
    const { keyArn, publicKey } = await service.publicKey(alias)
    assert.equal(keyArn, key.arn)
    const signers = createKmsSigners({ keyService: service, pinnedKeys: { read: async () => [] }, now: Date.now })
    for (const algorithm of algorithms) {
      const signer = await signers.current(reference, algorithm)
      const jws = await signer.sign({ alg: algorithm }, { iss: 'me' })
      await compactVerify(jws.reveal(), publicKey)
    }
    assert.deepEqual([...new Set(kms.signatures.map(({ askedFor }) => askedFor))], [key.arn])
  })

test('a key whose alias was moved signs no longer, and the error says how to give it the right again', async (t) => {
  const { kms, key, service } = await startKms(t, 'ECC_NIST_P256')
  kms.pointAlias(alias, kms.createKey('ECC_NIST_P256'))
  const request = { alias, keyArn: key.arn, algorithm: 'ES256', message: digest, digest } as const
  const failure = await failureOf(service.sign(request))
  assert.ok(failure.message.startsWith(`The KMS key ${alias} (${key.arn}) may not be used (AccessDeniedException).`))
  assert.match(failure.message, /give it the alias alias\/tokenwell\/local\/one\/previous/)
  kms.pointAlias(`${alias}/previous`, key)
})

test('keys that cannot sign JWTs are refused: other uses, keys for MACs, symmetric keys', async (t) => {
  const { kms, service } = await startKms(t, 'ECC_NIST_P256')
  for (const [spec, usage, sentence] of [
    ['RSA_2048', 'ENCRYPT_DECRYPT', /cannot sign JWTs \(key usage ENCRYPT_DECRYPT\)/],
    ['ECC_NIST_P256', 'KEY_AGREEMENT', /cannot sign JWTs \(key usage KEY_AGREEMENT\)/],
    ['HMAC_256', 'GENERATE_VERIFY_MAC', /cannot sign with this algorithm \(UnsupportedOperationException\)/],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', /cannot sign with this algorithm \(UnsupportedOperationException\)/],
  ] as const) {
    kms.pointAlias(alias, kms.createKey(spec, usage))
    const failure = await failureOf(service.publicKey(alias))
    assert.match(failure.message, sentence)
    assert.equal(failure.isPassing, false)
  }
})

test('a key on a curve that no algorithm of JWTs has is refused with what is needed', async (t) => {
  const { service } = await startKms(t, 'ECC_SECG_P256K1')
  const signers = createKmsSigners({ keyService: service, pinnedKeys: { read: async () => [] }, now: Date.now })
  const { message } = await failureOf(signers.current(reference, 'ES256'))
  assert.match(message, /is an EC key on secp256k1, but ES256 needs an EC key on P-256/)
})

test('a missing, disabled or deleted key, and one without the right, each have their sentence', async (t) => {
  const { kms, key, service, allow } = await startKms(t, 'ECC_NIST_P256')
  const request = { alias, keyArn: key.arn, algorithm: 'ES256', message: digest, digest } as const
  const missing = await failureOf(service.publicKey('alias/tokenwell/local/none'))
  assert.match(missing.message, /none does not exist in this account and region/)
  for (const [state, sentence] of [
    ['Disabled', /cannot be used \(DisabledException\)\. Enable the key/],
    ['PendingDeletion', /cannot be used \(KMSInvalidStateException\)\. Enable the key, or cancel its deletion/],
  ] as const) {
    kms.setState(key, state)
    for (const failure of [await failureOf(service.publicKey(alias)), await failureOf(service.sign(request))]) {
      assert.match(failure.message, sentence)
      assert.equal(failure.isPassing, false)
    }
  }
  allow([])
  for (const [failure, action] of [
    [await failureOf(service.publicKey(alias)), 'kms:GetPublicKey'],
    [await failureOf(service.sign(request)), 'kms:Sign'],
  ] as const) {
    assert.match(failure.message, new RegExp(`may not be used .*Allow ${action} on keys with this alias`))
    assert.equal(failure.isPassing, false)
  }
})

test('throttling and an unreachable KMS pass by themselves', async (t) => {
  const started = await startMotoBehindProxy(t)
  if (!started) return
  const service = kmsKeyService({ timeouts: { ...patient, total: 400 } })
  const request = { alias, keyArn: 'arn:aws:kms:x', algorithm: 'ES256', message: digest, digest } as const
  for (const [answer, sentence] of [
    [awsError(400, 'ThrottlingException'), /KMS throttles requests/],
    [awsError(500, 'KeyUnavailableException'), /Check that KMS can be reached/],
    ['held', /Check that KMS can be reached/],
  ] as const) {
    started.proxy.answerAll(answer)
    for (const failure of [await failureOf(service.publicKey(alias)), await failureOf(service.sign(request))]) {
      assert.match(failure.message, sentence)
      assert.equal(failure.isPassing, true)
    }
  }
})

test('Ed25519 signs the message itself, which KMS limits to 4,096 bytes', async () => {
  const request = { alias, keyArn: 'arn:aws:kms:x', algorithm: 'Ed25519', message: Buffer.alloc(4_097) } as const
  const failure = await failureOf(kmsKeyService().sign(request))
  assert.match(failure.message, /signs at most 4096 bytes with Ed25519, but the JWT has 4097\. Take x5c/)
})
