import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { Application, BackgroundApplication } from '../../../lib/application/application.ts'
import type { EventBus } from '../../../lib/events/event-bus.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import type { HandedOutToken } from '../../../lib/get-token/get-token.ts'
import { isTokenError } from '../../../lib/get-token/token-error.ts'
import { type ErrorAnswer, errorAnswer } from '../../../lib/http-interface/error-answer.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { intervalMilliseconds } from '../../../lib/renewal/warm-tokens.ts'
import {
  createVirtualFleet,
  runMilliseconds,
  seededRandom,
  warmConnection,
} from '../../support/virtual/virtual-fleet.ts'
import { createVirtualServers, type VirtualServers } from '../../support/virtual/virtual-servers.ts'
import { createVirtualTime, type VirtualTime } from '../../support/virtual/virtual-time.ts'

/*
 * A day of 1,000 connections at 20 authorization servers. Every other server is down for 10 minutes at noon. Everything except
 * the servers is real: two processes that serve callers, one for the schedule and one that answers events.
 */

const start = 1_800_000_000_000
export const dayMilliseconds = 86_400_000
export const outage = { from: start + dayMilliseconds / 2, until: start + dayMilliseconds / 2 + 600_000 } as const
export const lifetimes = [300, 900, 3_600, 43_200] as const

const lateMilliseconds = 59_000
/** The time limit of the function behind the bus, and how long an event takes to reach it. */
const answerMilliseconds = 55_000
const eventMilliseconds = 200
const callMilliseconds = 25_000
/** One call in four comes soon after another. */
const gapMilliseconds = { soon: 20_000, later: 1_200_000 } as const

export interface DaysConnection {
  readonly name: string
  readonly server: string
  readonly lifetimeSeconds: number
  readonly isInOutage: boolean
}

/** The request of a caller, and its answer. */
export interface Call {
  readonly by: DaysConnection
  readonly at: number
  readonly answeredAt: number
  readonly handedOut?: HandedOutToken
  readonly refusal?: ErrorAnswer
}

export interface Day {
  readonly connections: readonly DaysConnection[]
  /** Without the first call of each connection. */
  readonly calls: readonly Call[]
  readonly servers: VirtualServers
  /** When a caller got a stale token, which raised an event. */
  readonly refreshRequests: readonly { readonly connection: string; readonly at: number }[]
  /** The `refreshAt` that Tokenwell set for a token that expires then. */
  refreshAt(connection: string, expiresAt: number): number | undefined
}

export async function liveThroughTheDay(): Promise<Day> {
  const time = createVirtualTime(start, 1)
  const chance = seededRandom()
  const connections = Array.from({ length: 1_000 }, (_, index) => daysConnection(index))
  const servers = serversOf(connections, time, chance)
  const refreshTimes = new Map<string, number>()
  const store = notedIn(refreshTimes, memoryRecords({ maximumRecords: 10_000 }))
  const { events, raised, deliverTo } = createBus(time)
  const { tokenEndpoint } = servers
  const all = connections.map(warmConnection)
  const fleet = createVirtualFleet({ time, store, events, random: chance, tokenEndpoint, connections: all })
  deliverTo(fleet.renewer().answerEvent)

  const callers = [fleet.caller().getToken, fleet.caller().getToken] as const
  const calls: Call[] = []
  for (const by of connections) void callAllDay(by, { time, chance, callers, calls })
  void runAllDay(fleet.renewer().warmTokens, time, chance)
  await time.advance(dayMilliseconds)
  return {
    ...{ connections, calls, servers },
    refreshRequests: raised,
    refreshAt: (connection, expiresAt) => refreshTimes.get(`${connection} ${expiresAt}`),
  }
}

function daysConnection(index: number): DaysConnection {
  const server = `server-${Math.floor(index / 50)}`
  const lifetimeSeconds = lifetimes[index % lifetimes.length] ?? 0
  return { name: `conn-${index}`, server, lifetimeSeconds, isInOutage: isDownIn(server) }
}

function serversOf(connections: readonly DaysConnection[], time: VirtualTime, chance: () => number): VirtualServers {
  const lifetimesByName = new Map(connections.map(({ name, lifetimeSeconds }) => [name, lifetimeSeconds]))
  return createVirtualServers({
    time,
    lifetimeSeconds: (name) => lifetimesByName.get(name) ?? 0,
    latencyMilliseconds: () => 20 + Math.floor(60 * chance()),
    state: (server, at) => (isDownIn(server) && at >= outage.from && at < outage.until ? 'down' : 'fine'),
  })
}

function isDownIn(server: string): boolean {
  return Number(server.slice('server-'.length)) % 2 === 1
}

/** Only the first value: a failed renewal moves it. */
function notedIn(refreshTimes: Map<string, number>, store: RecordStore): RecordStore {
  return {
    ...store,
    write(name, record, expected) {
      const { refreshAt, expiresAt } = record.fields
      const token = `${name.group} ${expiresAt}`
      if (typeof refreshAt === 'number' && !refreshTimes.has(token)) refreshTimes.set(token, refreshAt)
      return store.write(name, record, expected)
    },
  }
}

/** Work that an event cannot finish is left to the schedule. */
function createBus({ now, pause }: VirtualTime) {
  const raised: { readonly connection: string; readonly at: number }[] = []
  let answer: BackgroundApplication['answerEvent'] = () => Promise.resolve()
  async function deliver(event: IncomingEvent): Promise<void> {
    await pause(eventMilliseconds)
    await answer(event, now() + answerMilliseconds).catch((error) => {
      if (!isTokenError(error)) throw error
    })
  }
  const events: EventBus = {
    isHeard: true,
    async raise(news) {
      for (const event of news) {
        if (event.type !== 'TokenRefreshRequested') continue
        raised.push({ connection: event.connection, at: now() })
        void deliver(event)
      }
    },
  }
  function deliverTo(answerEvent: BackgroundApplication['answerEvent']): void {
    answer = answerEvent
  }
  return { events, raised, deliverTo }
}

interface Callers {
  readonly time: VirtualTime
  readonly chance: () => number
  readonly callers: readonly [Application['getToken'], Application['getToken']]
  readonly calls: Call[]
}

async function callAllDay(by: DaysConnection, { time, chance, callers, calls }: Callers): Promise<never> {
  await time.pause(gapMilliseconds.later * chance())
  for (let isFirst = true; ; isFirst = false) {
    const call = await callOnce(by, callers[chance() < 0.5 ? 0 : 1], time.now)
    if (!isFirst) calls.push(call)
    await time.pause((chance() < 0.25 ? gapMilliseconds.soon : gapMilliseconds.later) * chance())
  }
}

async function callOnce(by: DaysConnection, getToken: Application['getToken'], now: () => number): Promise<Call> {
  const at = now()
  try {
    const handedOut = await getToken({ caller: 'direct', connection: by.name, further: {} }, at + callMilliseconds)
    return { by, at, answeredAt: now(), handedOut }
  } catch (error) {
    return { by, at, answeredAt: now(), refusal: errorAnswer(error) }
  }
}

/** One run each minute, with a random delay, so that two runs may overlap or be two minutes apart. */
async function runAllDay(
  warmTokens: BackgroundApplication['warmTokens'],
  { now, pause }: VirtualTime,
  chance: () => number,
): Promise<never> {
  const run = async () => {
    await pause(lateMilliseconds * chance())
    await warmTokens(now() + runMilliseconds)
  }
  for (;;) {
    void run()
    await pause(intervalMilliseconds)
  }
}
