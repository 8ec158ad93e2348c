import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CallersToken, endOfCallersToken, keptWithin } from '../../../lib/access-token/callers-token.ts'
import {
  isForUser,
  isOwnRequest,
  repeatableRequest,
  type TokenRequest,
  tokenKey,
} from '../../../lib/access-token/token.ts'
import { Secret } from '../../../lib/secret/secret.ts'

const issuedAt = 1_700_000_000_000
const lifetime = {
  issuedAt,
  refreshAt: issuedAt + 400_000,
  usableUntil: issuedAt + 570_000,
  expiresAt: issuedAt + 600_000,
}

function jwtWith(claims: object): CallersToken {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return { token: new Secret(`${part({ alg: 'none' })}.${part(claims)}.`) }
}
const endingIn = (seconds: number) => jwtWith({ exp: issuedAt / 1000 + seconds })
const opaque: CallersToken = { token: new Secret('an opaque token') }

test('what was obtained with a token is kept until that token ends, and the shorter of two ends counts', () => {
  const until = (...tokens: readonly CallersToken[]) => {
    const kept = keptWithin(lifetime, tokens)
    assert.deepEqual([kept.issuedAt, kept.expiresAt], [lifetime.issuedAt, lifetime.expiresAt], 'the API is not asked')
    return [(kept.refreshAt - issuedAt) / 1000, (kept.usableUntil - issuedAt) / 1000]
  }
  assert.deepEqual(until(endingIn(500)), [400, 500])
  assert.deepEqual(until(endingIn(300)), [300, 300])
  assert.deepEqual(until(endingIn(900)), [400, 570])
  assert.deepEqual(until(endingIn(900), endingIn(200)), [200, 200])
  assert.deepEqual(until(endingIn(30), opaque), [30, 30])
  assert.deepEqual(until(endingIn(-10)), [0, 0], 'it is handed out once, and not kept')
  assert.equal(keptWithin(lifetime, []), lifetime)
})

test('what was obtained with a token whose end cannot be read is kept for 60 s', () => {
  const unreadable = [
    opaque,
    jwtWith({}),
    jwtWith({ exp: '1' }),
    jwtWith({ exp: null }),
    { token: new Secret(`eyJhbGciOiJub25lIn0.${Buffer.from('{"exp":1e999}').toString('base64url')}.`) },
    { token: new Secret('a.b.c') },
  ]
  for (const token of unreadable) {
    assert.equal(endOfCallersToken(token), undefined)
    assert.equal(keptWithin(lifetime, [token]).usableUntil, issuedAt + 60_000)
  }
})

test("a request with a caller's token is never the connection's own, and is never repeated without the caller", () => {
  for (const request of [{ subjectToken: opaque }, { actorToken: opaque }]) {
    const asked: TokenRequest = { connection: 'conn', further: {}, ...request }
    assert.deepEqual([isForUser(asked), isOwnRequest(asked), repeatableRequest(asked)], [true, false, undefined])
  }
})

test('the token key covers each token and its type, by a digest of fixed length', () => {
  const [one, other] = [opaque, { token: new Secret('another token') }]
  const keys = [
    {},
    { subjectToken: one },
    { subjectToken: other },
    { actorToken: one },
    { subjectToken: one, actorToken: other },
    { subjectToken: other, actorToken: one },
    { subjectToken: { ...one, type: 'urn:a' } },
    { subjectToken: { ...one, type: 'urn:b' } },
  ].map((tokens) => tokenKey({ connection: 'conn', further: {}, ...tokens }))
  assert.equal(new Set(keys).size, keys.length)
  const long = tokenKey({ connection: 'conn', further: {}, subjectToken: { token: new Secret('x'.repeat(16_384)) } })
  assert.equal(long.length, keys[1]?.length)
  assert.ok(keys.every((key) => !key.includes('token')))
})

test('without such a token the key is the one of earlier versions', () => {
  assert.equal(tokenKey({ connection: 'conn', further: {} }), '["conn",[],[],null,null,null,[]]')
})
