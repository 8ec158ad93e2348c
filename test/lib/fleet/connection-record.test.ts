import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSameState, readConnectionRecord, writeConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import { type ConnectionState, cleared, withStaged } from '../../../lib/fleet/connection-state.ts'
import { withoutUse } from '../../../lib/fleet/kept-warm.ts'
import { cold, hour, now, readBack, used, warm } from '../../support/virtual/connection-states.ts'

test('the state of a connection is read back as it was written', () => {
  for (const state of [
    cold,
    warm,
    used(warm, ['token#a', now], ['token#b', now + 0.5]),
    withStaged(warm, { fingerprint: 'g' }, now),
    cleared(warm, now),
  ])
    assert.deepEqual(readBack(state), state)
})

test('a use that was noted without its caller is read back as well', () => {
  const state = { ...warm, variants: [{ id: 'token#a', lastUsedAt: now }] }
  assert.deepEqual(readBack(state), state)
})

test('a record is empty without a fingerprint, or with a generation of more than a day ahead', () => {
  const day = 24 * hour
  const read = (changes: Readonly<Record<string, string | number>>) => {
    const { fields, ...record } = writeConnectionRecord(cold, 'v', now)
    return readConnectionRecord({ ...record, fields: { ...fields, ...changes } }, now)
  }
  assert.equal(read({ generation: now + day }).generation, now + day)
  for (const wrong of [{ generation: now + day + 1 }, { fingerprint: 7 }])
    assert.deepEqual(read(wrong), { version: 'v', generation: 0, fingerprint: '', variants: [] })
  assert.deepEqual(read({ nextGeneration: now, nextFingerprint: 'g' }).staged, { generation: now, fingerprint: 'g' })
  assert.equal(read({ nextGeneration: now, nextFingerprint: 7 }).staged, undefined)
  assert.equal(read({ nextFingerprint: 'g' }).staged, undefined)
})

test("a value that isn't a list of uses is read as an empty list", () => {
  const { fields, ...record } = writeConnectionRecord(used(warm, ['token#a', now]), 'v', now)
  for (const variants of ['', 'null', '{}', '7', '[1, null, "a", ["a"], [1, 2], ["a", "b"]]']) {
    const read = readConnectionRecord({ ...record, fields: { ...fields, variants } }, now)
    assert.deepEqual(read.variants, [], variants)
  }
  for (const member of ['idleMilliseconds', 'maximumVariants', 'maximumConcurrency', 'authorizationServer']) {
    const wrong = member === 'authorizationServer' ? 1 : 'x'
    const read = readConnectionRecord({ ...record, fields: { ...fields, [member]: wrong } }, now)
    assert.equal(read.warming, undefined, member)
  }
})

test('only a difference makes another state', () => {
  const state = used(warm, ['a', now])
  assert.equal(isSameState(state, { ...state }), true)
  assert.equal(isSameState({ ...state, version: 'v' } as ConnectionState, state), true)
  for (const other of [{ ...state, generation: 1 }, { ...state, fingerprint: 'g' }, withoutUse(state, 'a'), cold])
    assert.equal(isSameState(state, other), false)
  assert.equal(isSameState(undefined, state), false)
})

test('the record outlives by far the tokens of its connection', () => {
  assert.ok(writeConnectionRecord(cold, 'v', now).removableFrom >= now + 364 * 24 * hour)
})
