import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionState } from '../../../lib/fleet/connection-state.ts'
import { own, ownFurther, warmUntil, warmVariants, withoutUse, withUse } from '../../../lib/fleet/kept-warm.ts'
import { cold, hour, ids, now, readBack, useBy, used, warm, warming } from '../../support/virtual/connection-states.ts'

test('a use is noted, and again after a quarter of the idle time; any other use changes nothing', () => {
  const first = withUse(warm, useBy('a'), now)
  assert.deepEqual(first.variants, [{ id: 'a', lastUsedAt: now, caller: 'one' }])
  assert.equal(withUse(first, useBy('a'), now + 6 * hour - 1), first)
  assert.deepEqual(withUse(first, useBy('a'), now + 6 * hour).variants, [
    { id: 'a', lastUsedAt: now + 6 * hour, caller: 'one' },
  ])
  assert.equal(withUse(cold, useBy('a'), now), cold, 'nothing is kept warm')
})

test('without a free place a new token replaces the least recently used one, but none that is in use', () => {
  const full = used(warm, ['a', now], ['b', now + 1], ['c', now + 2])
  assert.deepEqual(ids(full), ['c', 'b', 'a'])
  assert.equal(withUse(full, useBy('d'), now + hour), full)
  assert.equal(withUse(full, useBy('d'), now + 12 * hour - 1), full)
  const later = withUse(full, useBy('d'), now + 12 * hour)
  assert.deepEqual(ids(later), ['d', 'c', 'b'])
  assert.deepEqual(ids(withUse(full, useBy('a'), now + 7 * hour)), ['a', 'c', 'b'])
  const fewer = { ...full, warming: { ...warming, maximumVariants: 1 } }
  for (const [id, hours] of [
    ['d', 30],
    ['d', 13],
    ['a', 13],
  ] as const)
    assert.deepEqual(ids(withUse(fewer, useBy(id), now + hours * hour)), [id], 'the limit was lowered')
})

test('a token is kept warm for the idle time after its last use, and not after it was removed', () => {
  const state = used(warm, ['a', now], ['b', now])
  assert.equal(warmUntil(state, 'a'), now + 24 * hour)
  assert.equal(warmUntil(state, 'c'), undefined)
  assert.equal(warmUntil({ ...cold, variants: state.variants }, 'a'), undefined)
  assert.equal(warmUntil(withoutUse(state, 'a'), 'a'), undefined)
  assert.deepEqual(ids(withoutUse(state, 'a')), ['b'])
  const later = withUse(state, useBy('c'), now + hour)
  assert.deepEqual(warmVariants(later, now + 24 * hour - 1), later.variants)
  assert.deepEqual(warmVariants(later, now + 24 * hour), [{ id: 'c', lastUsedAt: now + hour, caller: 'one' }])
  assert.deepEqual(warmVariants({ ...cold, variants: later.variants }, now), [])
})

test('a caller with many places gives one to a caller with fewer, until both have as many', () => {
  const places = (state: ConnectionState) => Map.groupBy(state.variants, ({ caller }) => caller)
  const ten = { ...warm, warming: { ...warming, maximumVariants: 10 } }
  let state: ConnectionState = ten
  for (let index = 0; index < 20; index++) state = withUse(state, useBy(`many-${index}`, 'many'), now + index)
  assert.equal(places(state).get('many')?.length, 10)
  for (let index = 0; index < 20; index++) state = withUse(state, useBy(`few-${index}`, 'few'), now + 20 + index)
  assert.deepEqual([places(state).get('many')?.length, places(state).get('few')?.length], [5, 5])
  state = withUse(state, useBy('token#own', 'own'), now + 50)
  assert.equal(places(state).get('own')?.length, 1, 'the own token has a place')
  for (let index = 0; index < 20; index++)
    state = withUse(state, useBy(`many-again-${index}`, 'many'), now + 60 + index)
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
    state = withUse(state, useBy(id, caller), now)
  assert.deepEqual(ids(state), ['d', 'c', 'b'])
  for (const caller of ['many', 'few']) assert.equal(withUse(state, useBy('e', caller), now), state)
})

test("without a warm idle time, a caller's token is renewed for ten lifetimes after its last use, and the own token for the whole idle time", () => {
  const byLifetimes = { ...warm, warming: { ...warming, idleLifetimes: 10 } }
  const short = withUse(byLifetimes, useBy('short', 'one', 60_000), now)
  assert.equal(warmUntil(short, 'short'), now + 600_000)
  assert.equal(withUse(short, useBy('short', 'one', 60_000), now + 149_999), short)
  assert.notEqual(withUse(short, useBy('short', 'one', 60_000), now + 150_000), short)
  assert.equal(warmUntil(withUse(byLifetimes, useBy('long', 'one', 5 * hour), now), 'long'), now + 24 * hour)
  assert.equal(warmUntil(withUse(warm, useBy('short', 'one', 60_000), now), 'short'), now + 24 * hour)
  assert.equal(warmUntil(withUse(byLifetimes, useBy('token', 'own', 60_000), now), 'token'), now + 24 * hour)
  const other = withUse(short, useBy('other'), now + 600_000)
  assert.deepEqual(ids(other), ['other'], 'a token that is no longer warm gives its place back')
  assert.deepEqual(readBack(short), short)
})

test('the own tokens of a connection keep their places, and none takes that of another', () => {
  let state: ConnectionState = { ...warm, warming: { ...warming, maximumVariants: 4 } }
  const owns = [own, ownFurther('session'), ownFurther('signed')]
  for (const [index, each] of owns.entries()) state = withUse(state, useBy(each, each), now + index)
  for (let index = 0; index < 10; index++)
    for (const caller of ['one', 'two']) state = withUse(state, useBy(`${caller}-${index}`, caller), now + 10 + index)
  assert.deepEqual(ids(state).toSorted(), [...owns, 'one-0'].toSorted())
  const short = withUse(
    { ...warm, variants: [] },
    { ...useBy('session', ownFurther('session')), lifetimeMilliseconds: 1_000 },
    now,
  )
  assert.equal(
    warmUntil(short, 'session'),
    now + 24 * hour,
    'an own token is kept warm for the idle time of the elements',
  )
})
