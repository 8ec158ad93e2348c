import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CallersTime, createSingleFlight } from '../../../lib/base/single-flight.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const outOfTime = () => new Error('out of time')
const at = (now: () => number): CallersTime => ({ now, pause: () => new Promise(() => {}), outOfTime })

test('a caller during a call gets its result, and a caller after it starts another call', async () => {
  const singleFlight = createSingleFlight<number>(at(() => 0))
  let started = 0
  const start = async () => ++started
  assert.deepEqual(await Promise.all([singleFlight.join('a', start, 1), singleFlight.join('a', start, 1)]), [1, 1])
  assert.equal(await singleFlight.join('a', start, 1), 2)
})

test('calls for different keys are independent', async () => {
  const singleFlight = createSingleFlight<string>(at(() => 0))
  const call = (key: string) => singleFlight.join(key, async () => key, 1)
  assert.deepEqual(await Promise.all([call('a'), call('b')]), ['a', 'b'])
})

test('all waiting callers get a failure, and it is not kept', async () => {
  const singleFlight = createSingleFlight<string>(at(() => 0))
  const fail = () => singleFlight.join('a', () => Promise.reject(new Error('no')), 1)
  await Promise.all([assert.rejects(fail()), assert.rejects(fail())])
  assert.equal(await singleFlight.join('a', async () => 'fine', 1), 'fine')
})

test('no caller joins a call past its deadline, and its late end has no effect', async () => {
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

test('a call is under way until it ends or its deadline passes', async () => {
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

test("no caller waits for another caller's call beyond its own deadline", async () => {
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

test('callers with the same deadline share one timer, and all learn when it is over', async () => {
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
