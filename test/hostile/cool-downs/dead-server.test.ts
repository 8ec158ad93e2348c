import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { connectionsAtTheEndpoint, otherEndpoint } from './connections.ts'
import { failureCalled } from './failures.ts'
import { type CoolDownFleet, createCoolDownFleet, fine } from './fleet.ts'
import { mostWithin } from './run-cell.ts'

/* A server that is dead for five minutes, with 30 connections and 20 callers: what it sees, and how fast all is well again. */

const connections = connectionsAtTheEndpoint(30)
const [numberOfCallers, deadSeconds] = [20, 300]
/** Of any cool-down. */
const longestSeconds = 300

/** Each caller asks for another connection each second. */
async function askForAll(fleet: CoolDownFleet, seconds: number, note: (connection: string) => void = () => {}) {
  const underWay: Promise<unknown>[] = []
  for (let second = 0; second < seconds; second++) {
    for (let caller = 0; caller < numberOfCallers; caller++) {
      const { name } = connections[(second * numberOfCallers + caller) % connections.length] ?? otherEndpoint
      const asked = fleet.ask({ caller: `caller-${caller}`, connection: name })
      underWay.push(asked.then((outcome) => 'token' in outcome && note(name)))
    }
    await fleet.time.advance(1_000)
  }
  await fleet.time.until(Promise.all(underWay))
}

/** The time of death, and the requests in it; then the seconds until each connection has had a token. */
async function dieAndRecover(fleet: CoolDownFleet, name: string) {
  const { farEnd } = failureCalled(name)
  fleet.weather = () => farEnd
  await askForAll(fleet, deadSeconds)
  const failed = fleet.book.map(({ at }) => at)
  fleet.weather = fine
  const backAt = fleet.time.now()
  const had = new Map<string, number>()
  const note = (connection: string) => had.set(connection, had.get(connection) ?? (fleet.time.now() - backAt) / 1000)
  for (let seconds = 0; had.size < connections.length && seconds <= longestSeconds + 10; seconds += 5)
    await askForAll(fleet, 5, note)
  return { failed, had: [...had.values()].sort((a, b) => a - b) }
}

/* Before the first test begins: the test runner watches every promise of its tests, which doubles what this costs. */
const kinds = [
  '503',
  '500 with HTML',
  'silence',
  'a connection closed after the request, without a byte',
  'connection refused',
  '404 with HTML',
]
const runs = new Map<string, Awaited<ReturnType<typeof dieAndRecover>>>()
for (const name of kinds)
  runs.set(name, await dieAndRecover(createCoolDownFleet({ connections, lifetimeSeconds: 300 }), name))

for (const [name, { failed, had }] of runs)
  test(`30 connections of a dead server (${name}) ask it seldom, and all have tokens within seconds of the first`, (t) => {
    const [first = 0, all = Infinity] = [had[0], had.at(-1)]
    const inASecond = mostWithin(failed, 1_000)
    t.diagnostic(`${failed.length} requests, ${inASecond} in a second; tokens after ${first} s, all after ${all} s`)
    assert.ok(failed.length <= 80, `${failed.length} requests`)
    assert.equal(had.length, connections.length, 'all connections have a token again')
    assert.ok(all <= longestSeconds + 5 && all - first <= 10, `the first after ${first} s, all after ${all} s`)
  })

test('until a server is judged, an instance has one request of a caller there', () => {
  // Twenty callers in each of two instances, and what was under way before the first failure.
  for (const [name, { failed }] of runs)
    assert.ok(mostWithin(failed, 1_000) <= 60, `${name}: ${mostWithin(failed, 1_000)} requests in a second`)
})

test('while the shared cache fails each instance goes by itself, and the dead server sees no more than that', async (t) => {
  const failing = async () => {
    throw new RecordStoreError('nobody listens')
  }
  const store = { ...memoryRecords({ maximumRecords: 1 }), read: failing, write: failing }
  const fleet = createCoolDownFleet({ connections: [...connections, otherEndpoint], lifetimeSeconds: 300, store })
  const { farEnd } = failureCalled('503')
  fleet.weather = ({ connection }) => (connection === otherEndpoint.name ? undefined : farEnd)
  await askForAll(fleet, deadSeconds)
  const failed = fleet.book.map(({ at }) => at)
  t.diagnostic(`${failed.length} requests of two instances, ${mostWithin(failed, 1_000)} in a second`)
  assert.ok(failed.length <= 160, `${failed.length} requests`)
  const outcome = await fleet.time.until(fleet.ask({ caller: 'caller-1', connection: otherEndpoint.name }))
  assert.ok('token' in outcome, 'another server goes on')
})
