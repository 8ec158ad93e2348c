import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { listen } from '../../infra/local/listen.ts'
import {
  connectionOfKind,
  mergedElements,
  secretsOfKinds,
  sharedElements,
  type TokenServerKindName,
  tokenServerKinds,
  userOfKinds,
} from '../support/elements/token-kinds.ts'
import { contextFor } from '../support/functions/alias.ts'
import { callBy } from '../support/functions/call-api-with-scripted-servers.ts'
import { startCaller } from '../support/functions/function-caller.ts'
import { startIssueTokenWithScriptedServer } from '../support/functions/issue-token-with-scripted-server.ts'
import { loadFunction, tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { formsOf, leaks, overhear, plant } from '../support/output/canary.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { credentialsIn, plantCredentials } from '../support/output/quotes.ts'
import { setEnvironment, startMovedClock } from '../support/process/this-process.ts'
import { dynamodbEnvironment, startDynalite } from '../support/servers/dynalite.ts'
import { startScriptedApi, trustApi } from '../support/servers/scripted-api.ts'
import type { ReceivedRequest, ScriptedAnswer } from '../support/servers/scripted-token-endpoint.ts'

/*
 * Token servers and APIs that quote what they were sent, in every form and at every place of an answer. None of it may appear in a log,
 * a metric, an event, a record, an answer about a failure or the list of connections.
 */

type Quote = (credentials: readonly string[], request: ReceivedRequest) => ScriptedAnswer

const allForms = (credentials: readonly string[]) => [...new Set(credentials.flatMap(formsOf))]
/** Only what a header can have. */
const inHeaders = (credentials: readonly string[]) =>
  allForms(credentials).filter((each) => /^[\x21-\x7e]+$/.test(each))
const asMembers = (texts: readonly string[]) => Object.fromEntries(texts.map((text, index) => [`m${index}`, text]))

const quotes: Readonly<Record<string, Quote>> = {
  text: (_, { url, headers, content }) => ({
    status: 400,
    headers: { 'content-type': 'text/plain' },
    body: `${url}\n${JSON.stringify(headers)}\n${content}`,
  }),
  description: (credentials) => ({
    status: 401,
    body: { error: 'invalid_request', error_description: `wrong: ${allForms(credentials).join(' ')}` },
  }),
  members: (credentials) => ({
    status: 422,
    body: { message: 'wrong', ...asMembers(allForms(credentials).slice(0, 20)) },
  }),
  nested: (credentials) => ({
    status: 400,
    body: { errors: [{ detail: { seen: allForms(credentials).slice(-20) } }] },
  }),
  names: (credentials) => ({
    status: 400,
    body: Object.fromEntries(allForms(credentials).map((each) => [each, 'wrong'])),
  }),
  code: (credentials) => ({
    status: 400,
    body: { error: (credentials[0] ?? '').slice(0, 64), error_code: credentials[0] },
  }),
  html: (credentials) => ({
    status: 403,
    headers: { 'content-type': 'text/html' },
    body: `<html><title>${credentials[0]}</title><body>${allForms(credentials)
      .map((each) => `<p>${each}</p>`)
      .join('')}</body></html>`,
  }),
  xml: (credentials) => ({
    status: 400,
    headers: { 'content-type': 'application/xml' },
    body: `<fault>${allForms(credentials)
      .map((each) => `<seen>${each}</seen>`)
      .join('')}</fault>`,
  }),
  challenge: (credentials) => ({
    status: 401,
    headers: {
      'www-authenticate': inHeaders(credentials).map((each) => `Basic realm="${each}", error="${each.slice(0, 64)}"`),
    },
  }),
  redirect: (credentials) => ({
    status: 302,
    headers: { location: `https://elsewhere.example/?${encodeURIComponent(credentials.join('&'))}` },
    body: credentials.join(' '),
  }),
  dates: (credentials) => {
    const [one = ''] = inHeaders(credentials)
    return {
      status: 429,
      headers: { date: one, 'retry-after': one, 'x-rate-limit-reset': one },
      body: allForms(credentials).join(' '),
    }
  },
  outage: (credentials) => ({ status: 500, body: { message: allForms(credentials).join(' ') } }),
  'no token': (credentials) => ({ status: 200, body: { ...asMembers(credentials), session: credentials } }),
  'not readable': (credentials) => ({
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: `<title>${credentials.join(' ')}</title>`,
  }),
}

const kinds = Object.keys(tokenServerKinds) as TokenServerKindName[]
const nameOf = (kind: string, quote: string) => `${kind}.${quote.replace(' ', '-')}`
const cases = kinds.flatMap((kind) =>
  Object.entries(quotes).map(([name, quote]) => ({ kind, name: nameOf(kind, name), quote })),
)

test('no token and no credential leaks, whatever the place it is sent in, whichever function sends it, and however a server quotes it', async (t) => {
  const set = await startEverything(t)
  for (const { name } of cases) assert.equal((await set.token(name)).status, 200, name)
  for (const { name } of cases)
    assert.equal((await set.call(name)).status, 401, `${name} is rejected, and its new token is, too`)

  set.quoteFromNowOn()
  const asking: Readonly<Record<string, () => Promise<unknown>>> = {
    'issue-token': () =>
      kindByKind((name) => untilItFails(async () => (await set.token(name, set.idOf(name))).status !== 200)),
    'call-api': () => kindByKind((name) => untilItFails(async () => (await set.call(name)).proxyError !== undefined)),
    'warm-tokens': () => set.warm(),
    'refresh-token': () => kindByKind((name) => set.refresh(name)),
  }
  for (const [name, ask] of Object.entries(asking)) {
    // After every cool-down, and while the tokens of the records are still known.
    set.age(6 * 60_000)
    const before = set.requests.length
    await ask()
    const asked = new Set(set.requests.slice(before).map(({ url }) => url.slice(1).split('.')[0]))
    assert.ok(asked.size >= kinds.length / 2, `${name} asked ${[...asked].join()}`)
  }
  const { body } = await set.http({ method: 'GET', path: '/connections' })
  assert.match(JSON.stringify(body), /"last_failure"/)

  const events = JSON.stringify(set.log)
  assert.match(events, /token_request_refused/)
  assert.ok(set.events.length > 0, 'no event was raised')
  const records = await set.records()
  assert.ok(records.some((each) => each.includes('sealedToken')) && records.some((each) => each.includes('failure')))
  for (const text of [...set.events, ...records, events, JSON.stringify(body)]) overhear(text)
  assert.deepEqual(leaks(set.secrets(), [...set.events, ...records, events, JSON.stringify(body), ...set.printed]), [])
})

/** On a busy machine a process may have missed the cache, and then it finds there the token of another process. */
async function untilItFails(ask: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 4; attempt++) if (await ask()) return
}

/** So that a busy machine has time for the cache, too. */
async function kindByKind(ask: (name: string) => Promise<unknown>): Promise<void> {
  for (const [, ofKind] of Map.groupBy(cases, ({ kind }) => kind))
    await Promise.all(ofKind.map(({ name }) => ask(name)))
}

async function startEverything(t: TestContext) {
  const age = startMovedClock(t)
  const log = captureLog(t)
  const printed = capturePrinted(t)
  const database = await startDynalite(t)
  await database.createTable('tokens')
  const bus = await startBus(t)
  setEnvironment(t, { ...dynamodbEnvironment(database.endpoint), AWS_ENDPOINT_URL_EVENTBRIDGE: bus.url })

  const sent = new Set<string>()
  let isQuoting = false
  let tokens = 0
  const api = await startScriptedApi(t, ({ url, headers }) => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer error="invalid_token", error_description="${headers.authorization}"` },
    body: `${url} ${JSON.stringify(headers)}`,
  }))
  const server = await startIssueTokenWithScriptedServer(
    t,
    (issuer) =>
      mergedElements(
        sharedElements(issuer),
        ...cases.map(({ kind, name }) =>
          connectionOfKind(kind, name, `${issuer}/${name}`, {
            endpoint: { host: api.origin, sslCertsRef: 'theApiSsl', warm: true },
          }),
        ),
        { ssl: { theApiSsl: { trustStoreRef: 'theApiTrust' } } },
        { keyStore: { theApiTrust: { location: 'tokenwell/local/api-ca' } } },
      ),
    (request) => {
      plantCredentials(request, userOfKinds)
      const credentials = credentialsIn(request).filter((each) => each !== userOfKinds)
      for (const each of credentials) sent.add(each)
      const found = cases.find(({ name }) => request.url === `/${name}`)
      assert(found, request.url)
      if (isQuoting) return found.quote(credentials, request)
      const token = `the-issued-token-${tokens++}-of-${found.name}`
      plant(token)
      sent.add(token)
      return tokenServerKinds[found.kind].answer(token)
    },
  )
  const { workspace, requests } = server
  for (const [name, text] of Object.entries(secretsOfKinds)) await writeSecret(workspace, name, text)
  const encryptionKeys = [{ kid: 'the-kid', k: randomBytes(32).toString('base64url') }]
  await writeSecret(
    workspace,
    'cache',
    JSON.stringify({ namingKey: randomBytes(32).toString('base64url'), encryptionKeys }),
  )
  await trustApi(workspace, api.certificate.caCertificate)
  const environment = {
    TOKENWELL_CACHE: 'dynamodb:tokens',
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
    TOKENWELL_EVENTS: 'eventbridge:tokenwell-local',
    POWERTOOLS_LOG_LEVEL: 'DEBUG',
    POWERTOOLS_METRICS_DISABLED: 'false',
  }
  const { http } = await startCaller(workspace, environment)
  const callApi = await loadFunction('call-api', workspace, environment)
  const warmTokens = await loadFunction('warm-tokens', workspace, environment)
  const refreshToken = await loadFunction('refresh-token', workspace, environment)
  const ids = new Map<string, string>()
  const long = { ...contextFor({}), getRemainingTimeInMillis: () => 100_000 }
  return {
    ...{ http, requests, age, log, printed, events: bus.events },
    secrets: () => [...sent, ...Object.values(secretsOfKinds)],
    quoteFromNowOn() {
      isQuoting = true
    },
    idOf: (name: string) => ids.get(name),
    async token(name: string, rejected?: string) {
      const answer = await http(tokenRequest(name, '', rejected === undefined ? '' : `rejected_token_id=${rejected}`))
      if (answer.status === 200) ids.set(name, String(answer.body['token_id']))
      return answer
    },
    call: (connection: string) => callBy(callApi, { connection }),
    warm: () => warmTokens({}, long),
    refresh(connection: string) {
      const body = JSON.stringify({ source: 'me', 'detail-type': 'ClearTokenCache', detail: { connection } })
      const attributes = { ApproximateReceiveCount: '1' }
      return refreshToken({ Records: [{ messageId: connection, body, attributes }] }, long)
    },
    async records() {
      const { Items = [] } = await database.client.send(new ScanCommand({ TableName: 'tokens' }))
      return Items.map((each) => JSON.stringify(each))
    },
  }
}

/** What functions print, as Lambda would log it: also metrics. */
function capturePrinted(t: TestContext): readonly string[] {
  const printed: string[] = []
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...words: unknown[]) => boolean
    const capture = (...words: unknown[]) => {
      const [text] = words
      // The test runner writes bytes.
      if (typeof text !== 'string' || !text.startsWith('{')) return write(...words)
      printed.push(text)
      return true
    }
    Object.assign(stream, { write: capture })
    t.after(() => Object.assign(stream, { write }))
  }
  return printed
}

/** An event bus that takes all events. */
async function startBus(t: TestContext) {
  const events: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text) => {
      body += text
    })
    request.on('end', () => {
      events.push(body)
      const { Entries } = JSON.parse(body) as { readonly Entries: readonly unknown[] }
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify({ FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: 'some-id' })) }))
    })
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}`, events }
}
