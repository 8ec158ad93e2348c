import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timerPause } from '../../../lib/adapters/process/clock.ts'
import { inTime } from '../../../lib/base/time.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const late = () => 'late'

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

test('a result in time is returned, and a late result is not, to the millisecond', async () => {
  const { pause, until, now } = createVirtualTime(0)
  const after = (milliseconds: number) => pause(milliseconds).then(() => 'done')
  assert.equal(await until(inTime(after(999), 1_000, pause, late)), 'done')
  assert.equal(await until(inTime(after(1_001), 1_000, pause, late)), 'late')
  assert.equal(now(), 999 + 1_000)
})

test('a failure in time is thrown, and being late can be a failure too', async () => {
  const { pause, until } = createVirtualTime(0)
  await assert.rejects(until(inTime(Promise.reject(new Error('no')), 1_000, pause, late)), /^Error: no$/)
  const never = new Promise<string>(() => {})
  const fail = () => {
    throw new Error('too late')
  }
  await assert.rejects(until(inTime(never, 1_000, pause, fail)), /^Error: too late$/)
})

test('a negative time counts as no time', async () => {
  const { pause, until, now } = createVirtualTime(500)
  assert.equal(await until(inTime(new Promise<string>(() => {}), -100, pause, late)), 'late')
  assert.equal(now(), 500)
})

test('no timer is left behind after a success, a failure or a timeout', async () => {
  const before = timers()
  assert.equal(await inTime(Promise.resolve('done'), 60_000, timerPause, late), 'done')
  await assert.rejects(inTime(Promise.reject(new Error('no')), 60_000, timerPause, late), /no/)
  assert.equal(await inTime(new Promise<string>(() => {}), 1, timerPause, late), 'late')
  assert.equal(timers(), before)
})
