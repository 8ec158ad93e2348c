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

test('the clock follows the system while nobody sets it', () => {
  const { now, pass } = theClock()
  assert.equal(now(), 1_000_000)
  pass(1_500)
  assert.equal(now(), 1_001_500)
})

test('set back, time goes on from where it was: an hour lasts an hour', () => {
  const { source, now, pass } = theClock()
  source.system -= 3_600_000
  assert.equal(now(), 1_000_000)
  pass(60_000)
  assert.equal(now(), 1_060_000)
  pass(3_600_000)
  assert.equal(now(), 4_660_000)
})

test('set forward, or after a freeze that the monotonic clock slept through, it follows the system', () => {
  const { source, now } = theClock()
  source.system += 7_200_000
  assert.equal(now(), 8_200_000)
})

test('whatever is done to the system clock, time neither runs backwards nor slower than it passes', () => {
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
