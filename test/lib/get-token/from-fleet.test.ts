import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import { connectionRecordName, type RecordStore, RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { answerReserveMilliseconds } from '../../../lib/token-endpoint/token-endpoint.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { createFaultInjectingStore, isDown, isFine, isNotTaken } from '../../support/virtual/fault-injecting-store.ts'
import { createQueueingEventBus } from '../../support/virtual/queueing-event-bus.ts'
import {
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  type TokensInVirtualTimeOptions,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'
import { unchangingConnections } from '../../support/virtual/virtual-ports.ts'

/* Two processes that share one store. Tokens of 300 s are stale after 216 s (random value 0.5) and usable for 270 s. */

function thePair(options: TokensInVirtualTimeOptions = {}) {
  const far = { answer: virtualToken, latency: 0 }
  const store = createFaultInjectingStore()
  const endpoint = async () => {
    await one.time.pause(far.latency)
    return far.answer()
  }
  const settings = { memoryMaximumSeconds: 30, ...options }
  const one: TokensInVirtualTime = createTokensInVirtualTime(endpoint, { store, ...settings })
  const other = createTokensInVirtualTime(endpoint, { ...settings, fleet: one, store })
  const requests = () => one.requests.length + other.requests.length
  return { far, store, one, other, time: one.time, requests, advance: one.time.advance }
}

const ask = ({ time, get }: TokensInVirtualTime, ...request: Parameters<TokensInVirtualTime['get']>) =>
  time.until(get(...request))

/** The first holder is still under way, and fails when it comes back. */
async function answeredBy(far: ReturnType<typeof thePair>['far'], process: TokensInVirtualTime) {
  far.latency = 0
  const found = process.get()
  far.answer = () => virtualToken()
  const token = await found
  far.answer = () => {
    throw new UnreachableError('503', { blames: 'endpoint' })
  }
  return token
}

function refuses(): ReturnType<typeof virtualToken> {
  return virtualRefusal('invalid_scope')
}

test('a token that another process obtained comes from the shared cache, and then from memory for a while', async () => {
  const { one, other, requests, advance } = thePair()
  const { token, source } = await ask(one)
  assert.equal(source, 'server')
  for (const [process, from] of [
    [other, 'cache'],
    [other, 'memory'],
    [one, 'memory'],
  ] as const) {
    const found = await ask(process)
    assert.deepEqual([found.source, found.token.id], [from, token.id])
  }
  await advance(30_000)
  assert.equal((await ask(one)).source, 'cache')
  assert.equal((await ask(one)).source, 'memory')
  assert.equal(requests(), 1)
})

test('a request that finds the lease taken waits for the result of its holder', async () => {
  const { far, one, other, time, requests } = thePair()
  far.latency = 4_000
  const [first, second] = await time.until(Promise.all([one.get(), other.get()]))
  assert.deepEqual([first.source, second.source], ['server', 'cache'])
  assert.equal(second.token.id, first.token.id)
  assert.equal(requests(), 1)
})

test("a request that still waits at the end of the caller's time gets the reason why there is no token", async () => {
  const { far, one, other, time, advance } = thePair()
  far.latency = 20_000
  one.get({}, 60_000).catch(() => {})
  await advance(0)
  const startedAt = time.now()
  await assert.rejects(time.until(other.get({}, 5_000)), {
    code: 'timed_out',
    message:
      "Another process requests this token, and no token came before the caller's deadline. Try again: the token may be there by then.",
  })
  assert.ok(time.now() <= startedAt + 5_000 - answerReserveMilliseconds && time.now() > startedAt + 3_000)
})

test('the requests that wait during a refusal get it, and any later request may try again', async () => {
  const { far, one, other, time, requests, advance } = thePair()
  Object.assign(far, { answer: refuses, latency: 2_000 })
  const outcomes = await time.until(Promise.allSettled([one.get(), other.get()]))
  for (const each of outcomes) assert.match(String(each.status === 'rejected' && each.reason), /invalid_scope/)
  await assert.rejects(ask(other), /invalid_scope/)
  assert.equal(requests(), 1)
  Object.assign(far, { answer: virtualToken, latency: 0 })
  await advance(30_000)
  assert.equal((await ask(other)).source, 'server')
})

test('a stale token that another process renews is handed out at once, and checked again after a second', async () => {
  const { far, one, other, requests, advance, time } = thePair()
  const { token: old } = await ask(one)
  await ask(other)
  await advance(217_000)
  far.latency = 1_500
  const renewed = one.get()
  await advance(0)
  const at = time.now()
  const stale = await other.get()
  assert.deepEqual([stale.source, stale.token.id, time.now()], ['cache', old.id, at])
  await advance(999)
  assert.deepEqual([(await other.get()).source, (await other.get()).token.id], ['memory', old.id])
  await advance(1)
  assert.equal((await other.get()).source, 'cache')
  await advance(1_000)
  assert.equal((await other.get()).token.id, (await renewed).token.id)
  assert.equal(requests(), 2)
})

test('while a renewal cools down the stale token is handed out, from memory or from the shared cache', async () => {
  const { far, one, other, requests, advance } = thePair()
  const { token: old } = await ask(one)
  await advance(217_000)
  far.answer = refuses
  const first = await ask(one)
  assert.deepEqual([first.source, first.token.id], ['memory', old.id])
  const second = await ask(other)
  assert.deepEqual([second.source, second.token.id], ['cache', old.id])
  await advance(29_000)
  for (const process of [one, other]) assert.equal((await ask(process)).token.id, old.id)
  assert.equal(requests(), 2)
  await advance(1_000)
  assert.equal((await ask(other)).token.id, old.id)
  assert.equal(requests(), 3, 'it has tried without success')
})

test('a process that renews a stale token from the shared cache hands it out as one of the cache where the renewal fails', async () => {
  const { far, one, other, advance } = thePair()
  const { token: old } = await ask(one)
  await advance(217_000)
  far.answer = refuses
  const found = await ask(other)
  assert.deepEqual([found.source, found.token.id], ['cache', old.id])
  assert.equal((await ask(other)).source, 'memory')
})

test('a token that the fleet has dropped or replaced is forgotten in memory', async () => {
  const { one, other, requests, advance } = thePair()
  const { token: old } = await ask(one)
  await ask(other)
  assert.equal(await other.time.until(other.delete(old.id)), 'dropped')
  assert.equal((await ask(one)).token.id, old.id, 'for 30 s no process reads it')
  await advance(30_000)
  const { token } = await ask(one)
  assert.notEqual(token.id, old.id)
  assert.equal(requests(), 2)
  assert.equal((await ask(one)).source, 'memory')
})

test("while one caller of a process renews another process's stale token, the other callers get the stale token at once", async () => {
  const { far, one, other, advance, time } = thePair()
  const { token: old } = await ask(one)
  await advance(217_000)
  far.latency = 3_000
  const renewing = other.get()
  await advance(0)
  const at = time.now()
  const stale = await other.get()
  assert.deepEqual([stale.source, stale.token.id, time.now()], ['memory', old.id, at])
  assert.equal((await time.until(renewing)).source, 'server')
})

test('while one caller of a process replaces a token that the fleet has dropped, no other caller gets the dropped one', async () => {
  const { far, one, other, advance, time } = thePair()
  const { token: old } = await ask(one)
  await time.until(other.delete(old.id))
  await advance(30_000)
  far.latency = 3_000
  const replacing = one.get()
  await advance(0)
  const next = await time.until(one.get())
  assert.notEqual(next.token.id, old.id)
  assert.equal((await replacing).token.id, next.token.id)
})

test('an event asks for a renewal where events are heard; a token with a password is renewed by the request that meets it', async () => {
  const bus = createQueueingEventBus()
  const { one, requests, advance } = thePair({ bus })
  const { token: old } = await ask(one)
  await advance(217_000)
  const found = await ask(one)
  assert.deepEqual([found.source, found.token.id], ['cache', old.id])
  assert.deepEqual(bus.raised, [{ type: 'TokenRefreshRequested', connection: 'conn', tokenId: old.id }])
  assert.equal(requests(), 1)
  const password = thePair({ bus, connection: { ...plainConnection, grant: { type: 'password' } } })
  const alice = { username: 'alice', password: new Secret('hers') }
  await ask(password.one, alice)
  await password.advance(217_000)
  assert.equal((await ask(password.one, alice)).source, 'server')
  assert.equal(bus.raised.length, 1)
})

test('a request without a token waits for a throttled store, and a request with a token does not', async () => {
  const { store, one, other, time, requests, advance } = thePair()
  const { token } = await ask(one)
  await advance(30_000)
  const until = time.now() + 3_000
  const waits = () => {
    if (time.now() < until) throw new RecordStoreError('it asks to wait', { isThrottled: true })
  }
  store.before = { read: waits, write: waits }
  const found = await ask(one)
  assert.deepEqual([found.source, found.token.id], ['memory', token.id])
  assert.ok(time.now() < until)
  const waited = await ask(other)
  assert.deepEqual([waited.source, waited.token.id], ['cache', token.id])
  assert.ok(time.now() >= until)
  assert.equal(requests(), 1)
})

test("a request that the elements don't allow takes no lease, whether the connection is known or not", async () => {
  const { store, one } = thePair()
  const mistake = { username: 'alice', password: new Secret('hers') }
  await assert.rejects(ask(one, mistake), { code: 'invalid_request' })
  assert.equal(store.counts.writes, 0)
  await ask(one)
  const { writes } = store.counts
  await assert.rejects(ask(one, mistake), { code: 'invalid_request' })
  assert.equal(store.counts.writes, writes)
})

test("a holder that lost its lease to another process makes no further attempt, and gets that process's token", async () => {
  const { far, one, other, advance, time, requests } = thePair()
  far.latency = 15_000
  const slow = one.get({}, 60_000)
  await advance(13_001)
  const { token } = await time.until(answeredBy(far, other))
  assert.equal((await time.until(slow)).token.id, token.id)
  assert.equal(requests(), 2)
})

test('a programming error is thrown unchanged', async () => {
  const { far, one } = thePair()
  const fault = new TypeError('a programming error')
  far.answer = () => {
    throw fault
  }
  await assert.rejects(ask(one), fault)
})

test('a token whose connection record is gone is a miss', async () => {
  let isLost = false
  const records = createFaultInjectingStore()
  const store: RecordStore = {
    ...records,
    async read(names) {
      const found = await records.read(names)
      return found.map((record, index) => (isLost && names[index]?.id === 'connection' ? undefined : record))
    },
  }
  const one = createTokensInVirtualTime(() => virtualToken(), { store })
  await ask(one)
  const other = createTokensInVirtualTime(() => virtualToken(), { store, fleet: one })
  isLost = true
  assert.equal((await ask(other)).source, 'server')
})

test('a token that another request found answers a caller with minimum_seconds only if it lives long enough', async () => {
  const { one, other, time, requests, advance } = thePair()
  const { token } = await ask(one)
  await advance(100_000)
  const [first, second] = await time.until(Promise.all([other.get(), other.get({ minimumSeconds: 250 })]))
  assert.deepEqual([first.source, first.token.id], ['cache', token.id])
  assert.equal(second.source, 'server')
  assert.equal(requests(), 2)
})

test('a token from the shared cache counts as used: it is kept warm for its idle time from then on', async () => {
  const connection = {
    ...plainConnection,
    warming: {
      authorizationServer: 'theServer',
      maximumConcurrency: 10,
      idleMilliseconds: 400_000,
      maximumVariants: 5,
    },
  }
  const { store, one, other, time, advance } = thePair({ connection })
  await ask(one)
  await advance(150_000)
  assert.equal((await ask(other)).source, 'cache')
  const [record] = await store.read([connectionRecordName('conn')])
  const { variants } = readConnectionRecord(record ?? assert.fail(), time.now())
  assert.deepEqual(
    variants.map(({ lastUsedAt }) => lastUsedAt),
    [time.now()],
  )
})

test('without the shared cache, too, other callers get a stale token at once while one request renews it', async () => {
  const { far, store, one, advance, time } = thePair()
  const { token: old } = await ask(one)
  store.before = { read: isDown, write: isDown }
  await advance(217_000)
  far.latency = 3_000
  const renewing = one.get()
  await advance(0)
  const at = time.now()
  const stale = await one.get()
  assert.deepEqual([stale.source, stale.token.id, time.now()], ['memory', old.id, at])
  assert.equal((await time.until(renewing)).source, 'server')
})

test('without the shared cache memory confirms a token for 30 s by itself, and it answers only requests that it fits', async () => {
  const { store, one, time, advance } = thePair()
  const { token } = await ask(one)
  store.before = { read: isDown, write: isDown }
  await advance(100_000)
  const [first, second] = await time.until(Promise.all([one.get(), one.get({ minimumSeconds: 250 })]))
  assert.deepEqual([first.source, first.token.id, second.source], ['memory', token.id, 'server'])
  await advance(40_000)
  await ask(one)
  await advance(10_000)
  const { reads } = store.counts
  assert.equal((await ask(one)).source, 'memory')
  assert.equal(store.counts.reads, reads)
})

test('a token that was issued during a rejection answers the waiting requests, and no later ones', async () => {
  const { far, one, other, time, advance, requests } = thePair()
  const { token: old } = await ask(one)
  await advance(217_000)
  far.latency = 5_000
  const renewing = one.get()
  await advance(1_000)
  assert.equal(await time.until(other.delete(old.id)), 'dropped')
  const { token } = await time.until(renewing)
  assert.notEqual((await ask(one)).token.id, token.id)
  assert.equal(requests(), 3)
})

test('a request that waits for a failing renewal, and needs more than the stale token has left, gets the reason', async () => {
  const { far, one, time, advance } = thePair()
  await ask(one)
  await advance(217_000)
  far.answer = refuses
  const [stale, more] = await time.until(Promise.allSettled([one.get(), one.get({ minimumSeconds: 100 })]))
  assert.equal(stale.status, 'fulfilled')
  assert.match(String(more.status === 'rejected' && more.reason), /invalid_scope/)
})

test('while every request gets a failure no process takes the lease or writes anything', async () => {
  const { far, store, one, other } = thePair()
  far.answer = refuses
  await assert.rejects(ask(one), /invalid_scope/)
  const { writes } = store.counts
  for (const process of [one, other]) await assert.rejects(ask(process), /invalid_scope/)
  assert.equal(store.counts.writes, writes)
})

test('a token inside its margin that arrives while others wait answers them as long as it has a second left', async () => {
  const { authorizationServer: server } = plainConnection
  const lifetime = { ...server.lifetime, marginSeconds: 300 }
  const connection = { ...plainConnection, authorizationServer: { ...server, lifetime } }
  for (const seconds of [2, 1]) {
    const { far, one, other, time, requests: made } = thePair({ connection, cacheLatency: 5 })
    far.answer = () => virtualToken({ expires_in: seconds })
    const both = await time.until(Promise.allSettled([one.get(), other.get()]))
    assert.deepEqual(
      both.map(({ status }) => status),
      seconds === 2 ? ['fulfilled', 'fulfilled'] : ['rejected', 'rejected'],
    )
    // The other requests get the error about a token that expires at once as well.
    assert.equal(made(), 1)
  }
})

test('a token that the fleet has dropped is not handed out when the shared cache fails later', async () => {
  const { far, store, one, other, time, advance } = thePair()
  const { token } = await ask(one)
  await time.until(other.delete(token.id))
  await advance(30_000)
  far.answer = refuses
  await assert.rejects(ask(one), /invalid_scope/)
  store.before = { read: isDown, write: isDown }
  await assert.rejects(ask(one), /invalid_scope/)
})

test('where the store is throttled for long there is still time for a token request', async () => {
  const { store, one, time } = thePair()
  const at = time.now()
  store.before.write = () => {
    throw new RecordStoreError('it asks to wait', { isThrottled: true })
  }
  assert.equal((await ask(one, {}, 25_000)).source, 'server')
  assert.ok(time.now() - at < 20_000)
})

test('a rejection waits while the store asks to wait', async () => {
  const { store, one, time } = thePair()
  const { token } = await ask(one)
  const until = time.now() + 3_000
  const waits = () => {
    if (time.now() < until) throw new RecordStoreError('it asks to wait', { isThrottled: true })
  }
  store.before = { read: waits, write: waits }
  assert.equal(await time.until(one.delete(token.id)), 'dropped')
  assert.ok(time.now() >= until)
})

test('where the store rejects a token, no other process keeps waiting for it', async () => {
  const { store, one, other, time, requests } = thePair()
  const at = time.now()
  store.before.write = (_name, { fields }) => {
    if (fields['sealedToken'] !== undefined) isNotTaken('too large')
  }
  const [first, second] = [await ask(one), await ask(other)]
  assert.deepEqual([first.source, second.source, requests()], ['server', 'server', 2])
  assert.ok(time.now() - at < 1_000)
})

test('without the shared cache each process makes its own requests, and keeps its own tokens', async () => {
  const { store, one, other, requests, advance } = thePair()
  const { token: old } = await ask(one)
  store.before = { read: isDown, write: isDown }
  await advance(30_000)
  for (let count = 0; count < 2; count++) {
    const found = await ask(one)
    assert.deepEqual([found.source, found.token.id], ['memory', old.id])
  }
  const others = await ask(other)
  assert.equal(others.source, 'server')
  assert.equal((await ask(other)).token.id, others.token.id)
  assert.equal(requests(), 2)
  await advance(200_000)
  const renewed = await ask(one)
  assert.equal(renewed.source, 'server')
  assert.notEqual(renewed.token.id, old.id)
})

test('without the shared cache a token that no longer answers the request is replaced', async () => {
  const { store, one, requests, advance } = thePair()
  await ask(one)
  store.before = { read: isDown, write: isDown }
  await advance(100_000)
  assert.equal((await ask(one, { minimumSeconds: 250 })).source, 'server')
  assert.equal(requests(), 2)
})

test('without the shared cache a stale token whose renewal fails stays in use', async () => {
  const { far, store, one, advance } = thePair()
  const { token: old } = await ask(one)
  store.before = { read: isDown, write: isDown }
  await advance(217_000)
  far.answer = () => {
    throw new UnreachableError('connection refused', { isLasting: true })
  }
  const found = await ask(one)
  assert.deepEqual([found.source, found.token.id], ['memory', old.id])
  await advance(60_000)
  await assert.rejects(ask(one), { code: 'cooling_down' })
})

test('without the shared cache no token of a disabled connection is handed out, and none is kept', async () => {
  let isDisabled = false
  const connections = { ...unchangingConnections(plainConnection), isDisabled: async () => isDisabled }
  const { store, one, requests, advance } = thePair({ connections })
  await ask(one)
  store.before = { read: isDown, write: isDown }
  await advance(30_000)
  isDisabled = true
  await assert.rejects(ask(one), { code: 'connection_disabled' })
  isDisabled = false
  assert.equal((await ask(one)).source, 'server')
  assert.equal(requests(), 2)
})

test('the shared cache is used again once it is back', async () => {
  const { store, one, other, advance } = thePair()
  store.before = { read: isDown, write: isDown }
  const { token } = await ask(one)
  store.before = isFine
  await advance(30_000)
  const shared = await ask(other)
  assert.notEqual(shared.token.id, token.id)
  assert.equal((await ask(one)).token.id, shared.token.id)
})

test('a request that only repeats the elements gets their token, and memory keeps it for the original request as well', async () => {
  const connection = { ...plainConnection, parameters: { ...plainConnection.parameters, audience: 'aud' } }
  for (const isUnavailable of [false, true]) {
    const { store, one, other, requests } = thePair({ connection })
    if (isUnavailable) store.before = { read: isDown, write: isDown }
    const { token } = await ask(one)
    const { writes } = store.counts
    assert.equal((await ask(one, { audience: 'aud' })).token.id, token.id)
    assert.equal(store.counts.writes, writes)
    assert.equal((await ask(one, { audience: 'aud' })).source, 'memory')
    assert.equal(requests(), 1)
    if (!isUnavailable) assert.equal((await ask(other, { audience: 'aud' })).token.id, token.id)
  }
})
