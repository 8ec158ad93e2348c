import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import {
  activated,
  cleared,
  disabledElements,
  mendedAt,
  noElements,
  withStaged,
} from '../../../lib/fleet/connection-state.ts'
import { cold, hour, ids, now, used, warm, warming } from '../../support/virtual/connection-states.ts'

test('changed elements are a new generation; unchanged ones are not, nor is another warm plan', () => {
  const first = activated(undefined, { fingerprint: 'f' }, now)
  assert.deepEqual(first, { generation: now, firstGeneration: now, fingerprint: 'f', variants: [] })
  const kept = activated(first, { fingerprint: 'f', warming }, now + 5)
  assert.deepEqual(kept, { ...first, warming })
  const changed = activated(used(kept, ['token#a', now]), { fingerprint: 'g', warming }, now + 5)
  assert.equal(changed.generation, now + 5)
  assert.deepEqual(ids(changed), ['token#a'], 'a token in use stays in use')
  assert.equal(activated(kept, { fingerprint: 'f' }, now).warming, undefined)
})

test('a change or a clearing counts as a fix of the connection, and its first use does not', () => {
  const first = activated(undefined, { fingerprint: 'f' }, now)
  assert.equal(mendedAt(first), undefined)
  assert.equal(mendedAt(activated(first, { fingerprint: 'f', warming }, now + 5)), undefined)
  assert.equal(mendedAt(activated(first, { fingerprint: 'g' }, now + 5)), now + 5)
  assert.equal(mendedAt(cleared(first, now + 5)), now + 5)
  assert.equal(mendedAt(cleared(first, now)), now + 1)
})

test("the time of the clearing stays known when the elements change and when they don't", () => {
  const state = cleared(warm, now)
  assert.equal(activated(state, { fingerprint: 'f', warming }, now + 5).clearedAt, now)
  assert.equal(activated(state, { fingerprint: 'g', warming }, now + 5).clearedAt, now)
})

test('a connection that is removed or disabled gets a new generation, and so does its return', () => {
  const empty = readConnectionRecord({ version: 'v', removableFrom: 0, fields: {} }, now)
  for (const before of [undefined, cold, empty]) {
    const gone = activated(before, noElements, now + 5)
    assert.deepEqual([gone.generation, gone.fingerprint], [now + 5, 'gone'])
    assert.equal(activated(gone, noElements, now + 9).generation, now + 5, 'it is still removed')
    const disabled = activated(gone, disabledElements, now + 9)
    assert.deepEqual([disabled.generation, disabled.fingerprint], [now + 9, 'disabled'])
    assert.equal(activated(disabled, { fingerprint: 'f' }, now + 12).generation, now + 12)
  }
})

test('a generation rises whatever the clock shows, and is not used again where the record was lost', () => {
  const first = activated(undefined, { fingerprint: 'f' }, now)
  const second = activated(first, { fingerprint: 'g' }, now)
  const third = cleared(second, now - hour)
  assert.deepEqual([first.generation, second.generation, third.generation], [now, now + 1, now + 2])
  assert.equal(third.fingerprint, 'g')
  assert.ok(activated(undefined, { fingerprint: 'f' }, now + 1_000).generation > third.generation, 'after the loss')
})

test('staged elements become active with their staged generation, and other elements with a new one', () => {
  const state = withStaged(warm, { fingerprint: 'g' }, now)
  assert.deepEqual(state, { ...warm, staged: { generation: now + 1, fingerprint: 'g' } })
  assert.equal(withStaged(state, { fingerprint: 'g' }, now + hour), state, 'any process may stage it')
  assert.equal(withStaged(warm, { fingerprint: 'f' }, now), warm, 'these elements are active')
  assert.deepEqual(activated(state, { fingerprint: 'g', warming }, now + hour), {
    ...warm,
    generation: now + 1,
    fingerprint: 'g',
  })
  assert.deepEqual(activated(state, { fingerprint: 'f', warming }, now + hour), state, 'it stays staged')
  assert.deepEqual(activated(state, { fingerprint: 'h', warming }, now), {
    ...warm,
    generation: now + 2,
    fingerprint: 'h',
  })
})

test('a staging ends when other elements are staged or the active ones again, and its number is never used again', () => {
  const first = withStaged(warm, { fingerprint: 'g' }, now)
  const other = withStaged(first, { fingerprint: 'h' }, now)
  assert.deepEqual(other.staged, { generation: now + 2, fingerprint: 'h' })
  const back = withStaged(other, { fingerprint: 'f' }, now)
  assert.equal(withStaged(back, { fingerprint: 'f' }, now), back)
  const again = withStaged(back, { fingerprint: 'g' }, now)
  assert.deepEqual(again.staged, { generation: now + 4, fingerprint: 'g' })
  assert.equal(activated(back, { fingerprint: 'g', warming }, now).generation, now + 4)
  const emptied = cleared(first, now)
  assert.deepEqual([emptied.staged, emptied.generation], [undefined, now + 2], 'the staged token is dropped as well')
})
