import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalCoolDownRegistry } from '../../../lib/fleet/cool-downs.ts'

const error = 'nobody listens'
const ten = { baseSeconds: 10 }

function theCoolDowns() {
  const clock = { now: 0 }
  const coolDowns = createLocalCoolDownRegistry(() => clock.now)
  const isOn = async (...names: string[]) => (await coolDowns.check(names)).kind === 'cooling_down'
  return { clock, coolDowns, isOn }
}

test('what cools down keeps everything from being asked for that depends on it', async () => {
  const { coolDowns, isOn } = theCoolDowns()
  await coolDowns.begin('endpoint', error, ten)
  assert.equal(await isOn('endpoint', 'a'), true)
  assert.equal(await isOn('b'), false)
})

test('who asks first after the end is the probe; where it found nothing out the next one may ask', async () => {
  const { clock, coolDowns, isOn } = theCoolDowns()
  await coolDowns.begin('endpoint', error, ten)
  clock.now = 10_000
  assert.equal(await isOn('endpoint'), false)
  assert.equal(await isOn('endpoint'), true, 'the probe is under way')
  await coolDowns.release(['endpoint'])
  assert.equal(await isOn('endpoint'), false)
})

test('to release what is cooling down does not end it', async () => {
  const { coolDowns, isOn } = theCoolDowns()
  await coolDowns.begin('endpoint', error, ten)
  await coolDowns.release(['endpoint'])
  assert.equal(await isOn('endpoint'), true)
})

test('what the server asked for is never cut short by a failure that came before it', async () => {
  const { clock, coolDowns, isOn } = theCoolDowns()
  await coolDowns.begin('endpoint', error, { ...ten, retryAfterSeconds: 60 })
  assert.equal(await coolDowns.begin('endpoint', error, ten), 60)
  clock.now = 59_999
  assert.equal(await isOn('endpoint'), true)
  clock.now = 60_000
  assert.equal(await isOn('endpoint'), false)
})

test('no more than 10,000 are remembered: the oldest is forgotten', async () => {
  const { coolDowns, isOn } = theCoolDowns()
  for (let index = 0; index <= 10_000; index++) await coolDowns.begin(`token-${index}`, error, ten)
  assert.equal(await isOn('token-0'), false)
  assert.equal(await isOn('token-1'), true)
  assert.equal(await isOn('token-10000'), true)
})
