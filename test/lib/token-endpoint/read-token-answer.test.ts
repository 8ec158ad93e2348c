import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import type { AnswerContext } from '../../../lib/token-endpoint/answer-context.ts'
import { readRefusal as readWithoutToken } from '../../../lib/token-endpoint/answer-without-token.ts'
import { issuedToken, readHttpDate, type TokenAnswer } from '../../../lib/token-endpoint/token-answer.ts'
import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import {
  type Refusal,
  UnreachableError,
  UnreadableAnswerError,
} from '../../../lib/token-endpoint/token-endpoint-error.ts'

const now = Date.UTC(2026, 9, 21, 7, 28, 0)
const fine = { access_token: 'the-token', token_type: 'Bearer', expires_in: 300 }

const context = { server: 'sso', sent: { secrets: [], names: [] }, isForUser: false, now }

/** The token of an answer, or else its refusal. */
function readAnswer(answer: TokenEndpointAnswer, more: Partial<AnswerContext> = {}) {
  const token = issuedToken(answer, more.tokenTypes)
  return token ? { token } : { refusal: readWithoutToken(answer, { ...context, ...more }) }
}

function read(status: number, body: unknown, secrets: readonly Secret[] = [], retryAfter?: string) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return readAnswer(
    { status, body: text, ...(retryAfter !== undefined && { retryAfter }) },
    { sent: { secrets, names: [] } },
  )
}

function readToken(members: object): TokenAnswer {
  const answer = read(200, { ...fine, ...members })
  assert.ok('token' in answer)
  return answer.token
}

function readRefusal(members: object, secrets: readonly Secret[] = []): Refusal {
  const answer = read(400, members, secrets)
  assert.ok('refusal' in answer)
  return answer.refusal
}

function isUnreadable(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof UnreadableAnswerError, String(error))
    assert.match(error.message, message)
    return true
  }
}

test('Tokenwell keeps the token, its lifetime and its scope from a token answer, and nothing else', () => {
  const token = readToken({ scope: 'a b', refresh_token: 'never', id_token: 'never' })
  assert.deepEqual(Object.keys(token).sort(), ['accessToken', 'expiresInSeconds', 'scope'])
  assert.equal(token.accessToken.reveal(), 'the-token')
  assert.equal(token.expiresInSeconds, 300)
  assert.equal(token.scope, 'a b')
})

test('a token type is missing, or names a bearer token in any spelling', () => {
  for (const type of [
    'bearer',
    'BEARER',
    'Bearer ',
    'BearerToken',
    'bearer_token',
    'Bearer Token',
    'OAuth2 Bearer',
    '"Bearer"',
    'urn:ietf:params:oauth:token-type:bearer',
    ['Bearer'],
    undefined,
    null,
    '',
    ' ',
  ])
    assert.ok(readToken({ token_type: type }), String(type))
  for (const type of ['DPoP', 'dpop', 'PoP', 'mac', 'N_A', 'JWT', 'Bearer DPoP', 7, true, {}])
    assert.throws(() => readToken({ token_type: type }), isUnreadable(/token_type other than Bearer/), String(type))
  assert.throws(
    () => readToken({ token_type: 'JWT' }),
    isUnreadable(/Bearer \(JWT\)\. If the API .* add it to tokenTypes of authorizationServer\/sso\.$/),
  )
})

test('the token types of an element count as bearer tokens, in any letter case', () => {
  const body = JSON.stringify({ ...fine, token_type: 'jwt' })
  assert.ok('token' in readAnswer({ status: 200, body }, { tokenTypes: ['JWT', 'Access'] }))
  assert.throws(() => readAnswer({ status: 200, body }, { tokenTypes: ['Access'] }), isUnreadable(/token_type/))
})

test('expires_in is a number, also as text; any other value gives no lifetime', () => {
  for (const [written, seconds] of [
    [300, 300],
    [0.5, 0.5],
    [0, 0],
    ['300', 300],
    ['3599.0', 3599],
    ['3600 ', 3600],
    [' 3600', 3600],
    ['\t3600\n', 3600],
    ['+3600', 3600],
    ['3.6e3', 3600],
    ['3600.', 3600],
    ['0', 0],
  ] as const)
    assert.equal(readToken({ expires_in: written }).expiresInSeconds, seconds, JSON.stringify(written))
  for (const odd of [undefined, null, '', ' ', -1, '-1', '12h', '0x10', 'Infinity', '1,5', '3 600', true, [300], {}])
    assert.equal(readToken({ expires_in: odd }).expiresInSeconds, undefined, JSON.stringify(odd))
})

test('an access token must fit in a header', () => {
  for (const token of ['', ' ', 'a b', 'a\n', 'ä', 7, null])
    assert.throws(() => readToken({ access_token: token }), isUnreadable(/without an access_token/))
})

test("a scope that can't be printed is left out", () => {
  for (const scope of ['a\nb', 'ä', ['a'], 7, null])
    assert.deepEqual(Object.keys(readToken({ scope })).sort(), ['accessToken', 'expiresInSeconds'])
})

test('any 2xx with an access token is a token, whatever else it says, and no other status is', () => {
  for (const status of [200, 201, 202, 203, 206, 299])
    for (const more of [{}, { error: 'invalid_client' }, { error: '' }, { errorCode: 0 }])
      assert.ok('token' in read(status, { ...fine, ...more }), `${status}`)
  for (const status of [400, 402, 422]) assert.deepEqual(refusalIn(read(status, fine)).error, `http_${status}`)
  assert.throws(() => read(500, fine), isUnreadable(/status 500 and without an error code/))
})

test('a token in a form is read as well, since some servers send it so', () => {
  for (const body of [
    'access_token=the-token&token_type=bearer&expires_in=300',
    'access_token=the-token&scope=&token_type=bearer\n',
    'expires_in=300&access_token=the%2Dtoken',
  ]) {
    const answer = read(200, body)
    assert.equal('token' in answer && answer.token.accessToken.reveal(), 'the-token')
  }
  assert.equal('token' in read(200, `\ufeff\ufeff${JSON.stringify(fine)}`), true, 'behind byte order marks')
  assert.throws(() => read(200, 'access_token=the token'), isUnreadable(/not a JSON object/))
})

test('a redirect is reported as a redirect, with what to do, whatever it contains', () => {
  for (const status of [300, 301, 302, 303, 307, 308, 399])
    for (const body of [fine, { error: 'invalid_client' }, { error: 'server_error' }, '<html>', ''])
      assert.throws(
        () => read(status, body),
        isUnreadable(
          new RegExp(
            `^The authorization server sso answered with a redirect \\(status ${status}\\)\\. Tokenwell follows no redirect: set tokenEndpoint of authorizationServer/sso to the final address\\.$`,
          ),
        ),
      )
})

test('408, 425, 429, 502, 503, 504 and an empty 2xx ask to try later, whatever they hold, and 500 does not', () => {
  for (const status of [408, 425, 429, 502, 503, 504])
    for (const body of ['<html>', fine, { error: 'invalid_client' }])
      assert.throws(() => read(status, body), UnreachableError, String(status))
  for (const body of ['', ' \r\n'])
    for (const status of [200, 201]) assert.throws(() => read(status, body), UnreachableError)
  for (const [status, body] of [
    [500, '<html>'],
    [500, ''],
    [204, ''],
    [205, ''],
    [404, ''],
  ] as const)
    assert.throws(() => read(status, body), UnreadableAnswerError, String(status))
})

test('Retry-After is read as seconds, and an invalid value is ignored', () => {
  const wait = (retryAfter?: string) => {
    try {
      return assert.fail(JSON.stringify(read(429, '', [], retryAfter)))
    } catch (error) {
      assert.ok(error instanceof UnreachableError, String(error))
      return error.retryAfterSeconds
    }
  }
  assert.equal(wait('17'), 17)
  assert.equal(wait('Wed, 21 Oct 2026 07:28:17 GMT'), 17)
  for (const odd of [undefined, '', '1.5', '-1', '1e9', 'soon']) assert.equal(wait(odd), undefined, odd)
})

test('a server that reports its own failure does not refuse the request', () => {
  for (const error of ['server_error', 'temporarily_unavailable'])
    for (const status of [200, 400, 500])
      assert.throws(
        () => read(status, { error }),
        (thrown) => {
          assert.ok(thrown instanceof UnreachableError, String(thrown))
          assert.match(thrown.message, new RegExp(`cannot serve token requests now \\(${error}\\)`))
          return true
        },
      )
})

test('an error code makes a refusal of any other status', () => {
  for (const status of [200, 400, 401, 403, 404, 500])
    assert.deepEqual(read(status, { error: 'invalid_client' }), {
      refusal: { error: 'invalid_client', isOfCredentials: true },
    })
})

test('an invalid code is told as words', () => {
  for (const [error, words] of [
    ['a"b', 'error: a"b'],
    ['a\\b', 'error: a\\b'],
    ['a\nb', 'error: a b'],
    ['two words', 'error: two words'],
    ['a'.repeat(65), undefined],
    ['Bad Request', 'error: Bad Request'],
    [5, 'error: 5'],
    ['', undefined],
    [null, undefined],
  ] as const) {
    const { error: code, description } = readRefusal({ error })
    assert.equal(code, 'http_400')
    if (words !== undefined) assert.equal(description, words)
  }
})

test('a code that repeats a sent secret does not count, since codes get into logs and events', () => {
  const secrets = [new Secret('tr0ub4dor')]
  for (const error of ['tr0ub4dor', 'not tr0ub4dor', 'tr0ub4do', 'not_tr0ub4dor'])
    assert.equal(readRefusal({ error }, secrets).error, 'http_400', error)
  for (const error of ['tr0ub4dor', 'not tr0ub4dor'])
    assert.equal(readRefusal({ error }, secrets).description, undefined, error)
  assert.equal(readRefusal({ error: 'tr0' }, secrets).error, 'tr0', 'too short to tell')
  assert.equal(
    readRefusal({ error: 'invalid_grant' }, [new Secret('grant')]).error,
    'invalid_grant',
    'a word of the RFC',
  )
})

test("a description that repeats a sent secret is left out, and so is one that isn't text", () => {
  const secrets = [new Secret('tr0ub4dor')]
  assert.deepEqual(readRefusal({ error: 'invalid_grant', error_description: 'not tr0ub4dor' }, secrets), {
    error: 'invalid_grant',
    isOfCredentials: false,
  })
  assert.deepEqual(readRefusal({ error: 'invalid_grant', error_description: 'not\nthat' }, secrets), {
    error: 'invalid_grant',
    isOfCredentials: false,
    description: 'not that',
  })
  assert.deepEqual(readRefusal({ error: 'invalid_grant', error_description: {} }), {
    error: 'invalid_grant',
    isOfCredentials: false,
  })
  assert.equal(readRefusal({ error: 'invalid_authorization_details' }).error, 'invalid_authorization_details')
})

test("an answer that isn't a JSON object is told by its size, not by its content", () => {
  for (const [body, found] of [
    ['tr0ub4dor', 'status 200 and 9 characters'],
    ['null', 'status 200 and 4 characters'],
    ['[]', 'status 200 and 2 characters'],
    ['"a"', 'status 200 and 3 characters'],
  ] as const)
    assert.throws(
      () => read(200, body),
      (error) => {
        assert.ok(error instanceof UnreadableAnswerError)
        assert.ok(error.message.includes(found), error.message)
        assert.doesNotMatch(`${error.stack}`, /tr0ub4dor/)
        return true
      },
    )
})

test('401 and 403 are refusals, whatever page comes with them, and only a 401 refuses the credentials', () => {
  for (const [status, isOfCredentials] of [
    [401, true],
    [403, false],
  ] as const)
    for (const body of ['', '<html>', fine, { message: 'no' }, { error: { code: 'x' } }, { error: 'server_error' }])
      assert.deepEqual(codeAndCredentials(read(status, body)), [`http_${status}`, isOfCredentials], `${status}`)
})

function codeAndCredentials(answer: ReturnType<typeof read>) {
  const { error, isOfCredentials } = refusalIn(answer)
  return [error, isOfCredentials]
}

function refusalIn(answer: ReturnType<typeof read>): Refusal {
  assert.ok('refusal' in answer)
  return answer.refusal
}

test('a 401 with a challenge is about the credentials, whatever its code', () => {
  const refusal = (status: number, challenge?: string) =>
    readAnswer({ status, body: '{"error":"access_denied"}', ...(challenge && { challenge }) })
  assert.deepEqual(refusal(401, 'Basic'), { refusal: { error: 'access_denied', isOfCredentials: true } })
  assert.deepEqual(refusal(401), { refusal: { error: 'access_denied', isOfCredentials: false } })
  assert.deepEqual(refusal(400, 'Basic'), { refusal: { error: 'access_denied', isOfCredentials: false } })
})

test('the end of a rate limit is read as seconds or as a date, where Retry-After is absent', () => {
  const wait = (rateLimitReset: string, retryAfter?: string) => {
    const answer = { status: 429, body: '', rateLimitReset, ...(retryAfter !== undefined && { retryAfter }) }
    try {
      return assert.fail(JSON.stringify(readAnswer(answer, { now: 1_800_000_000_000 })))
    } catch (error) {
      assert.ok(error instanceof UnreachableError, String(error))
      return error.retryAfterSeconds
    }
  }
  assert.equal(wait('17'), 17)
  assert.equal(wait('1800000017'), 17)
  assert.equal(wait('17', '5'), 5)
  for (const odd of ['', '0', '-1', '1.5', 'soon', '1799999999', '9'.repeat(20)])
    assert.equal(wait(odd), undefined, odd)
})

/** Reads an answer and returns the error that this throws. */
function unreachable(status: number, body: unknown, headers: { rateLimitReset?: string } = {}): UnreachableError {
  try {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return assert.fail(JSON.stringify(readAnswer({ status, body: text, ...headers })))
  } catch (error) {
    assert.ok(error instanceof UnreachableError, String(error))
    return error
  }
}

test("a 429 blames the client, and a server's own failure blames the endpoint", () => {
  assert.equal(unreachable(429, '').blames, 'client')
  for (const status of [502, 503, 504]) assert.equal(unreachable(status, '').blames, 'endpoint')
  assert.equal(unreachable(400, { error: 'server_error' }).blames, 'endpoint')
  const { blames, message } = unreachable(200, '')
  assert.equal(blames, 'endpoint')
  assert.equal(message, 'The authorization server sso answered with status 200 and an empty body.')
})

test('the end of a rate limit is a number of seconds up to a thousand million, and a date above that', () => {
  const wait = (rateLimitReset: string) => unreachable(429, '', { rateLimitReset }).retryAfterSeconds
  assert.equal(wait('17'), 17)
  assert.equal(wait('1000000000'), 1_000_000_000)
  assert.equal(wait(String(now / 1000 + 17)), 17)
  for (const none of ['0', '1000000001', '-1', '1.5', '1234567890123', ' 5', '5 ', ''])
    assert.equal(wait(none), undefined, none)
})

test('an HTTP date must be the whole text', () => {
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT'
  assert.equal(readHttpDate(date), now)
  for (const text of [` ${date}`, `${date} `, `x${date}`, `${date}x`, '', 'Wed, 99 Oct 2026 07:28:00 GMT'])
    assert.equal(readHttpDate(text), undefined, text)
})

test('every code of the RFCs is read, even where a sent secret contains it, and no other such code is', () => {
  const codes = [
    'invalid_request',
    'invalid_client',
    'invalid_grant',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_scope',
    'invalid_target',
    'invalid_authorization_details',
  ]
  const secrets = [new Secret(codes.join(' ')), ...codes.map((code) => new Secret(code)), new Secret('')]
  for (const error of codes) assert.equal(readRefusal({ error }, secrets).error, error)
  assert.equal(readRefusal({ error: 'invalid_client_grant' }, [new Secret('x invalid_client_grant')]).error, 'http_400')
})

test('an empty body gives only the status as code, and a token without expires_in has no lifetime', () => {
  assert.deepEqual(read(400, ''), { refusal: { error: 'http_400', isOfCredentials: false } })
  const { access_token, token_type } = fine
  const answer = read(200, { access_token, token_type })
  assert.deepEqual('token' in answer && Object.keys(answer.token), ['accessToken'])
})

test('a type that is a list, or has two words, is a bearer token only where no word binds it to a key', () => {
  for (const type of ['Bearer PoP', 'bearer+mac', ['DPoP', 'bearer']])
    assert.throws(() => readToken({ token_type: type }), isUnreadable(/token_type other than Bearer/), String(type))
  assert.ok(readToken({ token_type: ['bearer'] }))
})

test('a byte order mark is ignored only at the beginning, and a form begins with its first name', () => {
  for (const mark of ['', '\ufeff']) {
    const answer = read(200, `${mark}${JSON.stringify({ ...fine, scope: 'a\ufeffb' })}`)
    assert.ok('token' in answer)
    assert.equal(answer.token.scope, undefined)
  }
  assert.throws(() => read(200, 'no form: access_token=abc'), isUnreadable(/not a JSON object/))
})

test('an exponent has up to three digits', () => {
  assert.equal(readToken({ expires_in: '1e10' }).expiresInSeconds, 1e10)
})
