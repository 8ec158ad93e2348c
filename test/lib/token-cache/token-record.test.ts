import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isLeased,
  readTokenRecord,
  removableFrom,
  type TokenRecord,
  withoutFailure,
  withoutLease,
  withoutToken,
} from '../../../lib/token-cache/token-record.ts'

const token = { sealedToken: 'sealed', refreshAt: 1, expiresAt: 2, generation: 3 }
const lease = { leaseOwner: 'owner', leaseUntil: 4 }
const failure = { failure: '{}', failedAt: 6, coolDownUntil: 7, retryAt: 8, failedFingerprint: 'f' }
const whole: TokenRecord = { ...token, ...lease, rejectedAt: 5, ...failure }
const hour = 3_600_000

test('of a record everything is read that this version writes', () => {
  assert.deepEqual(readTokenRecord({ ...whole }), whole)
})

test('fields of others, and those of another type, are dropped', () => {
  const foreign = { warmAt: 5, note: 'text', constructor: 'x', toString: 1 }
  assert.deepEqual(readTokenRecord({ ...whole, ...foreign }), whole)
  const turned = Object.entries(whole).map(([name, value]) => [name, typeof value === 'number' ? String(value) : 1])
  assert.deepEqual(readTokenRecord(Object.fromEntries(turned)), {})
  assert.deepEqual(readTokenRecord({}), {})
})

test('what is taken out of a record is all that belongs to it, and nothing else', () => {
  assert.deepEqual(withoutToken(whole), { ...lease, rejectedAt: 5, ...failure })
  assert.deepEqual(withoutLease(whole), { ...token, rejectedAt: 5, ...failure })
  assert.deepEqual(withoutFailure(whole), { ...token, ...lease, rejectedAt: 5 })
})

test('a lease lasts a second longer for those who wait for its end', () => {
  assert.equal(isLeased({ leaseUntil: 10_000 }, 11_000), true)
  assert.equal(isLeased({ leaseUntil: 10_000 }, 11_001), false)
  assert.equal(isLeased({}, 0), false)
})

test('a record may go an hour after the last of token, lease, cool-down and rejection, and not before', () => {
  const now = 1_000_000
  const latest = now + 5 * hour
  const times = ['expiresAt', 'leaseUntil', 'coolDownUntil', 'rejectedAt'] as const
  for (const last of times) {
    const record = Object.fromEntries(times.map((name) => [name, name === last ? latest : now - 1]))
    assert.ok(removableFrom(record, now) >= latest + hour, last)
  }
  assert.ok(removableFrom({}, now) >= now + hour)
  assert.ok(removableFrom({ expiresAt: now - hour }, now) >= now + hour)
})
