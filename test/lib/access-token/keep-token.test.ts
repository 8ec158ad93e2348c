import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnsecuredJWT } from 'jose'
import type { Token } from '../../../lib/access-token/token.ts'
import { keptToken } from '../../../lib/access-token/token.ts'
import { Secret } from '../../../lib/secret/secret.ts'

const theToken: Token = {
  id: 'the-old-id',
  connection: 'conn',
  accessToken: new Secret('the token'),
  issuedAt: 0,
  refreshAt: 216_000,
  usableUntil: 270_000,
  expiresAt: 300_000,
}
/** The same token when the server returns it again later. */
const again: Token = { ...theToken, id: 'the-new-id', accessToken: new Secret('the token'), issuedAt: 220_000 }
const other: Token = { ...again, accessToken: new Secret('another token') }

test('a new token is kept unchanged', () => {
  assert.deepEqual(keptToken(theToken, undefined, 0), theToken)
  assert.deepEqual(keptToken(other, theToken, 220_000), other)
})

test('a token that the server returns again keeps its id and is not renewed early any more', () => {
  const kept = { ...again, id: 'the-old-id', refreshAt: 270_000 }
  assert.deepEqual(keptToken(again, theToken, 220_000), kept)
  const littleLonger = { ...again, expiresAt: 301_000 }
  assert.deepEqual(keptToken(littleLonger, theToken, 220_000), { ...kept, expiresAt: 301_000 })
})

test('a token that the server returns again with a longer lifetime is a new token', () => {
  const longer = { ...again, expiresAt: 301_001 }
  assert.deepEqual(keptToken(longer, theToken, 220_000), longer)
})

test('a token inside its margin is kept unchanged, and the cache does not hand it out', () => {
  for (const previous of [undefined, theToken]) assert.equal(keptToken(other, previous, 280_000), other)
})

test('an expiring token that the server returns again is used for one second, but not in its last second', () => {
  const kept = (until: number) => ({ ...again, id: 'the-old-id', refreshAt: until, usableUntil: until })
  assert.deepEqual(keptToken(again, theToken, 280_000), kept(281_000))
  assert.deepEqual(keptToken(again, theToken, 298_500), kept(299_000))
})

test('a JWT that the server returns again ends no later than before, but an opaque token may', () => {
  const jwt = new Secret(new UnsecuredJWT({ iat: 0, exp: 300 }).encode())
  const before = { ...theToken, accessToken: jwt }
  const later = { ...again, accessToken: jwt, usableUntil: 480_000, expiresAt: 520_000 }
  assert.deepEqual(keptToken(later, before, 220_000), {
    ...later,
    ...{ id: 'the-old-id', refreshAt: 270_000, usableUntil: 270_000, expiresAt: 300_000 },
  })
  const sooner = { ...later, usableUntil: 240_000, expiresAt: 250_000 }
  assert.deepEqual(keptToken(sooner, before, 220_000), { ...sooner, id: 'the-old-id', refreshAt: 240_000 })
  const opaque = { ...later, accessToken: theToken.accessToken }
  assert.deepEqual(keptToken(opaque, theToken, 220_000), opaque)
})
