import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readConnectionRecord, readGeneration } from '../../../lib/fleet/connection-record.ts'
import { cleared } from '../../../lib/fleet/connection-state.ts'
import type { RecordFields } from '../../../lib/fleet/record-store.ts'
import { isLeased, readTokenRecord } from '../../../lib/fleet/token-record.ts'
import { exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createFaultInjectingStore, isNotTaken } from '../../support/virtual/fault-injecting-store.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* Records may come from processes with wrong clocks, and from any writer to the table. */

const now = 1_800_000_000_000
const minute = 60_000
const hour = 60 * minute
const year2100 = 4_102_444_800_000

const readToken = (fields: RecordFields) => readTokenRecord(fields, now)

function readConnection(fields: RecordFields) {
  const known = { generation: now - hour, fingerprint: 'f', variants: '[]', authorizationServer: 'theServer' }
  const plan = { idleMilliseconds: hour, maximumVariants: 20, maximumConcurrency: 10 }
  return readConnectionRecord({ version: 'v', removableFrom: 0, fields: { ...known, ...plan, ...fields } }, now)
}

test('a lease that ends later than any lease can is ignored, whatever the clock of its holder', () => {
  for (const leaseUntil of [now - hour, now, now + 12_000, now + 2 * minute])
    assert.deepEqual(readToken({ leaseOwner: 'one', leaseUntil }), { leaseOwner: 'one', leaseUntil })
  for (const leaseUntil of [now + 2 * minute + 1, now + hour, year2100, 2 ** 53, Number.NaN, Infinity]) {
    const read = readToken({ leaseOwner: 'one', leaseUntil })
    assert.deepEqual(read, { leaseOwner: 'one' }, String(leaseUntil))
    assert.equal(isLeased(read, now), false)
  }
})

test('events are in the past, and no cool-down lasts longer than five minutes', () => {
  for (const name of ['rejectedAt', 'refreshRequestedAt', 'failedAt']) {
    for (const at of [0, now, now + minute]) assert.deepEqual(readToken({ [name]: at }), { [name]: at })
    for (const at of [now + minute + 1, year2100, Infinity]) assert.deepEqual(readToken({ [name]: at }), {}, name)
  }
  for (const name of ['coolDownUntil', 'retryAt']) {
    assert.deepEqual(readToken({ [name]: now + 6 * minute }), { [name]: now + 6 * minute })
    for (const at of [now + 6 * minute + 1, year2100]) assert.deepEqual(readToken({ [name]: at }), {}, name)
  }
})

test('a generation is a whole number that a clock may have shown', () => {
  for (const right of [1, now - hour, now + hour]) {
    assert.equal(readGeneration(right, now), right)
    assert.equal(readConnection({ generation: right }).generation, right)
    assert.deepEqual(readToken({ generation: right, nextGeneration: right }), {
      generation: right,
      nextGeneration: right,
    })
  }
  for (const wrong of [0, -1, 1.5, now + 0.5, Number.NaN, Infinity, 2 ** 53, 1e300, year2100, 'now']) {
    assert.equal(readGeneration(wrong, now), undefined, String(wrong))
    assert.deepEqual(readToken({ generation: wrong, nextGeneration: wrong }), {})
    assert.equal(readConnection({ nextGeneration: wrong, nextFingerprint: 'g' }).staged, undefined)
    const read = readConnection({ generation: wrong })
    assert.deepEqual(read, { version: 'v', generation: 0, fingerprint: '', variants: [] }, 'it is no evidence')
    assert.equal(cleared(read, now).generation, now)
  }
})

test('clearing makes another generation, however the last one was written, and that generation is read again', () => {
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.maxSafeNat(), fc.constant(now)), fc.double(), (generation, next) => {
      const before = readConnection({ generation, nextGeneration: next, nextFingerprint: 'g' })
      const after = cleared(before, now)
      assert.notEqual(after.generation, before.generation)
      const read = readConnection({ generation: after.generation })
      assert.equal(read.generation, after.generation)
    }),
  )
})

test('a generation is a whole number, whatever the clock shows', () => {
  const before = readConnection({})
  assert.equal(readConnection({ generation: cleared(before, now + 0.25).generation }).generation, now + 1)
})

test('the plan for warm tokens stays within the limits of the elements', () => {
  const warming = (fields: RecordFields) => {
    const { idleMilliseconds, maximumVariants, maximumConcurrency } = readConnection(fields).warming ?? assert.fail()
    return [idleMilliseconds, maximumVariants, maximumConcurrency]
  }
  const all = (value: number) => ({ idleMilliseconds: value, maximumVariants: value, maximumConcurrency: value })
  for (const huge of [1e9 * hour, 2 ** 60]) assert.deepEqual(warming(all(huge)), [720 * hour, 100, 1000])
  for (const tiny of [0, -1, -1e300, 0.5]) assert.deepEqual(warming(all(tiny)), [minute, 1, 1])
  assert.equal(readConnection(all(Number.NaN)).warming, undefined)
  const uses = Array.from({ length: 300 }, (_, index) => [`token#${index}`, now - index])
  assert.equal(readConnection({ variants: JSON.stringify(uses) }).variants.length, 20)
  const ahead = [['token#a', year2100], ['token#b', now], ['token#c', now + hour]] // biome-ignore format: one line
  assert.deepEqual(readConnection({ variants: JSON.stringify(ahead) }).variants, [{ id: 'token#b', lastUsedAt: now }])
})

/** Two processes of one fleet: one with the right clock, and one whose clock is ahead. */
function createTwo(answer: () => ReturnType<typeof virtualToken>, clock = { aheadMilliseconds: hour }) {
  const right = createTokensInVirtualTime(answer, { memoryMaximumSeconds: 0 })
  const ahead = createTokensInVirtualTime(answer, { memoryMaximumSeconds: 0, fleet: right, clock })
  return { right, ahead, time: right.time }
}

test('a process that was an hour ahead leaves no token behind that is handed out after its end', async () => {
  const { right, ahead, time } = createTwo(() => virtualToken({ expires_in: 3600 }))
  const early = (await time.until(ahead.get())).token
  const { token, source } = await time.until(right.get())
  assert.equal(source, 'server')
  assert.notEqual(token.id, early.id)
  assert.ok(
    right.events.some((each) => each.event === 'cached_token_unreadable' && / s in the future, /.test(each.reason)),
  )
  const again = await time.until(right.get())
  assert.deepEqual([again.source, again.token.id], ['cache', token.id], 'its own is shared')
})

test('a token is handed out where its clock differs by less than the margin', async () => {
  const { right, ahead, time } = createTwo(() => virtualToken({ expires_in: 300 }), { aheadMilliseconds: 25_000 })
  const { token } = await time.until(ahead.get())
  const found = await time.until(right.get())
  assert.deepEqual([found.source, found.token.id], ['cache', token.id])
})

test('the lease of a process that was an hour ahead and died delays others no longer than any other lease', async () => {
  const { right, ahead, time } = createTwo(() => virtualToken())
  ahead.get().catch(() => {})
  await time.advance(10)
  const startedAt = time.now()
  const { source } = await time.until(right.get())
  assert.equal(source, 'server')
  assert.ok(time.now() - startedAt < 15_000, `${time.now() - startedAt} ms`)
})

test('a token that the store does not accept is handed out anyway, and the rest of the cache stays in use', async () => {
  const store = createFaultInjectingStore()
  const elements = changeableElements(exampleElements(exampleIssuer))
  const options = { store, elements, memoryMaximumSeconds: 30 }
  const one = createTokensInVirtualTime(() => virtualToken(), options)
  const other = createTokensInVirtualTime(() => virtualToken(), { ...options, fleet: one })
  const { time } = one
  const shared = await time.until(one.get({ audience: 'fine' }))
  store.before.write = (_name, { fields }) => {
    if (String(fields['sealedToken']).includes('huge')) isNotTaken('a record of conn')
  }
  const huge = { audience: 'huge', further: { note: 'huge' } }
  for (const process of [one, other]) {
    const startedAt = time.now()
    const { token, source } = await time.until(process.get(huge))
    assert.ok(time.now() - startedAt < 5_000, 'no process waits for the end of a failed lease')
    assert.equal(source, 'server')
    assert.equal(token.id, (await time.until(process.get(huge))).token.id, 'its process keeps it')
    assert.deepEqual(
      process.events.filter(({ event }) => event === 'cache_passed_over' || event === 'record_not_taken'),
      [{ event: 'record_not_taken', reason: 'a record of conn' }],
    )
    const found = await time.until(process.get({ audience: 'fine' }))
    assert.equal(found.token.id, shared.token.id)
  }
  await time.until(one.answer({ type: 'ClearTokenCache', connection: 'conn' }))
  await time.advance(30_001)
  for (const audience of ['fine', 'huge']) {
    const found = await time.until(other.get(audience === 'huge' ? huge : { audience }))
    assert.notEqual(found.token.id, shared.token.id, 'a cleared token is not used any more')
  }
})
