import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthTokenResponse } from '../../../lib/configuration/auth-token.ts'
import { readAuthTokenAnswer } from '../../../lib/token-endpoint/auth-token-answer.ts'
import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'

const now = Date.UTC(2026, 10, 30, 12)
const seconds = now / 1000
const byPath: AuthTokenResponse = { token: { in: 'json', path: ['data', 'token'] } }
const byText: AuthTokenResponse = { token: { in: 'text' } }
const byHeader: AuthTokenResponse = { token: { in: 'header', header: 'x-token' } }

function read(answer: Partial<TokenEndpointAnswer>, response: AuthTokenResponse) {
  const found = readAuthTokenAnswer({ status: 200, body: '', ...answer }, response, now)
  return found && { token: found.accessToken.reveal(), seconds: found.expiresInSeconds }
}

const jwtOf = (claims: object) =>
  `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

const tokens: readonly (readonly [string, AuthTokenResponse, Partial<TokenEndpointAnswer>, string | undefined])[] = [
  ['a member below another', byPath, { body: '{"data":{"token":"abc"}}' }, 'abc'],
  ['a status 204 with a header', byHeader, { status: 204, headers: { 'x-token': 'abc' } }, 'abc'],
  ['a header with the scheme Bearer', byHeader, { headers: { 'x-token': 'bearer  abc' } }, 'abc'],
  ['a text with a line break at its end', byText, { body: 'abc\r\n' }, 'abc'],
  ['a JSON text', byText, { body: '"abc"\n' }, 'abc'],
  ['a JSON text with escapes', byText, { body: '"a\\u0062\\/c"' }, 'ab/c'],
  [
    'an encrypted JWT',
    byText,
    { body: 'eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn' },
    'eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn',
  ],
  ['another scheme', byHeader, { headers: { 'x-token': 'Basic abc' } }, undefined],
  ['another header', byHeader, { headers: { 'x-other': 'abc' }, body: 'abc' }, undefined],
  ['JSON without blanks in place of a text', byText, { body: '{"error":"denied"}' }, undefined],
  ['a list in place of a text', byText, { body: '["abc"]' }, undefined],
  ['markup in place of a text', byText, { body: '<html/>' }, undefined],
  ['a JSON text that is not whole', byText, { body: '"abc' }, undefined],
  ['a sentence in place of a text', byText, { body: 'Not today' }, undefined],
  ['no text', byText, { body: ' ' }, undefined],
  ['a number', byPath, { body: '{"data":{"token":12345}}' }, undefined],
  ['an object', byPath, { body: '{"data":{"token":{"a":"b"}}}' }, undefined],
  ['an inherited member', { token: { in: 'json', path: ['constructor', 'name'] } }, { body: '{}' }, undefined],
  ['a list on the way', { token: { in: 'json', path: ['0'] } }, { body: '["abc"]' }, undefined],
  ['letters that no header can have', byPath, { body: '{"data":{"token":"äbc"}}' }, undefined],
  ['a line break in a token', byPath, { body: '{"data":{"token":"a\\r\\nX: y"}}' }, undefined],
  ['another status', byPath, { status: 302, body: '{"data":{"token":"abc"}}' }, undefined],
  ['a refusal with a token', byPath, { status: 401, body: '{"data":{"token":"abc"}}' }, undefined],
]

for (const [what, response, answer, token] of tokens)
  test(`an answer with ${what} has ${token === undefined ? 'no' : 'a'} token`, () => {
    assert.equal(read(answer, response)?.token, token)
  })

const byEnd: AuthTokenResponse = { ...byPath, expiry: { in: 'json', path: ['data', 'end'] } }
const ends: readonly (readonly [unknown, number | undefined])[] = [
  [3600, 3600],
  ['3600', 3600],
  ['0', 0],
  [1.5, 1.5],
  [1_000_000_000, 1_000_000_000],
  [seconds + 3600, 3600],
  [String(seconds + 3600), 3600],
  [now + 3_600_000, 3600],
  [seconds - 60, 0],
  ['2026-11-30T13:00:00Z', 3600],
  ['2026-11-30T14:00:00.000+01:00', 3600],
  ['2026-11-30T11:00:00Z', 0],
  ['Mon, 30 Nov 2026 13:00:00 GMT', 3600],
  ['2026-11-30T13:00:00', undefined],
  ['tomorrow 1', undefined],
  ['2026-13-45T99:00:00Z', undefined],
  ['1h', undefined],
  ['', undefined],
  [-1, undefined],
  ['-1', undefined],
  [null, undefined],
  [true, undefined],
  [[3600], undefined],
  [{}, undefined],
]

for (const [end, expected] of ends)
  test(`an end ${JSON.stringify(end)} means ${expected === undefined ? 'nothing' : `${expected} s`}`, () => {
    assert.equal(read({ body: JSON.stringify({ data: { token: 'abc', end } }) }, byEnd)?.seconds, expected)
    const header = typeof end === 'string' ? end : JSON.stringify(end)
    const inHeader: AuthTokenResponse = { ...byPath, expiry: { in: 'header', header: 'x-end' } }
    const inText = end === null || typeof end === 'object' ? undefined : expected
    const answer = { headers: { 'x-end': header }, body: '{"data":{"token":"abc"}}' }
    assert.equal(read(answer, inHeader)?.seconds, inText)
  })

test('a number that overflows means nothing', () => {
  assert.equal(read({ body: '{"data":{"token":"abc","end":1e999}}' }, byEnd)?.seconds, undefined)
})

test('a date counts by the clock of the server', () => {
  const body = JSON.stringify({ data: { token: 'abc', end: '2026-11-30T13:00:00Z' } })
  assert.equal(read({ body, date: 'Mon, 30 Nov 2026 12:30:00 GMT' }, byEnd)?.seconds, 1800)
  assert.equal(read({ body, date: 'yesterday' }, byEnd)?.seconds, 3600)
})

test('a JWT that the server made for an earlier request has the time that is left by the clock of the server', () => {
  const body = jwtOf({ iat: seconds - 3000, exp: seconds + 600 })
  assert.equal(read({ body, date: 'Mon, 30 Nov 2026 12:00:00 GMT' }, byText)?.seconds, 600)
  assert.equal(read({ body, date: 'Mon, 30 Nov 2026 12:30:00 GMT' }, byText)?.seconds, 0)
  assert.equal(read({ body }, byText)?.seconds, undefined)
})

test('of the stated end and the exp of a JWT without iat, the earlier one holds', () => {
  const body = (claims: object) => JSON.stringify({ data: { token: jwtOf(claims), end: 3600 } })
  assert.equal(read({ body: body({ exp: seconds + 60 }) }, byEnd)?.seconds, 60)
  assert.equal(read({ body: body({ exp: seconds + 7200 }) }, byEnd)?.seconds, 3600)
  assert.equal(read({ body: body({ exp: seconds - 60 }) }, byEnd)?.seconds, 0)
  // `lifetimeOf` reads the lifetime of a JWT with iat from its claims alone.
  assert.equal(read({ body: body({ exp: seconds + 60, iat: seconds }) }, byEnd)?.seconds, 3600)
  assert.equal(read({ body: jwtOf({ exp: seconds + 60, nbf: seconds }) }, byText)?.seconds, undefined)
  assert.equal(read({ body: jwtOf({ exp: seconds + 60 }) }, byText)?.seconds, 60)
})
