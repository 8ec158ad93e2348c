import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { BackgroundApplication } from '../../../lib/application/application.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { aheadMilliseconds, intervalMilliseconds, type WarmRun } from '../../../lib/renewal/warm-tokens.ts'
import {
  type ConnectionTraits,
  createVirtualFleet,
  runMilliseconds,
  seededRandom,
  warmConnection,
} from '../../support/virtual/virtual-fleet.ts'
import { createVirtualServers } from '../../support/virtual/virtual-servers.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

export interface CrowdTraits {
  readonly connections: readonly ConnectionTraits[]
  readonly latencyMilliseconds: number
  readonly lifetimeSeconds: number
}

export type SimulatedCrowd = Awaited<ReturnType<typeof createSimulatedCrowd>>

/** A fleet with connections that have each been used once, all at the same time. */
export async function createSimulatedCrowd({ connections, latencyMilliseconds, lifetimeSeconds }: CrowdTraits) {
  const time = createVirtualTime(1_800_000_000_000, 1)
  const silent = new Set<string>()
  const servers = createVirtualServers({
    time,
    lifetimeSeconds: () => lifetimeSeconds,
    latencyMilliseconds: () => latencyMilliseconds,
    state: (server) => (silent.has(server) ? 'silent' : 'fine'),
  })
  const { store, reads } = withCountedReads(memoryRecords({ maximumRecords: 50_000 }))
  const { tokenEndpoint } = servers
  const all = connections.map(warmConnection)
  const fleet = createVirtualFleet({ time, store, tokenEndpoint, connections: all, random: seededRandom() })
  const { getToken } = fleet.caller()

  async function call(connection: string) {
    const at = time.now()
    const { source } = await time.until(getToken({ caller: 'direct', connection, further: {} }, at + 25_000))
    return { source, waitedMilliseconds: time.now() - at }
  }

  function run({ warmTokens }: Pick<BackgroundApplication, 'warmTokens'>): Promise<WarmRun> {
    return warmTokens(time.now() + runMilliseconds)
  }

  await time.until(
    Promise.all(connections.map(({ name }) => getToken({ caller: 'direct', connection: name, further: {} }, Infinity))),
  )
  servers.turnThePage()
  return { ...{ connections, lifetimeSeconds, time, servers, store, reads, fleet, silent, call, run } }
}

/** In the order of the list, one server after the other. */
export function connectionsOf(servers: number, each: number): ConnectionTraits[] {
  const numbers = Array.from({ length: servers * each }, (_, index) => index)
  return numbers.map((index) => ({ name: `conn-${index}`, server: `server-${index % servers}` }))
}

/** Until two intervals before the last token gets stale. All tokens of 15 min are due by then, and no token is stale yet. */
export async function untilAllAreDue({ time, lifetimeSeconds }: SimulatedCrowd): Promise<void> {
  const usableMilliseconds = (lifetimeSeconds - 30) * 1000
  await time.advance(0.85 * usableMilliseconds - aheadMilliseconds)
}

/** One run each minute, the first at once, until no token is due, at most so often. */
export async function runEachMinute({ time, fleet, run }: SimulatedCrowd, most: number): Promise<WarmRun[]> {
  const renewer = fleet.renewer()
  const runs: WarmRun[] = []
  while (runs.length < most) {
    const nextAt = time.now() + intervalMilliseconds
    const ended = await time.until(run(renewer))
    if (ended.due === 0) break
    runs.push(ended)
    await time.advance(nextAt - time.now())
  }
  return runs
}

export function requestsBy<Name extends 'connection' | 'server'>({ servers }: SimulatedCrowd, name: Name) {
  return Map.groupBy(servers.requests, (request) => request[name])
}

function withCountedReads(store: RecordStore) {
  let count = 0
  const counted: RecordStore = {
    ...store,
    read(names) {
      count++
      return store.read(names)
    },
  }
  return { store: counted, reads: () => count }
}
