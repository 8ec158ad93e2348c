import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aheadMilliseconds } from '../../../lib/renewal/warm-tokens.ts'
import {
  connectionsOf,
  createSimulatedCrowd,
  requestsBy,
  runEachMinute,
  type SimulatedCrowd,
  untilAllAreDue,
} from './simulated-crowd.ts'

const minute = 60_000
const hour = 60 * minute

/** 10,000 tokens at 40 servers. The first server allows 2 requests at a time, the others 10. Each request takes a second. */
async function renewTenThousand() {
  const connections = connectionsOf(40, 250).map((each) =>
    each.server === 'server-0' ? { ...each, maximumConcurrency: 2 } : each,
  )
  const crowd = await createSimulatedCrowd({ connections, latencyMilliseconds: 1_000, lifetimeSeconds: 900 })
  await untilAllAreDue(crowd)
  const readsBefore = crowd.fleet.elementReads()
  const due = await dueInTurn(crowd)
  const runs = await runEachMinute(crowd, 10)
  return { crowd, due, runs, elementReads: crowd.fleet.elementReads() - readsBefore }
}

/** Sorted by the time when each is due, whatever order the store returns. */
async function dueInTurn({ store, time }: SimulatedCrowd) {
  const names = await store.due(time.now() + aheadMilliseconds, 10_000)
  const records = await store.read(names)
  const due = names.map(({ group }, index) => ({ connection: group, at: records[index]?.dueAt ?? Infinity }))
  return due.sort((a, b) => a.at - b.at).map(({ connection }) => connection)
}

// Before the first test or hook: from then on the test runner tracks each promise, which takes three times as long.
const { crowd, due, runs, elementReads } = await renewTenThousand()

test('if 10,000 tokens are due at once, the following runs renew what one run has no time for', (t) => {
  for (const run of runs) t.diagnostic(`${run.due} due, ${run.renewed} renewed, ${run.left} left`)
  assert.equal(due.length, 10_000)
  assert.equal(runs[0]?.due, 10_000)
  assert.ok(runs.length > 1)
  for (const [index, run] of runs.entries()) {
    assert.equal(run.renewed + run.left, run.due)
    assert.equal(run.left, runs[index + 1]?.due ?? 0)
  }
  const byConnection = requestsBy(crowd, 'connection')
  assert.equal(byConnection.size, 10_000)
  assert.ok(
    [...byConnection.values()].every(({ length }) => length === 1),
    'each is asked for once',
  )
})

test('each server gets as many requests at a time as its element allows, and all servers together get 200', () => {
  const { servers, connections } = crowd
  assert.equal(servers.mostAtATime('all'), 200)
  assert.equal(servers.mostAtATime('server-0'), 2)
  assert.equal(Math.max(...connections.map(({ server }) => servers.mostAtATime(server))), 10)
})

test('the most urgent token of each server is renewed first', () => {
  const serverOf = new Map(crowd.connections.map(({ name, server }) => [name, server]))
  const dueByServer = Map.groupBy(due, (connection) => serverOf.get(connection) ?? '')
  for (const [server, requests] of requestsBy(crowd, 'server')) {
    const inTurn = dueByServer.get(server) ?? []
    assert.deepEqual(
      requests.map(({ connection }) => connection),
      inTurn,
    )
  }
})

test('elements are read only for tokens that are renewed, and no record is read while nothing is due', async () => {
  assert.equal(elementReads, 10_000)
  const [reads, elementsRead] = [crowd.reads(), crowd.fleet.elementReads()]
  assert.deepEqual(await crowd.time.until(crowd.run(crowd.fleet.renewer())), { due: 0, renewed: 0, failed: 0, left: 0 })
  assert.equal(crowd.reads(), reads)
  assert.equal(crowd.fleet.elementReads(), elementsRead)
})

test('a server that never answers delays no other server, and not every one of its tokens causes a request', async () => {
  const some = await createSimulatedCrowd({
    connections: connectionsOf(5, 50),
    latencyMilliseconds: 200,
    lifetimeSeconds: 900,
  })
  await untilAllAreDue(some)
  some.silent.add('server-3')
  const startedAt = some.time.now()
  const running = some.run(some.fleet.renewer())
  // The servers start within a second. Then there are 5 rounds of 10.
  await some.time.advance(1_000 + 5 * 200)
  for (const server of ['server-0', 'server-1', 'server-2', 'server-4'])
    assert.equal(requestsBy(some, 'server').get(server)?.length, 50)

  const run = await some.time.until(running)
  assert.deepEqual(run, { due: 250, renewed: 200, failed: 50, left: 0 })
  assert.ok(some.time.now() - startedAt < 15_000)
  assert.equal(requestsBy(some, 'server').get('server-3')?.length, 10)
})

test('two runs that overlap request each token once, each with the concurrency that the server allows', async (t) => {
  const some = await createSimulatedCrowd({
    connections: connectionsOf(4, 100),
    latencyMilliseconds: 1_000,
    lifetimeSeconds: 900,
  })
  await untilAllAreDue(some)
  const first = some.run(some.fleet.renewer())
  await some.time.advance(4_500)
  const second = some.run(some.fleet.renewer())
  const ended = await some.time.until(Promise.all([first, second]))
  const renewed = ended.map((run) => run.renewed)
  assert.ok(
    renewed.every((count) => count > 100),
    'both had something to do',
  )
  assert.equal(
    renewed.reduce((sum, count) => sum + count, 0),
    400,
  )
  assert.equal(some.servers.requests.length, 400)
  assert.equal(requestsBy(some, 'connection').size, 400)
  const most = Math.max(...some.connections.map(({ server }) => some.servers.mostAtATime(server)))
  t.diagnostic(`${most} at a time at a server that allows 10`)
  assert.ok(most <= 2 * 10)
})

test('a token that no caller uses for the idle time is no longer renewed or listed, until it is used again', async () => {
  const connections = connectionsOf(1, 2).map((each) => ({ ...each, idleMilliseconds: hour }))
  const some = await createSimulatedCrowd({ connections, latencyMilliseconds: 50, lifetimeSeconds: 300 })
  const start = some.time.now()
  const isListed = async (connection: string) =>
    (await some.store.due(start + 1_000 * hour, 100)).some(({ group }) => group === connection)
  const runFor = async (milliseconds: number) => {
    const renewer = some.fleet.renewer()
    for (const end = some.time.now() + milliseconds; some.time.now() < end; ) {
      await some.time.until(some.run(renewer))
      await some.time.advance(minute)
      assert.equal((await some.call('conn-1')).waitedMilliseconds, 0)
    }
  }
  await runFor(3 * hour)
  const lastOf = (connection: string) => requestsBy(some, 'connection').get(connection)?.at(-1)?.at ?? 0
  assert.ok(lastOf('conn-0') > start + 0.9 * hour && lastOf('conn-0') <= start + hour)
  assert.ok(lastOf('conn-1') > start + 2.9 * hour)
  assert.equal(await isListed('conn-0'), false)
  assert.equal(await isListed('conn-1'), true)

  assert.equal((await some.call('conn-0')).source, 'server')
  assert.equal(await isListed('conn-0'), true)
  await runFor(0.5 * hour)
  assert.deepEqual(await some.call('conn-0'), { source: 'cache', waitedMilliseconds: 0 })
})
