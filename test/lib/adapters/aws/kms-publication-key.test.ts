import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { CreateKeyCommand, type CreateKeyCommandInput, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import type { AwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { kmsPublicationKey } from '../../../../lib/adapters/aws/kms-publication-key.ts'
import { PublicationKeyError } from '../../../../lib/key-lifecycle/publication-key.ts'
import { awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'
import { someRole, withPermissionsLookedAt } from '../../../support/servers/moto-permissions.ts'

/** Long enough for a busy machine. */
const patient: AwsTimeouts = { connect: 60_000, answer: 60_000, total: 60_000 }
const bytes = Buffer.from('some bytes')
const signing: CreateKeyCommandInput = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }

async function startKms(t: TestContext) {
  const started = await startMotoBehindProxy(t)
  if (!started) return undefined
  const client = new KMSClient()
  t.after(() => client.destroy())
  return {
    ...started,
    client,
    async create(input = signing): Promise<string> {
      const { KeyMetadata: created } = await client.send(new CreateKeyCommand(input))
      return created?.KeyId ?? assert.fail()
    },
  }
}

async function failureOf(running: Promise<unknown>): Promise<PublicationKeyError> {
  const failure = await running.then(String, (error: unknown) => error)
  return failure instanceof PublicationKeyError ? failure : assert.fail(String(failure))
}

test("a signature of KMS verifies with the key's public key, which is fetched once, and with no other key", async (t) => {
  const kms = await startKms(t)
  if (!kms) return
  const [keyId, otherId] = [await kms.create(), await kms.create()]
  const key = kmsPublicationKey({ keyId, timeouts: patient })
  const before = kms.proxy.counts()
  for (let count = 0; count < 3; count++)
    assert.ok(verify('sha256', bytes, await key.publicKey(), await key.sign(bytes)))
  const asked = kms.proxy.counts()
  assert.deepEqual([before['GetPublicKey'], asked['GetPublicKey'], asked['Sign']], [undefined, 1, 3])
  const other = kmsPublicationKey({ keyId: otherId, timeouts: patient })
  assert.ok(!verify('sha256', bytes, await key.publicKey(), await other.sign(bytes)))
})

test('a process that knows the public key verifies without KMS', async (t) => {
  const kms = await startKms(t)
  if (!kms) return
  const key = kmsPublicationKey({ keyId: await kms.create(), timeouts: patient })
  const signature = await key.sign(bytes)
  await key.publicKey()
  kms.proxy.refuse()
  assert.ok(verify('sha256', bytes, await key.publicKey(), signature))
})

test('throttled calls are retried; continued throttling is a passing error that is not cached', async (t) => {
  const kms = await startKms(t)
  if (!kms) return
  const key = kmsPublicationKey({ keyId: await kms.create(), timeouts: patient })
  kms.proxy.answerNext(awsError(400, 'ThrottlingException'), awsError(500, 'KMSInternalException'))
  await key.publicKey()

  const hasty = kmsPublicationKey({ keyId: 'some-key', timeouts: { ...patient, total: 300 } })
  for (const [answer, message] of [
    [awsError(400, 'ThrottlingException'), /some-key .*KMS throttles requests/],
    ['held', /some-key .*Check that KMS can be reached/],
    [awsError(500, 'KMSInternalException'), /some-key .*Check that KMS can be reached/],
  ] as const) {
    kms.proxy.answerAll(answer)
    for (const failure of [await failureOf(hasty.publicKey()), await failureOf(hasty.sign(bytes))]) {
      assert.ok(failure.isPassing)
      assert.match(failure.message, message)
    }
  }
})

test('the error for a missing, disabled or unsuitable key names the key and says what to do', async (t) => {
  const kms = await startKms(t)
  if (!kms) return
  const nowhere = kmsPublicationKey({ keyId: 'alias/nowhere', timeouts: patient })
  assert.match((await failureOf(nowhere.publicKey())).message, /alias\/nowhere does not exist.*Create it/)
  const rsa = await kms.create({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const otherKind = await failureOf(kmsPublicationKey({ keyId: rsa, timeouts: patient }).publicKey())
  assert.match(otherKind.message, /Use a key with the key spec ECC_NIST_P256/)

  const keyId = await kms.create()
  await kms.client.send(new DisableKeyCommand({ KeyId: keyId }))
  kms.proxy.answerNext(awsError(400, 'DisabledException'))
  const failure = await failureOf(kmsPublicationKey({ keyId, timeouts: patient }).sign(bytes))
  assert.match(failure.message, /Allow kms:Sign on it, and check that it is enabled/)
  assert.ok(!failure.isPassing)
})

for (const [what, action] of Object.entries({ verify: 'kms:GetPublicKey', sign: 'kms:Sign' }))
  test(`to ${what}, a process needs only ${action}, which allows nothing else`, async (t) => {
    const kms = await startKms(t)
    if (!kms) return
    const key = kmsPublicationKey({ keyId: await kms.create(), timeouts: patient })
    // moto checks a signature against its own address.
    const role = await someRole(kms.moto.endpoint, [action])
    Object.assign(process.env, role, { AWS_ENDPOINT_URL: kms.moto.endpoint })
    const can = await withPermissionsLookedAt(kms.moto.endpoint, async () => ({
      verify: await key.publicKey().then(() => true, isDenied),
      sign: await key.sign(bytes).then(() => true, isDenied),
    }))
    assert.deepEqual(can, { verify: what === 'verify', sign: what === 'sign' })
  })

function isDenied(error: unknown): false {
  assert.ok(error instanceof PublicationKeyError && /cannot be used/.test(error.message), String(error))
  return false
}
