import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionState } from '../../../lib/fleet/connection-state.ts'
import type { Variant } from '../../../lib/fleet/kept-warm.ts'
import {
  asOfGeneration,
  dueAt,
  isLeased,
  readTokenRecord,
  removableFrom,
  type TokenRecord,
  withoutFailure,
  withoutLease,
  withoutToken,
  withStagedToken,
  withToken,
} from '../../../lib/fleet/token-record.ts'

const token = { sealedToken: 'sealed', refreshAt: 1, expiresAt: 2, generation: 3 }
const newToken = { sealedToken: 'new', refreshAt: 11, expiresAt: 12, generation: 13 }
const next = { nextSealedToken: 'next', nextRefreshAt: 9, nextExpiresAt: 10, nextGeneration: 11 }
const lease = { leaseOwner: 'owner', leaseUntil: 4 }
const failure = { failure: '{}', failedAt: 6, coolDownUntil: 7, retryAt: 8, failedFingerprint: 'f' }
const whole: TokenRecord = { ...token, ...next, ...lease, rejectedAt: 5, ...failure }
const hour = 3_600_000
const idle = 24 * hour

function aConnection(variants: readonly Variant[]): ConnectionState {
  const plan = { maximumVariants: 20, authorizationServer: 'as', maximumConcurrency: 10 }
  return { generation: 1, fingerprint: 'f', variants, warming: { idleMilliseconds: idle, ...plan } }
}

test('every field that this version writes is read', () => {
  assert.deepEqual(readTokenRecord({ ...whole }, 10), whole)
})

test('fields of others, and those of another type, are dropped', () => {
  const foreign = { warmAt: 5, note: 'text', constructor: 'x', toString: 1 }
  assert.deepEqual(readTokenRecord({ ...whole, ...foreign }, 10), whole)
  const turned = Object.entries(whole).map(([name, value]) => [name, typeof value === 'number' ? String(value) : 1])
  assert.deepEqual(readTokenRecord(Object.fromEntries(turned), 10), {})
  assert.deepEqual(readTokenRecord({}, 10), {})
})

test('a removed part takes all its fields along, and nothing else', () => {
  assert.deepEqual(withoutToken(whole, { isRepeatable: false }), { ...next, ...lease, rejectedAt: 5, ...failure })
  const asked = { sealedToken: 'sealed', ...next, ...lease, rejectedAt: 5, ...failure }
  assert.deepEqual(withoutToken(whole, { isRepeatable: true }), asked, 'it contains the request')
  assert.deepEqual(withToken(whole, newToken), { ...newToken, rejectedAt: 5, ...next })
  assert.deepEqual(withToken({ refreshRequestedAt: 1 }, newToken), newToken)
  assert.deepEqual(withoutLease(whole), { ...token, ...next, rejectedAt: 5, ...failure })
  assert.deepEqual(withoutFailure(whole), { ...token, ...next, ...lease, rejectedAt: 5 })
})

test('a staged token counts once its generation is active, and the other token until then', () => {
  const { generation, ...rest } = newToken
  const prepared = withStagedToken({ ...token, ...lease, rejectedAt: 5 }, newToken)
  assert.deepEqual(prepared, {
    ...{ ...token, rejectedAt: 5 },
    nextSealedToken: 'new',
    nextRefreshAt: 11,
    nextExpiresAt: 12,
    nextGeneration: 13,
  })
  for (const current of [undefined, token.generation, generation - 1, generation + 1])
    assert.equal(asOfGeneration(prepared, current), prepared)
  const renewed = withToken(prepared, { ...token, refreshAt: 5 })
  for (const record of [prepared, renewed])
    assert.deepEqual(asOfGeneration(record, generation), { ...rest, generation, rejectedAt: 5 })
  assert.deepEqual(asOfGeneration({ ...prepared, ...failure }, generation), { ...newToken, rejectedAt: 5 })
  for (const member of ['nextSealedToken', 'nextRefreshAt', 'nextExpiresAt'] as const) {
    const { [member]: _, ...without } = prepared
    assert.equal(asOfGeneration(without, generation), without, `nobody can use it without ${member}`)
  }
})

test('a lease lasts a second longer for processes that wait for its end', () => {
  assert.equal(isLeased({ leaseUntil: 10_000 }, 11_000), true)
  assert.equal(isLeased({ leaseUntil: 10_000 }, 11_001), false)
  assert.equal(isLeased({}, 0), false)
})

test('a record may be removed an hour after the last of token, lease, cool-down and rejection, and not before', () => {
  const now = 1_000_000
  const latest = now + 5 * hour
  const times = ['expiresAt', 'nextExpiresAt', 'leaseUntil', 'coolDownUntil', 'rejectedAt'] as const
  for (const last of times) {
    const record = Object.fromEntries(times.map((name) => [name, name === last ? latest : now - 1]))
    assert.ok(removableFrom(record, undefined, 'a', now) >= latest + hour, last)
  }
  assert.ok(removableFrom({}, undefined, 'a', now) >= now + hour)
  const used = aConnection([{ id: 'a', lastUsedAt: now }])
  assert.ok(removableFrom({}, used, 'a', now) >= now + idle + hour, 'its caller may come again')
  assert.ok(removableFrom({}, used, 'b', now) < now + idle)
  assert.ok(removableFrom({ expiresAt: now - hour }, undefined, 'a', now) >= now + hour)
})

test('a token is due when it gets stale, if it was used so recently that it is kept warm until then', () => {
  const connection = aConnection([{ id: 'a', lastUsedAt: 1_000 }])
  const due = (record: TokenRecord, of: ConnectionState | undefined = connection, id = 'a') => dueAt(record, of, id)
  const sealed = { sealedToken: 'sealed', refreshAt: 5_000 }
  assert.equal(due(sealed), 5_000)
  assert.equal(due({ ...sealed, refreshAt: 1_000 + idle - 1 }), 1_000 + idle - 1)
  assert.equal(due({ ...sealed, refreshAt: 1_000 + idle }), undefined, 'its idle time ends before that')
  assert.equal(due({ ...sealed, coolDownUntil: 9_000 }), 9_000, 'no request is made before')
  assert.equal(due({ ...sealed, coolDownUntil: 4_000 }), 5_000)
  assert.equal(due({ sealedToken: 'sealed', rejectedAt: 3_000 }), 3_000, 'at once, where an API refused it')
  const outdated = { ...sealed, generation: 0 }
  assert.equal(due(outdated), 1, 'at once, where it is of another generation: its number is a time')
  assert.equal(due({ ...outdated, generation: 1 }), 5_000)
  assert.equal(due({ ...outdated, coolDownUntil: 9_000 }), 9_000)
  for (const [why, record, of, id] of [
    ['it is none of those that are kept warm', sealed, connection, 'b'],
    ['the request is unknown', { refreshAt: 5_000 }, connection, 'a'],
    ['nothing is known of the connection', sealed, undefined, 'a'],
    ['its tokens are not kept warm', sealed, { generation: 1, fingerprint: 'f', variants: connection.variants }, 'a'],
  ] as const)
    assert.equal(dueAt(record, of, id), undefined, why)
})

test('a record is not due without a token, without a time, or with a connection that keeps nothing warm', () => {
  const warm = aConnection([])
  assert.equal(dueAt({}, warm, 'id'), undefined)
  assert.equal(dueAt({ sealedToken: 'sealed' }, warm, 'id'), undefined)
  assert.equal(dueAt({ sealedToken: 'sealed', coolDownUntil: 7 }, warm, 'id'), undefined)
  assert.equal(dueAt(token, undefined, 'id'), undefined)
})

test('a record without a token keeps no field of a token', () => {
  assert.deepEqual(Object.keys(withoutToken({ leaseUntil: 4 }, { isRepeatable: true })), ['leaseUntil'])
})

test('a staged token without a generation never counts, even where no generation is known', () => {
  const { nextGeneration: _, ...withoutGeneration } = next
  assert.deepEqual(asOfGeneration({ ...token, ...withoutGeneration }, undefined), { ...token, ...withoutGeneration })
})
