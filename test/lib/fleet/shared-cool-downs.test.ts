import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import type { Asker } from '../../../lib/fleet/cool-down.ts'
import { createCoolDownRegistry } from '../../../lib/fleet/cool-downs.ts'
import type { RecordStore, StoredRecord } from '../../../lib/fleet/record-store.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const error = 'connection refused'
const ten = { baseSeconds: 10 }
const endpoint = 'endpoint https://as.example.com/token'
const client = 'client conn f1'
const token = 'token some f1'
const names = [endpoint, client, token]
const own = { isOwn: true }

/** Processes that share one store, which fails on demand. */
function theFleet() {
  const time = createVirtualTime()
  const records = memoryRecords({ maximumRecords: 100 })
  const far = { isDown: false, isFaster: false, written: [] as StoredRecord[], keys: [] as string[] }
  const check = () => {
    if (far.isDown) throw new RecordStoreError('connection refused')
  }
  const store: RecordStore = {
    async read(each) {
      check()
      return records.read(each)
    },
    async write(name, record, expected) {
      check()
      for (const value of Object.values(record.fields)) if (typeof value === 'number') assert.ok(Number.isFinite(value))
      if (far.isFaster) return false
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
    const check = (of: readonly string[], asker: Asker) =>
      coolDowns.check(Object.fromEntries(of.map((name) => [name, name])), asker)
    /** The cool-down that stops a process. Undefined where it may make a request. */
    const told = async (...of: string[]) => {
      const checked = await check(of, own)
      return checked.kind === 'cooling_down' ? checked : undefined
    }
    /** The right to make a request now. */
    const pass = async (of: readonly string[], asker: Asker = own) => {
      const checked = await check(of, asker)
      assert.ok(checked.kind === 'clear', 'a request may be made')
      return checked.pass
    }
    return { coolDowns, told, check, pass }
  }
  return { time, far, open }
}

test('all processes know what one found: the failure and the end of its cool-down', async () => {
  const { time, open } = theFleet()
  const [one, other, third] = [open(), open(), open()]
  const refused = 'it refuses'
  assert.equal(await (await one.pass(names)).begin(client, refused, ten), 10)
  await time.advance(3_000)
  for (const each of [one, other, third]) {
    const told = await each.told(...names)
    assert.equal(told?.retryAfterSeconds, 7)
    assert.equal(told?.failure, refused)
    assert.equal(told?.of, client)
    assert.equal(await each.told(endpoint, token), undefined, 'all other requests may be made')
  }
})

test('at its end one request of the whole fleet probes, and the others wait for its result', async () => {
  const { time, open } = theFleet()
  const [one, ...others] = [open(), open(), open(), open()]
  await (await one?.pass(names))?.begin(endpoint, error, ten)
  await time.advance(10_000)
  const answers = await Promise.all([one, ...others].map((each) => each?.told(...names)))
  assert.equal(answers.filter((each) => each === undefined).length, 1)
  for (const each of answers) if (each) assert.deepEqual([each.retryAfterSeconds, each.failure], [1, error])
})

test('a success ends a cool-down and its doubling for all processes', async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  await (await one.pass([endpoint])).begin(endpoint, error, ten)
  await time.advance(10_000)
  const probe = await other.pass([endpoint])
  assert.ok(await one.told(endpoint))
  assert.deepEqual(await probe.end(), [endpoint])
  for (const each of [one, open(), open()]) assert.equal(await each.told(endpoint), undefined)
  assert.equal(await (await open().pass([endpoint])).begin(endpoint, error, ten), 10)
})

test("all processes learn at once of another process's success, and none uses an old failure from memory", async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  const early = await other.pass([endpoint])
  await (await one.pass([endpoint])).begin(endpoint, error, { ...ten, retryAfterSeconds: 300 })
  assert.ok(await one.told(endpoint))
  assert.deepEqual(await early.end(), [], 'this check was made before the failure')
  await time.advance(300_000)
  await (await other.pass([endpoint])).end()
  assert.equal(await one.told(endpoint), undefined)
})

test('a probe that fails doubles the cool-down for all processes, up to five minutes', async () => {
  const { time, open } = theFleet()
  let pass = await open().pass([endpoint])
  for (const seconds of [10, 20, 40, 80, 160, 300, 300]) {
    assert.equal(await pass.begin(endpoint, error, ten), seconds)
    assert.equal((await open().told(endpoint))?.retryAfterSeconds, seconds)
    await time.advance(seconds * 1000)
    pass = await open().pass([endpoint])
  }
})

test('a probe without a result leaves the next probe to any process', async () => {
  const { time, open } = theFleet()
  await (await open().pass([endpoint])).begin(endpoint, error, ten)
  await time.advance(10_000)
  const probe = await open().pass([endpoint])
  assert.ok(await open().told(endpoint))
  await probe.release()
  assert.equal(await open().told(endpoint), undefined)
})

test('another probe may follow 30 s after a probe that never came back', async () => {
  const { time, open } = theFleet()
  await (await open().pass([endpoint])).begin(endpoint, error, ten)
  await time.advance(10_000)
  assert.equal(await open().told(endpoint), undefined)
  await time.advance(29_999)
  assert.ok(await open().told(endpoint))
  await time.advance(1)
  assert.equal(await open().told(endpoint), undefined)
})

test('an own request does not wait for a probe with caller parameters, nor the other way round', async () => {
  const { time, open } = theFleet()
  await (await open().pass([endpoint])).begin(endpoint, error, ten)
  await time.advance(10_000)
  await open().pass([endpoint], { isOwn: false })
  assert.equal((await open().check([endpoint], { isOwn: false })).kind, 'cooling_down')
  await open().pass([endpoint], own)
  for (const asker of [own, { isOwn: false }])
    assert.equal((await open().check([endpoint], asker)).kind, 'cooling_down')
})

test('after a fix a request is made at once, but only one in 30 s', async () => {
  const { time, open } = theFleet()
  await (await open().pass([endpoint])).begin(endpoint, error, { ...ten, retryAfterSeconds: 300 })
  await time.advance(1_000)
  const mended = { isOwn: true, mendedAt: time.now() }
  assert.equal((await open().check([endpoint], { ...mended, mendedAt: time.now() - 2_000 })).kind, 'cooling_down')
  const probe = await open().pass([endpoint], mended)
  assert.equal((await open().check([endpoint], mended)).kind, 'cooling_down')
  await probe.begin(endpoint, error, ten)
  await time.advance(29_999)
  const again = { isOwn: true, mendedAt: time.now() }
  assert.equal((await open().check([endpoint], again)).kind, 'cooling_down')
  await time.advance(1)
  await (await open().pass([endpoint], again)).end()
  assert.equal(await open().told(endpoint), undefined)
})

test("failures that come together, from any processes, count as one and don't double the cool-down", async () => {
  const { open } = theFleet()
  const passes = await Promise.all([open(), open(), open()].map((each) => each.pass([endpoint])))
  for (const each of passes) assert.equal(await each.begin(endpoint, error, ten), 10)
})

test('the failure of another process does not shorten the pause that the server asked for', async () => {
  const { open } = theFleet()
  const [one, other] = [await open().pass([endpoint]), await open().pass([endpoint])]
  await one.begin(endpoint, error, { ...ten, retryAfterSeconds: 60 })
  assert.equal(await other.begin(endpoint, error, ten), 60)
})

test('a success without a probe writes nothing to the store', async () => {
  const { far, open } = theFleet()
  const pass = await open().pass(names)
  assert.deepEqual(await pass.end(), [])
  await pass.release()
  assert.deepEqual(far.written, [])
})

test('the fleet makes one control request in 30 s, and suspects the server until it is over', async () => {
  const { time, open } = theFleet()
  const [one, other] = [await open().pass([endpoint]), await open().pass([endpoint])]
  assert.equal(await one.claimControl(endpoint), true)
  assert.equal(await other.claimControl(endpoint), false)
  const control = await open().pass([endpoint])
  assert.equal(control.isSuspected, true)
  await control.end()
  const after = await open().pass([endpoint])
  assert.equal(after.isSuspected, false)
  assert.equal(await after.claimControl(endpoint), false, 'whatever its result')
  await time.advance(30_000)
  assert.equal(await after.claimControl(endpoint), true)
})

test('the last failure that a quota allows begins a cool-down, until the first one is a minute old', async () => {
  const { time, open } = theFleet()
  for (let failure = 1; failure < 10; failure++) {
    assert.equal(await (await open().pass([client])).count(client, 10, error), undefined)
    await time.advance(1_000)
  }
  assert.equal(await (await open().pass([client])).count(client, 10, error), 51)
  assert.equal((await open().told(client))?.retryAfterSeconds, 51)
  await time.advance(51_000)
  await (await open().pass([client])).end()
  assert.equal(await (await open().pass([client])).count(client, 10, error), 1, 'eight of them still count')
})

test('places of a quota are taken before they are used and given back, for the whole fleet', async () => {
  const { time, open } = theFleet()
  const taken = await Promise.all([1, 2, 3, 4].map(async () => await open().coolDowns.reserve('user alice', 3)))
  assert.deepEqual(taken.map(({ kind }) => kind).sort(), ['exceeded', 'reserved', 'reserved', 'reserved'])
  const [first] = taken.filter((each) => each.kind === 'reserved')
  await first?.giveBack()
  await time.advance(59_999)
  assert.equal((await open().coolDowns.reserve('user alice', 3)).kind, 'reserved')
  const exceeded = await open().coolDowns.reserve('user alice', 3)
  assert.deepEqual(exceeded, { kind: 'exceeded', retryAfterSeconds: 1 })
  assert.equal((await open().coolDowns.reserve('user bob', 3)).kind, 'reserved')
  await time.advance(1)
  assert.equal((await open().coolDowns.reserve('user alice', 3)).kind, 'reserved')
})

test('no more places are given than there are, however many callers take one at the same moment', async () => {
  const { open } = theFleet()
  const processes = Array.from({ length: 200 }, () => open())
  const taken = await Promise.all(processes.map(async ({ coolDowns }) => await coolDowns.reserve('user alice', 30)))
  const reserved = taken.filter(({ kind }) => kind === 'reserved').length
  assert.ok(reserved >= 1 && reserved <= 30, `${reserved} places`)
})

test('while the store is down each process uses its own knowledge', async () => {
  const { time, far, open } = theFleet()
  const [one, other] = [open(), open()]
  far.isDown = true
  assert.equal(await (await one.pass(names)).begin(endpoint, error, ten), 10)
  assert.equal((await one.told(endpoint))?.retryAfterSeconds, 10)
  assert.equal(await other.told(endpoint), undefined)
  await time.advance(10_000)
  const probe = await one.pass([endpoint])
  assert.ok(await one.told(endpoint), 'it probes by itself')
  await probe.end()
  assert.equal(await one.told(endpoint), undefined)
  for (let count = 0; count < 3; count++) assert.equal((await one.coolDowns.reserve('u', 3)).kind, 'reserved')
  assert.equal((await one.coolDowns.reserve('u', 3)).kind, 'exceeded')
  far.isDown = false
  await time.advance(5_000)
  assert.equal(await other.told(endpoint), undefined)
})

test('what the fleet knew is still known when the store goes down', async () => {
  const { far, open } = theFleet()
  const other = open()
  await (await open().pass([endpoint])).begin(endpoint, error, ten)
  assert.ok(await other.told(endpoint))
  far.isDown = true
  assert.ok(await other.told(endpoint))
})

test('where one of several things cools down, no probe is left behind on the others', async () => {
  const { time, open } = theFleet()
  const [one, other] = [open(), open()]
  const pass = await one.pass(names)
  await pass.begin(endpoint, error, ten)
  await pass.begin(client, error, { baseSeconds: 30 })
  await time.advance(10_000)
  assert.ok(await other.told(endpoint, client))
  assert.ok(await one.told(endpoint, client))
  for (const each of [one, other]) await (await each.pass([endpoint])).release()
})

test('names are kept as digests, and records outlast their cool-downs', async () => {
  const { far, open } = theFleet()
  await (await open().pass([endpoint])).begin(endpoint, error, ten)
  assert.equal(far.written.length, 1)
  assert.ok((far.written[0]?.removableFrom ?? 0) >= Number(far.written[0]?.fields['until']) + 3_600_000)
  for (const key of far.keys) assert.match(key, /^cool-downs\/cool-down#[A-Za-z0-9_-]{43}$/)
})

test('a process that loses every race uses its own knowledge, and uses it while the store fails', async () => {
  const { far, open } = theFleet()
  const one = open()
  const pass = await one.pass([endpoint])
  far.isFaster = true
  assert.equal(await pass.begin(endpoint, error, ten), 10)
  assert.deepEqual(await one.coolDowns.reserve('u', 3), { kind: 'exceeded', retryAfterSeconds: 1 })
  far.isDown = true
  assert.equal((await one.told(endpoint))?.retryAfterSeconds, 10)
})

test('a change that changes nothing is not written', async () => {
  const { far, open } = theFleet()
  const one = open()
  for (let count = 0; count < 3; count++) await one.coolDowns.reserve('u', 3)
  assert.equal(far.written.length, 3)
  assert.equal((await one.coolDowns.reserve('u', 3)).kind, 'exceeded')
  assert.equal(far.written.length, 3)
})

test('a suspicion lasts 30 s, and a token ends it before that', async () => {
  const { time, open } = theFleet()
  await (await open().pass([endpoint])).suspect(endpoint)
  await time.advance(29_999)
  assert.equal((await open().pass([endpoint])).isSuspected, true)
  await time.advance(1)
  assert.equal((await open().pass([endpoint])).isSuspected, false)
  await (await open().pass([endpoint])).suspect(endpoint)
  assert.deepEqual(await (await open().pass([endpoint])).end(), [], 'nothing had cooled down')
  assert.equal((await open().pass([endpoint])).isSuspected, false)
})

test('a request may end the cool-down that it began, and a cool-down is not ended twice', async () => {
  const { time, open } = theFleet()
  const first = await open().pass([endpoint])
  await first.begin(endpoint, error, ten)
  assert.deepEqual(await first.end(), [endpoint])
  assert.equal(await open().told(endpoint), undefined)
  await (await open().pass([endpoint])).begin(endpoint, error, ten)
  await time.advance(10_000)
  const [one, other] = [await open().pass([endpoint], { isOwn: false }), await open().pass([endpoint])]
  assert.deepEqual(await one.end(), [endpoint])
  assert.deepEqual(await other.end(), [])
})

test('a suspicion ends with the request that began it, where that brings a token', async () => {
  const { open } = theFleet()
  for (const begin of ['suspect', 'claimControl'] as const) {
    const pass = await open().pass([endpoint])
    await pass[begin](endpoint)
    assert.equal((await open().pass([endpoint])).isSuspected, true)
    await pass.end()
    assert.equal((await open().pass([endpoint])).isSuspected, false)
  }
})

test('where more failures came than a quota allows, the last ones count', async () => {
  const { time, open } = theFleet()
  const pass = await open().pass([client])
  const seconds: (number | undefined)[] = []
  for (let failure = 0; failure < 12; failure++) {
    seconds.push(await pass.count(client, 10, error))
    await time.advance(1_000)
  }
  assert.deepEqual(seconds.slice(8), [undefined, 51, 51, 51])
})

test('while the store is down, the knowledge of one name does not affect another', async () => {
  const { far, open } = theFleet()
  const one = open()
  far.isDown = true
  const pass = await one.pass([client])
  await pass.begin(client, error, ten)
  assert.equal((await one.told(client))?.failure, error)
  assert.equal(await one.told(endpoint), undefined)
  await (await one.pass([token])).begin(token, 'another failure', ten)
  assert.equal((await one.told(client))?.failure, error)
})
