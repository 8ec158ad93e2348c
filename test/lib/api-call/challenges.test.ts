import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readChallenges } from '../../../lib/api-call/rejected-token.ts'

const read = (header: string) =>
  readChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

const rows: readonly (readonly [header: string, ...challenges: readonly [string, Record<string, string>][]])[] = [
  ['Bearer', ['bearer', {}]],
  ['Bearer error="invalid_token"', ['bearer', { error: 'invalid_token' }]],
  ['bEARER  ERROR = invalid_token', ['bearer', { error: 'invalid_token' }]],
  [
    'Bearer realm="a, b", error="invalid_token",error_description="it \\"expired\\""',
    ['bearer', { realm: 'a, b', error: 'invalid_token', error_description: 'it "expired"' }],
  ],
  ['Basic realm="x", Bearer error="invalid_token"', ['basic', { realm: 'x' }], ['bearer', { error: 'invalid_token' }]],
  ['Bearer error="invalid_token", Basic realm="x"', ['bearer', { error: 'invalid_token' }], ['basic', { realm: 'x' }]],
  ['Negotiate, Bearer error=invalid_token', ['negotiate', {}], ['bearer', { error: 'invalid_token' }]],
  ['Negotiate YII+/aGs=, Bearer error="invalid_token"', ['negotiate', {}], ['bearer', { error: 'invalid_token' }]],
  ['Negotiate  YII==, Bearer error=invalid_token', ['negotiate', {}], ['bearer', { error: 'invalid_token' }]],
  ['Negotiate abc, Bearer error=invalid_token', ['negotiate', {}], ['bearer', { error: 'invalid_token' }]],
  ['Bearer, Negotiate abc', ['bearer', {}], ['negotiate', {}]],
  ['Negotiate abc ', ['negotiate', {}]],
  ['Bearer realm="a\\\nb", error="invalid_token"', ['bearer', { realm: 'a\nb', error: 'invalid_token' }]],
  ['Bearer realm="error=invalid_token"', ['bearer', { realm: 'error=invalid_token' }]],
  [
    'Bearer error="insufficient_scope", error_description="not invalid_token"',
    ['bearer', { error: 'insufficient_scope', error_description: 'not invalid_token' }],
  ],
  // The first of two values with one name counts. An extra or missing comma is ignored.
  ['Bearer error="a", error="invalid_token"', ['bearer', { error: 'a' }]],
  [', ,Bearer ,error="invalid_token" ,', ['bearer', { error: 'invalid_token' }]],
  ['Bearer realm="a" error="invalid_token"', ['bearer', { realm: 'a', error: 'invalid_token' }]],
  // A part that is not a challenge is left out, with everything after it.
  ['Bearer error="invalid_token', ['bearer', {}]],
  ['"Bearer" error="invalid_token"'],
  ['Bearer @, error="invalid_token"', ['bearer', {}]],
  ['error="invalid_token"'],
  [''],
]

for (const [header, ...challenges] of rows)
  test(`read as ${challenges.length}: ${header || 'nothing'}`, () => {
    assert.deepEqual(read(header), challenges)
  })

test('a header of any length is read in bounded time', () => {
  for (const part of ['a', 'a=', 'a="\\', ' ', ',', 'Bearer ', 'a=b ', '"', '=', '+/'])
    assert.ok(Array.isArray(readChallenges(`Bearer ${part.repeat(20_000)}`)))
})
