import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from 'aws-lambda'
import { createHandler } from '../../../functions/rotate-key/handler.ts'
import type { BackgroundApplication } from '../../../lib/application/application.ts'
import { ConfigurationError } from '../../../lib/configuration/finding.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import { RotationGivenUpError, RotationRefusedError } from '../../../lib/key-lifecycle/rotating-secret.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { localDeployment } from '../../support/elements/element-store.ts'

const event = {
  Step: 'setSecret',
  SecretId: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokenwell/local/jwk/theBuilder-a1B2c3',
  ClientRequestToken: '51f72378-6a5d-5dc7-8fd8-29e4319f482a',
}
const context = { getRemainingTimeInMillis: () => 30_000 } as Context

function rotating(runStep: BackgroundApplication['rotateKey']) {
  const log: LogEvent[] = []
  let time = 1_000
  const handler = createHandler({
    application: {
      async rotateKey(request, deadline) {
        time += 42
        return runStep(request, deadline)
      },
    },
    deployment: localDeployment,
    now: () => time,
    log: (each) => void log.push(each),
  })
  return { log, rotate: (changes: object = {}) => handler({ ...event, ...changes }, context) }
}

test('a step runs for the jwtBuilder that the secret names, with time left to log a failure', async () => {
  const { log, rotate } = rotating(async (request, deadline) => {
    assert.deepEqual(request, {
      step: 'setSecret',
      jwtBuilder: 'theBuilder',
      secretName: 'tokenwell/local/jwk/theBuilder',
      token: event.ClientRequestToken,
    })
    assert.equal(deadline, 1_000 + 27_000)
  })
  assert.equal(await rotate(), undefined)
  assert.deepEqual(log, [
    { event: 'rotation_step_done', jwtBuilder: 'theBuilder', step: 'setSecret', milliseconds: 42 },
  ])
})

test('a failure is thrown unchanged, so that Secrets Manager shows it, and is logged with its reason', async () => {
  const failures: readonly (readonly [Error, string, RegExp])[] = [
    [new RotationRefusedError('its next key waits'), 'rotation_refused', /^its next key waits$/],
    [new RotationGivenUpError('it came too late'), 'rotation_given_up', /^it came too late$/],
    [new KeyStoreError('the-secret', 'is empty'), 'key_store', /is empty/],
    [new SecretError('secret_denied', 'allow it'), 'secret_denied', /^allow it$/],
    [new ConfigurationError([]), 'configuration', /^$/],
    [
      new CacheUnavailableError('It does not answer.'),
      'cache',
      /^The shared cache is unavailable\. It does not answer\.$/,
    ],
  ]
  for (const [error, code, reason] of failures) {
    const { log, rotate } = rotating(() => Promise.reject(error))
    await assert.rejects(rotate(), error)
    const [failed, ...others] = log
    assert(failed?.event === 'rotation_failed')
    assert.deepEqual(others, [])
    assert.deepEqual([failed.jwtBuilder, failed.step, failed.code], ['theBuilder', 'setSecret', code])
    assert.match(failed.reason, reason)
  }
})

test('an event that is not valid is refused before any step', async () => {
  const { log, rotate } = rotating(() => assert.fail('something was done'))
  await assert.rejects(rotate({ Step: 'dropSecret' }), { name: 'RotationRefusedError' })
  await assert.rejects(rotate({ SecretId: 'tokenwell/local/the-key' }), { name: 'RotationRefusedError' })
  assert.deepEqual(
    log.map((each) => Object.keys(each)),
    [
      ['event', 'code', 'reason'],
      ['event', 'code', 'reason'],
    ],
  )
})
