import type { ScriptedAnswer } from '../support/servers/scripted-token-endpoint.ts'
import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  first,
  type HostileScript,
  hostileToken,
  recovers,
  remembered,
  repeated,
  unreadable,
} from './behaviour.ts'

const invalidClient = { error: 'invalid_client' }

const withStatus = (
  status: number,
  body: unknown,
  expectation: Expectation,
  headers: Record<string, string> = {},
): Behaviour => ({
  name: [status, describeBody(body), ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(' '),
  script: always(() => ({ status, body, headers })),
  ...expectation,
})

function describeBody(body: unknown): string {
  return typeof body === 'object' ? `with ${JSON.stringify(body)}` : body === '' ? 'empty' : 'with HTML'
}

const codes: readonly Behaviour[] = [
  withStatus(400, invalidClient, remembered()),
  withStatus(401, invalidClient, remembered(), { 'www-authenticate': 'Basic' }),
  withStatus(401, invalidClient, remembered(), { 'www-authenticate': 'Negotiate, NTLM, Digest nonce="x"' }),
  withStatus(403, { error: 'access_denied' }, remembered()),
  withStatus(400, { error: 'invalid_grant' }, remembered()),
  withStatus(400, { error: 'use_dpop_nonce' }, remembered(), { 'dpop-nonce': 'some-nonce' }),
  withStatus(400, { error: 'authorization_pending' }, remembered()),
  withStatus(400, { error: 'slow_down' }, remembered()),
  withStatus(400, { error: 'toString' }, remembered()),
  withStatus(400, { error: 'temporarily_unavailable' }, repeated),
  withStatus(400, { error: 'invalid_scope' }, remembered('500 server_error')),
  {
    ...withStatus(400, { error: 'invalid_scope' }, remembered('400 invalid_scope')),
    form: 'scope=a',
    name: '400 with {"error":"invalid_scope"} for a scope of the request',
  },
  withStatus(500, invalidClient, remembered()),
  withStatus(500, { error: 'server_error' }, repeated),
  withStatus(503, invalidClient, repeated),
]

const unfit: readonly Behaviour[] = [
  withStatus(400, { error: 'in"valid' }, unreadable),
  withStatus(400, { error: 'a\r\nb' }, unreadable),
  withStatus(400, { error: '' }, unreadable),
  withStatus(400, { error: 5 }, unreadable),
  withStatus(400, { error: null }, unreadable),
  withStatus(400, { error: { code: 'invalid_client' } }, unreadable),
  withStatus(400, { errorCode: 'invalid_client', errorSummary: 'no' }, unreadable),
  { ...withStatus(400, { error: 'x'.repeat(65) }, unreadable), name: '400 with an error of 65 characters' },
  { ...withStatus(400, { error: 'x'.repeat(60_000) }, unreadable), name: '400 with an error of 60 KB' },
  { name: '400 with a token', script: always(() => ({ ...fine(), status: 400 })), ...unreadable },
  { name: '500 with a token', script: always(() => ({ ...fine(), status: 500 })), ...unreadable },
  withStatus(400, '<html>', unreadable),
  withStatus(401, '', unreadable),
  withStatus(402, '', unreadable),
  withStatus(403, '<html>', unreadable),
  withStatus(404, '<html>', unreadable),
  withStatus(405, '', unreadable, { allow: 'GET' }),
  withStatus(407, '', unreadable, { 'proxy-authenticate': 'Basic' }),
  withStatus(413, '', unreadable),
  withStatus(415, '', unreadable),
  withStatus(418, '', unreadable),
  withStatus(451, '', unreadable),
  withStatus(500, '<html>', unreadable),
  withStatus(501, '', unreadable),
  withStatus(502, '<html>', repeated),
  withStatus(503, '', repeated),
  withStatus(504, '', repeated),
  withStatus(511, '', unreadable),
  withStatus(599, '', unreadable),
  withStatus(999, '', unreadable),
  { name: '503, then a token', script: first(() => ({ status: 503 })), ...recovers },
  {
    name: '503 twice, then a token',
    script: first(
      () => ({ status: 503 }),
      () => ({ status: 503 }),
    ),
    ...recovers,
    requests: 3,
    requestsInAll: 3,
  },
]

const described = (name: string, description: () => unknown): Behaviour => ({
  name: `error_description ${name}`,
  script: always(() => refusal({ error_description: description() })),
  ...remembered(),
})

/** Says again what it was sent. */
const repeating = (name: string, expectation: Expectation, members: (form: URLSearchParams) => object): Behaviour => ({
  name,
  script: ({ form }) => refusal(members(form)),
  ...expectation,
})

function refusal(members: object): ScriptedAnswer {
  return { status: 401, body: { ...invalidClient, ...members } }
}

const assertionOf = (form: URLSearchParams) => form.get('client_assertion') ?? form.get('client_secret') ?? ''

const descriptions: readonly Behaviour[] = [
  described('with CR and LF', () => 'no\r\n{"level":"INFO","message":"all is well"}\r\n\r\n<script>'),
  described('with escape sequences of terminals', () => '\x1b]0;no\x07\x1b[2J'),
  described('with characters that turn the line round', () => '\u202eno\u2066\u0000\u2028'),
  described('with a token', () => `no: ${hostileToken()}`),
  described('of 60 KB', () => 'no '.repeat(20_000)),
  described('an object', () => ({ message: 'no' })),
  described('with the words of templates', () => `\${jndi:ldap://localhost/a} {{7*7}} %s %n`),
  repeating('error_description repeats the assertion', remembered(), (form) => ({
    error_description: `bad assertion ${assertionOf(form)}`,
  })),
  repeating('error_description repeats the assertion encoded twice', remembered(), (form) => ({
    error_description: encodeURIComponent(encodeURIComponent(`${assertionOf(form)}=`)),
  })),
  repeating('error_description repeats the whole request', remembered(), (form) => ({ error_description: `${form}` })),
  repeating('error_uri repeats the assertion', remembered(), (form) => ({
    error_uri: `https://localhost/?${assertionOf(form)}`,
  })),
  repeating('error repeats the beginning of the assertion', unreadable, (form) => ({
    error: assertionOf(form).slice(0, 64),
  })),
]

const refuseAt =
  (ahead: (index: number) => number): HostileScript =>
  (_request, _response, index) => ({
    status: 401,
    headers: { date: new Date(Date.now() + ahead(index)).toUTCString() },
    body: invalidClient,
  })

const thenToken =
  (script: HostileScript): HostileScript =>
  (request, response, index, elsewhere) =>
    index === 0 ? script(request, response, index, elsewhere) : fine()

const anHour = 3_600_000

const clocks: readonly Behaviour[] = [
  {
    name: '401 with {"error":"invalid_client"} and a Date in an hour, then a token',
    script: thenToken(refuseAt(() => anHour)),
    ...recovers,
  },
  {
    name: '401 with {"error":"invalid_client"} and a Date an hour ago, then a token',
    script: thenToken(refuseAt(() => -anHour)),
    ...recovers,
  },
  {
    name: '401 with {"error":"invalid_client"} and ever another Date',
    script: refuseAt((index) => anHour * (index + 1)),
    ...remembered(),
    requests: 2,
    requestsInAll: 2,
  },
  {
    name: '401 with {"error":"invalid_client"} and a Date that is none',
    script: always(() => ({ status: 401, headers: { date: 'yesterday' }, body: invalidClient })),
    ...remembered(),
  },
]

export const refusals: Family = {
  title: 'Refusals',
  behaviours: [...codes, ...unfit, ...descriptions, ...clocks],
}
