import { gzipSync } from 'node:zlib'
import type { ElementChanges } from '../support/elements.ts'
import { type Script, type ScriptedAnswer, someToken } from '../support/token-server.ts'

/** What a token endpoint may do to us, and what must come of it. */
export interface Behaviour {
  readonly name: string
  readonly script: Script
  readonly changes?: ElementChanges
  readonly form?: string
  /** What the caller gets: a status with the error code, or with how long the token lives. */
  readonly outcome: string
  readonly requests: number
  /** What a caller gets who comes right after, and how many requests there were in all. */
  readonly again: string
  readonly requestsInAll: number
  readonly retryAfter?: number
}

const always =
  (answer: () => ScriptedAnswer): Script =>
  () =>
    answer()

/** These answers in turn, then fine tokens. */
const first =
  (...answers: ScriptedAnswer[]): Script =>
  (_request, _response, index) =>
    answers[index] ?? someToken()

const ok = (expiresIn = 300) => `200, ${expiresIn} s`
const refused = '502 server_error'
const nonsense = '502 server_error'
const outage = '503 temporarily_unavailable'

type Expectation = Pick<Behaviour, 'outcome' | 'requests' | 'again' | 'requestsInAll'>

const token = (expiresIn = 300): Expectation => ({
  outcome: ok(expiresIn),
  requests: 1,
  again: 'memory',
  requestsInAll: 1,
})
/** An answer that is none: not repeated, and the next caller asks again. */
const unreadable: Expectation = { outcome: nonsense, requests: 1, again: nonsense, requestsInAll: 2 }
/** A refusal: not repeated, and remembered. */
const remembered = (outcome = refused): Expectation => ({ outcome, requests: 1, again: outcome, requestsInAll: 1 })
/** An outage: repeated twice, then left alone. */
const repeated: Expectation = { outcome: outage, requests: 3, again: outage, requestsInAll: 3 }
const recovers: Expectation = { outcome: ok(), requests: 2, again: 'memory', requestsInAll: 2 }
const leftAlone: Expectation = { outcome: outage, requests: 1, again: outage, requestsInAll: 1 }

const withLifetime = (name: string, expiresIn: unknown, expectation: Expectation): Behaviour => ({
  name: `expires_in ${name}`,
  script: always(() => someToken({ expires_in: expiresIn })),
  ...expectation,
})

const lifetimes: readonly Behaviour[] = [
  withLifetime('3600', 3600, token(3600)),
  withLifetime('"3600"', '3600', token(3600)),
  withLifetime('missing', undefined, token(300)),
  withLifetime('null', null, token(300)),
  withLifetime('3599.5', 3599.5, token(3599)),
  withLifetime('1e300', 1e300, token(315_360_000)),
  withLifetime('0', 0, unreadable),
  withLifetime('"0"', '0', unreadable),
  withLifetime('-5', -5, unreadable),
  withLifetime('0.5', 0.5, unreadable),
  withLifetime('"12h"', '12h', unreadable),
  withLifetime('"3600.0"', '3600.0', unreadable),
  withLifetime('true', true, unreadable),
  withLifetime('[3600]', [3600], unreadable),
]

const withMember = (name: string, members: Record<string, unknown>, expectation: Expectation): Behaviour => ({
  name,
  script: always(() => someToken(members)),
  ...expectation,
})

const tokens: readonly Behaviour[] = [
  withMember('200 without access_token', { access_token: undefined }, unreadable),
  withMember('access_token an object', { access_token: { value: 'x' } }, unreadable),
  withMember('access_token a number', { access_token: 5 }, unreadable),
  withMember('access_token empty', { access_token: '' }, unreadable),
  withMember('access_token with a line break', { access_token: 'a\r\nb' }, unreadable),
  withMember('access_token with a control character', { access_token: 'a\u0000b' }, unreadable),
  withMember('access_token with a blank', { access_token: 'a b' }, unreadable),
  withMember('access_token beyond ASCII', { access_token: 'ä' }, unreadable),
  withMember('access_token of 1 MB', { access_token: 'x'.repeat(1_000_000) }, unreadable),
  withMember('token_type missing', { token_type: undefined }, unreadable),
  withMember('token_type DPoP', { token_type: 'DPoP' }, unreadable),
  withMember('token_type mac', { token_type: 'mac' }, unreadable),
  withMember('token_type a list', { token_type: ['Bearer'] }, unreadable),
  withMember('token_type bEARER', { token_type: 'bEARER' }, token()),
  withMember('refresh_token and id_token beside', { refresh_token: 'r', id_token: 'i' }, token()),
  withMember('20 MB beside the token', { padding: 'x'.repeat(20_000_000) }, unreadable),
]

const withBody = (name: string, answer: ScriptedAnswer, expectation: Expectation): Behaviour => ({
  name,
  script: always(() => answer),
  ...expectation,
})
const invalidClient = { error: 'invalid_client' }

const bodies: readonly Behaviour[] = [
  withBody('200 with an error', { body: invalidClient }, remembered()),
  withBody(
    '200 with an error beside a token',
    { body: { ...invalidClient, access_token: 'x', token_type: 'Bearer' } },
    remembered(),
  ),
  withBody('200 empty', { body: '' }, repeated),
  { name: '200 empty, then a token', script: first({ body: '' }), ...recovers },
  withBody('200 HTML', { headers: { 'content-type': 'text/html' }, body: '<html>' }, unreadable),
  withBody('200 JSON called text/html', { ...someToken(), headers: { 'content-type': 'text/html' } }, token()),
  withBody('200 a list', { body: [] }, unreadable),
  withBody('200 a text', { body: '"token"' }, unreadable),
  withBody('200 not UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }, unreadable),
  withBody('200 with a byte order mark', { body: `\ufeff${JSON.stringify(someToken().body)}` }, token()),
  withBody(
    '200 gzip although not asked for',
    { headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify(someToken().body)) },
    unreadable,
  ),
  withBody('201 with a token', { ...someToken(), status: 201 }, unreadable),
]

const withStatus = (
  status: number,
  body: unknown,
  expectation: Expectation,
  headers?: Record<string, string>,
): Behaviour => ({
  name: [status, describeBody(body), ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`)].join(
    ' ',
  ),
  script: always(() => ({ status, body, ...(headers && { headers }) })),
  ...expectation,
})

function describeBody(body: unknown): string {
  return typeof body === 'object' ? `with ${JSON.stringify(body)}` : body === '' ? 'empty' : 'with HTML'
}

const statuses: readonly Behaviour[] = [
  withStatus(400, invalidClient, remembered()),
  withStatus(401, invalidClient, remembered(), { 'www-authenticate': 'Basic' }),
  withStatus(403, { error: 'access_denied' }, remembered()),
  withStatus(400, { error: 'invalid_grant' }, remembered()),
  withStatus(400, { error: 'invalid_scope' }, remembered('500 server_error')),
  {
    ...withStatus(400, { error: 'invalid_scope' }, remembered('400 invalid_scope')),
    form: 'scope=a',
    name: '400 with {"error":"invalid_scope"} for a scope of the request',
  },
  withStatus(400, { error: 'in"valid' }, unreadable),
  withStatus(400, { error: 5 }, unreadable),
  withStatus(400, '<html>', unreadable),
  withStatus(401, '', unreadable),
  withStatus(403, '<html>', unreadable),
  withStatus(404, '<html>', unreadable),
  withStatus(500, '<html>', unreadable),
  withStatus(500, { error: 'server_error' }, repeated),
  withStatus(502, '<html>', repeated),
  withStatus(503, '', repeated),
  withStatus(503, invalidClient, repeated),
  withStatus(504, '', repeated),
  { name: '503, then a token', script: first({ status: 503 }), ...recovers },
  {
    name: '503 twice, then a token',
    script: first({ status: 503 }, { status: 503 }),
    outcome: ok(),
    requests: 3,
    again: 'memory',
    requestsInAll: 3,
  },
  ...[301, 302, 303, 307, 308].map((status) =>
    withStatus(status, '', unreadable, { location: 'https://169.254.169.254/' }),
  ),
]

const anHourOff: readonly Behaviour[] = [
  {
    name: '401 with {"error":"invalid_client"} and a Date in an hour, then a token',
    script: (_request, _response, index) => (index === 0 ? refuseAt(3_600_000) : someToken()),
    ...recovers,
  },
  {
    name: '401 with {"error":"invalid_client"} and a Date an hour ago, then a token',
    script: (_request, _response, index) => (index === 0 ? refuseAt(-3_600_000) : someToken()),
    ...recovers,
  },
  {
    name: '401 with {"error":"invalid_client"} and ever another Date',
    script: (_request, _response, index) => refuseAt(3_600_000 * (index + 1)),
    ...remembered(),
    requests: 2,
    requestsInAll: 2,
  },
]

function refuseAt(ahead: number): ScriptedAnswer {
  return { status: 401, headers: { date: new Date(Date.now() + ahead).toUTCString() }, body: invalidClient }
}

const inTwoSeconds = () => new Date(Date.now() + 2_000).toUTCString()
const inTwoMinutes = () => new Date(Date.now() + 120_000).toUTCString()

const waits: readonly Behaviour[] = [
  withStatus(429, '', repeated),
  {
    name: '429 retry-after: 1, then a token',
    script: first({ status: 429, headers: { 'retry-after': '1' } }),
    ...recovers,
  },
  {
    name: '429 retry-after: a date in 2 s, then a token',
    script: (_request, _response, index) =>
      index === 0 ? { status: 429, headers: { 'retry-after': inTwoSeconds() } } : someToken(),
    ...recovers,
  },
  { ...withStatus(429, '', leftAlone, { 'retry-after': '60' }), retryAfter: 60 },
  {
    name: '503 retry-after: a date in 2 min',
    script: always(() => ({ status: 503, headers: { 'retry-after': inTwoMinutes() } })),
    ...leftAlone,
    retryAfter: 120,
  },
  { ...withStatus(429, '', leftAlone, { 'retry-after': '31536000' }), retryAfter: 300 },
  withStatus(429, '', repeated, { 'retry-after': '-5' }),
  withStatus(429, '', repeated, { 'retry-after': 'soon' }),
]

const hurried: ElementChanges = { server: { connectionTimeout: '200ms', receiveTimeout: '300ms' } }
const timeOut: Expectation = {
  outcome: '504 temporarily_unavailable',
  requests: 1,
  again: '504 temporarily_unavailable',
  requestsInAll: 1,
}

const connections: readonly Behaviour[] = [
  {
    name: 'reset before the answer',
    script: (_request, response) => void response.socket?.destroy(),
    ...repeated,
  },
  {
    name: 'reset before the answer, then a token',
    script: (_request, response, index) => (index === 0 ? void response.socket?.destroy() : someToken()),
    ...recovers,
  },
  {
    name: 'reset within the headers',
    script: (_request, response) => void response.socket?.end('HTTP/1.1 200 OK\r\ncontent-ty'),
    ...repeated,
  },
  {
    name: 'reset within the body',
    script(_request, response) {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"access_token":', () => response.socket?.destroy())
      return undefined
    },
    ...repeated,
  },
  {
    name: 'reset after the answer',
    script(_request, response) {
      response.end(JSON.stringify(someToken().body), () => response.socket?.destroy())
      return undefined
    },
    ...token(),
  },
  {
    name: 'the connection closed after each answer',
    script: always(() => ({ ...someToken(), headers: { connection: 'close' } })),
    ...token(),
  },
  { name: 'no answer', script: () => undefined, changes: hurried, ...timeOut },
  {
    name: 'a byte every 50 ms',
    script(_request, response) {
      response.writeHead(200)
      const drip = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(drip))
      return undefined
    },
    changes: hurried,
    ...timeOut,
  },
  {
    name: 'an answer that is no HTTP',
    script: (_request, response) => void response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n'),
    ...unreadable,
  },
  {
    name: 'headers of 1 MB',
    script: always(() => ({ ...someToken(), headers: { padding: 'x'.repeat(1_000_000) } })),
    ...unreadable,
  },
]

export const behaviours: readonly Behaviour[] = [
  ...lifetimes,
  ...tokens,
  ...bodies,
  ...statuses,
  ...anHourOff,
  ...waits,
  ...connections,
]
