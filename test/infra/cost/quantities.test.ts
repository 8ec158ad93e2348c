import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createHandler } from '../../../functions/issue-token/handler.ts'
import { counted, metricsWithoutFailures, renewalSeconds } from '../../../infra/cost/quantities.ts'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import type { LogDetail } from '../../../lib/adapters/log/powertools.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createApplication, createBackgroundApplication } from '../../../lib/application/application.ts'
import { readEnvironment } from '../../../lib/application/environment.ts'
import { openCertificates } from '../../../lib/application/open-adapters.ts'
import { openPorts } from '../../../lib/application/open-ports.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { createFingerprints } from '../../../lib/fleet/fingerprints.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithScriptedServer } from '../../support/functions/issue-token-with-scripted-server.ts'
import { createHttpEvent, environmentOf, tokenRequest } from '../../support/functions/load-function.ts'
import { root } from '../../support/process/local-run.ts'
import { countingStore } from './counting-store.ts'

/* The counted quantities of the cost model against the code. */

const run = promisify(execFile)
const runMilliseconds = 50_000
const trace = 'Root=1-692c3f40-0f1e2d3c4b5a69788796a5b4;Parent=0f1e2d3c4b5a6978;Sampled=0'

test('a hit from memory uses no unit, a confirmation two reads, and a renewal and a check as many as the model says', async (t) => {
  const stage = await startCountedStage(t)
  const answer = await stage.ask()
  assert.equal(answer.body?.length, counted.hit.answerBytes)
  const bytes = stage.recordBytes()
  assert.ok(bytes <= counted.recordBytes && bytes > counted.recordBytes * 0.9, String(bytes))
  stage.taken()

  await stage.ask()
  assert.deepEqual(stage.taken().units, { readUnits: 0, writeUnits: 0, queries: 0 })
  stage.advance(31)
  await stage.ask()
  assert.deepEqual(stage.taken().units, { ...counted.confirmation, writeUnits: 0, queries: 0 })

  // Renewals are spread a little. By then every one is due.
  stage.advance(renewalSeconds + 300)
  await stage.warmTokens()
  const renewal = stage.taken()
  const { readUnits, writeUnits, parameterCalls, parameters, customEvents, logBytes } = counted.renewal
  assert.deepEqual(renewal.units, { readUnits, writeUnits, queries: 1 })
  assert.deepEqual([renewal.parameterCalls, renewal.parameters], [parameterCalls, parameters])
  assert.deepEqual([renewal.events, customEvents], [['TokenRefreshed'], 1])
  const renewalLog = renewal.log.filter(({ event }) => event !== 'warm_run_ended')
  assertClose(Buffer.byteLength(await written(renewalLog)), logBytes)

  await stage.answer({ type: 'ReconcileElements' })
  const { units, events } = stage.taken()
  const { publication, reconciliation } = counted
  assert.deepEqual([events, reconciliation.customEvents], [['ConnectionChanged'], 1])
  assert.deepEqual(units, { readUnits: publication.readUnits, writeUnits: publication.writeUnits, queries: 0 })
  stage.advance(301)
  await stage.answer({ type: 'ConnectionChanged', connection: 'conn' })
  const check = stage.taken()
  assert.equal(check.units.readUnits, reconciliation.readUnits)
  assert.equal(check.units.writeUnits, 0)
  assert.deepEqual([check.parameterCalls, check.parameters], [reconciliation.parameterCalls, reconciliation.parameters])
  assert.equal(check.secretCalls, reconciliation.secretCalls)
})

test('a hit writes as many bytes of log and metrics as the model says', async () => {
  const event: LogEvent = {
    event: 'token_issued',
    caller: 'arn:aws:iam::111122223333:role/OrdersServiceRole',
    connection: 'orders',
    tokenId: `vYf0T2p3qkq9m0s5Uu1xgA.${'x'.repeat(43)}`,
    source: 'memory',
    secondsLeft: 3_570,
  }
  const { lineBytes, metricsBytes, stageMetricsBytes } = counted.hit
  assertClose(Buffer.byteLength(await written([event])), lineBytes + metricsBytes)
  assertClose(Buffer.byteLength(await written([event], { level: 'warn', metricsByConnection: true })), metricsBytes)
  const least = await written([event], { level: 'warn', metricsByConnection: false })
  assertClose(Buffer.byteLength(least), stageMetricsBytes)
})

test('the metrics of an hour without failures are those that the table of costs names', () => {
  assert.deepEqual(metricsWithoutFailures(), { ofStage: 13, ofConnection: 4, ofJwtBuilder: 3 })
})

function assertClose(is: number, expected: number): void {
  assert.ok(Math.abs(is - expected) <= expected * 0.05, `${is} bytes, but the model says ${expected}`)
}

/** What a function on Lambda writes for these events. */
async function written(events: readonly LogEvent[], detail?: LogDetail): Promise<string> {
  const script = `
    globalThis.awslambda = { InvokeStore: { getRequestId: () => '8f2d6c1e-1b7a-4c58-9a56-3f1f0f9c7d11', getXRayTraceId: () => '${trace}' } }
    const { createPowertoolsLog } = await import('./lib/adapters/log/powertools.ts')
    const log = createPowertoolsLog('prod', ${JSON.stringify(detail)})
    for (const event of ${JSON.stringify(events)}) log(event)`
  const words = ['--input-type=module', '--eval', script]
  const { stdout, stderr } = await run(process.execPath, words, { cwd: root, env: {} })
  return stdout + stderr
}

/** The functions of a stage with one connection, on a clock that the test moves, with everything counted. */
async function startCountedStage(t: TestContext) {
  const server = await startIssueTokenWithScriptedServer(t, exampleElements, ({ form }) => ({
    status: 200,
    body: {
      access_token: (form.get('client_assertion') ?? '').slice(-40).padStart(1_200, 'x'),
      token_type: 'Bearer',
      expires_in: 3_600,
    },
  }))
  const opened = openPorts(readEnvironment(environmentOf(server.workspace)))
  const counts = { parameterCalls: 0, parameters: 0, secretCalls: 0 }
  const elements: ElementStore = {
    ...opened.elements,
    async get(references) {
      counts.parameterCalls += Math.ceil(references.length / 10)
      const readings = await opened.elements.get(references)
      // AWS charges for the parameters that a call returns, not for those that do not exist.
      counts.parameters += readings.filter((each) => each !== undefined).length
      return readings
    },
  }
  let ageMilliseconds = 0
  const now = () => opened.now() + ageMilliseconds
  const events: string[] = []
  const log: LogEvent[] = []
  const { store, takenUnits, bytes } = countingStore(memoryRecords({ maximumRecords: 100 }))
  // The secrets whose dates are checked. An hour after a renewal, no instance has them any more.
  const secrets = createSecretCache(
    {
      ...opened.secretStore,
      async get(name) {
        counts.secretCalls++
        return await opened.secretStore.get(name)
      },
    },
    now,
  )
  const certificates = openCertificates(secrets)
  const ports = {
    ...{ ...opened, elements, secrets, certificates, store, now, random: () => 0, memoryMaximumSeconds: 30 },
    log: (event: LogEvent) => void log.push(event),
    events: {
      isHeard: true,
      raise: async (raised: readonly { readonly type: string }[]) =>
        void events.push(...raised.map(({ type }) => type)),
    },
  }
  const { deployment, pause } = ports
  const fingerprints = createFingerprints(ports)
  const all = { ...ports, connections: createConnectionCache({ ...ports, deployment, elements, fingerprints, pause }) }
  const background = createBackgroundApplication(all)
  const handler = createHandler({ ...all, application: createApplication(all) })
  return {
    async ask(): Promise<APIGatewayProxyStructuredResultV2> {
      const event = createHttpEvent(tokenRequest('conn'))
      const answer = (await handler(event, createLocalContext(Date.now()))) as APIGatewayProxyStructuredResultV2
      assert.equal(answer.statusCode, 200, answer.body)
      return answer
    },
    advance(seconds: number) {
      ageMilliseconds += seconds * 1_000
    },
    warmTokens: () => background.warmTokens(now() + runMilliseconds),
    answer: (event: Parameters<typeof background.answerEvent>[0]) =>
      background.answerEvent(event, now() + runMilliseconds),
    recordBytes: bytes,
    /** The counts since the last call. */
    taken() {
      const taken = { units: takenUnits(), ...counts, events: events.splice(0), log: log.splice(0) }
      Object.assign(counts, { parameterCalls: 0, parameters: 0, secretCalls: 0 })
      return taken
    },
  }
}
