import type { ScriptedAnswer } from '../support/servers/scripted-token-endpoint.ts'
import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  first,
  type HostileScript,
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
    name: '400 with {"error":"invalid_scope"} for a scope that the caller added',
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

/** Refusals as these servers document or send them. They are not in the form of RFC 6749 section 5.2. */
const form = (which: string, answer: ScriptedAnswer, expectation = remembered()): Behaviour => ({
  name: `a refusal ${which}`,
  script: always(() => answer),
  ...expectation,
})

const page = (type: string, status: number, body: string): ScriptedAnswer => ({
  status,
  headers: { 'content-type': type },
  body,
})

const forms: readonly Behaviour[] = [
  form("of Okta's API", {
    status: 401,
    body: { errorCode: 'E0000011', errorSummary: 'Invalid token provided', errorId: 'oae1', errorCauses: [] },
  }),
  form('of Apigee', { status: 401, body: { ErrorCode: 'invalid_client', Error: 'ClientId is Invalid' } }),
  form("of Apigee's proxy", {
    status: 401,
    body: {
      fault: { faultstring: 'Invalid client identifier', detail: { errorcode: 'oauth.v2.InvalidClientIdentifier' } },
    },
  }),
  form('of Google', {
    status: 401,
    body: { error: { code: 401, message: 'Request had invalid credentials.', status: 'UNAUTHENTICATED' } },
  }),
  form('of Facebook', {
    status: 400,
    body: { error: { message: 'Error validating client secret.', type: 'OAuthException', code: 1, fbtrace_id: 'A1' } },
  }),
  form('of PingAM', { status: 401, body: { code: 401, reason: 'Unauthorized', message: 'Authentication Failed' } }),
  form('of PingOne', {
    status: 400,
    body: { code: 'INVALID_DATA', message: 'Wrong.', details: [{ code: 'INVALID_VALUE', target: 'scope' }] },
  }),
  form('of Amazon API Gateway', { status: 403, body: { message: 'Forbidden' } }),
  form('of Salesforce', {
    status: 400,
    body: [{ message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' }],
  }),
  form('of ServiceNow', { status: 401, body: { error_description: 'access_denied', error: 'server_error' } }),
  form('of Baidu', { status: 400, body: { error_code: 110, error_msg: 'Access token invalid or no longer valid' } }),
  form('of Xiaomi', { status: 400, body: { error: 96003, error_description: 'OA_INVALID_CLIENT' } }),
  form('of Entra ID', {
    status: 401,
    body: {
      error: 'invalid_client',
      error_description: 'AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1',
      error_codes: [7000215],
    },
  }),
  form('as in RFC 9457', {
    ...page('application/problem+json', 403, '{"status":403,"title":"Forbidden","detail":"The client is disabled."}'),
  }),
  form('as in JSON:API', { status: 400, body: { errors: [{ code: 'invalid_client', detail: 'Unknown client' }] } }),
  form('of Spring Boot', { status: 400, body: { status: 400, error: 'Bad Request', path: '/oauth2/token' } }),
  form('of a failing Spring Boot', { status: 500, body: { status: 500, error: 'Internal Server Error', path: '/t' } }),
  form('of Keycloak for a missing realm', { status: 404, body: { error: 'Realm does not exist' } }),
  form(
    'of AWS in XML',
    page('text/xml', 403, '<R><Error><Code>InvalidClientTokenId</Code><Message>No such id</Message></Error></R>'),
  ),
  form(
    'as in SOAP',
    page('text/xml', 500, '<s:Envelope><s:Fault><faultstring>No &amp; no</faultstring></s:Fault></s:Envelope>'),
  ),
  form(
    'of nginx',
    page('text/html', 400, '<html><head><title>400 No required SSL certificate was sent</title></head></html>'),
  ),
  form(
    'of Tomcat',
    page(
      'text/html',
      401,
      '<!doctype html><head><title>HTTP Status 401</title><style>p{}</style></head><p>Message: Bad client</p>',
    ),
  ),
  form(
    'as a form',
    page('application/x-www-form-urlencoded', 400, 'error=invalid_client&error_description=No+such+client'),
  ),
  form('as plain text', page('text/plain', 401, 'Client authentication failed')),
  form('in a challenge only', {
    status: 401,
    headers: { 'www-authenticate': 'Basic realm="as", error="invalid_client", error_description="No such client"' },
  }),
  form('of a busy gateway', page('text/html', 503, '<title>Down for maintenance</title>'), repeated),
]

const described = (name: string, description: () => unknown): Behaviour => ({
  name: `error_description ${name}`,
  script: always(() => refusal({ error_description: description() })),
  ...remembered(),
})

/** The server repeats what it was sent. */
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
  described('with terminal escape sequences', () => '\x1b]0;no\x07\x1b[2J'),
  described('with characters that reverse the line', () => '\u202eno\u2066\u0000\u2028'),
  described('with a token', () => 'no: 2YotnFZFEjr1zCsicMWpAA2YotnFZFEjr1zCsicMWpAA'),
  described('of 60 KB', () => 'no '.repeat(20_000)),
  described('an object', () => ({ message: 'no' })),
  described('with template expressions', () => `\${jndi:ldap://localhost/a} {{7*7}} %s %n`),
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
    ...remembered(),
  },
  {
    name: '401 with {"error":"invalid_client"} and a Date an hour ago, then a token',
    script: thenToken(refuseAt(() => -anHour)),
    ...remembered(),
  },
  {
    name: '401 with {"error":"invalid_client"} and a different Date each time',
    script: refuseAt((index) => anHour * (index + 1)),
    ...remembered(),
  },
  {
    name: '401 with {"error":"invalid_client"} and an invalid Date',
    script: always(() => ({ status: 401, headers: { date: 'yesterday' }, body: invalidClient })),
    ...remembered(),
  },
]

export const refusals: Family = {
  title: 'Refusals',
  behaviours: [...codes, ...unfit, ...forms, ...descriptions, ...clocks],
}
