import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { connectionsAtTheEndpoint, otherEndpoint } from './connections.ts'
import { failureCalled } from './failures.ts'
import { type CoolDownFleet, createCoolDownFleet, fine } from './fleet.ts'
import { mostWithin } from './run-cell.ts'

/*
 * A server that is down for five minutes, with 30 connections and 20 callers. The tests check how many requests it
 * gets, and how fast all connections have tokens again.
 */

const connections = connectionsAtTheEndpoint(30)
const [numberOfCallers, deadSeconds] = [20, 300]
/** The longest time of any cool-down. */
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

/**
 * The server is down for a while. Returns the times of the requests during the outage, and the seconds until each
 * connection has a token.
 */
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

/*
 * Run before the first test begins, because the test runner watches every promise of its tests. That doubles the cost.
 */
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
  test(`30 connections make few requests to a server that is down (${name}), and afterwards all have tokens within seconds of the first`, (t) => {
    const [first = 0, all = Infinity] = [had[0], had.at(-1)]
    const inASecond = mostWithin(failed, 1_000)
    t.diagnostic(`${failed.length} requests, ${inASecond} in a second; tokens after ${first} s, all after ${all} s`)
    assert.ok(failed.length <= 80, `${failed.length} requests`)
    assert.equal(had.length, connections.length, 'not all connections have a token again')
    assert.ok(all <= longestSeconds + 5 && all - first <= 10, `the first after ${first} s, all after ${all} s`)
  })

test('a server that may be failing gets one request of each caller at a time from each instance', () => {
  // Twenty callers in each of two instances, and the requests that were under way before the first failure.
  for (const [name, { failed }] of runs)
    assert.ok(mostWithin(failed, 1_000) <= 60, `${name}: ${mostWithin(failed, 1_000)} requests in a second`)
})

test('while the shared cache fails, each instance cools down by itself, and the server that is down gets no more requests than that', async (t) => {
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
  assert.ok('token' in outcome, 'the other server must still issue tokens')
})
