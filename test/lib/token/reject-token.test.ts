import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryTokenCache } from '../../../lib/adapters/memory-token-cache.ts'
import { CoolingDownError } from '../../../lib/token/cooling-down-error.ts'
import { createRejectToken } from '../../../lib/token/reject-token.ts'
import { someToken, someTokenKey } from '../../contract/token-cache.ts'

test('one token key loses a token by rejection once in 10 s, to the millisecond', async () => {
  const cache = memoryTokenCache({ maximumTokens: 10 })
  let now = 50_000
  const rejectToken = createRejectToken(cache, () => now)
  const [key, first, second] = [someTokenKey(), someToken(), someToken()]
  await cache.store(key, first)
  await rejectToken('conn', first.id)
  assert.equal(await cache.get(key), undefined)
  await cache.store(key, second)

  for (const [passed, wait] of [
    [0, 10],
    [1, 10],
    [1_000, 9],
    [9_999, 1],
  ] as const) {
    now = 50_000 + passed
    await assert.rejects(rejectToken('conn', second.id), (error) => {
      assert.ok(error instanceof CoolingDownError)
      assert.equal(error.retryAfterSeconds, wait)
      assert.match(error.message, /once in 10 s/)
      return true
    })
    assert.ok(await cache.get(key))
  }
  now = 60_000
  await rejectToken('conn', second.id)
  assert.equal(await cache.get(key), undefined)
})

test('what is not kept is rejected without a word', async () => {
  const rejectToken = createRejectToken(memoryTokenCache({ maximumTokens: 10 }), () => 0)
  await rejectToken('conn', 'AAAAAAAAAAAAAAAAAAAAAA')
})
