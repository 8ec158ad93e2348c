import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnknownConnectionError } from '../../../lib/configuration/finding.ts'
import {
  createFleetWithEventBus,
  type FleetWithEventBusOptions,
  fulfilled,
  watchCallers,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { createQueueingEventBus } from '../../support/virtual/queueing-event-bus.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

const audiences = ['one', 'two', 'three']
const newScope = { oAuth: { scope: 'new' } }

/** A change without an event so far, and one token of three that soon gets stale. */
async function theUnheard(options?: FleetWithEventBusOptions) {
  const fleet = createFleetWithEventBus(() => virtualToken(), options)
  await fleet.getAll(['one'])
  await fleet.time.advance(80_000)
  await fleet.getAll(['two', 'three'])
  fleet.change(newScope)
  await fleet.time.advance(61_000)
  return fleet
}

test('a warm run that finds changed elements raises an event and ends no token', async () => {
  const fleet = await theUnheard()
  const watch = watchCallers(fleet, audiences)
  const run = await fleet.time.until(fleet.refresher.warm())
  assert.deepEqual([run.due, run.renewed, run.failed], [1, 0, 0])
  assert.deepEqual(fleet.bus.raised, [{ type: 'ConnectionChanged', connection: 'conn' }])
  await fleet.deliver()
  await fleet.time.advance(100)
  await watch.end()
  assert.equal(watch.longestWait(), 0)
  assert.deepEqual(watch.failures, [])
  assert.equal(fleet.requests().length, 6)
  for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'new')
})

test('the tokens of a connection that was deleted without an event end with the next renewal', async () => {
  const fleet = await theUnheard()
  fleet.change({}, { endpointConnection: {} })
  await fleet.time.advance(1_000)
  await fleet.time.until(fleet.join().warm())
  assert.equal(fleet.bus.raised.length, 1)
  await fleet.deliver()
  await assert.rejects(fleet.getAll(['three']), UnknownConnectionError)
  await fleet.time.advance(60_000)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).failed, 0)
  assert.equal(fleet.bus.raised.length, 1)
})

test('the event is raised once in a while, not for each token', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  await fleet.getAll(audiences)
  fleet.change(newScope)
  await fleet.time.advance(140_000)
  for (const raised of [1, 2]) {
    await fleet.time.until(fleet.refresher.warm())
    await fleet.time.until(fleet.refresher.warm())
    assert.equal(fleet.bus.raised.length, raised)
    await fleet.time.advance(20_000)
  }
  assert.equal(fleet.requests().length, 3)
})

test('without a bus, or if the bus does not accept the event, the run itself uses the new elements', async () => {
  for (const isHeard of [true, false]) {
    const eventBus = createQueueingEventBus({ isHeard })
    const fleet = await theUnheard({ eventBus })
    eventBus.refuse(isHeard)
    assert.equal((await fleet.time.until(fleet.refresher.warm())).renewed, 1)
    const [{ token } = assert.fail()] = await fleet.getAll(['one'])
    assert.equal(token.scope, 'new')
    assert.deepEqual(fleet.bus.raised, [])
  }
})

test('a failed event counts for all tokens that are renewed at the same time', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  await fleet.getAll(audiences)
  fleet.change(newScope)
  await fleet.time.advance(140_000)
  fleet.bus.refuse()
  const run = await fleet.time.until(fleet.refresher.warm())
  assert.deepEqual([run.due, run.renewed], [3, 3])
  const told = fleet.refresher.events.filter(({ event }) => event === 'event_not_raised')
  assert.ok(told.some((event) => 'type' in event && event.type === 'ConnectionChanged'))
})

test('if there is no valid token, a new one is obtained at once', async () => {
  const fleet = await theUnheard()
  const [{ token } = assert.fail()] = await fleet.getAll(['one'])
  fulfilled(await fleet.answer({ type: 'TokenRejected', connection: 'conn', tokenId: token.id }))
  assert.equal(fleet.requests().length, 4)
})

test('a refusal under unchanged elements is announced, without an event about a change', async () => {
  const fleet = await theUnheard()
  fleet.change({ server: { tokenEndpoint: 'no URL' } })
  const stranger = fleet.join()
  assert.equal((await fleet.time.until(stranger.warm())).failed, 1)
  assert.equal(fleet.bus.of('ConnectionChanged').length, 0)
})
