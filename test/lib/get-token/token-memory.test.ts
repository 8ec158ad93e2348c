import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTokenMemory } from '../../../lib/get-token/token-memory.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { someMemoryKey, someToken, someTokenMemory } from '../../support/virtual/some-token.ts'

const rejectionOf = (tokenId: string, now = 0, connection = 'conn') => ({
  connection,
  tokenId,
  now,
  minimumIntervalMilliseconds: 10_000,
})

test('memory is limited: the least recently used token is dropped first, with its id', () => {
  const memory = someTokenMemory(2)
  const [a, b, c] = [someMemoryKey(), someMemoryKey(), someMemoryKey()]
  const tokenB = someToken()
  memory.put(a, someToken(), 0)
  memory.put(b, tokenB, 0)
  memory.get(a)
  memory.put(c, someToken(), 0)
  assert.ok(memory.get(a))
  assert.ok(memory.get(c))
  assert.equal(memory.get(b), undefined)
  assert.deepEqual(memory.invalidate(rejectionOf(tokenB.id)), { outcome: 'absent' })
})

test('memory returns a token as it was put in, with the time of its confirmation', () => {
  const memory = someTokenMemory(2)
  const [key, token] = [someMemoryKey(), someToken()]
  memory.put(key, token, 5)
  assert.deepEqual(memory.get(key), { token, confirmedAt: 5 })
  memory.put(key, token, 9)
  assert.equal(memory.get(key)?.confirmedAt, 9)
  assert.equal(memory.get(someMemoryKey()), undefined)
})

test('a newer token replaces the older one, whose id finds nothing any more', () => {
  const memory = someTokenMemory(2)
  const [key, older, newer] = [someMemoryKey(), someToken(), someToken()]
  memory.put(key, older, 0)
  memory.put(key, newer, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(older.id)), { outcome: 'absent' })
  memory.forget('conn', older.id)
  assert.equal(memory.get(key)?.token.id, newer.id)
})

test('a token id is valid only for its own connection', () => {
  const memory = someTokenMemory(2)
  const [key, token] = [someMemoryKey(), someToken()]
  memory.put(key, token, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(token.id, 0, 'other')), { outcome: 'absent' })
  memory.forget('other', token.id)
  assert.ok(memory.get(key))
})

test('a token that replaced a rejected one stays for the interval, and may be dropped after it', () => {
  const memory = someTokenMemory(2)
  const [key, first, second] = [someMemoryKey(), someToken(), someToken()]
  memory.put(key, first, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(first.id, 1_000)), { outcome: 'dropped' })
  memory.put(key, second, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(second.id, 10_999)), { outcome: 'too_soon', retryAt: 11_000 })
  assert.ok(memory.get(key))
  assert.deepEqual(memory.invalidate(rejectionOf(second.id, 11_000)), { outcome: 'dropped' })
})

test('a token with several keys is found by its id as long as one of them is kept', () => {
  const memory = someTokenMemory(5)
  const [one, other, token] = [someMemoryKey(), someMemoryKey(), someToken()]
  memory.put(one, token, 0)
  memory.put(other, token, 0)
  memory.put(one, someToken(), 0)
  assert.deepEqual(memory.invalidate(rejectionOf(token.id)), { outcome: 'dropped' })
  assert.equal(memory.get(other), undefined)
  assert.ok(memory.get(one))
})

test('a token of a request that has just lost another one stays, however many keys it has', () => {
  const memory = someTokenMemory(5)
  const [one, other, first, second] = [someMemoryKey(), someMemoryKey(), someToken(), someToken()]
  memory.put(one, first, 0)
  memory.invalidate(rejectionOf(first.id, 1_000))
  memory.put(one, second, 0)
  memory.put(other, second, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(second.id, 5_000)), { outcome: 'too_soon', retryAt: 11_000 })
})

test('memory is limited by bytes: a thousand for each token, and two for each character of it and of its scope', () => {
  const memory = createTokenMemory({ maximumTokens: 10, maximumBytes: 3_000 }, 'the key of this process')
  const [fits, isTooLarge] = ['x'.repeat(1_000), 'x'.repeat(1_001)].map((text) => new Secret(text))
  const [a, b, c, d] = [someMemoryKey(), someMemoryKey(), someMemoryKey(), someMemoryKey()]
  memory.put(a, someToken({ accessToken: fits ?? assert.fail() }), 0)
  assert.ok(memory.get(a))
  memory.put(b, someToken({ accessToken: isTooLarge ?? assert.fail() }), 0)
  assert.equal(memory.get(b), undefined)
  memory.put(c, someToken({ accessToken: fits ?? assert.fail(), scope: 's' }), 0)
  assert.equal(memory.get(c), undefined)
  memory.put(d, someToken(), 0)
  assert.equal(memory.get(a), undefined, 'the least recently used one is dropped')
})
