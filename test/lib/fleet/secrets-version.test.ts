import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { CacheUnavailableError, createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { secretsVersionRecordName } from '../../../lib/fleet/record-store.ts'
import { createSecretsVersion } from '../../../lib/fleet/secrets-version.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

function theMarks() {
  const time = createVirtualTime()
  const { now, pause } = time
  const store = createFaultInjectingStore()
  /** As another process sees it. */
  const open = () => {
    const breaker = createCircuitBreaker({ budgetMilliseconds: 250, now, random: () => 0.5, pause, log() {} })
    return createSecretsVersion({ store, breaker, now, randomId: () => randomBytes(16).toString('base64url') })
  }
  return { time, store, open }
}

test('a mark is the same for all until somebody moves it, and then another one for all', async () => {
  const { time, open } = theMarks()
  const [one, other] = [open(), open()]
  const seen = [await one.read()]
  assert.notEqual(seen[0], undefined, 'that is told of a cache which can not be asked')
  assert.equal(await other.read(), seen[0], 'though nobody has moved it yet')
  for (let count = 0; count < 3; count++) {
    await one.change(time.now() + 1_000)
    seen.push(await other.read())
    assert.equal(await one.read(), seen.at(-1))
  }
  assert.equal(new Set(seen).size, 4)
})

test('where several move it at once it has moved after the last of them began', async () => {
  const { time, store, open } = theMarks()
  const reader = open()
  const before = await reader.read()
  const gate = Promise.withResolvers<void>()
  store.before = { ...isFine, write: () => gate.promise }
  const moving = Array.from({ length: 5 }, () => open().change(time.now() + 1_000))
  gate.resolve()
  await Promise.all(moving)
  assert.notEqual(await reader.read(), before)
})

test('it stays for longer than any process keeps a secret', async () => {
  const { time, store, open } = theMarks()
  await open().change(time.now() + 1_000)
  const [record] = await store.read([secretsVersionRecordName])
  assert.ok((record?.removableFrom ?? 0) >= time.now() + 3_600_000)
})

test('where the cache can not be asked nobody knows, and a change that could not be told fails', async () => {
  const { time, store, open } = theMarks()
  store.before = { read: isDown, write: isDown }
  const mark = open()
  assert.equal(await mark.read(), undefined)
  await assert.rejects(mark.change(time.now() + 1_000), CacheUnavailableError)
})
