import assert from 'node:assert/strict'
import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import {
  GetPublicKeyCommand,
  KMSClient,
  KMSServiceException,
  type MessageType,
  SignCommand,
  type SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { AwsRefusal } from '../support/servers/aws-refusal.ts'
import { type StageKeys, startStageKeys } from '../support/servers/stage-keys.ts'
import type { KeySpec, KeyUsage } from '../support/servers/strict-kms.ts'

const alias = 'alias/tokenwell/local/partner'
const input = Buffer.from('header.claims')

function clientOf(t: TestContext, { kms, environment }: StageKeys, changes: { secretAccessKey?: string } = {}) {
  const client = new KMSClient({
    endpoint: kms.endpoint,
    region: 'eu-central-1',
    maxAttempts: 1,
    credentials: {
      accessKeyId: String(environment['AWS_ACCESS_KEY_ID']),
      secretAccessKey: String(environment['AWS_SECRET_ACCESS_KEY']),
      sessionToken: String(environment['AWS_SESSION_TOKEN']),
      ...changes,
    },
  })
  t.after(() => client.destroy())
  return client
}

function digestFor(algorithm: string): Buffer {
  return createHash(`sha${algorithm.slice(-3)}`)
    .update(input)
    .digest()
}

function signed(KeyId: string, algorithm = 'ECDSA_SHA_256', Message: Buffer = digestFor(algorithm), type = 'DIGEST') {
  const MessageType = type as MessageType
  return new SignCommand({ KeyId, Message, MessageType, SigningAlgorithm: algorithm as SigningAlgorithmSpec })
}

async function keysWith(t: TestContext, spec: KeySpec = 'ECC_NIST_P256', usage?: KeyUsage) {
  const keys = await startStageKeys(t)
  const key = keys.kms.createKey(spec, usage)
  keys.kms.pointAlias(alias, key)
  return { keys, key, client: clientOf(t, keys) }
}

/** As a server verifies a JWT (RFC 7518 section 3), but with ECDSA in DER. */
function isVerified(key: KeyObject, algorithm: string, signature: Uint8Array): boolean {
  const padding = algorithm.startsWith('RSASSA_PSS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const saltLength = Number(algorithm.slice(-3)) / 8
  const how = key.asymmetricKeyType === 'rsa' ? { padding, saltLength } : { dsaEncoding: 'der' as const }
  return verify(`sha${algorithm.slice(-3)}`, input, { key, ...how }, signature)
}

const rsa = [
  'PKCS1_V1_5_SHA_256',
  'PKCS1_V1_5_SHA_384',
  'PKCS1_V1_5_SHA_512',
  'PSS_SHA_256',
  'PSS_SHA_384',
  'PSS_SHA_512',
]

const signatures: readonly (readonly [KeySpec, readonly string[]])[] = [
  ['RSA_2048', rsa.map((each) => `RSASSA_${each}`)],
  ['RSA_3072', ['RSASSA_PSS_SHA_256']],
  ['ECC_NIST_P256', ['ECDSA_SHA_256']],
  ['ECC_NIST_P384', ['ECDSA_SHA_384']],
  ['ECC_NIST_P521', ['ECDSA_SHA_512']],
]

for (const [spec, algorithms] of signatures)
  for (const algorithm of algorithms)
    test(`KMS signs digests and messages with ${spec} by ${algorithm}, and its public key verifies them`, async (t) => {
      const { key, client } = await keysWith(t, spec)
      const shown = await client.send(new GetPublicKeyCommand({ KeyId: alias }))
      assert.deepEqual([shown.KeyId, shown.KeySpec, shown.KeyUsage], [key.arn, spec, 'SIGN_VERIFY'])
      assert(shown.SigningAlgorithms?.includes(algorithm as SigningAlgorithmSpec))
      const publicKey = createPublicKey({ key: Buffer.from(shown.PublicKey ?? []), format: 'der', type: 'spki' })
      // Often enough for an r and an s that begin with a zero.
      for (let count = 0; count < (spec.startsWith('ECC') ? 200 : 5); count++) {
        const { Signature, KeyId } = await client.send(signed(alias, algorithm))
        assert.equal(KeyId, key.arn)
        assert(isVerified(publicKey, algorithm, Signature ?? new Uint8Array()))
      }
      const { Signature } = await client.send(signed(key.arn, algorithm, input, 'RAW'))
      assert(isVerified(publicKey, algorithm, Signature ?? new Uint8Array()))
    })

test('KMS signs no digest with Ed25519', async (t) => {
  const { client } = await keysWith(t, 'ECC_NIST_EDWARDS25519')
  await assert.rejects(client.send(signed(alias, 'ED25519_SHA_512')), refusal('ValidationException'))
  await client.send(signed(alias, 'ED25519_SHA_512', input, 'RAW'))
})

function refusal(name: string, message = /./) {
  return (error: unknown) => {
    assert(error instanceof KMSServiceException)
    assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, 400])
    assert.match(error.message, message)
    return true
  }
}

test('KMS refuses what does not fit the key', async (t) => {
  const { keys, client } = await keysWith(t)
  const { kms } = keys
  await assert.rejects(client.send(signed(alias, 'ECDSA_SHA_384')), refusal('InvalidKeyUsageException'))
  await assert.rejects(client.send(signed(alias, 'ECDSA_SHA_256', Buffer.alloc(20))), refusal('ValidationException'))
  await assert.rejects(client.send(signed(alias, 'ECDSA_SHA_1', Buffer.alloc(20))), refusal('ValidationException'))
  await assert.rejects(
    client.send(signed(alias, 'ECDSA_SHA_256', Buffer.alloc(4097), 'RAW')),
    refusal('ValidationException'),
  )
  kms.pointAlias(alias, kms.createKey('RSA_2048', 'ENCRYPT_DECRYPT'))
  await assert.rejects(client.send(signed(alias, 'RSASSA_PSS_SHA_256')), refusal('InvalidKeyUsageException'))
  kms.pointAlias(alias, kms.createKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'))
  await assert.rejects(client.send(new GetPublicKeyCommand({ KeyId: alias })), refusal('UnsupportedOperationException'))
  assert.equal(kms.signatures.length, 0)
})

test('KMS refuses a key that is disabled, pending deletion or missing', async (t) => {
  const { key, keys, client } = await keysWith(t)
  const both = [signed(alias), new GetPublicKeyCommand({ KeyId: alias })] as const
  keys.kms.setState(key, 'Disabled')
  for (const command of both) await assert.rejects(client.send(command as SignCommand), refusal('DisabledException'))
  keys.kms.setState(key, 'PendingDeletion')
  for (const command of both)
    await assert.rejects(client.send(command as SignCommand), refusal('KMSInvalidStateException', /pending deletion/))
  keys.kms.setState(key, 'Enabled')
  await client.send(signed(key.arn))
  keys.kms.deleteAlias(alias)
  await assert.rejects(client.send(signed(alias)), refusal('NotFoundException', /Alias .* is not found/))
  await assert.rejects(client.send(signed(`${key.arn}0`)), refusal('NotFoundException'))
})

test('a grant for an alias holds for the key that has it, however the request names that key', async (t) => {
  const { key, keys, client } = await keysWith(t)
  const { kms } = keys
  const other = kms.createKey('ECC_NIST_P256')
  kms.pointAlias('alias/tokenwell/prod/partner', other)
  for (const KeyId of [alias, key.arn]) await client.send(signed(KeyId))
  for (const KeyId of ['alias/tokenwell/prod/partner', other.arn])
    await assert.rejects(
      client.send(signed(KeyId)),
      refusal('AccessDeniedException', /not authorized to perform: kms:Sign/),
    )
})

test('a key that has lost its alias signs no more, not even by its ARN', async (t) => {
  const { key, keys, client } = await keysWith(t)
  const next = keys.kms.createKey('ECC_NIST_P256')
  keys.kms.pointAlias(alias, next)
  assert.equal((await client.send(signed(alias))).KeyId, next.arn)
  await assert.rejects(client.send(signed(key.arn)), refusal('AccessDeniedException'))
})

test('a grant for the alias in the request holds for no ARN', async (t) => {
  const { key, keys, client } = await keysWith(t)
  const Condition = { StringEquals: { 'kms:RequestAlias': alias } }
  keys.allow([{ Effect: 'Allow', Action: 'kms:*', Resource: '*', Condition }])
  await client.send(signed(alias))
  await assert.rejects(client.send(signed(key.arn)), refusal('AccessDeniedException'))
})

test('KMS refuses a wrong signature of the request', async (t) => {
  const { keys } = await keysWith(t)
  const client = clientOf(t, keys, { secretAccessKey: 'another' })
  await assert.rejects(client.send(signed(alias)), refusal('InvalidSignatureException'))
})

test('KMS throttles, is slow or hangs up where a test says so', async (t) => {
  const { keys, client } = await keysWith(t)
  const { kms } = keys
  kms.fail('Sign', new AwsRefusal('ThrottlingException', 'You have exceeded the rate at which you may call KMS.'), 2)
  for (let count = 0; count < 2; count++)
    await assert.rejects(client.send(signed(alias)), refusal('ThrottlingException'))
  await client.send(signed(alias))
  kms.answerAfter(60)
  const begin = performance.now()
  await client.send(signed(alias))
  assert(performance.now() - begin >= 59)
  kms.fail('Sign', 'reset')
  await assert.rejects(client.send(signed(alias)), /ECONNRESET|socket hang up/)
  kms.work()
  await client.send(signed(alias))
  assert.deepEqual(new Set(kms.accepted), new Set(['Sign']))
})
