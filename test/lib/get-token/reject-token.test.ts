import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import { createTokenRejecter, type TokenRejecterDependencies } from '../../../lib/get-token/reject-token.ts'
import type { TokenCache } from '../../../lib/get-token/token-cache.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import type { Invalidation } from '../../../lib/get-token/token-memory.ts'
import { someMemoryKey, someToken, someTokenMemory } from '../../support/virtual/some-token.ts'

/** The part of a fleet that a rejection needs. */
function fleetThat(invalidate: () => Promise<Invalidation | undefined>): Pick<TokenCache, 'invalidate'> {
  return { invalidate }
}

/** An event bus that no function listens to. */
function rejecting(parts: Pick<TokenRejecterDependencies, 'memory' | 'cache' | 'now'>) {
  return createTokenRejecter({ ...parts, events: { isHeard: false, raise: () => assert.fail() }, log() {} }).drop
}

const unavailable = fleetThat(() => Promise.reject(new CacheUnavailableError('A call failed less than 5 s ago.')))

test('without a fleet a token key loses one token by rejection in 10 s, to the millisecond', async () => {
  const memory = someTokenMemory(10)
  let now = 50_000
  const rejectToken = rejecting({ memory, cache: unavailable, now: () => now })
  const [key, first, second] = [someMemoryKey(), someToken(), someToken()]
  memory.put(key, first, 0)
  await rejectToken('conn', first.id)
  assert.equal(memory.get(key), undefined)
  memory.put(key, second, 0)

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
    assert.ok(memory.get(key))
  }
  now = 60_000
  await rejectToken('conn', second.id)
  assert.equal(memory.get(key), undefined)
})

for (const outcome of ['dropped', 'absent'] as const)
  test(`the fleet's outcome counts: after ${outcome} memory forgets the token`, async () => {
    const memory = someTokenMemory(10)
    const cache = fleetThat(() => Promise.resolve({ outcome }))
    const rejectToken = rejecting({ memory, cache, now: () => 0 })
    const [key, token] = [someMemoryKey(), someToken()]
    memory.put(key, token, 0)
    await rejectToken('other', token.id)
    assert.ok(memory.get(key), 'a token id is valid under its own connection only')
    await rejectToken('conn', token.id)
    assert.equal(memory.get(key), undefined)
  })

test('a token that the fleet keeps for a while stays in memory as well', async () => {
  const memory = someTokenMemory(10)
  const cache = fleetThat(() => Promise.resolve({ outcome: 'too_soon', retryAt: 4_000 }))
  const rejectToken = rejecting({ memory, cache, now: () => 0 })
  const [key, token] = [someMemoryKey(), someToken()]
  memory.put(key, token, 0)
  await assert.rejects(rejectToken('conn', token.id), { code: 'cooling_down', retryAfterSeconds: 4 })
  assert.ok(memory.get(key))
})

test('a token that the fleet never had is judged by this process alone', async () => {
  const memory = someTokenMemory(10)
  const rejectToken = rejecting({ memory, cache: fleetThat(() => Promise.resolve(undefined)), now: () => 0 })
  const [key, first, second] = [someMemoryKey(), someToken(), someToken()]
  memory.put(key, first, 0)
  await rejectToken('conn', first.id)
  memory.put(key, second, 0)
  await assert.rejects(rejectToken('conn', second.id), CoolingDownError)
  await rejectToken('conn', 'AAAAAAAAAAAAAAAAAAAAAA')
})
