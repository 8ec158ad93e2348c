import { createSingleFlight } from '../base/single-flight.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { Log } from '../log/log-event.ts'
import type { Connection } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { type ElementStore, ElementStoreError } from './element-store.ts'
import { ConfigurationError, ConnectionDisabledError } from './finding.ts'
import { disabledFingerprint } from './fingerprint.ts'

/** The longest time that an instance uses elements that have changed. */
const maximumAgeMilliseconds = 60_000
/** The same for a connection without tokens: its calls read no record of the fleet that would tell that it is disabled. */
const tokenlessAgeMilliseconds = 30_000
/** The wait after a failed reload, and after a connection was found to be disabled, before the elements are read again. */
const pauseMilliseconds = 10_000
/** The longest wait for a connection's elements: with and without a usable cached connection. */
// The client of Parameter Store retries for up to 10 s. A caller with a usable token must not wait that long.
// Without a cached connection, 15 s leave time for signing and the token request. The price: if the store is always slower than 3 s, Lambda
// may freeze each read before its end. The instance then uses its cached connection until the fleet uses another fingerprint.
const longestReading = { withCachedMilliseconds: 3_000, otherwiseMilliseconds: 15_000 } as const
/** The longest wait to learn whether a connection is disabled, when a token is already in memory. */
const longestLookMilliseconds = 1_000

/** Makes the fingerprints that stand for a connection's elements in shared records. */
export interface Fingerprints {
  /**
   * The fingerprints of the same elements in the forms of all versions of Tokenwell. The first form is that of this
   * deployment.
   */
  formsOf(connection: Connection): readonly [string, ...string[]]
}

/** A connection with the fingerprint of its elements. */
export interface KnownConnection {
  readonly connection: Connection
  readonly fingerprint: string
  /** Fingerprints of the same elements in the forms of other versions. */
  readonly otherFingerprints?: readonly string[]
}

/** Whether the fingerprint is one of these elements, in the form of any version. */
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

/** The connections of one instance. Each is resolved at its first use and kept for a while. */
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
  /** When a disabled connection is read again. */
  const disabledUntil = new Map<string, number>()
  const readings = createSingleFlight<KnownConnection>()

  /**
   * The connection with that name. If its elements can't be read again in time, or now have mistakes, the last valid connection
   * stays in use.
   * @param fingerprint of the elements that the fleet uses; a cached connection with another fingerprint is read again
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

  /**
   * Reads the connection's elements now, even if the cached connection is new enough.
   * @throws {TokenwellError} as `get` does
   */
  async function readAgain(name: string): Promise<KnownConnection> {
    const startedAt = now()
    const connection = await resolve(name)
    log({ event: 'connection_resolved', connection: name, milliseconds: now() - startedAt })
    const maximumAge = connection.grant === undefined ? tokenlessAgeMilliseconds : maximumAgeMilliseconds
    const entry = { connection, readAgainAt: now() + maximumAge }
    entries.set(name, entry)
    return known(entry)
  }

  /** The fingerprint is not cached: its form changes once the keys of the cache have been read. */
  function known({ connection }: Entry): KnownConnection {
    const [fingerprint, ...otherFingerprints] = fingerprints.formsOf(connection)
    return { connection, fingerprint, otherFingerprints }
  }

  async function resolve(name: string): Promise<Connection> {
    disabledUntil.delete(name)
    try {
      // A token of the shared cache needs no elements: a cold start that finds one does not load what resolves them.
      const resolution = await import('./resolve-connection.ts')
      return await resolution.resolveConnection(elements, deployment, name)
    } catch (error) {
      if (error instanceof ConnectionDisabledError) {
        entries.delete(name)
        disabledUntil.set(name, now() + pauseMilliseconds)
      }
      throw error
    }
  }

  /** Does not read elements. False if the fleet uses other elements, as the operator may have enabled the connection since. */
  function isKnownAsDisabled(name: string, fingerprint: string = disabledFingerprint): boolean {
    const until = fingerprint === disabledFingerprint ? disabledUntil.get(name) : undefined
    return until !== undefined && now() < until
  }

  /**
   * Whether the operator has disabled the connection, for an instance that can't reach the shared cache. It uses elements that are
   * at most a minute old. False if they can't be read.
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

  /** Whether the connection is cached with this fingerprint and need not be read again. */
  function has(name: string, fingerprint: string): boolean {
    if (isKnownAsDisabled(name, fingerprint)) return true
    const cached = cachedFor(name, fingerprint)
    return cached !== undefined && now() < cached.readAgainAt
  }

  /** The cached connection of any age. Undefined if no connection with this fingerprint is cached. */
  function cachedFor(name: string, fingerprint?: string): Entry | undefined {
    const entry = entries.get(name)
    if (!entry || fingerprint === undefined) return entry
    return isFingerprintOf(known(entry), fingerprint) ? entry : undefined
  }

  /** The cached connection of any age. Does not read elements. */
  function peek(name: string): Connection | undefined {
    return entries.get(name)?.connection
  }

  /** If the read takes too long, it continues for later callers. */
  async function readInTime(name: string, milliseconds: number): Promise<KnownConnection> {
    const reading = readings.join(name, () => readAgain(name))
    return await inTime(reading, milliseconds, pause, () => {
      const sentence = `The store of elements did not return the elements of ${name} within ${milliseconds} ms. Check that the store can be reached.`
      throw new ElementStoreError('elements_unreachable', sentence)
    })
  }

  /** After a failed read, the last valid connection stays in use, unless the operator has removed or disabled it. */
  function serveOn(name: string, fingerprint: string | undefined, error: unknown): KnownConnection {
    if (!(error instanceof ElementStoreError || error instanceof ConfigurationError)) {
      entries.delete(name)
      throw error
    }
    const lastGood = cachedFor(name, fingerprint)
    // If the fleet already uses newer elements, the old ones would undo that change.
    if (!lastGood) throw error
    log({ event: 'reload_failed', connection: name, code: error.code, reason: error.message })
    entries.set(name, { ...lastGood, readAgainAt: now() + pauseMilliseconds })
    return known(lastGood)
  }

  return { get, readAgain, has, isDisabled, peek }
}
