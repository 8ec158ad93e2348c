import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryTokenCache } from '../../../lib/adapters/memory-token-cache.ts'
import { someToken, someTokenKey, testTokenCacheContract } from '../../contract/token-cache.ts'

testTokenCacheContract('memory', () => memoryTokenCache({ maximumTokens: 100 }))

test('memory is bounded: the least recently used token goes first, and its id with it', async () => {
  const cache = memoryTokenCache({ maximumTokens: 2 })
  const [a, b, c] = [someTokenKey(), someTokenKey(), someTokenKey()]
  const tokenB = someToken()
  await cache.store(a, someToken())
  await cache.store(b, tokenB)
  await cache.get(a)
  await cache.store(c, someToken())
  assert.ok(await cache.get(a))
  assert.ok(await cache.get(c))
  assert.equal(await cache.get(b), undefined)
  const rejection = { connection: 'conn', tokenId: tokenB.id, now: 0, minimumIntervalMilliseconds: 10_000 }
  assert.deepEqual(await cache.invalidate(rejection), { outcome: 'absent' })
})

test('memory says that it is this process that had the token', async () => {
  const cache = memoryTokenCache({ maximumTokens: 2 })
  const key = someTokenKey()
  await cache.store(key, someToken())
  assert.equal((await cache.get(key))?.source, 'memory')
})
