import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import { createFleetWithEventBus, type FleetWithEventBusOptions } from '../../support/virtual/fleet-with-event-bus.ts'
import { createQueueingEventBus } from '../../support/virtual/queueing-event-bus.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

/* Tokens of 300 s are stale after 216 s (random value 0.5) and usable for 270 s. */

const alice = { username: 'alice', password: new Secret('the password of alice') }

/** Processes with the same token, which has just become stale. */
async function theStale(options: FleetWithEventBusOptions = {}) {
  const fleet = createFleetWithEventBus(() => virtualToken(), { memoryMaximumSeconds: 30, ...options })
  const [first = assert.fail()] = await fleet.time.until(Promise.all(fleet.callers.map(({ get }) => get())))
  await fleet.time.advance(217_000)
  /** Gets the token for this many callers in each process, at the same time. */
  const meet = (callers = 20) =>
    Promise.all(fleet.callers.flatMap(({ get }) => Array.from({ length: callers }, () => get())))
  return { fleet, old: first.token, meet }
}

test('a stale token is handed out at once, and one event for the whole fleet asks for its renewal', async () => {
  const { fleet, old, meet } = await theStale({ size: 2 })
  const before = fleet.time.now()
  for (const { token } of await meet()) assert.equal(token.id, old.id)
  assert.equal(fleet.time.now(), before, 'no caller waits')
  assert.deepEqual(fleet.bus.raised, [{ type: 'TokenRefreshRequested', connection: 'conn', tokenId: old.id }])
  assert.equal(fleet.requests().length, 1)

  await fleet.deliver()
  assert.equal(fleet.requests().length, 2)
  await fleet.time.advance(before + 1_000 - fleet.time.now())
  await meet(1)
  const ids = new Set((await meet()).map(({ token }) => token.id))
  assert.equal(ids.size, 1)
  assert.ok(!ids.has(old.id), 'a second later all have the new one')
  assert.equal(fleet.requests().length, 2)
  assert.deepEqual(
    fleet.bus.raised.map(({ type }) => type),
    ['TokenRefreshRequested', 'TokenRefreshed'],
  )
})

test('with a slow store, too, one of all requests at the same time raises the event', async () => {
  const { fleet, old } = await theStale({ size: 5, cacheLatency: 40 })
  const all = fleet.callers.flatMap(({ get }) => Array.from({ length: 20 }, () => get()))
  for (const { token } of await fleet.time.until(Promise.all(all))) assert.equal(token.id, old.id)
  assert.equal(fleet.bus.raised.length, 1)
})

test('an event without effect is raised again 20 s later, not earlier and not more than once', async () => {
  const { fleet, meet } = await theStale({ size: 3 })
  const from = fleet.time.now()
  await meet()
  while (fleet.time.now() < from + 19_000) {
    await fleet.time.advance(1_000)
    await meet(3)
  }
  assert.equal(fleet.bus.raised.length, 1)
  await fleet.time.advance(1_000)
  await meet()
  assert.equal(fleet.bus.raised.length, 2)
  assert.equal(fleet.requests().length, 1)
})

test('while a process renews the token no event is raised', async () => {
  const { fleet, old, meet } = await theStale({ latency: 5_000 })
  const renewing = fleet.refresher.warm()
  await fleet.time.advance(2_000)
  for (const { token } of await meet()) assert.equal(token.id, old.id)
  assert.deepEqual(fleet.bus.raised, [])
  await fleet.time.until(renewing)
})

test('where the bus rejects the event, the request that met the token renews it, and the others get it at once', async () => {
  const eventBus = createQueueingEventBus()
  eventBus.refuse()
  const { fleet, old } = await theStale({ size: 2, eventBus })
  const [first = assert.fail(), second = assert.fail()] = fleet.callers
  const asking = first.get()
  const others = await Promise.all([...Array.from({ length: 19 }, () => second.get())])
  for (const { token } of others) assert.equal(token.id, old.id)
  const { token, source } = await fleet.time.until(asking)
  assert.notEqual(token.id, old.id)
  assert.equal(source, 'server')
  assert.equal(fleet.requests().length, 2)
  const told = first.events.filter(({ event }) => event === 'event_not_raised')
  assert.deepEqual(
    told.map((event) => 'type' in event && event.type),
    ['TokenRefreshRequested'],
  )
})

test('without events the request that met the token renews it', async () => {
  const { fleet, old, meet } = await theStale({ eventBus: createQueueingEventBus({ isHeard: false }) })
  const answers = await fleet.time.until(meet())
  assert.ok(answers.some(({ token }) => token.id !== old.id))
  assert.equal(fleet.requests().length, 2)
  assert.deepEqual(fleet.bus.raised, [])
})

test('an unexpected failure of the bus is a programming error, and is not hidden', async () => {
  const eventBus = createQueueingEventBus()
  const { fleet } = await theStale({ eventBus })
  Object.assign(eventBus, { raise: () => Promise.reject(new TypeError('a fault')) })
  await assert.rejects(fleet.caller.get(), TypeError)
})

test("a user's stale token is renewed by the request that met it, and no event is raised", async () => {
  const changes = { oAuth: { grantType: 'password' } }
  const fleet = createFleetWithEventBus(() => virtualToken(), { changes, size: 2 })
  const { token: old } = await fleet.time.until(fleet.caller.get(alice))
  assert.deepEqual(await fleet.caller.store.due(Number.MAX_SAFE_INTEGER, 10), [], 'and it is never warmed')
  await fleet.time.advance(217_000)
  const [first, second = assert.fail()] = fleet.callers.map(({ get }) => get(alice))
  assert.equal((await second).token.id, old.id)
  assert.notEqual((await fleet.time.until(first ?? second)).token.id, old.id)
  assert.deepEqual(fleet.bus.raised, [])
  assert.equal(fleet.requests().length, 2)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).due, 0)
})

test('a request that needs more than a stale token has left requests a new one itself', async () => {
  const { fleet, old } = await theStale()
  const { token } = await fleet.time.until(fleet.caller.get({ minimumSeconds: 200 }))
  assert.notEqual(token.id, old.id)
  assert.deepEqual(fleet.bus.raised, [])
})

test('an expired token is not stale: the request that meets it requests a new one, and waits', async () => {
  const { fleet, old } = await theStale()
  await fleet.time.advance(54_000)
  const { token, source } = await fleet.time.until(fleet.caller.get())
  assert.notEqual(token.id, old.id)
  assert.equal(source, 'server')
  assert.deepEqual(fleet.bus.raised, [])
})

test("where the event can't be claimed the token stays in use, and its renewal is requested later", async () => {
  const store = createFaultInjectingStore()
  const { fleet, old } = await theStale({ store, size: 1 })
  store.before = { ...isFine, write: isDown }
  assert.equal((await fleet.caller.get()).token.id, old.id)
  assert.deepEqual(fleet.bus.raised, [])
  assert.equal(fleet.requests().length, 1)
  store.before = isFine
  await fleet.time.advance(6_000)
  assert.equal((await fleet.caller.get()).token.id, old.id)
  assert.equal(fleet.bus.raised.length, 1)
  await fleet.deliver()
  assert.equal(fleet.requests().length, 2)
})

test('a failed renewal is requested again when that may help, and callers never wait', async () => {
  let isNonsense = false
  const fleet = createFleetWithEventBus(() => (isNonsense ? { status: 200, body: '<html>' } : virtualToken()), {
    memoryMaximumSeconds: 30,
  })
  await fleet.time.until(fleet.caller.get())
  isNonsense = true
  await fleet.time.advance(217_000)
  for (let second = 0; second < 45; second++) {
    const before = fleet.time.now()
    await fleet.caller.get()
    assert.equal(fleet.time.now(), before)
    for (const event of fleet.bus.take()) await fleet.answer(event)
    await fleet.time.advance(1_000 - (fleet.time.now() - before))
  }
  assert.equal(fleet.bus.of('TokenRefreshRequested').length, 2)
  assert.equal(fleet.requests().length, 1 + 2)
  isNonsense = false
  await fleet.time.advance(90_000)
  assert.equal(
    (await fleet.time.until(fleet.caller.get())).source,
    'server',
    'after its end a request waits for a new one',
  )
})
