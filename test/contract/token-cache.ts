import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../lib/secret/secret.ts'
import type { Token } from '../../lib/token/token.ts'
import type { TokenCache } from '../../lib/token/token-cache.ts'
import { type TokenKey, tokenKey } from '../../lib/token/token-key.ts'

const interval = 10_000
let made = 0

export function someTokenKey(scope = `scope-${made++}`): TokenKey {
  return tokenKey({ connection: 'conn', scope: [scope], further: {} })
}

export function someToken(members: Partial<Token> = {}): Token {
  return {
    id: `token-id-${made++}`,
    connection: 'conn',
    accessToken: new Secret('the token'),
    issuedAt: 0,
    refreshAt: 200_000,
    usableUntil: 270_000,
    expiresAt: 300_000,
    ...members,
  }
}

/** What every token cache promises, whatever it keeps tokens in. */
export function testTokenCacheContract(name: string, createCache: () => TokenCache): void {
  const reject = (cache: TokenCache, token: Token, now: number, connection = 'conn') =>
    cache.invalidate({ connection, tokenId: token.id, now, minimumIntervalMilliseconds: interval })

  test(`${name}: what was stored is found under its key, and under no other`, async () => {
    const cache = createCache()
    const [key, token] = [someTokenKey(), someToken()]
    assert.equal(await cache.get(key), undefined)
    await cache.store(key, token)
    assert.deepEqual((await cache.get(key))?.token, token)
    assert.equal(await cache.get(someTokenKey()), undefined)
  })

  test(`${name}: a newer token replaces the one before, whose id finds nothing any more`, async () => {
    const cache = createCache()
    const [key, older, newer] = [someTokenKey(), someToken(), someToken()]
    await cache.store(key, older)
    await cache.store(key, newer)
    assert.deepEqual(await reject(cache, older, 0), { outcome: 'absent' })
    assert.equal((await cache.get(key))?.token.id, newer.id)
  })

  test(`${name}: a token is postponed if it is still the one in hand, and nothing else of it changes`, async () => {
    const cache = createCache()
    const [key, older, newer] = [someTokenKey(), someToken(), someToken()]
    await cache.store(key, older)
    await cache.postpone(key, older.id, 250_000)
    assert.deepEqual((await cache.get(key))?.token, { ...older, refreshAt: 250_000 })
    await cache.store(key, newer)
    await cache.postpone(key, older.id, 260_000)
    assert.deepEqual((await cache.get(key))?.token, newer)
    await reject(cache, newer, 0)
    await cache.postpone(key, newer.id, 260_000)
    assert.equal(await cache.get(key), undefined)
  })

  test(`${name}: an invalidation drops the token that it names, once`, async () => {
    const cache = createCache()
    const [key, token] = [someTokenKey(), someToken()]
    await cache.store(key, token)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => reject(cache, token, 0)))
    assert.equal(outcomes.filter(({ outcome }) => outcome === 'dropped').length, 1)
    assert.equal(await cache.get(key), undefined)
  })

  test(`${name}: a token id is valid under its own connection only`, async () => {
    const cache = createCache()
    const [key, token] = [someTokenKey(), someToken()]
    await cache.store(key, token)
    assert.deepEqual(await reject(cache, token, 0, 'other'), { outcome: 'absent' })
    assert.ok(await cache.get(key))
  })

  test(`${name}: what replaced a rejected token stays for the interval, then may be dropped`, async () => {
    const cache = createCache()
    const [key, first, second] = [someTokenKey(), someToken(), someToken()]
    await cache.store(key, first)
    await reject(cache, first, 1_000)
    await cache.store(key, second)
    assert.deepEqual(await reject(cache, second, 10_999), { outcome: 'too_soon', retryAt: 11_000 })
    assert.ok(await cache.get(key))
    assert.deepEqual(await reject(cache, second, 11_000), { outcome: 'dropped' })
  })
}
