import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CoolDownState,
  fieldsOf,
  nothingKnown,
  readCoolDownState,
  verdictOn,
  withCount,
  withFailure,
  withProbe,
  withSuspicion,
} from '../../../lib/fleet/cool-down.ts'

const now = 1_800_000_000_000
const own = { isOwn: true }
const begun = withFailure(nothingKnown, 'no', { baseSeconds: 30 }, now)

test('a record says the same again, whatever it holds', () => {
  const states: CoolDownState[] = [
    nothingKnown,
    begun,
    withProbe(begun, { isOwn: false }, now),
    withProbe(begun, own, now + 30_000),
    withSuspicion({ ...begun, controlAt: now }, now),
    withCount(withCount(nothingKnown, now - 1), now),
  ]
  for (const state of states) assert.deepEqual(readCoolDownState(fieldsOf(state), now + 30_000), state)
})

test('no record keeps anything from being asked for longer than five minutes, whatever clock wrote it', () => {
  const ahead = { until: 4_102_444_800_000, failures: 1, failure: 'no', beganAt: 4_102_444_800_000 }
  for (const fields of [ahead, { ...ahead, failures: 2 ** 60 }, { ...ahead, probeUntil: 4_102_444_800_000 }]) {
    const state = readCoolDownState(fields, now)
    assert.equal(state.coolDown?.until, now + 300_000)
    assert.equal(state.coolDown.beganAt, now)
    assert.ok((state.coolDown.probe?.until ?? 0) <= now + 30_000)
    const later = withFailure(state, 'no', { baseSeconds: 30 }, now + 300_000)
    assert.ok((later.coolDown?.until ?? 0) <= now + 600_000)
  }
})

test('what is no cool-down cools nothing down', () => {
  for (const fields of [
    {},
    { until: 'tomorrow', failures: 1, failure: 'no' },
    { until: Number.NaN, failures: 1, failure: 'no' },
    { until: Infinity, failures: 1, failure: 'no' },
    { until: now + 1, failures: 1 },
    { counted: '{"a":1}', controlAt: 'x' },
  ])
    assert.deepEqual(readCoolDownState(fields, now), nothingKnown)
})

test('counts of a record are times, not later than now, and a hundred at most', () => {
  const counted = JSON.stringify([...Array.from({ length: 200 }, () => now + 9e12), 'x', null])
  const state = readCoolDownState({ counted }, now)
  assert.deepEqual(
    state.counted,
    Array.from({ length: 100 }, () => now),
  )
})

test('a cool-down that began after the mending is not lifted by it, and an older one is', () => {
  assert.equal(verdictOn(begun, { isOwn: true, mendedAt: now - 1 }, now).kind, 'cooling_down')
  assert.equal(verdictOn(begun, { isOwn: true, mendedAt: now }, now).kind, 'may_probe')
})
