import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../../../support/process/local-run.ts'

const run = promisify(execFile)

/** The lines that a process writes for these events: each log line as `log <event>`, each metrics line unchanged. */
async function printed(events: readonly object[], detail?: object): Promise<string[]> {
  const script = `
    import { createPowertoolsLog } from './lib/adapters/log/powertools.ts'
    const log = createPowertoolsLog('prod', ${JSON.stringify(detail)})
    for (const event of ${JSON.stringify(events)}) log(event)`
  const words = ['--input-type=module', '--eval', script]
  const { stdout, stderr } = await run(process.execPath, words, { cwd: root, env: {} })
  // Warnings of Tokenwell, and none of Powertools.
  for (const line of stderr.split('\n').filter(Boolean)) assert.equal(JSON.parse(line).level, 'WARN')
  const lines = (stdout + stderr).split('\n').filter(Boolean)
  return lines.map((line) => ('_aws' in JSON.parse(line) ? line : `log ${JSON.parse(line).message}`))
}

const passedOver = { event: 'cache_passed_over', reason: 'nobody listens', milliseconds: 250 }

test('each time the cache is passed over is logged and counted at once', async () => {
  const lines = await printed([passedOver, passedOver])
  assert.deepEqual(
    lines.filter((line) => line.startsWith('log')),
    ['log cache_passed_over', 'log cache_passed_over'],
  )
  const metrics = lines.filter((line) => line.startsWith('{')).map((line): unknown => JSON.parse(line))
  assert.equal(metrics.length, 2)
  for (const metric of metrics as Record<string, unknown>[]) {
    assert.equal(metric['CacheBudgetExceeded'], 1)
    const { CloudWatchMetrics } = metric['_aws'] as { CloudWatchMetrics: unknown }
    assert.deepEqual(CloudWatchMetrics, [
      {
        Namespace: 'Tokenwell',
        Dimensions: [['service']],
        Metrics: [{ Name: 'CacheBudgetExceeded', Unit: 'Count' }],
      },
    ])
    assert.ok(!JSON.stringify(metric).includes('nobody listens'))
  }
})

test('an event of a connection is counted for the connection and for the whole deployment', async () => {
  const [, line = ''] = await printed([
    { event: 'token_issued', caller: 'direct', connection: 'conn', tokenId: 'id', source: 'cache', secondsLeft: 5 },
  ])
  const metric = JSON.parse(line) as Record<string, unknown>
  assert.equal(metric['TokensFromCache'], 1)
  assert.equal(metric['SecondsLeft'], 5)
  assert.deepEqual([metric['service'], metric['connection']], ['tokenwell-prod', 'conn'])
  const { CloudWatchMetrics } = metric['_aws'] as { CloudWatchMetrics: readonly { Dimensions: unknown }[] }
  assert.deepEqual(CloudWatchMetrics[0]?.Dimensions, [['service'], ['service', 'connection']])
})

test('without metrics by connection, an event counts once for the whole deployment, also at the level warn', async () => {
  const event = {
    event: 'token_issued',
    caller: 'direct',
    connection: 'conn',
    tokenId: 'id',
    source: 'cache',
    secondsLeft: 5,
  }
  const [line = '', ...rest] = await printed([event], { level: 'warn', metricsByConnection: false })
  assert.deepEqual(rest, [])
  const metric = JSON.parse(line) as Record<string, unknown>
  assert.deepEqual([metric['TokensFromCache'], metric['SecondsLeft'], metric['connection']], [1, 5, undefined])
  const { CloudWatchMetrics } = metric['_aws'] as { CloudWatchMetrics: readonly { Dimensions: unknown }[] }
  assert.deepEqual(CloudWatchMetrics[0]?.Dimensions, [['service']])
})

test('the age of a signing key, and whether it is overdue, is counted if it is known', async () => {
  const event = { event: 'keys_published', jwtBuilder: 'builder', keys: 1 }
  const lines = await printed([
    event,
    { ...event, keyAgeSeconds: 5 },
    { ...event, keyAgeSeconds: 6, isKeyOverdue: false },
    { ...event, keyAgeSeconds: 7, isKeyOverdue: true },
  ])
  const metrics = lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    metrics.map((metric) => [metric['SigningKeyAge'], metric['SigningKeyOverdue'], metric['jwtBuilder']]),
    [
      [5, undefined, 'builder'],
      [6, 0, 'builder'],
      [7, 1, 'builder'],
    ],
  )
})

test('each event is counted with its own dimensions', async () => {
  const lines = await printed([
    { event: 'reload_failed', connection: 'a', code: 'configuration', reason: 'why' },
    { event: 'cache_passed_over', reason: 'why', milliseconds: 1 },
    { event: 'reload_failed', connection: 'b', code: 'configuration', reason: 'why' },
  ])
  const metrics = lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { connection?: string })
  assert.deepEqual(
    metrics.map(({ connection }) => connection),
    ['a', undefined, 'b'],
  )
})

test("an event without a metric is only logged, such as a caller's mistake", async () => {
  const events = [
    { event: 'cached_token_unreadable', connection: 'conn', reason: 'why' },
    { event: 'request_failed', code: 'invalid_request', status: 400, reason: 'why', requestId: 'id' },
    { event: 'request_failed', code: 'unreachable', status: 503, reason: 'why', requestId: 'id' },
  ]
  assert.deepEqual(
    await printed(events),
    events.map(({ event }) => `log ${event}`),
  )
})
