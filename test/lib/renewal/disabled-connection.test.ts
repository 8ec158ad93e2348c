import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionDisabledError } from '../../../lib/configuration/finding.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import {
  changed,
  createFleetWithEventBus,
  type FleetWithEventBus,
  type FleetWithEventBusOptions,
  fulfilled,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { type TokensInVirtualTime, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

/* Tokens of 300 s are stale after 216 s (a chance of 0.5) and usable for 270 s. */

const audiences = ['one', 'two', 'three']
const stopped = { endpoint: { disabled: true } }
const elementChanged: IncomingEvent = { type: 'ElementChanged', kind: 'endpointConnection', id: 'conn' }
const reconcile: IncomingEvent = { type: 'ReconcileElements' }

/** Four callers' processes that have a token of each audience in memory. */
async function theWarm(endpoint: VirtualEndpoint = () => virtualToken(), options: FleetWithEventBusOptions = {}) {
  const fleet = createFleetWithEventBus(endpoint, { size: 4, memoryMaximumSeconds: 30, ...options })
  for (const caller of fleet.callers) for (const audience of audiences) await fleet.time.until(caller.get({ audience }))
  return fleet
}

async function assertStopped(fleet: FleetWithEventBus, callers: readonly TokensInVirtualTime[] = fleet.callers) {
  for (const { get } of callers)
    for (const audience of [...audiences, 'new'])
      await assert.rejects(fleet.time.until(get({ audience })), ConnectionDisabledError)
}

test('30 s after its event no instance hands out a token of a disabled connection, and no instance requests one', async () => {
  const fleet = await theWarm()
  const before = fleet.requests().length
  fleet.change(stopped)
  fulfilled(await fleet.answer(elementChanged))
  await fleet.deliver()
  await fleet.time.advance(30_000)
  await assertStopped(fleet)
  await assertStopped(fleet, [fleet.join()])
  assert.equal(fleet.requests().length, before)
})

test('a disabled connection is stopped, whatever errors it and the elements that it names have', async () => {
  for (const [changes, more] of [
    [{ ...stopped, server: { tokenEndpoint: 'no URL' } }, {}],
    [{ endpoint: { disabled: 'true', host: 7, noAttribute: true } }, {}],
    [{ endpoint: { disabled: 'yes, please' } }, {}],
    [stopped, { oAuthConfig: {} }],
  ] as const) {
    const fleet = await theWarm()
    fleet.change(changes, more)
    fulfilled(await fleet.answer(changed))
    await fleet.time.advance(30_000)
    await assertStopped(fleet)
  }
})

test('disabled: false changes nothing', async () => {
  const fleet = await theWarm()
  const before = fleet.requests().length
  fleet.change({ endpoint: { disabled: false } })
  fulfilled(await fleet.answer(changed))
  await fleet.time.advance(30_000)
  for (const { get } of fleet.callers) await fleet.time.until(get({ audience: 'one' }))
  assert.equal(fleet.requests().length, before)
})

test('a token that was requested while the connection is disabled is not stored', async () => {
  const fleet = await theWarm(undefined, { latency: 5_000 })
  const asking = fleet.callers[1]?.get({ audience: 'four' })
  await fleet.time.advance(1_000)
  fleet.change(stopped)
  fulfilled(await fleet.answer(changed))
  const asked = await fleet.time.until(asking ?? assert.fail())
  assert.equal(asked.source, 'server', 'its caller began before')
  await fleet.time.advance(30_000)
  await assertStopped(fleet)
  fleet.change({})
  fulfilled(await fleet.answer(changed))
  const { token } = await fleet.time.until(fleet.caller.get({ audience: 'four' }))
  assert.notEqual(token.id, asked.token.id)
})

test('a failed renewal of a disabled connection does not keep its token longer', async () => {
  let isSilent = false
  const fleet = await theWarm(async () => (isSilent ? await fleet.time.pause(7_000).then(virtualDown) : virtualToken()))
  const { get } = fleet.callers[1] ?? assert.fail()
  await fleet.time.advance(217_000)
  const startedAt = fleet.time.now()
  isSilent = true
  fleet.bus.refuse()
  const renewing = get({ audience: 'one' })
  await fleet.time.advance(1_000)
  fleet.bus.refuse(false)
  fleet.change(stopped)
  fulfilled(await fleet.answer(changed))
  await fleet.time.until(renewing)
  assert.ok(fleet.time.now() > startedAt + 20_000, 'it took its time, and the old token serves on')
  await fleet.time.advance(startedAt + 31_000 - fleet.time.now())
  await assertStopped(fleet)
})

function virtualDown() {
  return { status: 503, body: '' }
}

test('no token of a disabled connection is renewed or due, and no event about it fails', async () => {
  const fleet = await theWarm()
  const { token } = await fleet.time.until(fleet.caller.get({ audience: 'one' }))
  const before = fleet.requests().length
  fleet.change(stopped)
  for (const type of ['TokenRefreshRequested', 'TokenRejected'] as const)
    fulfilled(await fleet.answer({ type, connection: 'conn', tokenId: token.id }))
  fulfilled(await fleet.answer(changed))
  fulfilled(await fleet.answer({ type: 'ClearTokenCache', connection: 'conn' }))
  for (const type of ['TokenRefreshRequested', 'TokenRejected'] as const)
    fulfilled(await fleet.answer({ type, connection: 'conn', tokenId: token.id }))
  await fleet.time.advance(217_000)
  await fleet.time.until(fleet.refresher.warm())
  await fleet.time.advance(60_000)
  const { due, renewed, failed } = await fleet.time.until(fleet.refresher.warm())
  assert.deepEqual({ due, renewed, failed }, { due: 0, renewed: 0, failed: 0 })
  assert.equal(fleet.requests().length, before)
})

test('a connection that is enabled again gets new tokens, and keeps tokens warm that were in use', async () => {
  const fleet = await theWarm()
  const old = (await fleet.getAll(audiences)).map(({ token }) => token.id)
  fleet.change(stopped)
  fulfilled(await fleet.answer(changed))
  await fleet.time.advance(31_000)
  await assertStopped(fleet)
  fleet.change({})
  fulfilled(await fleet.answer(changed))
  const before = fleet.requests().length
  await fleet.time.advance(10_000)
  for (const { token } of await fleet.getAll(audiences)) assert.ok(!old.includes(token.id))
  assert.equal(fleet.requests().length, before, 'they were there before anybody asked')
})

test('where the event is lost, the next instance that reads the elements stops the fleet', async () => {
  const fleet = await theWarm()
  fleet.change(stopped)
  await fleet.time.advance(61_000)
  await assert.rejects(fleet.time.until(fleet.caller.get({ audience: 'new' })), ConnectionDisabledError)
  await fleet.time.advance(30_000)
  await assertStopped(fleet)
})

test('an instance that finds the connection disabled during a renewal does not hand out the stale token', async () => {
  for (const isHeard of [true, false]) {
    const fleet = await theWarm()
    await fleet.time.advance(217_000)
    fleet.change(stopped)
    fleet.bus.refuse(!isHeard)
    const { get } = fleet.callers[1] ?? assert.fail()
    if (isHeard) {
      await fleet.time.until(get({ audience: 'one' }))
      await fleet.deliver()
      await fleet.time.advance(30_000)
    }
    await assert.rejects(fleet.time.until(get({ audience: 'one' })), ConnectionDisabledError)
    await fleet.time.advance(30_000)
    await assertStopped(fleet)
  }
})

test('if the event is lost and no instance reads the elements, the hourly reconciliation stops the fleet', async () => {
  const fleet = await theWarm()
  fleet.change(stopped)
  fulfilled(await fleet.answer(reconcile))
  await fleet.deliver()
  await fleet.time.advance(30_000)
  await assertStopped(fleet)
})

test('a connection that is enabled again without an event works as soon as an instance reads the elements', async () => {
  const fleet = await theWarm()
  fleet.change(stopped)
  fulfilled(await fleet.answer(changed))
  await fleet.time.advance(30_000)
  await assertStopped(fleet)
  fleet.change({})
  await fleet.time.advance(10_001)
  for (const { get } of fleet.callers) await fleet.time.until(get({ audience: 'one' }))
})

test('repeated requests for a disabled connection read its elements once in ten seconds and write nothing', async () => {
  const store = createFaultInjectingStore()
  const fleet = await theWarm(undefined, { store })
  fleet.change(stopped)
  fulfilled(await fleet.answer(changed))
  await fleet.time.advance(30_000)
  await assertStopped(fleet)
  const { writes } = store.counts
  const readings = () =>
    fleet.callers.flatMap(({ events }) => events.filter(({ event }) => event === 'connection_resolved'))
  const before = readings().length
  for (let count = 0; count < 50; count++) await assertStopped(fleet)
  assert.equal(store.counts.writes, writes)
  assert.equal(readings().length, before)
})

test('an instance that cannot ask the fleet uses the elements, which it reads again within a minute', async () => {
  const store = createFaultInjectingStore()
  const fleet = await theWarm(undefined, { store })
  fleet.change(stopped)
  store.before = { read: isDown, write: isDown }
  await fleet.time.advance(90_000)
  for (const { get } of fleet.callers)
    await assert.rejects(fleet.time.until(get({ audience: 'one' })), ConnectionDisabledError)
  fleet.change({})
  store.before = isFine
  await fleet.time.advance(30_000)
  for (const { get } of fleet.callers) await fleet.time.until(get({ audience: 'one' }))
})
