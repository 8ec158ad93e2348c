import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheUnavailableError, createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const fine = () => Promise.resolve('fine')
const down = () => Promise.reject(new RecordStoreError('connection refused'))
const throttled = () => Promise.reject(new RecordStoreError('it asks to wait', { isThrottled: true }))

function theBreaker({ random = 0.5, budgetMilliseconds = 250 } = {}) {
  const time = createVirtualTime(0)
  const { now, pause } = time
  const events: LogEvent[] = []
  const breaker = createCircuitBreaker({
    budgetMilliseconds,
    now,
    random: () => random,
    pause,
    log: (event) => events.push(event),
  })
  const spend = <T>(call: () => Promise<T>, waitUntil = now()) => time.until(breaker.call('records', call, waitUntil))
  /** The result of a call that takes this long. */
  const spendOn = (milliseconds: number) => spend(() => pause(milliseconds).then(() => 'fine'))
  return { time, events, spend, spendOn, breaker }
}

test('the first call of an instance has 2 s, to the millisecond', async () => {
  assert.equal(await theBreaker().spendOn(1_999), 'fine')
  const { spendOn, time, events } = theBreaker()
  await assert.rejects(spendOn(2_001), CacheUnavailableError)
  assert.equal(time.now(), 2_000)
  const reason = 'The shared cache did not answer within 2000 ms.'
  assert.deepEqual(events, [{ event: 'cache_passed_over', reason, milliseconds: 2_000 }])
})

test('a record that the store rejects is not an outage: the next call is made, and a log line names the record', async () => {
  const { spend, events } = theBreaker()
  const reason = 'the table does not take a record of conn'
  for (let count = 0; count < 2; count++) {
    const refused = spend(() => Promise.reject(new RecordStoreError(reason, { isNotTaken: true })))
    await assert.rejects(refused, (error) => error instanceof CacheUnavailableError && error.message === reason)
    assert.equal(await spend(fine), 'fine')
  }
  assert.deepEqual(events, Array(2).fill({ event: 'record_not_taken', reason }))
})

test('a call on an open connection has the budget, to the millisecond', async () => {
  const { spend, spendOn, time } = theBreaker()
  await spend(fine)
  assert.equal(await spendOn(249), 'fine')
  const before = time.now()
  await assert.rejects(spendOn(251), CacheUnavailableError)
  assert.equal(time.now() - before, 250)
})

test('the keys of the cache and its first records share the time of one first call', async () => {
  const { spend, spendOn, breaker, time } = theBreaker()
  const keys = (milliseconds: number) =>
    time.until(breaker.call('keys', () => time.pause(milliseconds).then(() => 'keys'), time.now()))
  assert.equal(await keys(1_500), 'keys')
  await assert.rejects(spendOn(600), CacheUnavailableError)
  assert.equal(time.now(), 2_000)

  await time.advance(5_000)
  assert.equal(await keys(1_000), 'keys')
  assert.equal(await spendOn(999), 'fine')
  await spend(fine)
  await assert.rejects(keys(251), CacheUnavailableError)
})

test('the first records have at least the budget, however long ago the keys came', async () => {
  const { spendOn, breaker, time } = theBreaker()
  await time.until(breaker.call('keys', () => time.pause(1_900).then(() => 'keys'), time.now()))
  assert.equal(await spendOn(249), 'fine')
})

test('a connection that has never answered still has the time of a first call', async () => {
  const { spend, spendOn, time } = theBreaker()
  await assert.rejects(spend(down), CacheUnavailableError)
  await time.advance(5_000)
  assert.equal(await spendOn(1_999), 'fine')
  await assert.rejects(spendOn(300), CacheUnavailableError)
})

test('a budget of more than 2 s is also the time of the first call', async () => {
  const { spendOn } = theBreaker({ budgetMilliseconds: 3_000 })
  assert.equal(await spendOn(2_900), 'fine')
  assert.equal(await spendOn(2_900), 'fine')
})

test('after a failure no call is made for 5 s, and the next one after that is made', async () => {
  const { spend, time, events } = theBreaker()
  await spend(fine)
  await assert.rejects(spend(down), { name: 'CacheUnavailableError', message: 'connection refused' })
  for (const wait of [0, 4_999]) {
    await time.advance(wait)
    await assert.rejects(
      spend(() => assert.fail('no call is made')),
      CacheUnavailableError,
    )
  }
  assert.equal(events.length, 1)
  await time.advance(1)
  assert.equal(await spend(fine), 'fine')
})

test('calls that fail together are one outage: one event, and the pause counts from the last failure', async () => {
  const { breaker, spend, time, events } = theBreaker()
  await spend(fine)
  const late = Array.from({ length: 20 }, (_, index) =>
    breaker.call('records', () => time.pause(index * 10).then(down), time.now()).catch((error: unknown) => error),
  )
  for (const error of await time.until(Promise.all(late))) assert.ok(error instanceof CacheUnavailableError)
  assert.deepEqual(events, [{ event: 'cache_passed_over', reason: 'connection refused', milliseconds: 0 }])
  await time.advance(4_999)
  await assert.rejects(spend(fine), CacheUnavailableError)
  await time.advance(1)
  await assert.rejects(spend(down), CacheUnavailableError)
  assert.equal(events.length, 2, 'the next outage')
})

test('a store that asks to wait is called again with growing pauses, and this is not an outage', async () => {
  const { spend, time, events } = theBreaker()
  await spend(fine)
  const calls: number[] = []
  const answered = await spend(() => {
    calls.push(time.now())
    return calls.length < 8 ? throttled() : fine()
  }, 10_000)
  assert.equal(answered, 'fine')
  const waits = calls.slice(1).map((at, index) => at - (calls[index] ?? 0))
  assert.deepEqual(waits, [25, 50, 100, 200, 400, 500, 500])
  assert.equal(await spend(fine), 'fine', 'the circuit stays closed')
  assert.deepEqual(events, [])
})

test('a store that asks to wait is called until the time is over, and not longer', async () => {
  const { spend, time, events } = theBreaker()
  await spend(fine)
  let calls = 0
  const call = () => {
    calls++
    return throttled()
  }
  await assert.rejects(spend(call, 1_000), { name: 'CacheUnavailableError', message: 'it asks to wait' })
  assert.ok(time.now() > 500 && time.now() < 1_000, `${time.now()} ms`)
  assert.equal(calls, 6)
  await assert.rejects(spend(call), CacheUnavailableError)
  assert.equal(calls, 7, 'a call without time to wait is made once')
  assert.equal(await spend(fine), 'fine')
  assert.deepEqual(events, [])
})

test('a call that waits for a throttled store gives up when another call finds the store broken', async () => {
  const { breaker, spend, time } = theBreaker()
  await spend(fine)
  let calls = 0
  const waiting = breaker.call(
    'records',
    () => {
      calls++
      return throttled()
    },
    60_000,
  )
  waiting.catch(() => {})
  await time.advance(80)
  const before = calls
  await assert.rejects(spend(down), CacheUnavailableError)
  await assert.rejects(time.until(waiting), CacheUnavailableError)
  assert.equal(calls, before)
})

test('a late answer or a late failure has no effect', async () => {
  const { spend, time } = theBreaker()
  await spend(fine)
  const late = Promise.withResolvers<string>()
  await assert.rejects(
    spend(() => late.promise),
    CacheUnavailableError,
  )
  late.reject(new RecordStoreError('too late, too'))
  // An unhandled rejection would end the process.
  await time.advance(10_000)
  assert.equal(await spend(fine), 'fine')
})

test("errors of the cache's secret count for the cache: throttling is retried, and any other error is an outage", async () => {
  for (const error of [
    new SecretError('secret_denied', 'no right'),
    new SecretError('secret_unreachable', 'no answer'),
    new KeyStoreError('tokenwell/test/cache', 'holds nothing.'),
  ]) {
    const { spend, events } = theBreaker()
    await assert.rejects(
      spend(() => Promise.reject(error), 10_000),
      { name: 'CacheUnavailableError', message: error.message },
    )
    assert.equal(events.length, 1)
  }
  const { spend, events } = theBreaker()
  let calls = 0
  const once = () => (calls++ === 0 ? Promise.reject(new SecretError('secret_throttled', 'wait')) : fine())
  assert.equal(await spend(once, 10_000), 'fine')
  assert.deepEqual(events, [])
})

test("errors that don't come from the cache pass through unchanged, and no later call is stopped", async () => {
  const { spend, events } = theBreaker()
  const error = new TypeError('a programming error')
  await assert.rejects(
    spend(() => Promise.reject(error), 10_000),
    error,
  )
  assert.equal(await spend(fine), 'fine')
  assert.deepEqual(events, [])
})
