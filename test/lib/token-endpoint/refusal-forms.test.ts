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

test('a refusal in another form than RFC 6749 has its words by their own names, and the code of an RFC where there is one', () => {
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

test('a challenge is read where there is nothing else', () => {
  const challenge = 'Bearer error="invalid_client", error_description="No"'
  const { error, description } = read(401, '', { challenge })
  assert.deepEqual([error, description], ['invalid_client', `WWW-Authenticate: ${challenge}`])
  assert.equal(read(401, { message: 'No' }, { challenge: 'Basic' }).description, 'message: No')
})

test('404, 405 and 410 name tokenEndpoint of their element, and what the server says', () => {
  for (const status of [404, 405, 410])
    assert.match(
      messageOf(status, '{"error":"Realm does not exist"}'),
      new RegExp(
        `status ${status}: check tokenEndpoint of authorizationServer/sso\\. It says: error: Realm does not exist\\.$`,
      ),
    )
  assert.equal(read(404, { error: 'invalid_client' }).error, 'invalid_client')
})

test("an outage has the server's words, too", () => {
  assert.equal(
    messageOf(503, '<title>Down</title>'),
    'The token endpoint answers with status 503. It says: title: Down.',
  )
  assert.match(messageOf(429, '{"message":"Slow down"}'), /status 429\. It says: message: Slow down\.$/)
  assert.match(
    messageOf(500, '{"error":"Internal Server Error"}'),
    /no error code\. It says: error: Internal Server Error\.$/,
  )
})

test('what a server says holds no secret, nothing that was sent, and is bounded', () => {
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

test("of a request for a user the server's words are in no failure that others read", () => {
  const body = '{"message":"the user jane is locked"}'
  for (const status of [404, 429, 500, 503]) assert.doesNotMatch(messageOf(status, body, { isForUser: true }), /jane/)
})

test('of a 2xx without a token the names are told, not what they hold', () => {
  assert.match(messageOf(200, '{"token":"abc","expires_at":"tomorrow"}'), /It has: token; expires_at\.$/)
  assert.doesNotMatch(messageOf(200, 'the-bare-token'), /bare/)
  assert.match(messageOf(200, '<html><title>Log in</title>'), /It says: title: Log in\.$/)
})
