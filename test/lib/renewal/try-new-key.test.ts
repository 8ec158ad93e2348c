import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { publishedKeysRecordName, RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import {
  createFleetWithEventBus,
  type FleetWithEventBus,
  type FleetWithEventBusOptions,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { putPublication } from '../../support/virtual/publications.ts'
import { type TokensInVirtualTime, virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

/* A new key is tried at the real token endpoint once it signs. */

const minute = 60_000
/** A lifetime so long that no run renews a token. */
const aDay = () => virtualToken({ expires_in: 86_400 })
const name = publishedKeysRecordName('theBuilder')

function aFleet(endpoint: VirtualEndpoint = aDay, options: FleetWithEventBusOptions = {}) {
  const { changes, ...others } = options
  const server = { maximumLifetimeSeconds: 86_400 }
  return createFleetWithEventBus(endpoint, { changes: { server, ...changes }, ...others })
}

async function publish({ caller: { store }, time }: FleetWithEventBus, tryAt: number): Promise<void> {
  await putPublication(store, 'theBuilder', { kind: 'keys', keys: [], tryAt }, time.now())
}

async function tryAt({ caller: { store } }: FleetWithEventBus): Promise<number | undefined> {
  const [record] = await store.read([name])
  assert.ok(record)
  return record.dueAt
}

const runOf = (fleet: FleetWithEventBus, process: TokensInVirtualTime = fleet.refresher) =>
  fleet.time.until(process.warm())

test('the first run after the start time makes one token request and announces it, and no other run does', async () => {
  const fleet = aFleet()
  await fleet.getAll(['one', 'two'])
  const at = fleet.time.now() + 90_000
  await publish(fleet, at)

  assert.deepEqual(await runOf(fleet), { due: 0, renewed: 0, failed: 0, left: 0 })
  assert.equal(fleet.requests().length, 2, 'it is listed two minutes ahead, and not tried')
  assert.equal(await tryAt(fleet), at)

  await fleet.time.advance(at - fleet.time.now())
  assert.deepEqual(await runOf(fleet), { due: 0, renewed: 0, failed: 0, left: 0 }, 'it is no token')
  assert.equal(fleet.requests().length, 3)
  assert.equal(await tryAt(fleet), undefined)
  assert.ok(fleet.bus.raised.some(({ type }) => type === 'TokenRefreshed'))

  for (let count = 0; count < 3; count++) {
    await fleet.time.advance(minute)
    await runOf(fleet)
  }
  assert.equal(fleet.requests().length, 3)
})

test('a refusal is announced and ends the trial', async () => {
  let isNew = false
  const fleet = aFleet(() => (isNew ? virtualRefusal('invalid_client') : aDay()))
  await fleet.getAll(['one'])
  await publish(fleet, fleet.time.now())
  isNew = true
  await runOf(fleet)
  assert.ok(fleet.bus.raised.some((event) => event.type === 'ConnectionRefused' && event.connection === 'conn'))
  assert.ok(fleet.refresher.events.some(({ event }) => event === 'renewal_failed'))
  assert.equal(await tryAt(fleet), undefined)
})

test('runs that overlap try it once', async () => {
  const fleet = aFleet(aDay, { cacheLatency: 5 })
  await fleet.getAll(['one', 'two'])
  await publish(fleet, fleet.time.now())
  const runs = [0, 3, 100, 2_000].map(async (after, index) => {
    await fleet.time.pause(after)
    return fleet.refreshers[index % 2]?.warm()
  })
  await fleet.time.until(Promise.all(runs))
  assert.equal(fleet.requests().length, 3)
  assert.equal(await tryAt(fleet), undefined)
})

test('if the server does not answer, a later run tries the key', async () => {
  let isDown = false
  const fleet = aFleet(() => {
    if (isDown) throw new UnreachableError('nobody is there')
    return aDay()
  })
  await fleet.getAll(['one'])
  await publish(fleet, fleet.time.now())
  isDown = true
  await runOf(fleet)
  assert.notEqual(await tryAt(fleet), undefined)
  isDown = false
  assert.equal(fleet.bus.of('TokenRefreshed').length, 0)
  await fleet.time.advance(3 * minute)
  await runOf(fleet)
  assert.equal(await tryAt(fleet), undefined)
  assert.ok(fleet.bus.raised.some(({ type }) => type === 'TokenRefreshed'))
})

test('without a warm token no request is made, and the trial ends', async () => {
  const fleet = aFleet()
  await publish(fleet, fleet.time.now())
  await runOf(fleet)
  assert.equal(fleet.requests().length, 0)
  assert.equal(await tryAt(fleet), undefined)
})

test('a connection with another key is not tried', async () => {
  const fleet = aFleet(aDay, { changes: { tokenConfig: { tokenGeneratorRef: 'other' } } })
  fleet.change(
    { server: { maximumLifetimeSeconds: 86_400 }, tokenConfig: { tokenGeneratorRef: 'other' } },
    {
      jwtBuilder: { other: { issuer: 'theClient', jwkEnabled: true }, theBuilder: { issuer: 'x', jwkEnabled: true } },
    },
  )
  await fleet.getAll(['one'])
  await publish(fleet, fleet.time.now())
  await runOf(fleet)
  assert.equal(fleet.requests().length, 1)
  assert.equal(await tryAt(fleet), undefined)
})

test('a run without enough time leaves the trial to the next one', async () => {
  const fleet = aFleet()
  await fleet.getAll(['one'])
  const at = fleet.time.now()
  await publish(fleet, at)
  await fleet.time.until(fleet.refresher.warm(11_000))
  assert.equal(fleet.requests().length, 1)
  assert.equal(await tryAt(fleet), at)
})

test('a process that ends during the trial leaves it to the next run', async () => {
  const fleet = aFleet()
  await fleet.getAll(['one'])
  await publish(fleet, fleet.time.now())
  const dying = fleet.join({}, () => new Promise(() => {}))
  void dying.warm()
  await fleet.time.advance(minute)
  await runOf(fleet)
  assert.equal(fleet.requests().length, 3)
  assert.equal(await tryAt(fleet), undefined)
})

test('a rotation during the trial keeps its own trial time', async () => {
  const fleet = aFleet(async ({ index }) => {
    if (index === 0 && fleet.requests().length > 1) await publish(fleet, later)
    return aDay()
  })
  const later = fleet.time.now() + 3_600_000
  await fleet.getAll(['one'])
  await publish(fleet, fleet.time.now())
  await runOf(fleet)
  assert.equal(await tryAt(fleet), later)
})

test('a failed trial does not stop renewals, and is thrown after them', async () => {
  const records = memoryRecords({ maximumRecords: 100 })
  let isBroken = false
  const store: RecordStore = {
    ...records,
    async read(names) {
      if (isBroken && names.some(({ id }) => id === name.id)) throw new RecordStoreError('it does not answer')
      return records.read(names)
    },
  }
  const fleet = aFleet(() => virtualToken({ expires_in: 150 }), { store })
  await fleet.getAll(['one'])
  await publish(fleet, fleet.time.now())
  isBroken = true
  await assert.rejects(runOf(fleet), { name: 'CacheUnavailableError' })
  assert.equal(fleet.requests().length, 2)
  const ended = fleet.refresher.events.find(({ event }) => event === 'warm_run_ended')
  assert.ok(ended?.event === 'warm_run_ended')
  assert.deepEqual([ended.due, ended.renewed, ended.left], [1, 1, 0])
})
