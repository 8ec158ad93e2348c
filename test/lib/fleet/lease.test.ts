import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { lostRace } from '../../../lib/base/compare-and-set.ts'
import { createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import type { ElementsRevision } from '../../../lib/fleet/connection-state.ts'
import { createFleetRecords } from '../../../lib/fleet/fleet-records.ts'
import { createLease, LeaseLostError, unsharedLease } from '../../../lib/fleet/lease.ts'
import { tokenRecordName } from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import type { TokenRecord } from '../../../lib/fleet/token-record.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createFaultInjectingStore, isDown } from '../../support/virtual/fault-injecting-store.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const name = tokenRecordName('conn', 'the-digest')
const elements: ElementsRevision = { fingerprint: 'f1' }
const others: ElementsRevision = { fingerprint: 'f2' }
const warming = { idleMilliseconds: 3_600_000, maximumVariants: 5, authorizationServer: 'as', maximumConcurrency: 10 }

/** One record in a store that fails on demand, and the holders of its lease. */
function theRecord() {
  const { now, pause, advance } = createVirtualTime()
  const store = createFaultInjectingStore()
  store.before.write = (_name, { fields }) => {
    for (const [field, value] of Object.entries(fields))
      assert.ok(typeof value === 'string' || typeof value === 'number', `${field} is no value that a store takes`)
  }
  const randomId = () => randomBytes(16).toString('base64url')
  const breaker = createCircuitBreaker({ budgetMilliseconds: 250, now, random: () => 0.5, pause, log() {} })
  const records = createFleetRecords({ store, breaker, now, randomId })
  const later = now() + 3_600_000
  const read = () => records.read(name, later)
  const record = async () => (await read()).record
  async function amend(change: TokenRecord) {
    await records.amend(name, (before) => ({ ...before.record, ...change }), later)
  }
  async function take(milliseconds = 12_000) {
    const before = await read()
    const term = { leaseOwner: randomId(), leaseUntil: now() + milliseconds }
    const taken = await records.write(before, { ...before.record, ...term }, later)
    assert.ok(taken !== lostRace)
    return createLease({ records, sealing: withoutSealing(new Uint8Array(32)), now }, taken, term, later)
  }
  /** The lease of the process that takes it over. */
  const takeOver = () => amend({ leaseOwner: 'another', leaseUntil: now() + 12_000 })
  return { now, advance, store, records, record, read, amend, take, takeOver, later }
}

const someToken = (generation: number) => ({ text: new Secret('text'), refreshAt: 1, expiresAt: 2, generation })

test('a token gets an id from which its record can be found, and keeps it', async () => {
  const lease = await theRecord().take()
  assert.equal(lease.idFor('random'), 'random.the-digest')
  assert.equal(lease.idFor('random.of-another'), 'random.of-another')
})

test("the generation is the one of the holder's elements, and changed elements count as a fix", async () => {
  const { take, now, advance } = theRecord()
  const lease = await take()
  assert.deepEqual([lease.generation(), lease.mendedAt()], [undefined, undefined])
  const first = now()
  await lease.activate(elements)
  assert.deepEqual([lease.generation(), lease.mendedAt()], [first, undefined])
  await advance(1_000)
  const next = await take()
  assert.deepEqual([next.generation(), next.mendedAt()], [first, undefined])
  await next.activate(others)
  assert.deepEqual([next.generation(), next.mendedAt()], [first + 1_000, first + 1_000])
})

test('a holder with older elements than the active ones loses its lease', async () => {
  const { take, record } = theRecord()
  await (await take()).activate(elements)
  const [slow, fast] = [await take(), await take()]
  await fast.activate(others)
  const ofFast = await record()
  await assert.rejects(slow.activate({ fingerprint: 'f3' }), { name: 'LeaseLostError' })
  assert.deepEqual(await record(), ofFast, 'another lease is not changed')
  const last = await take()
  await fast.activate(elements)
  await assert.rejects(last.activate({ fingerprint: 'f3' }), LeaseLostError)
  assert.deepEqual(await record(), {})
})

test("elements in the form of another version don't end a lease", async () => {
  const { take } = theRecord()
  await (await take()).activate(elements)
  const [slow, fast] = [await take(), await take()]
  await fast.activate(others)
  const generation = fast.generation()
  await slow.activate({ fingerprint: 'f2 of 0.1', otherFingerprints: ['f2'] })
  assert.equal(slow.generation(), generation)
})

test('where the store is down, the holder goes on and shares nothing', async () => {
  const { take, store, now } = theRecord()
  const lease = await take(1_000)
  store.before = { read: isDown, write: isDown }
  await lease.activate(elements)
  assert.equal(lease.generation(), undefined)
  await lease.keepFor(30_000)
  await lease.end({ failure: 'no', until: now() + 1_000 })
  await lease.end({})
})

test('an end that does not reach the store is not a failure', async () => {
  const { take, store } = theRecord()
  const lease = await take()
  store.before = { read: isDown, write: isDown }
  await lease.end({})
})

test('a lease is extended for an attempt that may take longer, and no other process gets it meanwhile', async () => {
  const { take, store, record, now, advance, takeOver } = theRecord()
  const lease = await take()
  const until = now() + 12_000
  const { writes } = store.counts
  await lease.keepFor(12_000)
  assert.equal(store.counts.writes, writes, 'it lasts as long in any case')
  await lease.keepFor(12_001)
  assert.equal((await record()).leaseUntil, until + 1)
  await lease.keepFor(12_001)
  assert.equal(store.counts.writes, writes + 1)
  await advance(12_000)
  await lease.keepFor(5_000)
  assert.equal((await record()).leaseUntil, now() + 12_000, 'and not for less than the time of a lease')
  await takeOver()
  await advance(12_000)
  await assert.rejects(lease.keepFor(5_000), LeaseLostError)
  assert.equal((await record()).leaseOwner, 'another')
})

test('a token is stored under the active generation, or under the staged one', async () => {
  const { take, record, records, later } = theRecord()
  const lease = await take()
  await lease.activate(elements)
  const active = lease.generation() ?? 0
  const staged = { fingerprint: 'f2', generation: active + 1 }
  const [before] = await records.readConnections(['conn'], later)
  await records.amendConnection('conn', before, (state) => state && { ...state, staged }, later)
  const untouched = await record()
  assert.equal(await lease.sealAndWrite(someToken(active + 2), later), false)
  assert.deepEqual(await record(), untouched)

  assert.equal(await lease.sealAndWrite(someToken(active), later), true)
  assert.deepEqual(await record(), { sealedToken: 'text', refreshAt: 1, expiresAt: 2, generation: active })
  assert.equal(await lease.sealAndWrite(someToken(active), later), false, 'the lease has ended')
  const next = await take()
  assert.equal(await next.sealAndWrite(someToken(active + 1), later), true)
  const { nextSealedToken, nextGeneration, sealedToken, generation, leaseOwner } = await record()
  assert.deepEqual([nextSealedToken, nextGeneration], ['text', active + 1])
  assert.deepEqual([sealedToken, generation, leaseOwner], ['text', active, undefined])
})

test('without a record of its connection no token is stored', async () => {
  const { take, record, later } = theRecord()
  const lease = await take()
  assert.equal(await lease.sealAndWrite(someToken(0), later), false)
  assert.equal((await record()).sealedToken, undefined)
})

test('a lease of another holder is neither overwritten nor ended', async () => {
  const { take, takeOver, record, later } = theRecord()
  const lease = await take()
  await lease.activate(elements)
  await takeOver()
  const untouched = await record()
  assert.equal(await lease.sealAndWrite(someToken(lease.generation() ?? 0), later), false)
  await lease.release(later)
  await lease.end({ failure: 'no' })
  assert.deepEqual(await record(), untouched)
  assert.deepEqual((await lease.readAgain(later))?.record, untouched)
})

test('a use is noted for that token under its connection', async () => {
  const { take, records, now, later } = theRecord()
  const lease = await take()
  await lease.noteUse({ caller: 'own', lifetimeMilliseconds: 300_000 }, later)
  assert.deepEqual(await records.readConnections(['conn'], later), [undefined], 'no connection is made up')
  await lease.activate({ ...elements, warming })
  await lease.noteUse({ caller: 'own', lifetimeMilliseconds: 300_000 }, later)
  const [connection] = await records.readConnections(['conn'], later)
  assert.deepEqual(connection?.variants, [{ id: name.id, lastUsedAt: now(), caller: 'own' }])
  assert.equal(lease.generation(), connection.generation)
})

test('a use that is noted after a change by another process keeps that change', async () => {
  const { take, records, now, later } = theRecord()
  const lease = await take()
  await lease.activate({ ...elements, warming })
  const [before] = await records.readConnections(['conn'], later)
  await records.amendConnection('conn', before, (state) => state && { ...state, generation: now() + 7 }, later)
  await lease.noteUse({ caller: 'own', lifetimeMilliseconds: 300_000 }, later)
  assert.equal(lease.generation(), now() + 7)
})

test('a released lease leaves the record as it was before', async () => {
  const { take, record, amend, later } = theRecord()
  await amend({ refreshAt: 1 })
  await (await take()).release(later)
  assert.deepEqual(await record(), { refreshAt: 1 })
})

test('the end of a lease shares the failure, the end of its cool-down, and the time from which a request may help', async () => {
  const { take, record, now } = theRecord()
  const lease = await take()
  await lease.end({ failure: 'no', until: 5, retryAt: 6 })
  assert.deepEqual(await record(), {}, 'an empty record has no elements')
  const known = await take()
  await known.activate(elements)
  await known.end({ failure: 'no', until: 5, retryAt: 6, refreshAt: 7 })
  const failed = { failure: 'no', failedAt: now(), failedFingerprint: 'f1', refreshAt: 7 }
  assert.deepEqual(await record(), { ...failed, coolDownUntil: 5, retryAt: 6 })
})

test('the end of a lease leaves out unknown values, and changes only the renewal time without a failure', async () => {
  const { take, record, now } = theRecord()
  const lease = await take()
  await lease.activate(elements)
  await lease.end({ refreshAt: 7 })
  assert.deepEqual(await record(), { refreshAt: 7 })
  const next = await take()
  await next.end({ failure: 'no' })
  assert.deepEqual(await record(), { refreshAt: 7, failure: 'no', failedAt: now(), failedFingerprint: 'f1' })
})

test("a lease that isn't shared holds nothing, and is never lost", async () => {
  assert.equal(unsharedLease.idFor('an-id'), 'an-id')
  assert.equal(unsharedLease.waitUntil, -Infinity)
  assert.deepEqual([unsharedLease.generation(), unsharedLease.mendedAt()], [undefined, undefined])
  assert.equal(await unsharedLease.sealAndWrite(someToken(1), 0), false)
  assert.equal(await unsharedLease.readAgain(0), undefined)
})

test('a lease of a token for one request ends for everybody, and for a minute no process needs one', async () => {
  const { take, record, now, takeOver, later } = theRecord()
  const lease = await take()
  const { leaseOwner, ...before } = await record()
  assert.ok(leaseOwner)
  await lease.releaseUnshared(later)
  const { leaseUntil: _, ...rest } = before
  assert.deepEqual(await record(), { ...rest, unleasedUntil: now() + 60_000 })

  const lost = await take()
  await takeOver()
  await lost.releaseUnshared(later)
  assert.equal((await record()).leaseOwner, 'another')
})
