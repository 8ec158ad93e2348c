import assert from 'node:assert/strict'
import { test } from 'node:test'
import { someMemoryKey, someToken, someTokenMemory } from '../../support/virtual/some-token.ts'

const rejectionOf = (tokenId: string, now = 0, connection = 'conn') => ({
  connection,
  tokenId,
  now,
  minimumIntervalMilliseconds: 10_000,
})

test('memory is bounded: the least recently used token goes first, and its id with it', () => {
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

test('memory gives back what was put in, and when it was confirmed', () => {
  const memory = someTokenMemory(2)
  const [key, token] = [someMemoryKey(), someToken()]
  memory.put(key, token, 5)
  assert.deepEqual(memory.get(key), { token, confirmedAt: 5 })
  memory.put(key, token, 9)
  assert.equal(memory.get(key)?.confirmedAt, 9)
  assert.equal(memory.get(someMemoryKey()), undefined)
})

test('a newer token replaces the one before, whose id finds nothing any more', () => {
  const memory = someTokenMemory(2)
  const [key, older, newer] = [someMemoryKey(), someToken(), someToken()]
  memory.put(key, older, 0)
  memory.put(key, newer, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(older.id)), { outcome: 'absent' })
  memory.forget('conn', older.id)
  assert.equal(memory.get(key)?.token.id, newer.id)
})

test('a token id is valid under its own connection only', () => {
  const memory = someTokenMemory(2)
  const [key, token] = [someMemoryKey(), someToken()]
  memory.put(key, token, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(token.id, 0, 'other')), { outcome: 'absent' })
  memory.forget('other', token.id)
  assert.ok(memory.get(key))
})

test('what replaced a rejected token stays for the interval, then may be dropped', () => {
  const memory = someTokenMemory(2)
  const [key, first, second] = [someMemoryKey(), someToken(), someToken()]
  memory.put(key, first, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(first.id, 1_000)), { outcome: 'dropped' })
  memory.put(key, second, 0)
  assert.deepEqual(memory.invalidate(rejectionOf(second.id, 10_999)), { outcome: 'too_soon', retryAt: 11_000 })
  assert.ok(memory.get(key))
  assert.deepEqual(memory.invalidate(rejectionOf(second.id, 11_000)), { outcome: 'dropped' })
})
