import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createSecretsVersionChanger } from '../../../lib/fleet/change-secrets-version.ts'
import { CacheUnavailableError, createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { secretsVersionRecordName } from '../../../lib/fleet/record-store.ts'
import { createSecretsVersion, type SecretsVersion } from '../../../lib/fleet/secrets-version.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

function theMarks() {
  const time = createVirtualTime()
  const { now, pause } = time
  const store = createFaultInjectingStore()
  /** The version that another process reads. */
  const open = () => {
    const breaker = createCircuitBreaker({ budgetMilliseconds: 250, now, random: () => 0.5, pause, log() {} })
    const parts = { store, breaker, now, randomId: () => randomBytes(16).toString('base64url') }
    return { ...createSecretsVersion(parts), ...createSecretsVersionChanger(parts) }
  }
  return { time, store, open }
}

async function versionOf(mark: SecretsVersion): Promise<string | undefined> {
  return (await mark.read())?.version
}

test('a version is the same for all processes until one changes it, and then a new one for all', async () => {
  const { time, open } = theMarks()
  const [one, other] = [open(), open()]
  const seen = [await versionOf(one)]
  assert.notEqual(seen[0], undefined, 'an unavailable shared cache is logged')
  assert.equal(await versionOf(other), seen[0], 'before the first change')
  for (let count = 0; count < 3; count++) {
    await one.change(time.now() + 1_000)
    seen.push(await versionOf(other))
    assert.equal(await versionOf(one), seen.at(-1))
  }
  assert.equal(new Set(seen).size, 4)
})

test('where several processes change it at once, it has changed after the last of them began', async () => {
  const { time, store, open } = theMarks()
  const reader = open()
  const before = await versionOf(reader)
  const gate = Promise.withResolvers<void>()
  store.before = { ...isFine, write: () => gate.promise }
  const moving = Array.from({ length: 5 }, () => open().change(time.now() + 1_000))
  gate.resolve()
  await Promise.all(moving)
  assert.notEqual(await versionOf(reader), before)
})

test('the record stays longer than any process keeps a secret', async () => {
  const { time, store, open } = theMarks()
  await open().change(time.now() + 1_000)
  const [record] = await store.read([secretsVersionRecordName])
  assert.ok((record?.removableFrom ?? 0) >= time.now() + 3_600_000)
})

test("where the shared cache is unavailable the version is unknown, and a change that can't be written fails", async () => {
  const { time, store, open } = theMarks()
  store.before = { read: isDown, write: isDown }
  const mark = open()
  assert.equal(await mark.read(), undefined)
  await assert.rejects(mark.change(time.now() + 1_000), CacheUnavailableError)
})

const year = 365 * 86_400_000
const revocation = (kid: string, revokedAt: number) => ({ jwtBuilder: 'theBuilder', kid, revokedAt })

test('a revocation reaches all instances, and remains when a secret changes', async () => {
  const { time, open } = theMarks()
  const [one, other] = [open(), open()]
  const before = await versionOf(other)
  const first = revocation('one', time.now())
  await one.revoke(first, time.now() + 1_000)
  assert.notEqual(await versionOf(other), before, 'secrets are read again, too')
  await other.change(time.now() + 1_000)
  const located = { ...revocation('two', time.now()), location: 'tokenwell/test/the-key' }
  await other.revoke(located, time.now() + 1_000)
  assert.deepEqual((await one.read())?.revocations, [first, located])
})

test('a repeated revocation changes nothing, except that a newly known secret is noted', async () => {
  const { time, store, open } = theMarks()
  const mark = open()
  const first = revocation('one', time.now())
  await mark.revoke(first, time.now() + 1_000)
  const { writes } = store.counts
  await time.advance(1_000)
  await mark.revoke(revocation('one', time.now()), time.now() + 1_000)
  assert.equal(store.counts.writes, writes)
  await mark.revoke({ ...revocation('one', time.now()), location: 'here' }, time.now() + 1_000)
  await mark.revoke(revocation('one', time.now()), time.now() + 1_000)
  assert.deepEqual(await mark.revocations(time.now() + 1_000), [{ ...first, location: 'here' }])
})

test('where several processes revoke at once, all revocations count', async () => {
  const { time, open } = theMarks()
  const kids = Array.from({ length: 8 }, (_, index) => `key-${index}`)
  await Promise.all(kids.map((kid) => open().revoke(revocation(kid, time.now()), time.now() + 1_000)))
  const known = (await open().read())?.revocations.map(({ kid }) => kid)
  assert.deepEqual(known?.toSorted(), kids)
})

test('a revocation stays for a year, and the oldest go when there are more than a hundred', async () => {
  const { time, store, open } = theMarks()
  const mark = open()
  const start = time.now()
  await mark.revoke(revocation('first', start), start + 1_000)
  const [record] = await store.read([secretsVersionRecordName])
  assert.ok((record?.removableFrom ?? 0) >= start + year)
  await time.advance(year - 1)
  assert.equal((await mark.read())?.revocations.length, 1)
  await time.advance(1)
  assert.deepEqual((await mark.read())?.revocations, [])
  for (let count = 0; count < 110; count++)
    await mark.revoke(revocation(`key-${count}`, time.now()), time.now() + 1_000)
  const kids = (await mark.read())?.revocations.map(({ kid }) => kid)
  assert.deepEqual([kids?.length, kids?.at(0), kids?.at(-1)], [100, 'key-10', 'key-109'])
})

test("values that aren't revocations are ignored", async () => {
  const { store, open } = theMarks()
  let version: string | undefined
  for (const revoked of ['', 'null', '{}', '[1, null, "a", ["a"], ["a", "b"], ["a", "b", "c"], [1, "b", 2]]', 7]) {
    const next = { version: String(revoked), removableFrom: Infinity, fields: { revoked } }
    assert.ok(await store.write(secretsVersionRecordName, next, version))
    version = next.version
    assert.deepEqual((await open().read())?.revocations, [])
  }
})
