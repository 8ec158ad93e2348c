import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { readRefusal } from '../../../lib/token-endpoint/answer-without-token.ts'
import { UnreachableError, UnreadableAnswerError } from '../../../lib/token-endpoint/token-endpoint-error.ts'

const context = { server: 'sso', sent: { secrets: [], names: [] }, isForUser: false, now: Date.UTC(2026, 10, 30) }

function read(status: number, body: unknown, more: object = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return readRefusal({ status, body: text, ...more }, context)
}

function messageOf(status: number, body: unknown, more: object = {}): string {
  try {
    return assert.fail(JSON.stringify(readRefusal({ status, body: String(body) }, { ...context, ...more })))
  } catch (error) {
    assert.ok(error instanceof UnreadableAnswerError || error instanceof UnreachableError, String(error))
    return error.message
  }
}

test('a refusal in another form than RFC 6749 has its words under their own names, and the code of an RFC if it contains one', () => {
  const rows: readonly (readonly [status: number, body: unknown, error: string, words: string])[] = [
    [400, { message: 'Bad client' }, 'http_400', 'message: Bad client'],
    [
      400,
      { error: { code: 'invalid_client', message: 'No' } },
      'invalid_client',
      'error.code: invalid_client; error.message: No',
    ],
    [400, { error: { type: 'InvalidGrant' } }, 'invalid_grant', 'error.type: InvalidGrant'],
    [400, { errors: ['invalid_scope'] }, 'invalid_scope', 'errors: invalid_scope'],
    [400, [{ errorCode: 'X', message: 'No' }], 'http_400', 'errorCode: X; message: No'],
    [422, { code: 'urn:x:invalid-client' }, 'invalid_client', 'code: urn:x:invalid-client'],
    [400, { Error: 'Invalid client' }, 'invalid_client', 'Error: Invalid client'],
    [400, 'error=invalid_client&error_description=No+such', 'invalid_client', 'No such'],
    [400, '<e><error>invalid_client</error><why>No &lt;such&gt;</why></e>', 'invalid_client', 'why: No <such>'],
    [400, '<html><title>No</title><p>Such</p>', 'http_400', 'title: No; text: Such'],
    [400, 'No such client', 'http_400', 'No such client'],
    [200, { error: 'invalid_client', error_description: 'No' }, 'invalid_client', 'No'],
    [200, { errcode: 40013, errmsg: 'No' }, 'http_200', 'errcode: 40013; errmsg: No'],
    [500, { fault: { code: 'invalid_client' } }, 'invalid_client', 'fault.code: invalid_client'],
    [400, { error: 'x_of_its_own', hint: 'No' }, 'x_of_its_own', 'hint: No'],
  ]
  for (const [status, body, error, words] of rows) {
    const refusal = read(status, body)
    assert.deepEqual([refusal.error, refusal.description], [error, words], JSON.stringify(body))
  }
})

test('a challenge is read where the body is empty', () => {
  const challenge = 'Bearer error="invalid_client", error_description="No"'
  const { error, description } = read(401, '', { challenge })
  assert.deepEqual([error, description], ['invalid_client', `WWW-Authenticate: ${challenge}`])
  assert.equal(read(401, { message: 'No' }, { challenge: 'Basic' }).description, 'message: No')
})

test("the message for 404, 405 and 410 names tokenEndpoint of the element and has the server's words", () => {
  for (const status of [404, 405, 410])
    assert.match(
      messageOf(status, '{"error":"Realm does not exist"}'),
      new RegExp(
        `status ${status}\\. Check tokenEndpoint of authorizationServer/sso\\. The server says: error: Realm does not exist\\.$`,
      ),
    )
  assert.equal(read(404, { error: 'invalid_client' }).error, 'invalid_client')
  assert.match(messageOf(404, '{"error":"realm_missing"}'), /Check tokenEndpoint/)
})

test("the message about an outage has the server's words as well", () => {
  assert.equal(
    messageOf(503, '<title>Down</title>'),
    'The authorization server sso answered with status 503. The server says: title: Down.',
  )
  assert.match(messageOf(429, '{"message":"Slow down"}'), /status 429\. The server says: message: Slow down\.$/)
  assert.match(
    messageOf(500, '{"error":"Internal Server Error"}'),
    /without an error code\. The server says: error: Internal Server Error\.$/,
  )
})

test("a server's words hold no secret and nothing that was sent, and their length is limited", () => {
  const sent = { secrets: [new Secret('tr0ub4dor&3')], names: [] }
  const words = (body: unknown) =>
    readRefusal({ status: 400, body: typeof body === 'string' ? body : JSON.stringify(body) }, { ...context, sent })
      .description ?? ''
  assert.equal(
    words({ access_token: 'a', clientSecret: 'b', x: { 'id-token': 'c', password: 'd' }, why: 'No' }),
    'why: No',
  )
  assert.equal(words({ echo: 'it was tr0ub4dor&3', why: 'No' }), 'why: No')
  assert.equal(words({ echo: encodeURIComponent('tr0ub4dor&3'), 'tr0ub4dor&3': 'No' }), '[...]: No')
  assert.equal(words('<e><a>tr0ub4dor&amp;3</a><token>x</token><b>No</b></e>'), 'b: No')
  assert.equal(words('<p>tr0ub4dor&amp;3</p>'), '')
  assert.equal(words({ a: 'b\u0000\u001b[2J\r\nc' }), 'a: b [2J c')
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`m${index}`, 'no '.repeat(100)]))
  assert.ok(words(many).length <= 1_000)
  for (const body of [
    '<'.repeat(60_000),
    '<title'.repeat(10_000),
    '<style '.repeat(8_000),
    '<a b'.repeat(15_000),
    '['.repeat(60_000),
  ]) {
    const from = performance.now()
    words(body)
    assert.ok(performance.now() - from < 1_000, body.slice(0, 10))
  }
})

test("no failure that others read has the server's words about a request for a user", () => {
  const body = '{"message":"the user jane is locked"}'
  for (const status of [404, 429, 500, 503]) assert.doesNotMatch(messageOf(status, body, { isForUser: true }), /jane/)
})

test('for a 2xx without a token, the message has the names of the members and not their values', () => {
  assert.match(
    messageOf(200, '{"token":"abc","expires_at":"tomorrow"}'),
    /The members of its answer are: token; expires_at\.$/,
  )
  assert.doesNotMatch(messageOf(200, 'the-bare-token'), /bare/)
  assert.match(messageOf(200, '<html><title>Log in</title>'), /The server says: title: Log in\.$/)
})

test('a code is recognized in any spelling, and a phrase that repeats the status is not a code', () => {
  const codeOf = (error: unknown, status = 400) => read(status, { error }).error
  for (const spelling of [
    ' invalid_client ',
    'Invalid client',
    'invalid - client',
    'invalid_client!',
    'oauth.v2.InvalidClient',
    'OA_INVALID_CLIENT',
    `${'x'.repeat(49)}_invalid_client`,
  ])
    assert.equal(codeOf(spelling), 'invalid_client', spelling)
  for (const phrase of [
    ...[
      'Bad Request',
      'bad_request',
      'badrequest',
      'unauthorized',
      'Unauthorised',
      'forbidden',
      'not_found',
      'NotFound',
    ],
    ...['conflict', 'internal_server_error', 'InternalServerError', '40013', '40'],
    `${'x'.repeat(50)}_invalid_client`,
  ])
    assert.equal(codeOf(phrase), 'http_400', phrase)
  assert.equal(codeOf(' of_its_own '), 'of_its_own')
  for (const own of ['no_bad_request', 'bad_requests', '4xx', 'forbidden_client']) assert.equal(codeOf(own), own)
})

test('a 401 or 403 is a refusal, even where the server reports its own failure', () => {
  for (const status of [401, 403])
    for (const error of ['server_error', 'temporarily_unavailable'])
      assert.equal(read(status, { error }).error, `http_${status}`)
})

test('a challenge may name its error without quotes', () => {
  const challenge = 'Bearer error=invalid_client, scope=a'
  assert.equal(read(401, { message: 'No' }, { challenge }).error, 'invalid_client')
})

test('a description has no name beside a code, and has its name where no code is present', () => {
  const described = { error_description: 'No', hint: 'Such' }
  assert.equal(read(400, { error: 'invalid_client', ...described }).description, 'No; hint: Such')
  assert.equal(read(400, described).description, 'error_description: No; hint: Such')
  assert.equal(read(400, { error: 'Invalid client', hint: 'No' }).description, 'error: Invalid client; hint: No')
})

test('a 2xx is a refusal where a member reports an error, and has no token where none does', () => {
  for (const name of ['error', '_error', '__err', 'errcode', 'faultstring', 'exceptionName'])
    assert.equal(read(200, { [name]: 'Some words' }).error, 'http_200', name)
  assert.equal(read(299, { error: 'Some words' }).error, 'http_299')
  assert.equal(read(200, { message: 'invalid_client' }).error, 'invalid_client')
  for (const body of [{ no_error: 'x' }, { errcode: '0' }, { errcode: 0 }, { error: '' }, { fault: null }])
    assert.match(messageOf(200, JSON.stringify(body)), /without an access_token/, JSON.stringify(body))
})

test('each status has its limits', () => {
  assert.equal(read(499, 'No').error, 'http_499')
  assert.match(messageOf(299, ''), /status 299 and an empty body\.$/)
  for (const status of [204, 205])
    assert.equal(
      messageOf(status, ''),
      `The authorization server sso answered with status ${status}, which never brings a token. Check tokenEndpoint of authorizationServer/sso.`,
    )
})

test('for a token of another type, the message has the type, cut at 64 characters, and what to do', () => {
  const typed = (type: unknown, more: object = {}) =>
    messageOf(200, JSON.stringify({ access_token: 't', token_type: type }), more)
  assert.equal(
    typed('JWT'),
    'The authorization server sso answered with a token_type other than Bearer (JWT). If the API accepts it as a bearer token, add it to tokenTypes of authorizationServer/sso.',
  )
  assert.equal(
    typed('DPoP'),
    'The authorization server sso answered with a token_type other than Bearer (DPoP). Tokenwell uses bearer tokens only: configure the server to issue them to this client.',
  )
  assert.match(typed('x'.repeat(100)), /other than Bearer \(x{64}\)\./)
  assert.match(typed({}), /other than Bearer\. Tokenwell uses bearer tokens only/)
  const sent = { secrets: [new Secret('tr0ub4dor&3')], names: [] }
  assert.match(typed('tr0ub4dor&3', { sent }), /other than Bearer\. /)
  assert.match(messageOf(200, '{"token_type":"DPoP"}'), /without an access_token/)
})

test('for a 2xx without a token, the message has at most ten names of 40 characters each', () => {
  const names = (body: object, more: object = {}) => messageOf(200, JSON.stringify(body), more)
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`m${index}`, 'x']))
  assert.match(names(many), /The members of its answer are: m0; m1; m2; m3; m4; m5; m6; m7; m8; m9\.$/)
  assert.match(names({ ['n'.repeat(50)]: 'x' }), /The members of its answer are: n{40}\.$/)
  const bare = 'The authorization server sso answered without an access_token that is a printable string.'
  for (const body of [{}, { token: 'abc' }]) assert.equal(names(body), bare)
  assert.equal(names({ a: 'x' }, { isForUser: true }), bare)
})

test('for a page, the message has its title if it has one', () => {
  const start = (length: number) =>
    `The authorization server sso answered with status 200 and ${length} characters that are not a JSON object. Check tokenEndpoint: it may lead to another page.`
  for (const page of ['<html><p>Log in</p></html>', 'Log in']) assert.equal(messageOf(200, page), start(page.length))
  const titled = '<html><title>Log in. Now!</title>'
  assert.equal(messageOf(200, titled), `${start(titled.length)} The server says: title: Log in. Now!`)
  assert.match(messageOf(503, '<title>Wait. Then come</title>'), /The server says: title: Wait\. Then come\.$/)
})
