import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AnswerPlace } from '../../../lib/configuration/auth-token.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { readRefusal } from '../../../lib/token-endpoint/answer-without-token.ts'
import { faultOf } from '../../../lib/token-endpoint/fault.ts'
import {
  RefusedError,
  UnreachableError,
  UnreadableAnswerError,
} from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'

/* Answers of a token server without a token. No message speaks of OAuth 2.0. */

const inJson: AnswerPlace = { in: 'json', path: ['data', 'token'] }
const inText: AnswerPlace = { in: 'text' }
const inHeader: AnswerPlace = { in: 'header', header: 'x-token' }
const password = new Secret('a long password')

function read(status: number, body: unknown, tokenPlace: AnswerPlace = inJson, more: object = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const context = { server: 'srv', tokenPlace, sent: { secrets: [password], names: [] }, isForUser: false, now: 0 }
  return readRefusal({ status, body: text, ...more }, context)
}

const refusals: readonly (readonly [string, number, unknown, string, boolean, string | undefined])[] = [
  ['401 with a message', 401, { message: 'Bad credentials' }, 'http_401', true, 'message: Bad credentials'],
  ['401 with a code of its own', 401, { error: 'no_such_user' }, 'no_such_user', true, undefined],
  ['401 without a body', 401, '', 'http_401', true, undefined],
  ['403 without a body', 403, '', 'http_403', false, undefined],
  ['400 without a body', 400, '', 'http_400', false, undefined],
  ['403 with markup', 403, '<html><title>No</title></html>', 'http_403', false, 'title: No'],
  [
    '404 with a message',
    404,
    { message: 'Integration not found' },
    'http_404',
    false,
    'message: Integration not found',
  ],
  [
    '200 with an error',
    200,
    { error: { code: 7, message: 'No' } },
    'http_200',
    false,
    'error.code: 7; error.message: No',
  ],
  ['a message that repeats the password', 401, { message: 'Not: a long password' }, 'http_401', true, undefined],
]
for (const [what, status, body, error, isOfCredentials, description] of refusals)
  test(`${what} is a refusal`, () => {
    const refusal = read(status, body)
    assert.deepEqual(
      [refusal.error, refusal.isOfCredentials, refusal.description],
      [error, isOfCredentials, description],
    )
  })

const failures: readonly (readonly [string, number, unknown, AnswerPlace, RegExp, object?])[] = [
  [
    'JSON without the member',
    200,
    { data: { tok: 'the-live-token' }, other: 1 },
    inJson,
    /answered with status 200 and without a token at data\.token\. A token is printable ASCII without blanks\. Check tokenPath of the authToken element\. The members of its answer are: data; other\.$/,
  ],
  [
    'no JSON',
    201,
    'the-live-token',
    inJson,
    /status 201 and 14 characters that are not a JSON object\. Check tokenEndpoint/,
  ],
  [
    'a login page',
    200,
    '<html><title>Log in</title></html>',
    inJson,
    /are not a JSON object\. .*The server says: title: Log in\.$/,
  ],
  [
    'no header',
    200,
    'the-live-token',
    inHeader,
    /status 200 and without a token in one header x-token\. .*Check tokenResponse of the authToken element\.$/,
  ],
  ['neither a header nor a body', 204, '', inHeader, /status 204 and without a token in one header x-token/],
  ['no body', 204, '', inText, /status 204, which never brings a token/],
  [
    'a sentence',
    200,
    'the live-token',
    inText,
    /status 200 and 14 characters that are not a token\. With responseFormat Text the whole body is the token/,
  ],
  [
    'a page in place of a text',
    200,
    '<title>Log in</title>',
    inText,
    /are not a token\. .*The server says: title: Log in\.$/,
  ],
  [
    '404 without JSON',
    404,
    'No',
    inJson,
    /status 404\. Check tokenEndpoint of authorizationServer\/srv\. The server says: No\.$/,
  ],
  ['a redirect', 302, '', inHeader, /redirect \(status 302\)/],
  ['500 without a body', 500, '', inJson, /status 500 and without an error code\.$/],
]
for (const [what, status, body, place, pattern, more] of failures)
  test(`${what} is an answer that cannot be used, and no value of it is told`, () => {
    assert.throws(
      () => read(status, body, place, more),
      (error) => {
        assert(error instanceof UnreadableAnswerError)
        assert.match(error.message, pattern)
        assert.doesNotMatch(error.message, /live-token|access_token|token_type|OAuth/)
        return true
      },
    )
  })

test('an empty body in place of a token is an outage', () => {
  assert.throws(() => read(200, ' ', inText), UnreachableError)
  assert.throws(() => read(200, '', inJson), UnreachableError)
})

test('an answer with an error and a token at another place tells the words of the error alone', () => {
  const body = {
    errorCode: 5,
    errorMessage: 'Half done',
    session: 'the-live-token',
    data: { ticket: 'the-live-token' },
  }
  const { error, description = '' } = read(200, body)
  assert.deepEqual([error, description], ['http_200', 'errorCode: 5; errorMessage: Half done'])
})

test('the operator learns from a 404 where to look, and only for a token server', () => {
  const refusal = read(404, { message: 'Not Found' })
  const { message } = RefusedError.of(refusal, 'srv', 'elements', { advice: refusal.advice })
  assert.equal(
    message,
    'The authorization server srv refused the token request: http_404 (message: Not Found). Check tokenEndpoint of authorizationServer/srv: the server does not know this address, or not for this client.',
  )
})

test('what a token server refuses is the client after 401 and 403, else what the elements ask for', () => {
  const request = { connection: 'conn', further: {} }
  const connection: ServedConnection = {
    ...plainConnection,
    grant: {
      type: 'authToken',
      request: { method: 'POST', credentials: { in: 'nowhere' } },
      response: { token: inJson },
      reuse: 'all',
    },
  }
  for (const [error, fault] of [
    ['http_401', 'client'],
    ['http_403', 'client'],
    ['http_404', 'elements'],
    ['http_422', 'elements'],
  ] as const)
    assert.equal(faultOf(error, connection, request), fault)
  assert.equal(faultOf('http_422', plainConnection, request), 'client')
})
