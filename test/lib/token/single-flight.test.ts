import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSingleFlight } from '../../../lib/token/single-flight.ts'

test('who comes while a call is under way gets its result; who comes after starts another', async () => {
  const singleFlight = createSingleFlight<number>(() => 0)
  let started = 0
  const start = async () => ++started
  assert.deepEqual(await Promise.all([singleFlight('a', 1, start), singleFlight('a', 1, start)]), [1, 1])
  assert.equal(await singleFlight('a', 1, start), 2)
})

test('calls of different keys are apart', async () => {
  const singleFlight = createSingleFlight<string>(() => 0)
  const call = (key: string) => singleFlight(key, 1, async () => key)
  assert.deepEqual(await Promise.all([call('a'), call('b')]), ['a', 'b'])
})

test('a failure is shared by those who wait and not kept', async () => {
  const singleFlight = createSingleFlight<string>(() => 0)
  const fail = () => singleFlight('a', 1, () => Promise.reject(new Error('no')))
  await Promise.all([assert.rejects(fail()), assert.rejects(fail())])
  assert.equal(await singleFlight('a', 1, async () => 'fine'), 'fine')
})

test('a call past its time is joined no more, and its late end disturbs no one', async () => {
  let now = 0
  const singleFlight = createSingleFlight<string>(() => now)
  const frozen = Promise.withResolvers<string>()
  const first = singleFlight('a', 10, () => frozen.promise)
  now = 10
  const second = Promise.withResolvers<string>()
  const joined = singleFlight('a', 20, () => second.promise)
  frozen.resolve('late')
  assert.equal(await first, 'late')
  const third = singleFlight('a', 20, async () => 'started for nothing')
  second.resolve('fresh')
  assert.deepEqual(await Promise.all([joined, third]), ['fresh', 'fresh'])
})
