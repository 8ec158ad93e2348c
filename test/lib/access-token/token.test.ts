import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  isAnswer,
  isOwnRequest,
  isTokenId,
  isYoung,
  repeatableRequest,
  type TokenRequest,
} from '../../../lib/access-token/token.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { someToken } from '../../support/virtual/some-token.ts'

test('a token id is 16 bytes in base64url, with or without the digest of its record, and nothing else', () => {
  assert.ok(isTokenId(randomBytes(16).toString('base64url')))
  for (const bytes of [0, 15, 17, 32]) assert.equal(isTokenId(randomBytes(bytes).toString('base64url')), false)
  assert.ok(isTokenId(`${randomBytes(16).toString('base64url')}.${randomBytes(32).toString('base64url')}`))
  const id = 'AAAAAAAAAAAAAAAAAAAAAA'
  for (const text of [
    ` ${id}`,
    `${id} `,
    `${id}\n`,
    `x${id}`,
    '+'.repeat(22),
    `${id}.`,
    `${id}.${id}`,
    `${id}.${'A'.repeat(43)}.`,
  ])
    assert.equal(isTokenId(text), false, text)
})

const request: TokenRequest = { connection: 'conn', further: {} }
/** Valid for 300 s, and usable for 270 s. */
const token = someToken({ id: 'the-id' })

test('a token answers a request while it is usable, unless it is the rejected token', () => {
  assert.equal(isAnswer(token, request, 0), true)
  assert.equal(isAnswer(token, request, 269_999), true)
  assert.equal(isAnswer(token, request, 270_000), false)
  assert.equal(isAnswer(token, { ...request, rejectedTokenId: 'another-id' }, 0), true)
  assert.equal(isAnswer(token, { ...request, rejectedTokenId: 'the-id' }, 0), false)
})

test('a token in its last second answers no request, even without a margin', () => {
  const withoutMargin = { ...token, usableUntil: 300_000 }
  assert.equal(isAnswer(withoutMargin, request, 299_000), true)
  assert.equal(isAnswer(withoutMargin, request, 299_001), false)
})

test('a token answers a request for at most the seconds that it has left, or for more than any token has', () => {
  const wanting = (minimumSeconds: number) => ({ ...request, minimumSeconds })
  assert.equal(isAnswer(token, wanting(200), 100_000), true)
  assert.equal(isAnswer(token, wanting(201), 100_000), false)
  assert.equal(isAnswer(token, wanting(299), 100_000), false)
  assert.equal(isAnswer(token, wanting(300), 100_000), true, 'no new one would have more')
  assert.equal(isAnswer(token, wanting(3_600), 100_000), true)
})

test('a repeatable request has everything that the request named, and nothing else', () => {
  const whole = { scope: ['a'], resource: ['b'], audience: 'c', claims: { f: 'g' }, further: { d: 'e' } }
  const ours = { connection: 'conn', grantType: 'client_credentials', minimumSeconds: 5, rejectedTokenId: 'the-id' }
  assert.deepEqual(repeatableRequest({ ...ours, ...whole }), whole)
  assert.deepEqual(repeatableRequest(request), { further: {} })
  assert.deepEqual(repeatableRequest({ ...request, audience: '' }), { audience: '', further: {} })
  assert.deepEqual(repeatableRequest({ ...request, authentication: 'session' }), {
    authentication: 'session',
    further: {},
  })
  assert.ok(!('authentication' in (repeatableRequest(request) ?? {})))
})

test('a request for a user is not repeatable', () => {
  assert.equal(repeatableRequest({ ...request, username: 'alice', password: new Secret('p') }), undefined)
  assert.equal(repeatableRequest({ ...request, username: 'alice' }), undefined)
})

test('a request is an own request only if it has no caller parameters', () => {
  const own = { connection: 'conn', further: {} }
  for (const request of [own, { ...own, minimumSeconds: 5, rejectedTokenId: 'an-id', grantType: 'x', inQuery: ['a'] }])
    assert.equal(isOwnRequest(request), true)
  for (const added of [
    { scope: [] },
    { resource: ['r'] },
    { audience: '' },
    { username: 'alice' },
    { password: new Secret('hers') },
    { further: { a: 'b' } },
    { scope: ['a'], resource: ['r'], audience: 'a', username: 'u', password: new Secret('p') },
  ])
    assert.equal(isOwnRequest({ ...own, ...added }), false, JSON.stringify(added))
})

test('a token is young for 10 s, to the millisecond', () => {
  const token = someToken({ issuedAt: 1_000 })
  assert.deepEqual(
    [1_000, 10_999, 11_000].map((now) => isYoung(token, now)),
    [true, true, false],
  )
})
