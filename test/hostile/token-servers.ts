import { gzipSync } from 'node:zlib'
import type { RawElements } from '../support/elements/elements.ts'
import { connectionOfKind, mergedElements, sharedElements } from '../support/elements/token-kinds.ts'
import type { ScriptedAnswer } from '../support/servers/scripted-token-endpoint.ts'
import {
  always,
  type Behaviour,
  type Expectation,
  expired,
  type Family,
  type HostileScript,
  hostileToken,
  hurried,
  leftAlone,
  raw,
  recovers,
  remembered,
  repeated,
  timeOut,
  token,
  unreadable,
} from './behaviour.ts'

/* Servers that are not OAuth 2.0 servers: the element says where the request has its credentials, and where the answer has the token. */

type Response = Readonly<Record<string, unknown>>

const aDecade = 315_360_000
const inJson: Response = { responseFormat: 'JSON', tokenPath: 'data.token', expiresPath: 'data.expires' }
const inHeader: Response = { tokenLocation: 'header', header: 'x-token', expiresHeader: 'x-expires' }
const inText: Response = { responseFormat: 'Text', expiresHeader: 'x-expires' }

const elements =
  (tokenResponse: Response, { password = false, server = {} }: { password?: boolean; server?: object } = {}) =>
  (issuer: string): RawElements => {
    const kind = password ? 'named-headers' : 'basic'
    const byJwt = { jwtAuthenticationTokenRef: 'theTokenConfig', tokenRequest: { requestMethod: 'POST' } }
    return mergedElements(
      sharedElements(issuer),
      connectionOfKind(kind, 'conn', `${issuer}/token`, {
        authToken: { ...(!password && byJwt), tokenResponse, cacheTokensWithJti: true },
        server: { ...(!password && { basicAuthRef: undefined }), ...server },
        endpoint: { directInvocation: true },
      }),
    )
  }

const row = (name: string, script: HostileScript, expectation: Expectation, response = inJson): Behaviour => ({
  name: `${response === inJson ? 'JSON' : response === inHeader ? 'header' : response === inText ? 'text' : 'JSON path'}: ${name}`,
  script,
  elements: elements(response),
  ...expectation,
})

const json = (name: string, body: () => unknown, expectation: Expectation, status = 200): Behaviour =>
  row(
    name,
    always(() => ({ status, body: body() })),
    expectation,
  )

/** A valid answer except for the members of `data`. */
const withData = (name: string, members: () => Record<string, unknown>, expectation: Expectation): Behaviour =>
  json(name, () => ({ data: { token: hostileToken(), expires: 300, ...members() } }), expectation)

const withToken = (name: string, value: () => unknown, expectation: Expectation): Behaviour =>
  withData(`the token ${name}`, () => ({ token: value() }), expectation)

const withEnd = (name: string, value: () => unknown, expectation: Expectation): Behaviour =>
  withData(`the end ${name}`, () => ({ expires: value() }), expectation)

/** The end as JSON text, because JavaScript has no number for it. */
const withEndText = (text: string, expectation: Expectation): Behaviour =>
  json(`the end ${text}`, () => `{"data":{"token":"${hostileToken()}","expires":${text}}}`, expectation)

const withHeaders = (
  name: string,
  headers: () => NonNullable<ScriptedAnswer['headers']>,
  expectation: Expectation,
  status = 200,
): Behaviour =>
  row(
    name,
    always(() => ({ status, headers: headers() })),
    expectation,
    inHeader,
  )

const text = (name: string, body: () => string | Buffer, expectation: Expectation, headers = {}): Behaviour =>
  row(
    name,
    always(() => ({ headers: { 'content-type': 'text/plain', 'x-expires': '300', ...headers }, body: body() })),
    expectation,
    inText,
  )

const sentJwt = (authorization: string | undefined) => String(authorization).replace(/^Bearer /, '')
const secondsAhead = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
const rfc3339 = (seconds: number) => new Date(secondsAhead(seconds) * 1000).toISOString().replace(/\.\d+/, '')
const jwtOf = (claims: object) => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.${part({ of: hostileToken() })}`
}
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

const places: readonly Behaviour[] = [
  withToken('as expected', hostileToken, token()),
  withToken('with Bearer before it', () => `Bearer ${hostileToken()}`, token()),
  withToken('with blanks around it', () => `  ${hostileToken()}\n`, token()),
  ...(
    [
      ['null', null],
      ['a number', 7],
      ['true', true],
      ['an object', { token: 'x' }],
      ['a list', ['hostile-token']],
      ['empty', ''],
      ['of blanks', '   '],
      ['Bearer alone', 'Bearer '],
    ] as const
  ).map(([name, value]) => withToken(name, () => value, unreadable)),
  withToken('with a blank within', () => `${hostileToken()} x`, unreadable),
  withToken('with a line break within', () => `${hostileToken()}\r\nx-admin: yes`, unreadable),
  withToken('with a NUL', () => `${hostileToken()}\0`, unreadable),
  withToken('beyond ASCII', () => `${hostileToken()}é`, unreadable),
  withToken('that is JSON', () => `{"token":"${hostileToken()}"}`, unreadable),
  withToken('of 60,000 characters', () => `${hostileToken()}${'x'.repeat(60_000)}`, token()),
  json('the path leads through a list', () => ({ data: [{ token: hostileToken() }] }), unreadable),
  json('the path leads through a text', () => ({ data: `{"token":"${hostileToken()}"}` }), unreadable),
  json('the path as one member', () => ({ 'data.token': hostileToken() }), unreadable),
  json('a list', () => [{ data: { token: hostileToken() } }], unreadable),
  json('a text', () => JSON.stringify(hostileToken()), unreadable),
  json('null', () => 'null', unreadable),
  json('a form', () => `data.token=${hostileToken()}`, unreadable),
  json('a list that is 30,000 levels deep', () => nested(30_000), unreadable),
  json('the member twice', () => `{"data":{"token":"${hostileToken()}","token":"${hostileToken()}"}}`, token()),
  json('an access_token', () => ({ access_token: hostileToken(), token_type: 'Bearer', expires_in: 300 }), unreadable),
  ...['constructor.name', '__proto__.token', 'toString.name', 'data.constructor.name', 'data.length'].map((tokenPath) =>
    row(
      `${tokenPath} of an answer without it`,
      always(() => ({ body: { data: 'hostile-token' } })),
      unreadable,
      { responseFormat: 'JSON', tokenPath },
    ),
  ),
  json('an error with status 200', () => ({ error: 'invalid_client', message: 'no' }), remembered()),
  json('a message with status 200', () => ({ message: 'no', token: hostileToken() }), unreadable),
]

const ownCredentials: readonly Behaviour[] = [
  row(
    'the JWT of the request as the token',
    ({ headers }) => ({ body: { data: { token: sentJwt(headers.authorization) } } }),
    unreadable,
  ),
  row(
    'the whole Authorization as the token',
    ({ headers }) => ({ body: { data: { token: headers.authorization } } }),
    unreadable,
  ),
  row(
    'the JWT of the request within the token',
    ({ headers }) => ({ body: { data: { token: `x${sentJwt(headers.authorization)}x` } } }),
    unreadable,
  ),
  row(
    'the JWT of the request in another member',
    ({ headers }) => ({ body: { data: { token: hostileToken(), expires: 300 }, seen: headers.authorization } }),
    token(),
  ),
  row(
    'the whole request as the token',
    ({ headers }) => ({ headers: { 'x-expires': '300' }, body: sentJwt(headers.authorization) }),
    unreadable,
    inText,
  ),
  ...(['the password', 'the password with more'] as const).map(
    (name): Behaviour => ({
      name: `header: ${name} of the request as the token`,
      script: ({ headers }) => ({
        headers: { 'x-token': `${headers['x-password']}${name.endsWith('more') ? 'x' : ''}` },
      }),
      elements: elements(inHeader, { password: true }),
      sendsPassword: true,
      ...unreadable,
    }),
  ),
]

const ends: readonly Behaviour[] = [
  withEnd('"300"', () => '300', token()),
  withEnd('missing', () => undefined, token()),
  withEnd('null', () => null, token()),
  withEnd('empty', () => '', token()),
  withEnd('true', () => true, token()),
  withEnd('[300]', () => [300], token()),
  withEnd('{}', () => ({}), token()),
  withEnd('-5', () => -5, token()),
  withEnd('"-5"', () => '-5', token()),
  withEnd('"12h"', () => '12h', token()),
  withEnd('"NaN"', () => 'NaN', token()),
  withEnd('"Infinity"', () => 'Infinity', token()),
  withEnd('"0x10"', () => '0x10', token()),
  withEnd('"3600 seconds"', () => '3600 seconds', token()),
  withEnd('"May 1"', () => 'May 1', token()),
  withEnd('0', () => 0, expired),
  withEnd('"0"', () => '0', expired),
  withEnd('0.5', () => 0.5, expired),
  withEndText('1e400', token()),
  withEndText('-1e400', token()),
  withEndText('1e300', token(aDecade)),
  withEndText('NaN', unreadable),
  withEnd('in an hour, in seconds since 1970', () => secondsAhead(3_600), token(3_600)),
  withEnd('in an hour, in seconds since 1970 as a text', () => String(secondsAhead(3_600)), token(3_600)),
  withEnd('in an hour, in milliseconds since 1970', () => secondsAhead(3_600) * 1000, token(3_600)),
  withEnd('in an hour, as a date', () => rfc3339(3_600), token(3_600)),
  withEnd('in an hour, as a date of another zone', () => rfc3339(3_600 + 7_200).replace('Z', '+02:00'), token(3_600)),
  withEnd('in an hour, as a date without a zone', () => rfc3339(3_600).replace('Z', ''), token()),
  withEnd('in an hour, as an HTTP date', () => new Date(secondsAhead(3_600) * 1000).toUTCString(), token(3_600)),
  withEnd('an hour ago', () => rfc3339(-3_600), expired),
  withEnd('1970-01-01T00:00:00Z', () => '1970-01-01T00:00:00Z', expired),
  withEnd('9999-12-31T23:59:59Z', () => '9999-12-31T23:59:59Z', token(aDecade)),
  withEnd('2099-13-45T99:99:99Z', () => '2099-13-45T99:99:99Z', token()),
  withData('a JWT that has expired', () => ({ token: jwtOf({ exp: secondsAhead(-60) }), expires: undefined }), expired),
  withData('a JWT that has expired, with the end 300', () => ({ token: jwtOf({ exp: secondsAhead(-60) }) }), expired),
  withData(
    'a JWT of 60 s, with the end 300',
    () => ({ token: jwtOf({ iat: secondsAhead(0), exp: secondsAhead(60) }) }),
    token(60),
  ),
  withData('a JWT that ends in 1970', () => ({ token: jwtOf({ exp: 1 }) }), expired),
  withData(
    'a JWT that ends in a million years',
    () => ({ token: jwtOf({ exp: 3e13 }), expires: undefined }),
    token(aDecade),
  ),
  withData('a JWT whose exp is a text', () => ({ token: jwtOf({ exp: 'never' }) }), token()),
]

const headers: readonly Behaviour[] = [
  withHeaders('a token', () => ({ 'x-token': hostileToken(), 'x-expires': '300' }), token()),
  withHeaders('a token with status 204', () => ({ 'x-token': hostileToken(), 'x-expires': '300' }), token(), 204),
  withHeaders('no token', () => ({ 'x-tokens': hostileToken() }), unreadable),
  withHeaders('an empty token', () => ({ 'x-token': '' }), unreadable),
  withHeaders('a token twice', () => ({ 'x-token': [hostileToken(), hostileToken()] }), unreadable),
  withHeaders('the end twice', () => ({ 'x-token': hostileToken(), 'x-expires': ['3600', '3600'] }), token()),
  withHeaders('a token beyond ASCII', () => ({ 'x-token': `${hostileToken()}é` }), unreadable),
  withHeaders(
    'two tokens with a comma and a blank',
    () => ({ 'x-token': `${hostileToken()}, ${hostileToken()}` }),
    unreadable,
  ),
  withHeaders('a token with a redirect', () => ({ 'x-token': hostileToken(), location: '/' }), unreadable, 302),
  withHeaders('a token with status 401', () => ({ 'x-token': hostileToken() }), remembered(), 401),
  row(
    'a token over two lines',
    raw(() => `HTTP/1.1 200 OK\r\nx-token: ${hostileToken()}\r\n x\r\ncontent-length: 0\r\n\r\n`),
    unreadable,
    inHeader,
  ),
  row(
    'a token with a NUL',
    raw(() => `HTTP/1.1 200 OK\r\nx-token: ${hostileToken()}\0\r\ncontent-length: 0\r\n\r\n`),
    unreadable,
    inHeader,
  ),
  row(
    'a token in a trailer',
    raw(() => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-token: ${hostileToken()}\r\n\r\n`),
    unreadable,
    inHeader,
  ),
]

const texts: readonly Behaviour[] = [
  text('a token', hostileToken, token()),
  text('a token and a line break', () => `${hostileToken()}\r\n`, token()),
  text('a token with a byte order mark', () => `\ufeff${hostileToken()}`, token()),
  text('a token as JSON', () => JSON.stringify(hostileToken()), token()),
  text('two lines', () => `${hostileToken()}\n${hostileToken()}`, unreadable),
  text('a sentence', () => 'The user is locked.', unreadable),
  text('one word in JSON', () => '{"error":"locked"}', remembered()),
  text('a page', () => '<html><title>Login</title></html>', unreadable),
  text('nothing', () => '', repeated),
  text('blanks', () => '  \n', repeated),
  text('a token in UTF-16', () => Buffer.from(hostileToken(), 'utf16le'), unreadable),
  text('a token in gzip that was not requested', () => gzipSync(hostileToken()), token(), {
    'content-encoding': 'gzip',
  }),
  text('a gzip bomb of 20 MB', () => gzipSync(Buffer.alloc(20_000_000, 'x')), unreadable, {
    'content-encoding': 'gzip',
  }),
  text('a token of 64 KiB and one byte', () => 'x'.repeat(64 * 1024 + 1), unreadable),
  row(
    'a body that sends a byte every second',
    (_request, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('x'), 1_000)
      response.on('close', () => clearInterval(timer))
      return undefined
    },
    timeOut,
    inText,
  ),
  row(
    'a body without end',
    (_request, response) => {
      response.writeHead(200)
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(16_000)));
      }
      response.on('drain', pour)
      pour()
      return undefined
    },
    unreadable,
    inText,
  ),
]

/** The request is wrong, and not its credentials. */
const ofElements = remembered('500 server_error')

const refusals: readonly Behaviour[] = [
  json('401 with a message', () => ({ message: 'Bad credentials' }), remembered(), 401),
  json('403 with a message', () => ({ message: 'Resource not accessible' }), remembered(), 403),
  json('404 with a message', () => ({ message: 'Not Found' }), ofElements, 404),
  json('422 with a message', () => ({ message: 'Validation failed' }), ofElements, 422),
  json('a token with status 400', () => ({ data: { token: hostileToken() } }), ofElements, 400),
  json('a token with status 500', () => ({ data: { token: hostileToken() } }), unreadable, 500),
  json('503', () => '', repeated, 503),
  row(
    '429 with Retry-After 60',
    always(() => ({ status: 429, headers: { 'retry-after': '60' } })),
    leftAlone,
  ),
  row(
    'a redirect to another server',
    always((elsewhere) => ({ status: 307, headers: { location: elsewhere } })),
    unreadable,
  ),
  row(
    '503, then a token',
    (_request, _response, index) =>
      index === 0 ? { status: 503 } : { body: { data: { token: hostileToken(), expires: 300 } } },
    recovers,
  ),
  json('304', () => '', unreadable, 304),
  json('204', () => '', unreadable, 204),
]

const slow = (behaviour: Behaviour): Behaviour =>
  behaviour.outcome.startsWith('504')
    ? { ...behaviour, changes: hurried, hangs: true, elements: elements(inText, { server: hurried.server ?? {} }) }
    : behaviour

export const tokenServers: Family = {
  title: 'Token servers',
  behaviours: [...places, ...ownCredentials, ...ends, ...headers, ...texts, ...refusals].map(slow),
}
