import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { createCoolDownRegistry } from '../../../lib/fleet/cool-downs.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { coolDownRecordName, RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { createFleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { createTokensInVirtualTime, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const error = 'connection refused'

test('where the lease ended meanwhile, the new token is handed out and not the stale one that it replaces', async () => {
  let latency = 0
  const slow = createTokensInVirtualTime(async () => {
    await slow.time.pause(latency)
    return virtualToken()
  })
  const other = createTokensInVirtualTime(() => new Promise(() => {}), { fleet: slow })
  const { token: old } = await slow.time.until(slow.get())
  await slow.time.advance(217_000)
  latency = 20_000
  const renewing = slow.get({ minimumSeconds: 200 }, 60_000)
  await slow.time.advance(14_000)
  other.get({}, 60_000).catch(() => {})
  await slow.time.advance(7_000)
  const { token } = await renewing
  assert.notEqual(token.id, old.id)
})

const dying: ServedConnection = {
  ...plainConnection,
  authorizationServer: {
    ...plainConnection.authorizationServer,
    lifetime: { assumedLifetimeSeconds: 300, marginSeconds: 300 },
  },
}

test('a token that arrives inside its margin goes to all waiting callers of all processes', async () => {
  const options = { connection: dying, cacheLatency: 5, random: Math.random }
  const first = createTokensInVirtualTime(() => virtualToken(), options)
  const second = createTokensInVirtualTime(() => virtualToken(), { ...options, fleet: first })
  const calls = [first, second].flatMap(({ get }) => Array.from({ length: 10 }, () => get()))
  await first.time.until(Promise.all(calls))
  assert.equal(first.requests.length + second.requests.length, 1)
})

test('a process that has learned that its token was rejected no longer hands it out', async () => {
  const first = createTokensInVirtualTime(() => virtualToken(), { memoryMaximumSeconds: 30 })
  const second = createTokensInVirtualTime(
    async () => {
      await first.time.pause(8_000)
      return virtualToken()
    },
    { fleet: first, memoryMaximumSeconds: 30 },
  )
  const { token: old } = await first.time.until(first.get())
  await first.time.until(second.get())
  await first.time.advance(31_000)
  await first.delete(old.id)
  const looking = second.get()
  await first.time.advance(5_000)
  const other = await first.time.until(second.get())
  assert.notEqual(other.token.id, old.id)
  await first.time.until(looking)
})

test('twenty refreshes of a secret at the same time read it once', async () => {
  let reads = 0
  const cache = createSecretCache(
    singleVersionSecrets(async () => new Secret(`text ${reads++}`)),
    () => 1_000_000,
  )
  await cache.get('name')
  await Promise.all(Array.from({ length: 20 }, () => cache.refresh('name')))
  assert.equal(reads, 2)
})

test('a refresh that could not reach the store is not repeated within 10 s', async () => {
  let reads = 0
  let isDown = false
  const store = {
    async get() {
      reads++
      if (isDown) throw new SecretError('secret_unreachable', 'no answer')
      return new Secret('text')
    },
  }
  const cache = createSecretCache(singleVersionSecrets(store.get), () => 1_000_000)
  await cache.get('name')
  isDown = true
  for (let count = 0; count < 20; count++) await cache.refresh('name')
  assert.ok(reads <= 2, `${reads} reads`)
})

function theCoolDowns(store: RecordStore, time: ReturnType<typeof createVirtualTime>) {
  const { now, pause } = time
  const breaker = createCircuitBreaker({ budgetMilliseconds: 250, now, random: () => 0.5, pause, log() {} })
  const sealing = withoutSealing(new Uint8Array(32))
  const randomId = () => randomBytes(16).toString('base64url')
  return createCoolDownRegistry({ store, breaker, sealing, now, randomId })
}

test('a request that loses the race for one probe gives back the probes that it has won', async () => {
  const time = createVirtualTime()
  const records = memoryRecords({ maximumRecords: 100 })
  const clientRecord = coolDownRecordName(await withoutSealing(new Uint8Array(32)).digest('client'))
  let isLost = false
  const store: RecordStore = {
    read: (names) => records.read(names),
    write: async (name, ...rest) => !(isLost && name.id === clientRecord.id) && records.write(name, ...rest),
    due: (...query) => records.due(...query),
  }
  const [own, both] = [{ isOwn: true }, { endpoint: 'endpoint', client: 'client' }]
  const first = await theCoolDowns(store, time).check(both, own)
  assert.ok(first.kind === 'clear')
  await first.pass.begin('endpoint', error, { baseSeconds: 10 })
  await first.pass.begin('client', error, { baseSeconds: 10 })
  await time.advance(10_000)
  isLost = true
  assert.equal((await theCoolDowns(store, time).check(both, own)).kind, 'cooling_down')
  assert.equal((await theCoolDowns(store, time).check({ endpoint: 'endpoint' }, own)).kind, 'clear')
})

test('a store that is throttled for long leaves time for the token request', async () => {
  const throttle = () => Promise.reject(new RecordStoreError('wait', { isThrottled: true }))
  const tokens = createTokensInVirtualTime(() => virtualToken(), {
    store: { read: throttle, write: throttle, due: throttle },
    random: Math.random,
  })
  const start = tokens.time.now()
  const settled = await tokens.time.until(tokens.get().catch((e: unknown) => e))
  const at = (tokens.requests[0]?.at ?? Infinity) - start
  assert.ok(at < 25_000 - 1_000 - 5_000, `sent ${at} ms after the start of 25 s, ${String(settled)}`)
})

/** Records of a store that asks to wait while `isThrottled` says so. */
function throttledWhile(isThrottled: () => boolean): RecordStore {
  const records = memoryRecords({ maximumRecords: 100 })
  const orWait = <T>(call: () => T): T | Promise<never> =>
    isThrottled() ? Promise.reject(new RecordStoreError('wait', { isThrottled: true })) : call()
  return {
    read: (names) => orWait(() => records.read(names)),
    write: (...written) => orWait(() => records.write(...written)),
    due: (...query) => orWait(() => records.due(...query)),
  }
}

test('a caller whose token has been issued waits at most 3 s for a throttled store', async () => {
  const store = throttledWhile(() => tokens.requests.length > 0)
  const tokens = createTokensInVirtualTime(() => virtualToken(), { store, random: Math.random, latency: 0 })
  const start = tokens.time.now()
  const { source } = await tokens.time.until(tokens.get())
  const took = tokens.time.now() - start
  assert.equal(source, 'server')
  assert.ok(took > 1_000 && took <= 3_000, `${took} ms`)
})

test('a token that no caller waits for is stored once the table is back', async () => {
  let throttledUntil = 0
  const store = throttledWhile(() => fleet.time.now() < throttledUntil)
  const fleet = createFleetWithEventBus(
    () => {
      if (fleet.requests().length > 1) throttledUntil = fleet.time.now() + 6_000
      return virtualToken()
    },
    { store },
  )
  const { token: before } = await fleet.time.until(fleet.caller.get())
  await fleet.time.advance(150_000)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).renewed, 1)
  const { token } = await fleet.time.until(fleet.caller.get())
  assert.notEqual(token.id, before.id)
  assert.equal(fleet.requests().length, 2)
})
