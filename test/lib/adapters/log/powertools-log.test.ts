import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../../../support/process/local-run.ts'

const run = promisify(execFile)

/** The lines that a process without metrics writes for a success and three failures. */
async function logged(
  environment: Record<string, string>,
  detail: object = { level: 'info', metricsByConnection: true },
): Promise<Record<string, unknown>[]> {
  const script = `
    import { createPowertoolsLog } from './lib/adapters/log/powertools.ts'
    const log = createPowertoolsLog('prod', ${JSON.stringify(detail)})
    log({ event: 'token_obtained', connection: 'conn', authorizationServer: 'theServer', milliseconds: 12 })
    log({ event: 'request_failed', code: 'refused', status: 502, reason: 'why', requestId: 'the-request' })
    log({ event: 'previous_key_tried', connection: 'conn' })
    log({ event: 'renewal_failed', connection: 'conn', code: 'unreachable', reason: 'why' })`
  const words = ['--input-type=module', '--eval', script]
  const { stdout, stderr } = await run(process.execPath, words, {
    cwd: root,
    env: { POWERTOOLS_METRICS_DISABLED: 'true', ...environment },
  })
  const lines = (stdout + stderr).split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line))
}

test('each event is a JSON line with its fields, at level warn for a failure and info otherwise', async () => {
  const [obtained, failed, triedPrevious, notRenewed, ...rest] = await logged({ POWERTOOLS_LOG_LEVEL: 'INFO' })
  assert.deepEqual(rest, [])
  const common = { service: 'tokenwell-prod' }
  for (const [line, expected] of [
    [
      obtained,
      { ...common, level: 'INFO', message: 'token_obtained', authorizationServer: 'theServer', milliseconds: 12 },
    ],
    [failed, { ...common, level: 'WARN', message: 'request_failed', code: 'refused', status: 502, reason: 'why' }],
  ] as const)
    assert.deepEqual({ ...line, ...expected }, line)
  assert.equal(obtained?.['connection'], 'conn')
  assert.deepEqual([triedPrevious?.['level'], notRenewed?.['level']], ['WARN', 'WARN'])
  assert.equal(failed?.['requestId'], 'the-request')
})

test('the setting of Powertools decides the log level', async () => {
  assert.deepEqual(
    (await logged({ POWERTOOLS_LOG_LEVEL: 'WARN' })).map(({ message }) => message),
    ['request_failed', 'previous_key_tried', 'renewal_failed'],
  )
  assert.deepEqual(await logged({ POWERTOOLS_LOG_LEVEL: 'SILENT' }), [])
})

test('at the level warn, only failures are logged, even if Lambda sets the level info', async () => {
  const detail = { level: 'warn', metricsByConnection: true }
  assert.deepEqual(
    (await logged({ AWS_LAMBDA_LOG_LEVEL: 'INFO' }, detail)).map(({ message }) => message),
    ['request_failed', 'previous_key_tried', 'renewal_failed'],
  )
})
