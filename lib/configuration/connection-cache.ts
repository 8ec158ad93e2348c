import { createSingleFlight } from '../base/single-flight.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { Log } from '../log/log-event.ts'
import { type Connection, disabledFingerprint } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { type ElementStore, ElementStoreError } from './element-store.ts'
import { ConfigurationError, ConnectionDisabledError } from './finding.ts'
import { resolveConnection } from './resolve-connection.ts'

/** Longest time that a process goes on with elements which have changed. */
const maximumAgeMilliseconds = 60_000
/** From a failed reload to the next one, and from finding that a connection is disabled to looking again. */
const pauseMilliseconds = 10_000
/** Longest wait for all of a connection's elements: if the cached connection can serve on, and if it can't. */
const longestReading = { withCachedMilliseconds: 3_000, otherwiseMilliseconds: 15_000 } as const
/** Longest wait for a stop that may be there, before a token that is at hand. */
const longestLookMilliseconds = 1_000

/** How a fleet names the elements of a connection in what it shares. */
export interface Fingerprints {
  /** The same elements in each form in which a version of Tokenwell writes them. The first one is that of this deployment. */
  formsOf(connection: Connection): readonly [string, ...string[]]
}

/** A connection with the fingerprint of its elements. */
export interface KnownConnection {
  readonly connection: Connection
  readonly fingerprint: string
  /** The same elements as other versions write them. */
  readonly otherFingerprints?: readonly string[]
}

/** Whether these are the elements of that fingerprint, whichever version wrote it. */
export function isFingerprintOf(
  { fingerprint: own, otherFingerprints = [] }: Pick<KnownConnection, 'fingerprint' | 'otherFingerprints'>,
  fingerprint: string,
): boolean {
  return own === fingerprint || otherFingerprints.includes(fingerprint)
}

interface Entry {
  readonly connection: Connection
  readonly readAgainAt: number
}

/** The connections of one process, each resolved at its first use and kept for a while. */
export type ConnectionCache = ReturnType<typeof createConnectionCache>

export function createConnectionCache({
  elements,
  deployment,
  fingerprints,
  now,
  pause,
  log,
}: {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly fingerprints: Fingerprints
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}) {
  const entries = new Map<string, Entry>()
  /** When to read again a connection that is disabled. */
  const disabledUntil = new Map<string, number>()
  const readings = createSingleFlight<KnownConnection>()

  /**
   * The connection of that name. If its elements can't be read again in time, or have mistakes by now, the last good one serves
   * on.
   * @param fingerprint of the elements that the fleet uses: a cached connection with another one is read again
   * @throws {UnknownConnectionError}
   * @throws {ConnectionDisabledError}
   * @throws {ConfigurationError}
   * @throws {ElementStoreError}
   */
  async function get(name: string, fingerprint?: string): Promise<KnownConnection> {
    if (isKnownAsDisabled(name, fingerprint)) throw new ConnectionDisabledError(name)
    const cached = cachedFor(name, fingerprint)
    if (cached && now() < cached.readAgainAt) return known(cached)
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
    const connection = await resolve(name)
    log({ event: 'connection_resolved', connection: name, milliseconds: now() - startedAt })
    const entry = { connection, readAgainAt: now() + maximumAgeMilliseconds }
    entries.set(name, entry)
    return known(entry)
  }

  /** Not kept: its form is another one once the keys of the cache have been read. */
  function known({ connection }: Entry): KnownConnection {
    const [fingerprint, ...otherFingerprints] = fingerprints.formsOf(connection)
    return { connection, fingerprint, otherFingerprints }
  }

  async function resolve(name: string): Promise<Connection> {
    disabledUntil.delete(name)
    try {
      return await resolveConnection(elements, deployment, name)
    } catch (error) {
      if (error instanceof ConnectionDisabledError) {
        entries.delete(name)
        disabledUntil.set(name, now() + pauseMilliseconds)
      }
      throw error
    }
  }

  /** Without reading; where the fleet goes by other elements it may have been enabled since. */
  function isKnownAsDisabled(name: string, fingerprint: string = disabledFingerprint): boolean {
    const until = fingerprint === disabledFingerprint ? disabledUntil.get(name) : undefined
    return until !== undefined && now() < until
  }

  /**
   * For a process that can't ask the fleet: whether the operator has disabled the connection, by elements that are read again once a
   * minute. Not where they can't be read.
   */
  async function isDisabled(name: string): Promise<boolean> {
    const cached = entries.get(name)
    if (cached && now() < cached.readAgainAt) return false
    if (isKnownAsDisabled(name)) return true
    try {
      await readInTime(name, longestLookMilliseconds)
    } catch (error) {
      return error instanceof ConnectionDisabledError
    }
    return false
  }

  /** Whether the connection is cached with this fingerprint and needs no reading. */
  function has(name: string, fingerprint: string): boolean {
    if (isKnownAsDisabled(name, fingerprint)) return true
    const cached = cachedFor(name, fingerprint)
    return cached !== undefined && now() < cached.readAgainAt
  }

  /** The cached connection, however old; undefined if there is none with this fingerprint. */
  function cachedFor(name: string, fingerprint?: string): Entry | undefined {
    const entry = entries.get(name)
    if (!entry || fingerprint === undefined) return entry
    return isFingerprintOf(known(entry), fingerprint) ? entry : undefined
  }

  /** A reading that is late goes on, for later callers. */
  async function readInTime(name: string, milliseconds: number): Promise<KnownConnection> {
    const reading = readings.join(name, () => readAgain(name))
    return await inTime(reading, milliseconds, pause, () => {
      const sentence = `The store of elements did not return the elements of ${name} within ${milliseconds} ms. Check that the store can be reached.`
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
    return known(lastGood)
  }

  return { get, readAgain, has, isDisabled }
}
