import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CoolDownState,
  countedAt,
  fieldsOf,
  nothingKnown,
  readCoolDownState,
  removableFrom,
  secondsUntil,
  verdictOn,
  withCount,
  withFailure,
  withoutCoolDown,
  withoutCount,
  withoutProbe,
  withProbe,
  withSuspicion,
} from '../../../lib/fleet/cool-down.ts'

const now = 1_800_000_000_000
const own = { isOwn: true }
const begun = withFailure(nothingKnown, 'no', { baseSeconds: 30 }, now)

test('a state is read back as it was written, whatever it has', () => {
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

test('no record stops requests for longer than five minutes, whatever clock wrote it', () => {
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

test("values that aren't a cool-down cause none", () => {
  for (const fields of [
    {},
    { until: 'tomorrow', failures: 1, failure: 'no' },
    { until: Number.NaN, failures: 1, failure: 'no' },
    { until: Infinity, failures: 1, failure: 'no' },
    { until: now + 1, failures: 1 },
    { counted: '{"a":1}', controlAt: 'x' },
  ])
    assert.deepEqual(readCoolDownState(fields, now), { counted: [] })
  assert.deepEqual(nothingKnown, { counted: [] })
})

test('counts of a record are at most a hundred times, and none is later than now', () => {
  const counted = JSON.stringify([...Array.from({ length: 200 }, () => now + 9e12), 'x', null])
  const state = readCoolDownState({ counted }, now)
  assert.deepEqual(
    state.counted,
    Array.from({ length: 100 }, () => now),
  )
})

test('a fix lifts an older cool-down, and not one that began after it', () => {
  assert.equal(verdictOn(begun, { isOwn: true, mendedAt: now - 1 }, now).kind, 'cooling_down')
  assert.equal(verdictOn(begun, { isOwn: true, mendedAt: now }, now).kind, 'may_probe')
})

test('a fix lifts a cool-down at once, and lifts the next one only 30 s later', () => {
  const mended = { isOwn: true, mendedAt: now + 1_000 }
  const lifted = withProbe(begun, mended, now + 1_000)
  assert.equal(lifted.liftedAt, now + 1_000)
  const again = withFailure(withoutCoolDown(lifted), 'no', { baseSeconds: 300 }, now + 2_000)
  const later = { isOwn: true, mendedAt: now + 3_000 }
  assert.equal(verdictOn(again, later, now + 30_999).kind, 'cooling_down')
  assert.equal(verdictOn(again, later, now + 31_000).kind, 'may_probe')
  assert.equal('liftedAt' in withProbe(begun, own, now + 30_000), false, 'it had already ended')
  assert.equal(withProbe(nothingKnown, own, now), nothingKnown)
})

test('a cool-down lasts until its end to the millisecond, and longer for a request that lets others go first', () => {
  assert.deepEqual(verdictOn(nothingKnown, own, now), { kind: 'clear' })
  const cooling = { kind: 'cooling_down', failure: 'no' }
  assert.deepEqual(verdictOn(begun, own, now), { ...cooling, retryAfterSeconds: 30 })
  assert.deepEqual(verdictOn(begun, own, now + 29_999), { ...cooling, retryAfterSeconds: 1 })
  assert.deepEqual(verdictOn(begun, own, now + 30_000), { kind: 'may_probe' })
  assert.deepEqual(verdictOn(begun, own, now + 30_000, 2_000), { ...cooling, retryAfterSeconds: 2 })
  assert.deepEqual(verdictOn(begun, own, now + 32_000, 2_000), { kind: 'may_probe' })
  assert.equal(secondsUntil(now - 9_000, now), 1)
  assert.equal(secondsUntil(now + 1_001, now), 2)
})

test('a probe makes other requests wait for 30 s, but makes an own request wait only if it is an own request itself', () => {
  const at = now + 30_000
  for (const [isOwnProbe, isOwn, kind] of [
    [true, true, 'cooling_down'],
    [true, false, 'cooling_down'],
    [false, false, 'cooling_down'],
    [false, true, 'may_probe'],
  ] as const) {
    const probed = withProbe(begun, { isOwn: isOwnProbe }, at)
    assert.equal(verdictOn(probed, { isOwn }, at + 29_999).kind, kind)
    assert.equal(verdictOn(probed, { isOwn }, at + 30_000).kind, 'may_probe')
  }
  const verdict = verdictOn(withProbe(begun, own, at), own, at)
  assert.deepEqual(verdict, { kind: 'cooling_down', failure: 'no', retryAfterSeconds: 1 })
  assert.deepEqual(withoutProbe(withProbe(begun, own, at)), begun)
  assert.equal(withoutProbe(begun), begun)
  assert.equal(withoutProbe(nothingKnown), nothingKnown)
})

test('failures in a row double a cool-down up to five minutes; those during a cool-down count as the same failure', () => {
  let state: CoolDownState = nothingKnown
  let at = now
  for (const [index, seconds] of [10, 20, 40, 80, 160, 300, 300].entries()) {
    state = withFailure(state, `failure ${index}`, { baseSeconds: 10 }, at)
    assert.deepEqual(state.coolDown, {
      beganAt: at,
      until: at + seconds * 1000,
      failure: `failure ${index}`,
      failures: index + 1,
    })
    const together = withFailure(state, 'together', { baseSeconds: 10 }, at + seconds * 1000 - 1)
    assert.equal(together.coolDown?.failures, index + 1)
    assert.equal(together.coolDown.beganAt, at)
    at += seconds * 1000
  }
  for (let count = 1; count <= 30; count++) state = withFailure(state, 'no', { baseSeconds: 10 }, at + count * 300_000)
  assert.equal(state.coolDown?.failures, 16)
})

test('the pause that the server asks for replaces the usual one, up to five minutes, and never shortens a cool-down', () => {
  const long = withFailure(nothingKnown, 'no', { baseSeconds: 10, retryAfterSeconds: 60 }, now)
  assert.equal(long.coolDown?.until, now + 60_000)
  assert.equal(withFailure(long, 'no', { baseSeconds: 10 }, now).coolDown?.until, now + 60_000)
  const longest = withFailure(nothingKnown, 'no', { baseSeconds: 10, retryAfterSeconds: 3_600 }, now)
  assert.equal(longest.coolDown?.until, now + 300_000)
})

test('a failure or a token ends a suspicion; the times for quotas and control requests stay', () => {
  const kept = { controlAt: now, liftedAt: now, counted: [now] }
  const suspected = withSuspicion({ ...begun, ...kept }, now)
  assert.equal(suspected.suspectedUntil, now + 30_000)
  assert.deepEqual(withoutCoolDown(suspected), kept)
  const { coolDown, ...rest } = withFailure(suspected, 'no', { baseSeconds: 1 }, now)
  assert.deepEqual(rest, kept)
  assert.equal(coolDown?.until, now + 30_000)
})

test('a count lasts a minute, to the millisecond, and can be taken back one by one', () => {
  const counted = withCount(withCount(withCount(nothingKnown, now), now), now + 1)
  assert.deepEqual(counted.counted, [now, now, now + 1])
  assert.deepEqual(countedAt(counted, now + 59_999), [now, now, now + 1])
  assert.deepEqual(countedAt(counted, now + 60_000), [now + 1])
  assert.deepEqual(withCount(counted, now + 60_000).counted, [now + 1, now + 60_000])
  assert.deepEqual(withoutCount(counted, now).counted, [now, now + 1])
  assert.deepEqual(withoutCount(counted, now + 2).counted, counted.counted)
})

test('a record may be removed an hour after everything in it has expired', () => {
  const hour = 3_600_000
  assert.equal(removableFrom(nothingKnown, now), now + hour)
  assert.equal(removableFrom(begun, now), now + 30_000 + hour)
  assert.equal(removableFrom(begun, now + 60_000), now + 60_000 + hour)
  assert.equal(removableFrom({ counted: [now + 5, now] }, now), now + 5 + hour)
})

test('a record of a cool-down has a field for each known thing, and no other', () => {
  assert.deepEqual(fieldsOf(nothingKnown), {})
  const fields = { until: now + 30_000, beganAt: now, failures: 1, failure: 'no' }
  assert.deepEqual(fieldsOf(begun), fields)
  const probed = withProbe(begun, { isOwn: false }, now + 30_000)
  assert.deepEqual(fieldsOf(probed), { ...fields, probeUntil: now + 60_000, isOwnProbe: 0 })
  const all = { ...withSuspicion({ counted: [now] }, now), controlAt: now, liftedAt: now }
  assert.deepEqual(fieldsOf(all), {
    suspectedUntil: now + 30_000,
    controlAt: now,
    liftedAt: now,
    counted: `[${now}]`,
  })
})

test("no time of a record lasts longer than it could by the reader's clock", () => {
  const ahead = now + 9e9
  const fields = { until: ahead, failures: 1, failure: 'no', probeUntil: ahead, isOwnProbe: 1 }
  const read = readCoolDownState({ ...fields, suspectedUntil: ahead, controlAt: ahead, liftedAt: ahead }, now)
  assert.deepEqual(read, {
    coolDown: {
      beganAt: now,
      until: now + 300_000,
      failure: 'no',
      failures: 1,
      probe: { until: now + 30_000, isOwn: true },
    },
    ...{ suspectedUntil: now + 30_000, controlAt: now, liftedAt: now, counted: [] },
  })
})

test('a missing or wrong value is read in favour of the longer cool-down', () => {
  const fields = { until: now + 10_000, failures: 2, failure: 'no' }
  const read = (more: Readonly<Record<string, string | number>>) => readCoolDownState({ ...fields, ...more }, now)
  assert.deepEqual(read({}).coolDown, { beganAt: now - 290_000, until: now + 10_000, failure: 'no', failures: 2 })
  assert.equal(read({ beganAt: 'x' }).coolDown?.beganAt, now)
  assert.equal(read({ beganAt: now - 5 }).coolDown?.beganAt, now - 5)
  assert.equal(read({ failures: 2.9 }).coolDown?.failures, 2)
  assert.equal(read({ failures: -7 }).coolDown?.failures, 1)
  assert.equal(read({ failures: 1_000 }).coolDown?.failures, 16)
  assert.equal(read({ probeUntil: 'x' }).coolDown?.probe, undefined)
  assert.deepEqual(read({ probeUntil: now + 5 }).coolDown?.probe, { until: now + 5, isOwn: true })
  assert.deepEqual(read({ probeUntil: now + 5, isOwnProbe: 0 }).coolDown?.probe, { until: now + 5, isOwn: false })
  for (const [name, value] of [
    ['failures', 'x'],
    ['failure', 3],
  ] as const)
    assert.equal(read({ [name]: value }).coolDown, undefined, name)
})

test("counts that aren't a list of times are read as an empty list", () => {
  const read = (counted: string | number) => readCoolDownState({ counted }, now).counted
  assert.deepEqual(read('[1,2.5,"x",null,{}]'), [1, 2.5])
  for (const text of ['', '{"a":1}', 'no', '7', 7]) assert.deepEqual(read(text), [], String(text))
})
