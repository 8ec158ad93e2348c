import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Context } from 'aws-lambda'
import { createHandler as createPutHandler } from '../../../functions/put-elements/handler.ts'
import { createHandler as createRefreshHandler } from '../../../functions/refresh-token/handler.ts'
import { createHandler as createRotateHandler } from '../../../functions/rotate-key/handler.ts'
import { textElements } from '../../../lib/adapters/files/file-elements.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { createTokenEndpoints } from '../../../lib/discovery/token-endpoints.ts'
import { DeadLettersError } from '../../../lib/events/dead-letters.ts'
import { EventBusError } from '../../../lib/events/event-bus.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import { type LogEvent, logEvents, meter } from '../../../lib/log/log-event.ts'
import { type MetricName, metricUnits } from '../../../lib/log/metric.ts'
import { createDateReporter } from '../../../lib/renewal/report-dates.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretDates } from '../../../lib/signing/secret-dates.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { elementStoreOf, exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { localTokenElements } from '../../support/elements/local-token-elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { contextFor } from '../../support/functions/alias.ts'
import { startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import { startIssueTokenByTestClock } from '../../support/functions/issue-token-by-test-clock.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { root } from '../../support/process/local-run.ts'
import { createFaultInjectingStore, isNotTaken } from '../../support/virtual/fault-injecting-store.ts'
import { createKeyRotation, rotatedSecretName } from '../../support/virtual/key-rotation.ts'
import { createPublicationKey, putPublication } from '../../support/virtual/publications.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'
import { plainFingerprints, theSigner } from '../../support/virtual/virtual-ports.ts'

/* Compares lib/log/README.md with what requests of every kind write. */

const [eventRows, metricRows] = readTables()

test('each event of the catalogue has a row of the page with its level, and each row is an event', () => {
  const ofCode = Object.entries(logEvents).map(([name, { level }]) => [name, level])
  const ofPage = [...eventRows].map(([name, [level]]) => [name, level])
  assert.deepEqual(ofPage.toSorted(), ofCode.toSorted())
})

test('each event that requests of every kind write is in the catalogue with its fields, and each row is written', async (t) => {
  const events = await everyKindOfEvent(t)
  for (const { event, ...fields } of events) {
    const row = eventRows.get(event)
    assert.ok(row, `${event} stands in the catalogue`)
    const more = Object.keys(fields).filter((field) => !row.includes(field))
    assert.deepEqual(more, [], event)
  }
  for (const [name, [, ...fields]] of eventRows) {
    const seen = events.filter(({ event }) => event === name).flatMap((event) => Object.keys(event))
    assert.deepEqual(
      fields.filter((field) => !seen.includes(field)),
      [],
      `${name} is written, with each of its fields`,
    )
  }
})

test('each metric is in the table with its unit and dimensions, and each is counted', async (t) => {
  const counted = new Map<string, readonly string[]>()
  for (const event of await everyKindOfEvent(t)) {
    const { values = {}, dimensions = {} } = meter(event) ?? {}
    for (const name of Object.keys(values)) counted.set(name, Object.keys(dimensions))
  }
  assert.deepEqual([...counted.keys()].sort(), Object.keys(metricUnits).sort())
  for (const [name, unit] of Object.entries(metricUnits))
    assert.deepEqual(metricRows.get(name), [unit, ...(counted.get(name as MetricName) ?? [])], name)
  assert.equal(metricRows.size, counted.size)
})

async function everyKindOfEvent(t: TestContext): Promise<readonly LogEvent[]> {
  return [
    ...(await ofTheFunction(t)),
    ...(await ofFailures()),
    ...(await ofDiscovery()),
    ...(await ofAnswers()),
    ...(await ofSignatures()),
    ...(await ofSecondAttempts()),
    ...(await ofRotations(t)),
    ...(await ofDates()),
    ...(await ofRenewals()),
    ...(await ofTheCache()),
    ...(await ofReloads(t)),
    ...(await ofTheSchedule()),
    ...(await ofRefreshes()),
    ...(await ofCalls(t)),
    ...(await ofDeployments()),
  ]
}

async function ofTheFunction(t: TestContext): Promise<readonly LogEvent[]> {
  const stage = await startIssueTokenByTestClock(t)
  const ask = (handler: typeof stage.handler, connection: string) => handler({ connection }, contextFor({ connection }))
  await ask(stage.handler, 'conn')
  await ask(stage.handler, 'conn')
  await ask(stage.handler, 'nowhere')
  const wrong = await startIssueTokenByTestClock(t, {
    changes: { server: { tokenEndpoint: undefined, issuer: undefined } },
  })
  await ask(wrong.handler, 'conn')
  return [...stage.log, ...wrong.log]
}

async function ofDiscovery(): Promise<readonly LogEvent[]> {
  const log: LogEvent[] = []
  const { tokenEndpoint: _written, ...settings } = plainConnection.authorizationServer
  const server = { ...settings, issuer: exampleIssuer, discovery: { hosts: [], noProxy: [] } }
  const documents = [{ token_endpoint: 'https://new.example/token' }, { token_endpoint: `${exampleIssuer}/token` }]
  const tokenEndpoints = createTokenEndpoints({
    source: {
      async get() {
        const more = { issuer: exampleIssuer, token_endpoint_auth_methods_supported: ['client_secret_basic'] }
        return { status: 200, body: JSON.stringify({ ...documents.shift(), ...more }) }
      },
    },
    events: { isHeard: false, async raise() {} },
    now: () => 0,
    pause: () => new Promise(() => {}),
    log: (event) => void log.push(event),
  })
  const connection = { ...plainConnection, authorizationServer: server }
  await assert.rejects(tokenEndpoints.locate(connection, 20_000))
  await tokenEndpoints.locate(connection, 20_000)
  return log
}

async function ofSignatures(): Promise<readonly LogEvent[]> {
  const elements = changeableElements(localTokenElements({}))
  const { time, get, events } = createTokensInVirtualTime(() => virtualToken(), { elements })
  await time.until(get())
  return events
}

async function ofDeployments(): Promise<readonly LogEvent[]> {
  const log: LogEvent[] = []
  const handler = createPutHandler({
    deployment: localDeployment,
    writer: { readAll: async () => new Map(), async put() {}, async remove() {} },
    readObject: async ({ key }) => JSON.stringify(key === 'good' ? exampleElements(exampleIssuer) : {}),
    readElements: textElements,
    events: { isHeard: true, async raise() {} },
    async continueLater() {},
    answers: { isOfCloudformation: () => true, async send() {} },
    now: () => 0,
    log: (event) => void log.push(event),
  })
  const context = { getRemainingTimeInMillis: () => 900_000 } as Context
  const ids = {
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'resource',
    ResponseURL: 'https://x.example',
  }
  for (const key of ['good', 'empty'])
    await handler({ RequestType: 'Create', ...ids, ResourceProperties: { bucket: 'assets', key } }, context)
  return log
}

async function ofAnswers(): Promise<readonly LogEvent[]> {
  const connection = { ...plainConnection, passOn: ['missing'] }
  const tokens = createTokensInVirtualTime(() => virtualToken(), { connection })
  await tokens.time.until(tokens.get())
  return tokens.events
}

async function ofFailures(): Promise<readonly LogEvent[]> {
  let isLimited = true
  const tokens = createTokensInVirtualTime(({ index, form }) => {
    if (index === 0) throw new UnreachableError('nobody listens')
    if (form.get('scope') === 'many' && isLimited) return { status: 429, body: '' }
    return form.get('scope') === 'no' ? virtualRefusal('invalid_scope') : virtualToken()
  })
  await tokens.time.until(tokens.get())
  for (const scope of ['no', 'many']) await assert.rejects(tokens.time.until(tokens.get({ scope: [scope] })))
  await tokens.time.advance(300_000)
  isLimited = false
  await tokens.time.until(tokens.get({ scope: ['many'] }))
  return tokens.events
}

async function ofSecondAttempts(): Promise<readonly LogEvent[]> {
  const minutesAhead = (at: number) => ({ date: new Date(at + 240_000).toUTCString() })
  const off = createTokensInVirtualTime(({ index, at }) =>
    index === 0 ? virtualRefusal('invalid_client', minutesAhead(at)) : virtualToken(),
  )
  await off.time.until(off.get())
  const secrets = {
    ...singleVersionSecrets(async () => new Secret('any')),
    refresh: async () => true,
    readAllAgain() {},
    forget() {},
  }
  const rotated = createTokensInVirtualTime(
    ({ index }) => (index === 0 ? virtualRefusal('invalid_client') : virtualToken()),
    {
      secrets,
    },
  )
  await rotated.time.until(rotated.get())
  const signers = { current: async () => theSigner, previous: async () => theSigner, revoke() {} }
  const early = createTokensInVirtualTime(
    ({ index }) => (index === 0 ? virtualRefusal('invalid_client') : virtualToken()),
    {
      signers,
    },
  )
  await early.time.until(early.get())
  return [...off.events, ...rotated.events, ...early.events]
}

async function ofRotations(t: TestContext): Promise<readonly LogEvent[]> {
  const rotation = await createKeyRotation(t)
  const context = { getRemainingTimeInMillis: () => 30_000 } as Context
  const handler = createRotateHandler({ ...rotation, application: rotation, deployment: localDeployment })
  for (const Step of rotationSteps)
    await handler({ Step, SecretId: rotatedSecretName, ClientRequestToken: 'first' }, context)
  await assert.rejects(handler({ Step: 'setSecret', SecretId: rotatedSecretName, ClientRequestToken: 'none' }, context))
  await rotation.publish()
  await rotation.answerEvent({ type: 'RevokeKey', jwtBuilder: 'theBuilder', kid: 'none' }, rotation.now() + 10_000)
  rotation.secrets.put(rotatedSecretName, 'no key')
  await rotation.publish()
  const forgery = { kind: 'keys', keys: [] } as const
  await putPublication(rotation.store, 'theBuilder', forgery, rotation.now(), createPublicationKey())
  await rotation.publish()
  return rotation.events
}

async function ofDates(): Promise<readonly LogEvent[]> {
  const log: LogEvent[] = []
  const secrets = singleVersionSecrets(async () => new Secret('{ "password": "any", "expiresAt": "1970-01-02" }'))
  const connection = {
    ...plainConnection,
    clientAuthentication: { method: 'client_secret_basic', passwordSecret: 'tokenwell/test/the-password' } as const,
  }
  const reporter = createDateReporter({
    connections: { get: async () => ({ connection, fingerprint: 'any' }) },
    secretDates: createSecretDates({ secrets, certificates: { trusted: async () => [], presented: async () => [] } }),
    now: () => 0,
    pause: () => new Promise(() => {}),
    log: (event) => log.push(event),
  })
  await reporter.report('conn', 1_000)
  return log
}

async function ofRenewals(): Promise<readonly LogEvent[]> {
  const tokens = createTokensInVirtualTime(({ index }) =>
    index === 0 ? virtualToken() : virtualRefusal('invalid_scope'),
  )
  await tokens.time.until(tokens.get())
  await tokens.time.advance(217_000)
  await tokens.time.until(tokens.get())
  return tokens.events
}

async function ofTheCache(): Promise<readonly LogEvent[]> {
  const broken = () => Promise.reject(new RecordStoreError('the table does not exist'))
  const alone = createTokensInVirtualTime(() => virtualToken(), { store: { read: broken, write: broken, due: broken } })
  await alone.time.until(alone.get())

  const first = createTokensInVirtualTime(() => virtualToken())
  await first.time.until(first.get())
  const second = createTokensInVirtualTime(() => virtualToken(), { fleet: first })
  await second.time.until(second.get())
  const spoilt = createTokensInVirtualTime(() => virtualToken(), {
    fleet: first,
    store: {
      ...first.store,
      async read(names) {
        const records = await first.store.read(names)
        return records.map((record) => record && { ...record, fields: { ...record.fields, sealedToken: '{}' } })
      },
    },
  })
  await spoilt.time.until(spoilt.get())
  const full = createFaultInjectingStore()
  full.before.write = () => isNotTaken('no room is left')
  const unshared = createTokensInVirtualTime(() => virtualToken(), { store: full })
  await unshared.time.until(unshared.get())
  const ahead = createTokensInVirtualTime(() => virtualToken(), { fleet: first, clock: { aheadMilliseconds: 400_000 } })
  await ahead.time.until(ahead.get())
  const third = createTokensInVirtualTime(() => virtualToken(), { fleet: first })
  await third.time.until(third.get())
  return [alone, second, spoilt, unshared, ahead, third].flatMap(({ events }) => events)
}

async function ofReloads(t: TestContext): Promise<readonly LogEvent[]> {
  const elements = await elementStoreOf(t, exampleElements(exampleIssuer))
  const events: LogEvent[] = []
  let [now, isDown] = [0, false]
  const connections = createConnectionCache({
    fingerprints: plainFingerprints,
    elements: {
      ...elements,
      get: (references) =>
        isDown ? Promise.reject(new ElementStoreError('elements_unreachable', 'no answer')) : elements.get(references),
    },
    deployment: localDeployment,
    now: () => now,
    pause: () => new Promise(() => {}),
    log: (event) => events.push(event),
  })
  await connections.get('conn')
  isDown = true
  now = 3_600_000
  await connections.get('conn')
  return events
}

async function ofTheSchedule(): Promise<readonly LogEvent[]> {
  const tokens = createTokensInVirtualTime(() => virtualToken())
  await tokens.time.until(tokens.warm())
  return tokens.events
}

async function ofRefreshes(): Promise<readonly LogEvent[]> {
  const bus = { isHeard: true, raise: () => Promise.reject(new EventBusError('the bus does not exist')) }
  const tokens = createTokensInVirtualTime(() => virtualToken(), { bus })
  await tokens.time.until(tokens.get())
  await tokens.time.advance(217_000)
  await tokens.time.until(tokens.get())
  const handler = createRefreshHandler({
    application: {
      answerEvent: (event) =>
        event.type === 'ConnectionChanged' ? Promise.reject(new EventBusError('no bus')) : tokens.answer(event),
      signPublications: () => assert.fail('not asked for'),
    },
    deadLetters: { add: () => Promise.reject(new DeadLettersError('the queue does not exist')) },
    deployment: localDeployment,
    now: tokens.time.now,
    log: (event) => (tokens.events as LogEvent[]).push(event),
  })
  const clear = { source: 'me', 'detail-type': 'ClearTokenCache', detail: { connection: 'conn' } }
  const reconcile = { source: 'me', 'detail-type': 'ReconcileElements', detail: {} }
  const change = { ...clear, 'detail-type': 'ConnectionChanged' }
  const bodies = ['{', ...[reconcile, clear, clear, change].map((event) => JSON.stringify(event))]
  const messages = bodies.map((body) => ({ messageId: body, body, attributes: { ApproximateReceiveCount: '1' } }))
  await tokens.time.until(handler({ Records: messages } as never, { getRemainingTimeInMillis: () => 60_000 } as never))
  return tokens.events
}

/** An answer with a cookie that is left out, a 401 for a token that is replaced, two dead connections in a row, and a call without its token. */
async function ofCalls(t: TestContext): Promise<readonly LogEvent[]> {
  const log = captureLog(t)
  const { call, age } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
    if (index < 3)
      return index === 1
        ? { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
        : { headers: { 'set-cookie': '__Host-a=b' } }
    socket.destroy()
    return undefined
  })
  await call()
  age(11_000)
  await call()
  await call()
  const hostFrom = { member: 'instance_url', within: ['api.example.com'] }
  const refused = await startCallApiWithScriptedServers(t, undefined, {
    elements: { oAuth: { hostFrom }, endpoint: { host: undefined } },
  })
  await refused.call()
  const tokens = () => ({ status: 400, body: { error: 'unauthorized_client' } })
  await (await startCallApiWithScriptedServers(t, undefined, { tokens })).call()
  return log
}

/** The cells of each row, by its first cell: the texts in backticks, after the level or unit. */
function readTables(): readonly [Map<string, readonly string[]>, Map<string, readonly string[]>] {
  const text = readFileSync(join(root, 'lib', 'log', 'README.md'), 'utf8')
  const [, events = '', metrics = ''] = text.split(/^\| (?:event|metric) \|.*$/m)
  const rows = (table: string, cellsOf: (cells: readonly string[]) => readonly string[]) =>
    new Map(
      [...table.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)].map(([, name = '', rest = '']) => [
        name,
        cellsOf(rest.split('|')),
      ]),
    )
  const quoted = (cell = '') => [...cell.matchAll(/`(\w+)`/g)].map(([, word = '']) => word)
  return [
    rows(events, ([level = '', fields]) => [level.trim(), ...quoted(fields)]),
    rows(metrics, ([unit = '', dimensions]) => [unit.trim(), ...quoted(dimensions)]),
  ]
}
