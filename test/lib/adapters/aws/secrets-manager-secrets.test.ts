import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { type AwsTimeouts, defaultAwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { secretsManagerSecrets } from '../../../../lib/adapters/aws/secrets-manager-secrets.ts'
import type { SecretStore } from '../../../../lib/secret/secret-store.ts'
import { SecretError } from '../../../../lib/secret/secret-store.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'
import { type AwsAnswer, type AwsProxy, awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'
import { startBlackHoleListener } from '../../../support/servers/black-hole-listener.ts'
import type { Moto } from '../../../support/servers/moto.ts'

const name = 'tokenwell/local/the-key'

test('a secret is the stored text, also if its name has a folder', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets }) => {
    await moto.putSecret(name, 'the first text\n')
    await moto.putSecret('tokenwell/local/jwk/the-builder', 'the second text, ünbroken')
    assert.equal((await secrets.get(name)).reveal(), 'the first text\n')
    assert.equal((await secrets.get('tokenwell/local/jwk/the-builder')).reveal(), 'the second text, ünbroken')
  })
})

test('a secret that is stored as bytes is read as text', async (t) => {
  await withSecrets(t, {}, async ({ secrets, putBytes }) => {
    await putBytes(Buffer.from('ein Schlüssel: 鍵\n'))
    assert.equal((await secrets.get(name)).reveal(), 'ein Schlüssel: 鍵\n')
  })
})

test('bytes that are not UTF-8 are an error, and are not decoded in another way', async (t) => {
  await withSecrets(t, {}, async ({ secrets, putBytes }) => {
    await putBytes(Buffer.concat([Buffer.from('hunter2'), Buffer.from([0xff, 0xfe])]))
    const error = await theFailure(secrets)
    assert.equal(error.code, 'secret_unreadable')
    assert.equal(error.message, `The secret ${name} is not text. Store it as UTF-8.`)
    assert.equal(error.isPassing, false)
  })
})

test('the current version is read, not the pending or the previous one', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'the text of the first version')
    const { secretsManager } = moto
    const pending = await secretsManager.send(
      new PutSecretValueCommand({ SecretId: name, SecretString: 'of the second', VersionStages: ['AWSPENDING'] }),
    )
    assert.equal((await secrets.get(name)).reveal(), 'the text of the first version')

    const { VersionIdsToStages = {} } = await secretsManager.send(new DescribeSecretCommand({ SecretId: name }))
    const [current] = Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes('AWSCURRENT')) ?? []
    await secretsManager.send(
      new UpdateSecretVersionStageCommand({
        SecretId: name,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: pending.VersionId,
        RemoveFromVersionId: current,
      }),
    )
    assert.equal((await secrets.get(name)).reveal(), 'of the second', 'and read anew')
    assert.deepEqual(proxy.requests.at(-1)?.body, { SecretId: name, VersionStage: 'AWSCURRENT' })
  })
})

test('the previous version is the one that was current before, also after a new value was put', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'the first')
    for (const text of ['the second', 'the third'])
      await moto.secretsManager.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }))
    await moto.secretsManager.send(
      new PutSecretValueCommand({ SecretId: name, SecretString: 'pending', VersionStages: ['AWSPENDING'] }),
    )
    assert.equal((await secrets.getPrevious(name))?.reveal(), 'the second')
    assert.deepEqual(proxy.requests.at(-1)?.body, { SecretId: name, VersionStage: 'AWSPREVIOUS' })
    assert.equal((await secrets.get(name)).reveal(), 'the third')
    assert.deepEqual(proxy.counts(), { GetSecretValue: 2 })
  })
})

test('a secret without a previous version, or a missing secret, has no previous text', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    assert.equal(await secrets.getPrevious(name), undefined)
    await moto.putSecret(name, 'the first')
    assert.equal(await secrets.getPrevious(name), undefined)
    assert.equal(proxy.requests.length, 2, 'and is not asked for again')
  })
})

test('an unreadable previous version is an error; previous bytes are read as text', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy, putBytes }) => {
    await putBytes(Buffer.from('ein Schlüssel'))
    await moto.secretsManager.send(new PutSecretValueCommand({ SecretId: name, SecretString: 'the second' }))
    assert.equal((await secrets.getPrevious(name))?.reveal(), 'ein Schlüssel')
    proxy.answerNext(awsError(400, 'AccessDeniedException', 'hunter2'))
    await assert.rejects(secrets.getPrevious(name), { name: 'SecretError', code: 'secret_denied' })
    await assert.rejects(secrets.getPrevious('tokenwell/prod/key'), {
      message: 'The name of a secret must begin with tokenwell/local/.',
    })
    assert.equal(proxy.requests.length, 2)
  })
})

test('each read is one request, and connections are reused', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'some text')
    for (let count = 0; count < 10; count++) {
      await secrets.get(name)
      await pause(2)
    }
    assert.deepEqual(proxy.counts(), { GetSecretValue: 10 })
    assert.ok(proxy.connections().made < 5)
  })
})

test('the SDK reads the environment at the first read, not earlier', async (t) => {
  const secrets = secretsManagerSecrets({ stage: 'local' })
  await withSecrets(t, {}, async ({ moto }) => {
    await moto.putSecret(name, 'some text')
    assert.equal((await secrets.get(name)).reveal(), 'some text')
  })
})

test('a name outside the stage is rejected before any request', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    const outside = [
      'tokenwell/prod/key',
      'tokenwell/local/../prod/key',
      'tokenwell/local/',
      'tokenwell/local',
      'key',
      '',
    ]
    await moto.putSecret('tokenwell/prod/key', 'of another stage')
    await moto.putSecret('key', 'of nobody')
    for (const each of [
      ...outside,
      'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokenwell/local/key-AbCdEf',
    ])
      await assert.rejects(secrets.get(each), {
        name: 'SecretError',
        code: 'secret_denied',
        message: 'The name of a secret must begin with tokenwell/local/.',
      })
    assert.deepEqual(proxy.requests, [])
  })
})

test('a secret that does not exist or has no current version is missing', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    const notThere = await theFailure(secrets)
    await moto.secretsManager.send(new CreateSecretCommand({ Name: name }))
    const empty = await theFailure(secrets)
    for (const error of [notThere, empty]) {
      assert.equal(error.code, 'secret_missing')
      assert.equal(error.isPassing, false)
      assert.equal(
        error.message,
        `The secret ${name} does not exist in this account and region, or has no current version. Create it.`,
      )
    }
    assert.equal(proxy.requests.length, 2, 'and is not asked for again')
  })
})

test('a secret that is marked for deletion is missing, and the error says to restore it', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets }) => {
    await moto.putSecret(name, 'some text')
    await moto.secretsManager.send(new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: 7 }))
    const { code, message } = await theFailure(secrets)
    assert.equal(code, 'secret_missing')
    assert.equal(message, `The secret ${name} is marked for deletion. Restore it.`)
  })
})

test('missing rights or bad credentials are denied at once, and the error says what to allow', async (t) => {
  const names = [
    'AccessDeniedException',
    'DecryptionFailure',
    'UnrecognizedClientException',
    'InvalidSignatureException',
    'ExpiredTokenException',
    'IncompleteSignature',
    'MissingAuthenticationTokenException',
  ]
  await withSecrets(t, {}, async ({ secrets, proxy }) => {
    for (const each of names) {
      proxy.answerNext(awsError(400, each, 'hunter2 hunter2'))
      const error = await theFailure(secrets)
      assert.equal(error.code, 'secret_denied', each)
      assert.equal(error.isPassing, false)
      assert.equal(
        error.message,
        `The secret ${name} cannot be read (${each}). Allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key if you use your own. Check that the credentials are valid.`,
      )
    }
    assert.equal(proxy.requests.length, names.length)
  })
})

test('without credentials no request is sent', async (t) => {
  await withSecrets(t, {}, async ({ secrets, proxy }) => {
    delete process.env['AWS_ACCESS_KEY_ID']
    const { code, message } = await theFailure(secrets)
    assert.equal(code, 'secret_denied')
    assert.match(message, /\(CredentialsProviderError\)/)
    assert.deepEqual(proxy.requests, [])
  })
})

test('throttled requests are retried after random pauses whose maximum doubles', async (t) => {
  t.mock.method(Math, 'random', () => 0.2)
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'some text')
    const throttling = awsError(400, 'ThrottlingException')
    proxy.answerNext(throttling, throttling, throttling)
    assert.equal((await secrets.get(name)).reveal(), 'some text')
    assertPauses(proxy, [100, 200, 400])
  })
})

test('failed requests are retried with shorter pauses than throttled ones', async (t) => {
  t.mock.method(Math, 'random', () => 0.5)
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'some text')
    proxy.answerNext(awsError(500, 'InternalServiceError'), 'reset', { status: 503, body: '<html>' })
    assert.equal((await secrets.get(name)).reveal(), 'some text')
    assertPauses(proxy, [50, 100, 200])
  })
})

test('after a hundred throttled reads the next one is still retried', async (t) => {
  t.mock.method(Math, 'random', () => 0)
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'some text')
    proxy.answerNext(...Array.from({ length: 150 }, () => awsError(400, 'ThrottlingException')))
    assert.equal((await secrets.get(name)).reveal(), 'some text')
  })
})

test('throttling beyond the time limit is a passing error', async (t) => {
  t.mock.method(Math, 'random', () => 0.05)
  const answers: AwsAnswer[] = [
    awsError(400, 'ThrottlingException'),
    awsError(400, 'TooManyRequestsException'),
    awsError(400, 'RequestLimitExceeded'),
    { status: 429, body: '<html>' },
  ]
  for (const answer of answers)
    await withSecrets(t, { timeouts: { total: 1_000 } }, async ({ secrets, proxy }) => {
      proxy.answerAll(answer)
      const { error, milliseconds } = await theTimedFailure(secrets)
      assert.equal(error.code, 'secret_throttled')
      assert.equal(error.isPassing, true)
      assert.match(
        error.message,
        /^The secret tokenwell\/local\/the-key cannot be read now \(.+\): Secrets Manager throttles requests\. /,
      )
      assert.ok(milliseconds < 8_000, `${milliseconds} ms`)
      assert.ok(proxy.requests.length > 1)
    })
})

test('an outage beyond the time limit is a passing error', async (t) => {
  t.mock.method(Math, 'random', () => 0.2)
  const answers: readonly (readonly [AwsAnswer, RegExp])[] = [
    [awsError(500, 'InternalServiceError'), /InternalServiceError/],
    [awsError(501, 'NotImplemented'), /NotImplemented/],
    [{ status: 502, body: '<html>' }, /HTTP 502/],
    ['reset', /TimeoutError|ECONNRESET/],
  ]
  for (const [answer, reason] of answers)
    await withSecrets(t, { timeouts: { total: 1_000 } }, async ({ secrets, proxy }) => {
      proxy.answerAll(answer)
      const { error, milliseconds } = await theTimedFailure(secrets)
      assert.equal(error.code, 'secret_unreachable', String(reason))
      assert.equal(error.isPassing, true)
      assert.match(error.message, reason)
      assert.match(
        error.message,
        /^The secret tokenwell\/local\/the-key cannot be read now \(.+\)\. Check that Secrets Man/,
      )
      assert.ok(milliseconds < 8_000, `${milliseconds} ms`)
      assert.ok(proxy.requests.length > 1, String(reason))
    })
})

test('a secret is unreachable if the endpoint refuses connections', async (t) => {
  await withSecrets(t, { timeouts: { total: 1_000 } }, async ({ secrets, proxy }) => {
    process.env['AWS_ENDPOINT_URL'] = 'http://127.0.0.1:9'
    assert.equal((await theFailure(secrets)).code, 'secret_unreachable')
    assert.deepEqual(proxy.requests, [])
  })
})

test('an attempt without an answer ends, and a later attempt can succeed', async (t) => {
  t.mock.method(Math, 'random', () => 0.01)
  for (const held of ['held', 'held in the middle', 'dripping'] as const)
    await withSecrets(t, { timeouts: { answer: 150 } }, async ({ moto, secrets, proxy }) => {
      await moto.putSecret(name, 'some text')
      proxy.answerNext(held, held)
      assert.equal((await secrets.get(name)).reveal(), 'some text', held)
      assertPauses(proxy, [150, 150])
    })
})

test('a server that sends no answer or half an answer costs no more than the total time', async (t) => {
  for (const held of ['held', 'held in the middle', 'dripping'] as const)
    for (const timeouts of [{ total: 300 }, { answer: 100, total: 300 }])
      await withSecrets(t, { timeouts }, async ({ secrets, proxy }) => {
        proxy.answerAll(held)
        const { error, milliseconds } = await theTimedFailure(secrets)
        assert.equal(error.code, 'secret_unreachable')
        assert.match(error.message, /\((TimeoutError|AbortError)\)/)
        assert.ok(milliseconds > 150 && milliseconds < 8_000, `${milliseconds} ms`)
        await proxy.allClosed()
      })
})

test('credentials that never arrive cost no more than the total time', async (t) => {
  const folder = await temporaryFolder(t, { config: '[default]\ncredential_process = sleep 60\n' })
  await withSecrets(t, { timeouts: { total: 300 } }, async ({ secrets, proxy }) => {
    delete process.env['AWS_ACCESS_KEY_ID']
    process.env['AWS_CONFIG_FILE'] = join(folder, 'config')
    const { error, milliseconds } = await theTimedFailure(secrets)
    assert.equal(error.code, 'secret_unreachable')
    assert.ok(milliseconds < 8_000, `${milliseconds} ms`)
    assert.deepEqual(proxy.requests, [])
  })
})

test('by default an attempt has 1 s to connect and 3 s for the answer, and all attempts together have 10 s', async (t) => {
  // No pause is short enough for a second attempt.
  t.mock.method(Math, 'random', () => 1_000)
  await withSecrets(t, {}, async ({ secrets, proxy }) => {
    proxy.answerAll('held')
    const { error, milliseconds } = await theTimedFailure(secrets)
    assert.equal(error.code, 'secret_unreachable')
    assert.ok(milliseconds > 2_900 && milliseconds < 9_000, `${milliseconds} ms`)
  })
  await withSecrets(t, {}, async ({ secrets }) => {
    process.env['AWS_ENDPOINT_URL'] = await startBlackHoleListener(t)
    const { error, milliseconds } = await theTimedFailure(secrets)
    assert.equal(error.code, 'secret_unreachable')
    assert.ok(milliseconds > 900 && milliseconds < 2_900, `${milliseconds} ms`)
  })
  assert.equal(defaultAwsTimeouts.total, 10_000)
})

test('the error for an unreadable answer does not quote it', async (t) => {
  const texts = [
    '{"SecretString":"hunter2hunter2',
    '"hunter2hunter2',
    'hunter2hunter2',
    '{"SecretBinary":"hunter2!hunter2"}',
  ]
  await withSecrets(t, { timeouts: { total: 1_000 } }, async ({ secrets, proxy }) => {
    for (const body of texts) {
      proxy.answerNext({ status: 200, body })
      const error = await theFailure(secrets)
      assert.ok(['secret_unreachable', 'secret_unreadable'].includes(error.code), `${body}: ${error.code}`)
      assert.doesNotMatch(inspect(error, { showHidden: true, depth: 9 }), /hunter2/)
    }
  })
})

test('an error answer that is not JSON is classified by its status', async (t) => {
  await withSecrets(t, {}, async ({ secrets, proxy }) => {
    for (const status of [401, 403]) {
      proxy.answerNext({ status, body: '<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>' })
      const { code, message } = await theFailure(secrets)
      assert.equal(code, 'secret_denied')
      assert.match(message, new RegExp(`\\(HTTP ${status}\\)`))
    }
  })
})

test('if the clock is wrong, the SDK corrects it and retries', async (t) => {
  await withSecrets(t, {}, async ({ moto, secrets, proxy }) => {
    await moto.putSecret(name, 'some text')
    const inAnHour = new Date(Date.now() + 3_600_000).toUTCString()
    proxy.answerNext({
      status: 400,
      headers: { date: inAnHour },
      body: { __type: 'InvalidSignatureException', message: 'Signature not yet current' },
    })
    assert.equal((await secrets.get(name)).reveal(), 'some text')
  })
})

test('an error caused by a defect of Tokenwell is thrown on unchanged, and the request is not repeated', async (t) => {
  await withSecrets(t, {}, async ({ secrets, proxy }) => {
    proxy.answerNext(awsError(400, 'ValidationException'), awsError(400, 'InvalidParameterException'))
    await assert.rejects(secrets.get(name), { name: 'ValidationException' })
    await assert.rejects(secrets.get(name), { name: 'InvalidParameterException' })
    delete process.env['AWS_REGION']
    await assert.rejects(secretsManagerSecrets({ stage: 'local' }).get(name), { name: 'Error', message: /Region/ })
    assert.equal(proxy.requests.length, 2)
  })
})

interface TheSecrets {
  readonly moto: Moto
  readonly proxy: AwsProxy
  readonly secrets: SecretStore
  putBytes(bytes: Uint8Array): Promise<void>
}

interface TheOptions {
  readonly timeouts?: Partial<AwsTimeouts>
}

/** A store that reaches moto through a proxy. Without moto the test is skipped. */
async function withSecrets(
  t: TestContext,
  { timeouts }: TheOptions,
  use: (secrets: TheSecrets) => Promise<void>,
): Promise<void> {
  const started = await startMotoBehindProxy(t)
  if (!started) return
  const { moto, proxy } = started
  await use({
    moto,
    proxy,
    secrets: secretsManagerSecrets({
      stage: 'local',
      ...(timeouts && { timeouts: { ...defaultAwsTimeouts, ...timeouts } }),
    }),
    async putBytes(bytes) {
      await moto.secretsManager.send(new CreateSecretCommand({ Name: name, SecretBinary: bytes }))
    },
  })
}

async function theFailure(secrets: SecretStore): Promise<SecretError> {
  const error: unknown = await secrets.get(name).then(
    () => assert.fail('it was read'),
    (reason: unknown) => reason,
  )
  assert(error instanceof SecretError, inspect(error))
  assert.equal(error.cause, undefined)
  assert.doesNotMatch(error.message, /hunter2/)
  assert.ok(error.message.includes(name))
  return error
}

async function theTimedFailure(secrets: SecretStore): Promise<{ error: SecretError; milliseconds: number }> {
  const startedAt = performance.now()
  const error = await theFailure(secrets)
  return { error, milliseconds: performance.now() - startedAt }
}

/** Asserts the pauses between the requests, with a tolerance for a busy machine. */
function assertPauses({ requests }: AwsProxy, pauses: readonly number[]): void {
  const found = requests.slice(1).map(({ at }, index) => at - (requests[index]?.at ?? 0))
  assert.equal(found.length, pauses.length)
  for (const [index, pause] of pauses.entries()) {
    const actual = found[index] ?? 0
    assert.ok(actual > pause / 2 && actual < 2 * pause + 3_000, `${found} ms instead of ${pauses} ms`)
  }
}
