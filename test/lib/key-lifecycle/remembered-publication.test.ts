import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { CacheUnavailableError, createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { type RecordStore, RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { writePublication } from '../../../lib/key-lifecycle/publication-record.ts'
import { createPublicationReader, PublicationRefusedError } from '../../../lib/key-lifecycle/publication-store.ts'
import type { Publication } from '../../../lib/key-lifecycle/published-keys.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { thePublicationKey } from '../../support/virtual/publications.ts'

const some: Publication = { kind: 'shared_key', algorithm: 'HS256' }

function remembering(answer: (jwtBuilder: string) => Publication | undefined = () => some) {
  let time = 0
  const asked: string[] = []
  let isBroken = false
  let isForged = false
  const events: LogEvent[] = []
  const now = () => time
  const store: RecordStore = {
    ...memoryRecords({ maximumRecords: 1 }),
    async read([name]) {
      const jwtBuilder = name?.id.replace('jwks#', '') ?? ''
      asked.push(jwtBuilder)
      if (isBroken) throw new RecordStoreError('it does not answer')
      const publication = answer(jwtBuilder)
      if (!publication) return [undefined]
      const record = await writePublication(jwtBuilder, publication, {
        signer: thePublicationKey,
        version: 'v',
        now: time,
      })
      return [isForged ? { ...record, fields: { ...record.fields, sharedKey: 'HS512' } } : record]
    },
  }
  const pause = () => new Promise<void>(() => {})
  const breaker = createCircuitBreaker({ budgetMilliseconds: 100, now, random: () => 0, pause, log() {} })
  const log = (event: LogEvent) => void events.push(event)
  const reader = createPublicationReader({ store, breaker, publicationKey: thePublicationKey, now, log })
  return {
    ...{ asked, events },
    read: (jwtBuilder = 'a') => reader.readRemembered(jwtBuilder, time),
    forge(isNow: boolean) {
      isForged = isNow
    },
    pass(milliseconds: number) {
      time += milliseconds
    },
    break() {
      isBroken = true
    },
  }
}

test('the store is read once in 30 s, also for missing publications', async () => {
  for (const publication of [some, undefined]) {
    const memory = remembering(() => publication)
    assert.deepEqual(await memory.read(), publication)
    memory.pass(29_999)
    assert.deepEqual(await memory.read(), publication)
    assert.equal(memory.asked.length, 1)
    memory.pass(1)
    await memory.read()
    assert.equal(memory.asked.length, 2)
  }
})

test('while the store does not answer, the last publication is served for five minutes', async () => {
  const memory = remembering()
  await memory.read()
  memory.break()
  memory.pass(299_999)
  assert.deepEqual(await memory.read(), some)
  memory.pass(1)
  await assert.rejects(memory.read(), CacheUnavailableError)
})

test('a missing publication is not remembered while the store fails', async () => {
  const memory = remembering(() => undefined)
  await memory.read()
  memory.break()
  memory.pass(30_000)
  await assert.rejects(memory.read(), CacheUnavailableError)
  await assert.rejects(memory.read('b'), CacheUnavailableError)
})

test('an unexpected error is thrown, not hidden by the last publication', async () => {
  let isBroken = false
  const memory = remembering(() => {
    if (isBroken) throw new TypeError('a fault')
    return some
  })
  await memory.read()
  isBroken = true
  memory.pass(30_000)
  await assert.rejects(memory.read(), TypeError)
})

test('at most a thousand publications are remembered', async () => {
  const memory = remembering()
  for (let index = 0; index <= 1_000; index++) await memory.read(`builder-${index}`)
  await memory.read('builder-1')
  assert.equal(memory.asked.length, 1_001)
  await memory.read('builder-0')
  assert.equal(memory.asked.length, 1_002, 'the first is forgotten')
})

test('invented names push out nothing that is published', async () => {
  const memory = remembering((jwtBuilder) => (jwtBuilder === 'a' ? some : undefined))
  await memory.read()
  for (let index = 0; index <= 1_000; index++) await memory.read(`made-up-${index}`)
  memory.break()
  memory.pass(299_999)
  assert.deepEqual(await memory.read(), some)
})

test('a publication that was removed or added replaces the remembered one', async () => {
  let publication: Publication | undefined
  const memory = remembering(() => publication)
  for (const next of [some, undefined, some]) {
    publication = next
    memory.pass(30_000)
    assert.deepEqual(await memory.read(), next)
    assert.deepEqual(await memory.read(), next)
  }
})

test('nothing of a forged record is served: the last publication is served for five minutes, and then none', async () => {
  const memory = remembering()
  assert.deepEqual(await memory.read(), some)
  memory.forge(true)
  memory.pass(30_000)
  assert.deepEqual(await memory.read(), some)
  assert.deepEqual(memory.events, [{ event: 'publication_refused', jwtBuilder: 'a', why: 'wrong_signature' }])
  memory.pass(269_999)
  assert.deepEqual(await memory.read(), some)
  memory.pass(1)
  await assert.rejects(memory.read(), PublicationRefusedError)
  memory.forge(false)
  memory.pass(30_000)
  assert.deepEqual(await memory.read(), some, 'and it is shown again as soon as it is ours')
})

test('a forged record is read and logged once in 30 s, however many callers ask', async () => {
  const memory = remembering()
  memory.forge(true)
  for (let times = 0; times < 10; times++) await assert.rejects(memory.read(), PublicationRefusedError)
  memory.pass(29_999)
  await assert.rejects(memory.read(), PublicationRefusedError)
  assert.deepEqual([memory.asked.length, memory.events.length], [1, 1])
  memory.pass(1)
  await assert.rejects(memory.read(), PublicationRefusedError)
  assert.deepEqual([memory.asked.length, memory.events.length], [2, 2])
})
