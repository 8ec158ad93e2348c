import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generationRecord, readGeneration } from '../../../lib/token-cache/generation.ts'

const now = 1_800_000_000_000

function next(before: ReturnType<typeof readGeneration> | undefined, at: number) {
  return generationRecord(before, { fingerprint: 'f', now: at, version: 'v' })
}

test('a generation is read back as it was written', () => {
  const record = next(undefined, now)
  assert.deepEqual(readGeneration(record), { number: now, fingerprint: 'f', version: 'v' })
})

test('it rises however the clock goes, and does not come again where the record was lost', () => {
  const first = readGeneration(next(undefined, now))
  const second = readGeneration(next(first, now))
  const third = readGeneration(next(second, now - 3_600_000))
  assert.deepEqual([first.number, second.number, third.number], [now, now + 1, now + 2])
  assert.ok(readGeneration(next(undefined, now + 1_000)).number > third.number, 'after the loss')
})

test('it outlives by far what was issued under it', () => {
  assert.ok(next(undefined, now).removableFrom >= now + 364 * 86_400_000)
})
