import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { createCoolDownRegistry } from '../../../lib/fleet/cool-downs.ts'
import type { RecordStore, StoredRecord } from '../../../lib/fleet/record-store.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const error = 'nobody listens'
const ten = { baseSeconds: 10 }
const names = ['endpoint https://as.example.com/token', 'client conn f1', 'token some f1']
const [endpoint = '', client = '', token = ''] = names

/** Processes over one store that fails where it is told to. */
function theFleet() {
  const time = createVirtualTime()
  const records = memoryRecords({ maximumRecords: 100 })
  const far = { isDown: false, written: [] as StoredRecord[], keys: [] as string[] }
  const check = () => {
    if (far.isDown) throw new RecordStoreError('nobody listens')
  }
  const store: RecordStore = {
    async read(each) {
      check()
      return records.read(each)
    },
    async write(name, record, expected) {
      check()
      far.written.push(record)
      far.keys.push(`${name.group}/${name.id}`)
      return records.write(name, record, expected)
    },
    due: (...query) => records.due(...query),
  }
  function open() {
    const { now, pause } = time
    const breaker = createCircuitBreaker({ budgetMilliseconds: 250, now, random: () => 0.5, pause, log() {} })
    const coolDowns = createCoolDownRegistry({
      store,
      breaker,
      sealing: withoutSealing(new Uint8Array(32)),
      now,
      randomId: () => randomBytes(16).toString('base64url'),
    })
    /** What a process that wants to ask is told; undefined where it may. */
    const told = async (...of: string[]) => {
      const check = await coolDowns.check(of)
      return check.kind === 'cooling_down' ? check : undefined
    }
    return { coolDowns, told }
  }
  return { time, far, open }
}

test('what one process found all others know, with what came of it and until when', async () => {
  const { time, open } = theFleet()
  const [one, other, third] = [open(), open(), open()]
  const refused = 'it refuses'
  assert.equal(await one.coolDowns.begin(client, refused, ten), 10)
  await time.advance(3_000)
  for (const each of [one, other, third]) {
    const told = await each.told(...names)
    assert.equal(told?.retryAfterSeconds, 7)
    assert.equal(told?.failure, refused)
    assert.equal(await each.told(endpoint, token), undefined, 'all else may be asked for')
  }
})

test('at its end one in the whole fleet asks, and the others wait for what that one finds', async () => {
  const { time, open } = theFleet()
  const [one, ...others] = [open(), open(), open(), open()]
  await one?.coolDowns.begin(endpoint, error, ten)
  await time.advance(10_000)
  const answers = await Promise.all([one, ...others].map((each) => each?.told(...names)))
  assert.equal(answers.filter((each) => each === undefined).length, 1)
  for (const each of answers) if (each) assert.equal(each.retryAfterSeconds, 1)
})

test('a success ends it for all, and its doubling', async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  await one.coolDowns.begin(endpoint, error, ten)
  await time.advance(10_000)
  assert.equal(await other.told(endpoint), undefined)
  assert.ok(await one.told(endpoint))
  await other.coolDowns.end([endpoint])
  for (const each of [one, open(), open()]) assert.equal(await each.told(endpoint), undefined)
  assert.equal(await open().coolDowns.begin(endpoint, error, ten), 10)
})

test('a probe that fails makes it twice as long for all', async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  await one.coolDowns.begin(endpoint, error, ten)
  await time.advance(10_000)
  await other.told(endpoint)
  assert.equal(await other.coolDowns.begin(endpoint, error, ten), 20)
  assert.equal((await open().told(endpoint))?.retryAfterSeconds, 20)
  await time.advance(20_000)
  assert.equal(await open().told(endpoint), undefined, 'and then one may ask again')
})

test('a probe that found nothing out leaves the word to the next one, of whatever process', async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  await one.coolDowns.begin(endpoint, error, ten)
  await time.advance(10_000)
  assert.equal(await other.told(endpoint), undefined)
  assert.ok(await open().told(endpoint))
  await other.coolDowns.release([endpoint])
  assert.equal(await open().told(endpoint), undefined)
})

test('a probe that never came back is followed after 30 s', async () => {
  const { time, open } = theFleet()
  await open().coolDowns.begin(endpoint, error, ten)
  await time.advance(10_000)
  assert.equal(await open().told(endpoint), undefined)
  await time.advance(29_999)
  assert.ok(await open().told(endpoint))
  await time.advance(1)
  assert.equal(await open().told(endpoint), undefined)
})

test('failures that come together, of whatever processes, are one: it is not doubled', async () => {
  const { open } = theFleet()
  for (const each of [open(), open(), open()]) assert.equal(await each.coolDowns.begin(endpoint, error, ten), 10)
})

test('what the server asked for is not cut short by what another process found', async () => {
  const { open } = theFleet()
  await open().coolDowns.begin(endpoint, error, { ...ten, retryAfterSeconds: 60 })
  assert.equal(await open().coolDowns.begin(endpoint, error, ten), 60)
})

test('a success that was no probe leaves the store alone', async () => {
  const { far, open } = theFleet()
  const { coolDowns, told } = open()
  await told(...names)
  await coolDowns.end(names)
  await coolDowns.release(names)
  assert.deepEqual(far.written, [])
})

test('while the store is down each process goes by its own', async () => {
  const { time, far, open } = theFleet()
  const [one, other] = [open(), open()]
  far.isDown = true
  assert.equal(await one.told(...names), undefined)
  assert.equal(await one.coolDowns.begin(endpoint, error, ten), 10)
  assert.equal((await one.told(endpoint))?.retryAfterSeconds, 10)
  assert.equal(await other.told(endpoint), undefined)
  await time.advance(10_000)
  assert.equal(await one.told(endpoint), undefined)
  assert.ok(await one.told(endpoint), 'it probes by itself')
  await one.coolDowns.end([endpoint])
  assert.equal(await one.told(endpoint), undefined)
  far.isDown = false
  await time.advance(5_000)
  assert.equal(await other.told(endpoint), undefined)
})

test('where one of several things may not be asked for yet nothing is taken for asked', async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  await one.coolDowns.begin(endpoint, error, ten)
  await one.coolDowns.begin(client, error, { baseSeconds: 30 })
  await time.advance(10_000)
  assert.ok(await other.told(endpoint, client))
  assert.ok(await one.told(endpoint, client))
  for (const each of [one, other]) {
    assert.equal(await each.told(endpoint), undefined)
    await each.coolDowns.release([endpoint])
  }
})

test('records of others, or of another version, cool nothing down', async () => {
  const { far, open } = theFleet()
  const { coolDowns, told } = open()
  await coolDowns.begin(endpoint, error, ten)
  assert.ok(await open().told(endpoint))
  assert.equal(far.written.length, 1)
  assert.ok((far.written[0]?.removableFrom ?? 0) >= Number(far.written[0]?.fields['until']) + 3_600_000)
  for (const key of far.keys) assert.match(key, /^cool-downs\/cool-down#[A-Za-z0-9_-]{43}$/)
  assert.ok(await told(endpoint))
})
