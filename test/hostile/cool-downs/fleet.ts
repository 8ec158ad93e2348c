import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import {
  type Application,
  createApplication,
  createBackgroundApplication,
} from '../../../lib/application/application.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import type { ConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { fingerprintOf } from '../../../lib/configuration/fingerprint.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import type { HandedOutToken } from '../../../lib/get-token/get-token.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import type { TokenEndpoint, TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { seededRandom } from '../../support/virtual/virtual-fleet.ts'
import { thePassword, theSigners } from '../../support/virtual/virtual-ports.ts'
import { createVirtualTime, type VirtualTime } from '../../support/virtual/virtual-time.ts'
import { allConnections } from './connections.ts'
import type { FarEnd } from './failures.ts'

/** A token request as the server recorded it. */
export interface Seen {
  readonly connection: string
  readonly form: URLSearchParams
  readonly at: number
}

/** What this request meets. Undefined means a token. */
export type Weather = (seen: Seen) => FarEnd | undefined

/** The request of a caller. */
export type Ask = Omit<CallerRequest, 'further'> & Partial<Pick<CallerRequest, 'further'>>

export interface CoolDownFleet {
  readonly time: VirtualTime
  /** All token requests, in order. */
  readonly book: readonly Seen[]
  readonly events: readonly LogEvent[]
  /** What the server does from now on. */
  weather: Weather
  /** The number of requests under way at the server now, and the highest number so far. */
  readonly gauge: { underWay: number; most: number }
  /** The number at the end of a caller's name selects the instance, unless `instance` does. It never rejects. */
  ask(request: Ask, instance?: number): Promise<Outcome>
  /** One scheduled run. */
  warm(): Promise<unknown>
}

/** What a caller gets. */
export type Outcome = { readonly token: HandedOutToken } | { readonly error: Error & { readonly code?: string } }

export interface CoolDownFleetOptions {
  readonly connections?: readonly ServedConnection[]
  readonly instances?: number
  /** The lifetime of every token. */
  readonly lifetimeSeconds?: number
  readonly store?: RecordStore
}

const latencyMilliseconds = 50
const callerMilliseconds = 25_000
const runMilliseconds = 52_000
/** Turns of the event loop between two pauses. With memory and no cryptography in a thread, no step needs more. */
const turnsAtStandstill = 2

export const fine: Weather = () => undefined

/** Instances over one store, on a virtual clock. The server does what the weather says. */
export function createCoolDownFleet(options: CoolDownFleetOptions = {}): CoolDownFleet {
  const { connections = allConnections, instances = 2, lifetimeSeconds = 4 } = options
  const { store = memoryRecords({ maximumRecords: 20_000 }) } = options
  const time = createVirtualTime(undefined, turnsAtStandstill)
  const { now, pause } = time
  const book: Seen[] = []
  const events: LogEvent[] = []
  const gauge = { underWay: 0, most: 0 }
  const random = seededRandom()
  let ids = 0

  async function answer(seen: Seen, totalMilliseconds: number): Promise<TokenEndpointAnswer> {
    const met = fleet.weather(seen)
    if (!met) {
      await pause(latencyMilliseconds)
      const body = { access_token: `token-${book.length}-${now()}`, token_type: 'Bearer', expires_in: lifetimeSeconds }
      return { status: 200, body: JSON.stringify(body) }
    }
    await pause(met.takes === 'all' ? totalMilliseconds : Math.min(met.takes, totalMilliseconds))
    return met.act()
  }

  const tokenEndpoint: TokenEndpoint = {
    async post({ id }, { write, timeouts }) {
      const { form } = await write()
      const seen = { connection: id, form: new URLSearchParams(form?.reveal()), at: now() }
      book.push(seen)
      gauge.most = Math.max(gauge.most, ++gauge.underWay)
      try {
        return await answer(seen, timeouts.totalMilliseconds)
      } finally {
        gauge.underWay--
      }
    },
  }

  const ports = () =>
    withDefaultPorts({
      ...{ now, pause, random, store, tokenEndpoint },
      connections: unchanging(connections),
      signers: theSigners,
      secrets: thePassword,
      memoryMaximumSeconds: 30,
      randomId: () => String(ids++).padStart(22, '0'),
      log: (event) => void events.push(event),
    })
  const applications = Array.from({ length: instances }, () => createApplication(ports()))
  const background = createBackgroundApplication(ports())
  const numberOf = (caller: string) => Number(/\d*$/.exec(caller)?.[0] || 0)

  const fleet: CoolDownFleet = {
    ...{ time, book, events, gauge },
    weather: fine,
    async ask(request, instance = numberOf(request.caller)) {
      try {
        const application = applications[instance % instances] as Application
        return { token: await application.getToken({ further: {}, ...request }, now() + callerMilliseconds) }
      } catch (error) {
        return { error: error as Error }
      }
    },
    warm: () => background.warmTokens(now() + runMilliseconds),
  }
  return fleet
}

function unchanging(connections: readonly ServedConnection[]): ConnectionCache {
  const known = new Map(
    connections.map((connection) => [connection.name, { connection, fingerprint: fingerprintOf(connection) }]),
  )
  async function get(name: string) {
    const found = known.get(name)
    if (!found) throw new Error(`there is no connection ${name}`)
    return found
  }
  return {
    get,
    readAgain: get,
    has: (name, fingerprint) => known.get(name)?.fingerprint === fingerprint,
    isDisabled: async () => false,
    peek: () => undefined,
  }
}
