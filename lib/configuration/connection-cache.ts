import { createSingleFlight } from '../base/single-flight.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { Log } from '../log/log-event.ts'
import { type Connection, fingerprintOf } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { type ElementStore, ElementStoreError } from './element-store.ts'
import { ConfigurationError } from './finding.ts'
import { resolveConnection } from './resolve-connection.ts'

/** Longest time that a process goes on with elements which have changed. */
const maximumAgeMilliseconds = 60_000
/** From a failed reload to the next one. */
const pauseMilliseconds = 10_000
/** Longest wait for all of a connection's elements: if the cached connection can serve on, and if it can't. */
const longestReading = { withCachedMilliseconds: 3_000, otherwiseMilliseconds: 15_000 } as const

/** A connection with the fingerprint of its elements. */
export interface KnownConnection {
  readonly connection: Connection
  readonly fingerprint: string
}

interface Entry extends KnownConnection {
  readonly readAgainAt: number
}

/** The connections of one process, each resolved at its first use and kept for a while. */
export type ConnectionCache = ReturnType<typeof createConnectionCache>

export function createConnectionCache({
  elements,
  deployment,
  now,
  pause,
  log,
}: {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}) {
  const entries = new Map<string, Entry>()
  const readings = createSingleFlight<KnownConnection>()

  /**
   * The connection of that name. If its elements can't be read again in time, or have mistakes by now, the last good one serves
   * on.
   * @param fingerprint of the elements that the fleet uses: a cached connection with another one is read again
   * @throws {UnknownConnectionError}
   * @throws {ConfigurationError}
   * @throws {ElementStoreError}
   */
  async function get(name: string, fingerprint?: string): Promise<KnownConnection> {
    const cached = cachedFor(name, fingerprint)
    if (cached && now() < cached.readAgainAt) return cached
    const { withCachedMilliseconds, otherwiseMilliseconds } = longestReading
    try {
      return await readInTime(name, cached ? withCachedMilliseconds : otherwiseMilliseconds)
    } catch (error) {
      return serveOn(name, fingerprint, error)
    }
  }

  /** The connection as its elements are now, even if a fresh one is cached. Its errors are those of `get`. */
  async function readAgain(name: string): Promise<KnownConnection> {
    const startedAt = now()
    const connection = await resolveConnection(elements, deployment, name)
    log({ event: 'connection_resolved', connection: name, milliseconds: now() - startedAt })
    const entry = { connection, fingerprint: fingerprintOf(connection), readAgainAt: now() + maximumAgeMilliseconds }
    entries.set(name, entry)
    return entry
  }

  /** Whether the connection is cached with this fingerprint and needs no reading. */
  function has(name: string, fingerprint: string): boolean {
    const cached = cachedFor(name, fingerprint)
    return cached !== undefined && now() < cached.readAgainAt
  }

  /** The cached connection, however old; undefined if there is none with this fingerprint. */
  function cachedFor(name: string, fingerprint?: string): Entry | undefined {
    const entry = entries.get(name)
    return fingerprint === undefined || entry?.fingerprint === fingerprint ? entry : undefined
  }

  /** A reading that is late goes on, for later callers. */
  async function readInTime(name: string, milliseconds: number): Promise<KnownConnection> {
    const reading = readings.join(name, () => readAgain(name))
    return await inTime(reading, milliseconds, pause, () => {
      const sentence = `The elements of ${name} did not come within ${milliseconds} ms: see that their store can be reached.`
      throw new ElementStoreError('elements_unreachable', sentence)
    })
  }

  /** With the last good connection, after a failed reading. A connection that was taken out does not serve on. */
  function serveOn(name: string, fingerprint: string | undefined, error: unknown): KnownConnection {
    if (!(error instanceof ElementStoreError || error instanceof ConfigurationError)) {
      entries.delete(name)
      throw error
    }
    const lastGood = cachedFor(name, fingerprint)
    // If the fleet uses newer elements already, going on with the old ones would undo that change.
    if (!lastGood) throw error
    log({ event: 'reload_failed', connection: name, code: error.code, reason: error.message })
    entries.set(name, { ...lastGood, readAgainAt: now() + pauseMilliseconds })
    return lastGood
  }

  return { get, readAgain, has }
}
