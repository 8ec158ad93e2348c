import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSteadyClock } from '../../../../lib/adapters/process/clock.ts'

function theClock() {
  const source = { system: 1_000_000, monotonic: 500 }
  const now = createSteadyClock(
    () => source.system,
    () => source.monotonic,
  )
  const pass = (milliseconds: number) => {
    source.system += milliseconds
    source.monotonic += milliseconds
  }
  return { source, now, pass }
}

test('the clock follows the system clock while that is not set', () => {
  const { now, pass } = theClock()
  assert.equal(now(), 1_000_000)
  pass(1_500)
  assert.equal(now(), 1_001_500)
})

test('if the system clock is set back, time continues from its last value', () => {
  const { source, now, pass } = theClock()
  source.system -= 3_600_000
  assert.equal(now(), 1_000_000)
  pass(60_000)
  assert.equal(now(), 1_060_000)
  pass(3_600_000)
  assert.equal(now(), 4_660_000)
})

test('if the system clock is set forward, or after a freeze, the clock follows it', () => {
  const { source, now } = theClock()
  source.system += 7_200_000
  assert.equal(now(), 8_200_000)
})

test('time never runs backwards or slower than real time, whatever is done to the system clock', () => {
  const step = fc.record({ passed: fc.nat(100_000), set: fc.integer({ min: -10_000_000, max: 10_000_000 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const { source, now, pass } = theClock()
      let last = now()
      for (const { passed, set } of steps) {
        pass(passed)
        source.system += set
        const time = now()
        assert.ok(time >= last + passed - 1, `${time} after ${last} and ${passed}`)
        last = time
      }
    }),
  )
})
