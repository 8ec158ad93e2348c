import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currentKey, isTimed, previousKey, stagedKey, type Times } from '../../../lib/signing/signing-key.ts'

const keys = [
  { name: 'c', signsFrom: 300 },
  { name: 'a', signsFrom: 100, signsUntil: 200 },
  { name: 'd', signsFrom: 400 },
  { name: 'untimed' },
  { name: 'b', signsFrom: 200, signsUntil: 300 },
]

test('the clock decides the phase of each key, to the millisecond', () => {
  const states = [99, 100, 199, 200, 299, 300, 399, 400].map((now) =>
    [previousKey(keys, now), currentKey(keys, now), stagedKey(keys, now)].map((key) => key?.name ?? '-').join(' '),
  )
  assert.deepEqual(states, ['- - a', '- a b', '- a b', 'a b c', 'a b c', 'b c d', 'b c d', 'b d -'])
})

test('a key without times has no phase, and with one timed key the clock decides', () => {
  const untimed: readonly Times[] = [{}]
  for (const state of [previousKey, currentKey, stagedKey]) assert.equal(state(untimed, 100), undefined)
  assert.deepEqual([isTimed([]), isTimed(untimed), isTimed(keys)], [false, false, true])
})
