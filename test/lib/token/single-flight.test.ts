import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSingleFlight } from '../../../lib/token/single-flight.ts'

test('who comes while a call is under way gets its result; who comes after starts another', async () => {
  const singleFlight = createSingleFlight<number>(() => 0)
  let started = 0
  const start = async () => ++started
  assert.deepEqual(await Promise.all([singleFlight.join('a', 1, start), singleFlight.join('a', 1, start)]), [1, 1])
  assert.equal(await singleFlight.join('a', 1, start), 2)
})

test('calls of different keys are apart', async () => {
  const singleFlight = createSingleFlight<string>(() => 0)
  const call = (key: string) => singleFlight.join(key, 1, async () => key)
  assert.deepEqual(await Promise.all([call('a'), call('b')]), ['a', 'b'])
})

test('a failure is shared by those who wait and not kept', async () => {
  const singleFlight = createSingleFlight<string>(() => 0)
  const fail = () => singleFlight.join('a', 1, () => Promise.reject(new Error('no')))
  await Promise.all([assert.rejects(fail()), assert.rejects(fail())])
  assert.equal(await singleFlight.join('a', 1, async () => 'fine'), 'fine')
})

test('a call past its time is joined no more, and its late end disturbs no one', async () => {
  let now = 0
  const singleFlight = createSingleFlight<string>(() => now)
  const frozen = Promise.withResolvers<string>()
  const first = singleFlight.join('a', 10, () => frozen.promise)
  now = 10
  const second = Promise.withResolvers<string>()
  const joined = singleFlight.join('a', 20, () => second.promise)
  frozen.resolve('late')
  assert.equal(await first, 'late')
  const third = singleFlight.join('a', 20, async () => 'started for nothing')
  second.resolve('fresh')
  assert.deepEqual(await Promise.all([joined, third]), ['fresh', 'fresh'])
})

test('whether a call is under way can be seen, until it ends or its time is over', async () => {
  let now = 0
  const singleFlight = createSingleFlight<void>(() => now)
  const call = Promise.withResolvers<void>()
  const joined = singleFlight.join('a', 10, () => call.promise)
  assert.deepEqual([singleFlight.isUnderWay('a'), singleFlight.isUnderWay('b')], [true, false])
  now = 10
  assert.equal(singleFlight.isUnderWay('a'), false)
  now = 0
  call.resolve()
  await joined
  assert.equal(singleFlight.isUnderWay('a'), false)
})
