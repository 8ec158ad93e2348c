import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CallersTime, createSingleFlight } from '../../../lib/base/single-flight.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const outOfTime = () => new Error('out of time')
const at = (now: () => number): CallersTime => ({ now, pause: () => new Promise(() => {}), outOfTime })

test('who comes while a call is under way gets its result; who comes after starts another', async () => {
  const singleFlight = createSingleFlight<number>(at(() => 0))
  let started = 0
  const start = async () => ++started
  assert.deepEqual(await Promise.all([singleFlight.join('a', start, 1), singleFlight.join('a', start, 1)]), [1, 1])
  assert.equal(await singleFlight.join('a', start, 1), 2)
})

test('calls of different keys are apart', async () => {
  const singleFlight = createSingleFlight<string>(at(() => 0))
  const call = (key: string) => singleFlight.join(key, async () => key, 1)
  assert.deepEqual(await Promise.all([call('a'), call('b')]), ['a', 'b'])
})

test('a failure is shared by those who wait and not kept', async () => {
  const singleFlight = createSingleFlight<string>(at(() => 0))
  const fail = () => singleFlight.join('a', () => Promise.reject(new Error('no')), 1)
  await Promise.all([assert.rejects(fail()), assert.rejects(fail())])
  assert.equal(await singleFlight.join('a', async () => 'fine', 1), 'fine')
})

test('a call past its time is joined no more, and its late end disturbs no one', async () => {
  let now = 0
  const singleFlight = createSingleFlight<string>(at(() => now))
  const frozen = Promise.withResolvers<string>()
  const first = singleFlight.join('a', () => frozen.promise, 10)
  now = 10
  const second = Promise.withResolvers<string>()
  const joined = singleFlight.join('a', () => second.promise, 20)
  frozen.resolve('late')
  assert.equal(await first, 'late')
  const third = singleFlight.join('a', async () => 'started for nothing', 20)
  second.resolve('fresh')
  assert.deepEqual(await Promise.all([joined, third]), ['fresh', 'fresh'])
})

test('whether a call is under way can be seen, until it ends or its time is over', async () => {
  let now = 0
  const singleFlight = createSingleFlight<void>(at(() => now))
  const call = Promise.withResolvers<void>()
  const joined = singleFlight.join('a', () => call.promise, 10)
  assert.deepEqual([singleFlight.isUnderWay('a'), singleFlight.isUnderWay('b')], [true, false])
  now = 10
  assert.equal(singleFlight.isUnderWay('a'), false)
  now = 0
  call.resolve()
  await joined
  assert.equal(singleFlight.isUnderWay('a'), false)
})

test("nobody waits for somebody else's call longer than his own time", async () => {
  const time = createVirtualTime(0)
  const singleFlight = createSingleFlight<string>({ now: time.now, pause: time.pause, outOfTime })
  const slow = singleFlight.join('a', () => time.pause(5_000).then(() => 'late'), 10_000)
  const hurried = singleFlight.join('a', () => assert.fail('it joins'), 2_000)
  const patient = singleFlight.join('a', () => assert.fail('it joins'), 20_000)
  await assert.rejects(time.until(hurried), /out of time/)
  assert.equal(time.now(), 2_000)
  assert.equal(await time.until(patient), 'late')
  assert.equal(await slow, 'late')
})

test('callers of the same deadline wait by one timer, and are all told when it is over', async () => {
  const time = createVirtualTime(0)
  let timers = 0
  const pause: CallersTime['pause'] = (milliseconds, signal) => {
    timers++
    return time.pause(milliseconds, signal)
  }
  const singleFlight = createSingleFlight<string>({ now: time.now, pause, outOfTime })
  const slow = singleFlight.join('a', () => time.pause(5_000).then(() => 'late'), 10_000)
  const join = () => singleFlight.join('a', () => assert.fail('it joins'), 2_000)
  const callers = Array.from({ length: 1_000 }, join)
  assert.equal(timers, 2)
  await Promise.all(callers.map((caller) => assert.rejects(time.until(caller), /out of time/)))
  assert.equal(time.now(), 2_000)
  await assert.rejects(join(), /out of time/)
  assert.equal(await time.until(slow), 'late')
})
