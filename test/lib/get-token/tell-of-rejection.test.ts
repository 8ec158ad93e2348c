import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import { createFleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { createQueueingEventBus } from '../../support/virtual/queueing-event-bus.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

test('one event is raised for a token that callers delete, however often and by how many it is deleted', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), { size: 3 })
  const { token } = await fleet.time.until(fleet.caller.get())
  await Promise.all([...fleet.callers, ...fleet.callers].map((process) => process.delete(token.id)))
  assert.deepEqual(fleet.bus.raised, [{ type: 'TokenRejected', connection: 'conn', tokenId: token.id }])
})

test('no event is raised for a token that no longer exists or that stays for a while', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  const { token: old } = await fleet.time.until(fleet.caller.get())
  await fleet.caller.delete(old.id)
  const { token } = await fleet.time.until(fleet.caller.get())
  await fleet.caller.delete(old.id)
  await fleet.caller.delete('AAAAAAAAAAAAAAAAAAAAAA')
  await assert.rejects(fleet.caller.delete(token.id), CoolingDownError)
  assert.equal(fleet.bus.raised.length, 1)
})

test('where the shared cache is unavailable the event is raised all the same, and takes effect later', async () => {
  const store = createFaultInjectingStore()
  const fleet = createFleetWithEventBus(() => virtualToken(), { store })
  const [caller, other = assert.fail()] = fleet.callers
  const { token } = await fleet.time.until(fleet.caller.get())
  store.before = { read: isDown, write: isDown }
  await other.delete(token.id)
  assert.equal(fleet.bus.raised.length, 1)
  store.before = isFine
  await fleet.time.advance(10_000)
  await fleet.deliver()
  assert.notEqual((await fleet.time.until((caller ?? other).get())).token.id, token.id)
  assert.equal(fleet.requests().length, 2)
})

test('where the bus rejects the event, or no function hears it, the token is dropped all the same', async () => {
  for (const isHeard of [true, false]) {
    const bus = createQueueingEventBus({ isHeard })
    bus.refuse()
    const fleet = createFleetWithEventBus(() => virtualToken(), { eventBus: bus })
    const { token } = await fleet.time.until(fleet.caller.get())
    assert.equal(await fleet.caller.delete(token.id), 'dropped')
    assert.notEqual((await fleet.time.until(fleet.caller.get())).token.id, token.id)
    const told = fleet.caller.events.filter(({ event }) => event === 'event_not_raised')
    assert.equal(told.length, isHeard ? 1 : 0)
  }
})
