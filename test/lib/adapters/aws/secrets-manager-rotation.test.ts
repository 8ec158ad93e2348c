import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { CreateSecretCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager'
import { defaultAwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { secretsManagerRotation } from '../../../../lib/adapters/aws/secrets-manager-rotation.ts'
import { secretsManagerSecrets } from '../../../../lib/adapters/aws/secrets-manager-secrets.ts'
import type { RotatingSecret } from '../../../../lib/key-lifecycle/rotating-secret.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { testRotatingSecret } from '../../../contract/rotating-secret.ts'
import { awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'

const name = 'tokenwell/local/jwk/theBuilder'

/** Without moto the test is skipped. */
async function startRotation(t: TestContext, text: string | undefined) {
  const started = await startMotoBehindProxy(t)
  if (!started) return undefined
  const { moto, proxy } = started
  if (text === undefined) await moto.secretsManager.send(new CreateSecretCommand({ Name: name }))
  else await moto.putSecret(name, text)
  const rotation = secretsManagerRotation({ stage: 'local', timeouts: { ...defaultAwsTimeouts, total: 2_000 } })
  return {
    ...{ moto, proxy, rotation },
    secret: await rotation.open(name),
    reopen: () => secretsManagerRotation({ stage: 'local' }).open(name),
    current: async () => (await secretsManagerSecrets({ stage: 'local' }).get(name)).reveal(),
  }
}

testRotatingSecret(startRotation)

test('a version that Secrets Manager created is pending without a text, and gets its text', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { moto, secret } = started
  const version = randomUUID()
  await moto.secretsManager
    .send(
      new RotateSecretCommand({ SecretId: name, ClientRequestToken: version, RotationLambdaARN: 'arn:aws:lambda:x' }),
    )
    // moto checks that the function exists only after it has made the version.
    .catch(() => {})
  assert.equal((await secret.labels()).pending, version)
  assert.equal(await secret.read(version), undefined)
  assert.equal(await secret.putPending(version, new Secret('the second text')), true)
  assert.equal((await secret.read(version))?.reveal(), 'the second text')
})

test('a version never changes, and rejecting another text is not a failure', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { secret, proxy } = started
  // moto accepts it while the version is pending.
  proxy.answerNext(awsError(400, 'ResourceExistsException'))
  assert.equal(await secret.putPending(randomUUID(), new Secret('another text')), false)
})

test('the rotation token is passed to Secrets Manager if it is known', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { proxy, rotation } = started
  const put = async (secret: RotatingSecret) => {
    await secret.putPending(randomUUID(), new Secret(randomUUID()))
    return proxy.requests.at(-1)?.body
  }
  assert.equal(
    (await put(await rotation.open(name, new Secret('the rotation token'))))?.['RotationToken'],
    'the rotation token',
  )
  const { RotationToken, VersionStages } = (await put(await rotation.open(name))) ?? {}
  assert.deepEqual([RotationToken, VersionStages], [undefined, ['AWSPENDING']])
})

test('a label move whose answer was lost is done only once', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { secret, proxy, current } = started
  const { current: before } = await secret.labels()
  const version = randomUUID()
  await secret.putPending(version, new Secret('the second text'))
  await secret.makeCurrent(version, before)
  // As in a retry of the SDK: the label is no longer on the expected version.
  const asked = proxy.requests.length
  assert.equal(await secret.makeCurrent(version, before), true)
  assert.deepEqual(
    proxy.requests.slice(asked).map(({ operation }) => operation),
    ['UpdateSecretVersionStage', 'DescribeSecret'],
  )
  assert.equal(await current(), 'the second text')
})

test('no label is moved from a version that is not pending', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  await started.secret.giveUp(randomUUID())
  assert.deepEqual(started.proxy.counts(), { DescribeSecret: 1 })
})

test('a label is moved only from the version that is expected to have it', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { secret, proxy } = started
  const { current: before } = await secret.labels()
  const version = randomUUID()
  await secret.putPending(version, new Secret('the second text'))
  await secret.makeCurrent(version, before)
  assert.deepEqual(proxy.requests.at(-1)?.body, {
    ...{ SecretId: name, VersionStage: 'AWSCURRENT' },
    ...{ RemoveFromVersionId: before, MoveToVersionId: version },
  })
})

test('a secret that does not exist is missing', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const secret = await started.rotation.open('tokenwell/local/jwk/other')
  const missing = {
    name: 'SecretError',
    code: 'secret_missing',
    message: /^The secret tokenwell\/local\/jwk\/other does not exist/,
  }
  await assert.rejects(secret.labels(), missing)
  await assert.rejects(secret.putPending(randomUUID(), new Secret('hunter2')), missing)
  await assert.rejects(secret.giveUp(randomUUID()), missing)
})

test('the error for a denied request names every right that a rotation needs, and quotes nothing', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { secret, proxy } = started
  const calls = [
    () => secret.labels(),
    () => secret.read('a'),
    () => secret.putPending(randomUUID(), new Secret('hunter2')),
    () => secret.makeCurrent('a', 'b'),
    () => secret.giveUp('a'),
  ]
  for (const call of calls) {
    proxy.answerNext(awsError(400, 'AccessDeniedException', 'hunter2'))
    const error: unknown = await call().then(
      () => assert.fail('it was done'),
      (reason: unknown) => reason,
    )
    assert.match(
      String(error),
      /^SecretError: The secret tokenwell\/local\/jwk\/theBuilder cannot be rotated \(AccessDeniedException\)\. Allow secretsmanager:DescribeSecret, secretsmanager:GetSecretValue, secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage on it/,
    )
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/)
  }
})

test('outages and throttling are passing errors', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { secret, proxy } = started
  proxy.answerAll(awsError(400, 'ThrottlingException'))
  await assert.rejects(secret.labels(), { code: 'secret_throttled', isPassing: true })
  proxy.answerAll(awsError(500, 'InternalServiceError'))
  await assert.rejects(secret.putPending(randomUUID(), new Secret('a')), {
    code: 'secret_unreachable',
    isPassing: true,
  })
  proxy.answerAll('held')
  const startedAt = performance.now()
  await assert.rejects(secret.read('a'), { code: 'secret_unreachable' })
  assert.ok(performance.now() - startedAt < 3_000)
})

test('a name outside the stage is rejected before any request', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { rotation, proxy } = started
  for (const outside of ['tokenwell/prod/jwk/a', 'tokenwell/local/../prod/a', 'a']) {
    const secret = await rotation.open(outside)
    await assert.rejects(secret.labels(), {
      code: 'secret_denied',
      message: 'The name of a secret must begin with tokenwell/local/.',
    })
  }
  assert.deepEqual(proxy.requests, [])
})

test('a version id of the wrong length is an error that says which length is allowed', async (t) => {
  const started = await startRotation(t, 'the first text')
  if (!started) return
  const { secret, proxy } = started
  for (const version of ['x'.repeat(24), 'x'.repeat(65)]) {
    const refused = {
      name: 'RotationRefusedError',
      message: `ClientRequestToken has ${version.length} characters. It must be the id of a version, which has 32 to 64 characters.`,
    }
    for (const kind of ['ValidationException', 'InvalidParameterException']) {
      proxy.answerNext(awsError(400, kind))
      await assert.rejects(secret.read(version), refused)
      proxy.answerNext(awsError(400, kind))
      await assert.rejects(secret.putPending(version, new Secret('a text')), refused)
    }
  }
})
