import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  activated,
  type ConnectionState,
  cleared,
  disabledElements,
  isSameState,
  mendedAt,
  noElements,
  readConnectionRecord,
  type Use,
  type WarmingPlan,
  warmUntil,
  warmVariants,
  withoutUse,
  withStaged,
  withUse,
  writeConnectionRecord,
} from '../../../lib/fleet/connection-record.ts'

const now = 1_800_000_000_000
const hour = 3_600_000
const warming: WarmingPlan = {
  idleMilliseconds: 24 * hour,
  maximumVariants: 3,
  authorizationServer: 'theServer',
  maximumConcurrency: 7,
}
const cold: ConnectionState = { generation: now, fingerprint: 'f', variants: [] }
const warm: ConnectionState = { ...cold, warming }

function readBack(state: ConnectionState) {
  const { version, ...read } = readConnectionRecord(writeConnectionRecord(state, 'v', now), now)
  assert.equal(version, 'v')
  return read
}

/** A caller's use of a token that lives an hour. */
function by(id: string, caller = 'one', lifetimeMilliseconds = hour): Use {
  return { id, caller, lifetimeMilliseconds }
}

function used(state: ConnectionState, ...uses: readonly (readonly [id: string, at: number])[]): ConnectionState {
  return uses.reduce((before, [id, at]) => withUse(before, by(id), at), state)
}

const ids = ({ variants }: ConnectionState) => variants.map(({ id }) => id)

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
    assert.equal(gone.generation, now + 5)
    assert.equal(activated(gone, noElements, now + 9).generation, now + 5, 'it is still removed')
    const disabled = activated(gone, disabledElements, now + 9)
    assert.equal(disabled.generation, now + 9)
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

test('a use is noted, and again after a quarter of the idle time; any other use changes nothing', () => {
  const first = withUse(warm, by('a'), now)
  assert.deepEqual(first.variants, [{ id: 'a', lastUsedAt: now, caller: 'one' }])
  assert.equal(withUse(first, by('a'), now + 6 * hour - 1), first)
  assert.deepEqual(withUse(first, by('a'), now + 6 * hour).variants, [
    { id: 'a', lastUsedAt: now + 6 * hour, caller: 'one' },
  ])
  assert.equal(withUse(cold, by('a'), now), cold, 'nothing is kept warm')
})

test('without a free place a new token replaces the least recently used one, but none that is in use', () => {
  const full = used(warm, ['a', now], ['b', now + 1], ['c', now + 2])
  assert.deepEqual(ids(full), ['c', 'b', 'a'])
  assert.equal(withUse(full, by('d'), now + hour), full)
  assert.equal(withUse(full, by('d'), now + 12 * hour - 1), full)
  const later = withUse(full, by('d'), now + 12 * hour)
  assert.deepEqual(ids(later), ['d', 'c', 'b'])
  assert.deepEqual(ids(withUse(full, by('a'), now + 7 * hour)), ['a', 'c', 'b'])
  const fewer = { ...full, warming: { ...warming, maximumVariants: 1 } }
  for (const [id, hours] of [
    ['d', 30],
    ['d', 13],
    ['a', 13],
  ] as const)
    assert.deepEqual(ids(withUse(fewer, by(id), now + hours * hour)), [id], 'the limit was lowered')
})

test('a token is kept warm for the idle time after its last use, and not after it was removed', () => {
  const state = used(warm, ['a', now], ['b', now])
  assert.equal(warmUntil(state, 'a'), now + 24 * hour)
  assert.equal(warmUntil(state, 'c'), undefined)
  assert.equal(warmUntil({ ...cold, variants: state.variants }, 'a'), undefined)
  assert.equal(warmUntil(withoutUse(state, 'a'), 'a'), undefined)
  assert.deepEqual(ids(withoutUse(state, 'a')), ['b'])
  const later = withUse(state, by('c'), now + hour)
  assert.deepEqual(warmVariants(later, now + 24 * hour - 1), later.variants)
  assert.deepEqual(warmVariants(later, now + 24 * hour), [{ id: 'c', lastUsedAt: now + hour, caller: 'one' }])
  assert.deepEqual(warmVariants({ ...cold, variants: later.variants }, now), [])
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

test('a caller with many places gives one to a caller with fewer, until both have as many', () => {
  const places = (state: ConnectionState) => Map.groupBy(state.variants, ({ caller }) => caller)
  const ten = { ...warm, warming: { ...warming, maximumVariants: 10 } }
  let state: ConnectionState = ten
  for (let index = 0; index < 20; index++) state = withUse(state, by(`many-${index}`, 'many'), now + index)
  assert.equal(places(state).get('many')?.length, 10)
  for (let index = 0; index < 20; index++) state = withUse(state, by(`few-${index}`, 'few'), now + 20 + index)
  assert.deepEqual([places(state).get('many')?.length, places(state).get('few')?.length], [5, 5])
  state = withUse(state, by('token#own', 'own'), now + 50)
  assert.equal(places(state).get('own')?.length, 1, 'the own token has a place')
  for (let index = 0; index < 20; index++) state = withUse(state, by(`many-again-${index}`, 'many'), now + 60 + index)
  assert.equal(places(state).get('own')?.length, 1)
  assert.equal(state.variants.length, 10)
})

test('callers whose numbers of places differ by one keep them', () => {
  let state: ConnectionState = warm
  for (const [id, caller] of [
    ['a', 'many'],
    ['b', 'many'],
    ['c', 'many'],
    ['d', 'few'],
  ] as const)
    state = withUse(state, by(id, caller), now)
  assert.deepEqual(ids(state), ['d', 'c', 'b'])
  for (const caller of ['many', 'few']) assert.equal(withUse(state, by('e', caller), now), state)
})

test("without a warm idle time, a caller's token is renewed for ten lifetimes after its last use, and the own token for the whole idle time", () => {
  const byLifetimes = { ...warm, warming: { ...warming, idleLifetimes: 10 } }
  const short = withUse(byLifetimes, by('short', 'one', 60_000), now)
  assert.equal(warmUntil(short, 'short'), now + 600_000)
  assert.equal(withUse(short, by('short', 'one', 60_000), now + 149_999), short)
  assert.notEqual(withUse(short, by('short', 'one', 60_000), now + 150_000), short)
  assert.equal(warmUntil(withUse(byLifetimes, by('long', 'one', 5 * hour), now), 'long'), now + 24 * hour)
  assert.equal(warmUntil(withUse(warm, by('short', 'one', 60_000), now), 'short'), now + 24 * hour)
  assert.equal(warmUntil(withUse(byLifetimes, by('token', 'own', 60_000), now), 'token'), now + 24 * hour)
  const other = withUse(short, by('other'), now + 600_000)
  assert.deepEqual(ids(other), ['other'], 'a token that is no longer warm gives its place back')
  assert.deepEqual(readBack(short), short)
})
