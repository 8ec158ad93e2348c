import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import { authenticDefaultRecords } from '../../support/virtual/default-ports.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import {
  createFleetWithEventBus,
  type FleetWithEventBus,
  type FleetWithEventBusOptions,
  fulfilled,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { createQueueingEventBus, incoming } from '../../support/virtual/queueing-event-bus.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

/* Tokens of 300 s are stale after 216 s (a chance of 0.5) and usable for 270 s. */

/** A fleet with one token that has just got stale, and the event that asks for its renewal. */
async function theStale(endpoint: VirtualEndpoint, options?: FleetWithEventBusOptions) {
  const fleet = createFleetWithEventBus(endpoint, options)
  const { token } = await fleet.time.until(fleet.caller.get())
  await fleet.time.advance(217_000)
  return { fleet, token, requested: requestedFor(token.id) }
}

const requestedFor = (tokenId: string) => incoming({ type: 'TokenRefreshRequested', connection: 'conn', tokenId })

async function dueOf({ caller, time }: FleetWithEventBus) {
  return caller.store.due(time.now() + 86_400_000, 10)
}

test('a token with caller parameters that the server now refuses is no longer kept warm, even while it is valid', async () => {
  let isRefused = false
  const fleet = createFleetWithEventBus(() => (isRefused ? virtualRefusal('invalid_scope') : virtualToken()))
  const ask = () => fleet.time.until(fleet.caller.get({ scope: ['some'] }))
  const { token } = await ask()
  isRefused = true
  await fleet.time.advance(90_000)
  await fleet.time.until(fleet.refresher.warm())
  assert.equal(fleet.requests().length, 1, 'not yet due')
  await fleet.time.advance(40_000)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).failed, 1)
  for (let minute = 0; minute < 10; minute++) {
    await fleet.time.advance(60_000)
    assert.equal((await fleet.time.until(fleet.refresher.warm())).failed, 0)
    if (minute === 0)
      assert.equal((await fleet.time.until(fleet.callers[1]?.get({ scope: ['some'] }) ?? ask())).token.id, token.id)
  }
  assert.ok(fleet.requests().length <= 3, `${fleet.requests().length} requests`)
  isRefused = false
  await ask()
  assert.equal((await dueOf(fleet)).length, 1, 'who uses it again has it kept warm again')
})

test('a refused own request stays due, because the operator must fix it', async () => {
  let isRefused = false
  const { fleet } = await theStale(() => (isRefused ? virtualRefusal('invalid_scope') : virtualToken()))
  isRefused = true
  assert.equal((await fleet.time.until(fleet.refresher.warm())).failed, 1)
  isRefused = false
  await fleet.time.advance(60_000)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).renewed, 1)
})

test('a token of a deleted connection is not requested again every minute', async () => {
  const { fleet } = await theStale(() => virtualToken(), { eventBus: createQueueingEventBus({ isHeard: false }) })
  fleet.change({}, { endpointConnection: {} })
  await fleet.time.advance(61_000)
  const runs = []
  for (let minute = 0; minute < 5; minute++) {
    runs.push(await fleet.time.until(fleet.refresher.warm()))
    await fleet.time.advance(60_000)
  }
  assert.deepEqual(
    runs.map(({ failed }) => failed),
    [1, 0, 0, 0, 0],
  )
})

test('no renewal happens without a lease', async () => {
  const store = createFaultInjectingStore()
  const { fleet, requested } = await theStale(() => virtualToken(), { store })
  store.before = { ...isFine, write: isDown }
  const [answered] = await fleet.answer(requested)
  assert.ok(answered?.status === 'rejected' && answered.reason instanceof CacheUnavailableError)
  assert.equal(fleet.requests().length, 1)
  store.before = isFine
  await fleet.time.advance(120_000)
  fulfilled(await fleet.answer(requested))
  assert.equal(fleet.requests().length, 2)
})

test('a token that could not be shared is not announced, and the event is repeated', async () => {
  const store = createFaultInjectingStore()
  const { fleet, token, requested } = await theStale(() => virtualToken(), { store })
  store.before = {
    ...isFine,
    write: (_name, { fields }) => (fields['leaseOwner'] === undefined ? isDown() : undefined),
  }
  const [answered] = await fleet.answer(requested)
  assert.ok(answered?.status === 'rejected' && answered.reason instanceof CacheUnavailableError)
  assert.deepEqual(fleet.bus.of('TokenRefreshed'), [])
  store.before = isFine
  await fleet.time.advance(20_000)
  fulfilled(await fleet.answer(requested))
  assert.equal(fleet.bus.of('TokenRefreshed').length, 1)
  assert.notEqual((await fleet.time.until(fleet.caller.get())).token.id, token.id)
})

test('a process that loses the race for a free lease reads the record again', async () => {
  const store = createFaultInjectingStore()
  const { fleet, requested } = await theStale(() => virtualToken(), { store })
  let races = 0
  store.before = {
    ...isFine,
    async write(name, { fields }) {
      if (fields['leaseOwner'] === undefined || races++ > 0) return
      const records = authenticDefaultRecords(store)
      const [there] = await records.read([name])
      await records.write(name, { ...(there ?? assert.fail()), version: 'of somebody else' }, there?.version)
    },
  }
  fulfilled(await fleet.answer(requested))
  assert.equal(fleet.bus.of('TokenRefreshed').length, 1)
})
