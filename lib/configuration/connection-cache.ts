import { inTime, type Pause } from '../base/time.ts'
import type { Log } from '../log/log-event.ts'
import { type Connection, fingerprintOf } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { type ElementStore, ElementStoreError } from './element-store.ts'
import { ConfigurationError } from './finding.ts'
import { resolveConnection } from './resolve-connection.ts'

/** Longest time that a process goes on with elements which have changed. */
const maximumAgeMilliseconds = 60_000
/** After a failed reload, before the next one. */
const pauseMilliseconds = 10_000
/** Longest wait for all of a connection's elements: with the last good ones in hand, and with none that would do. */
const longestReading = { inHandMilliseconds: 3_000, otherwiseMilliseconds: 15_000 } as const

/** A connection, and what tells its elements from others. */
export interface KnownConnection {
  readonly connection: Connection
  readonly fingerprint: string
}

/** The connections of one process, each resolved at its first use and kept for a while. */
export interface ConnectionCache {
  /**
   * While its elements can't be read again, or not soon, or have mistakes by now, the last good connection serves on.
   * @param fingerprint by which others go already: a connection with another one is read again
   * @throws {UnknownConnectionError}
   * @throws {ConfigurationError}
   * @throws {ElementStoreError}
   */
  get(name: string, fingerprint?: string): Promise<KnownConnection>
  /** As its elements are now, whatever is in hand. Errors are those of `get`. */
  readAgain(name: string): Promise<KnownConnection>
  /** Whether it is in hand and needs no reading. */
  has(name: string, fingerprint: string): boolean
}

export interface ConnectionCacheDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

interface Entry extends KnownConnection {
  readonly readAgainAt: number
}

export function createConnectionCache({
  elements,
  deployment,
  now,
  pause,
  log,
}: ConnectionCacheDependencies): ConnectionCache {
  const entries = new Map<string, Entry>()
  const readings = new Map<string, Promise<KnownConnection>>()

  function current(name: string, fingerprint?: string): Entry | undefined {
    const entry = entries.get(name)
    if (!entry || now() >= entry.readAgainAt) return undefined
    return fingerprint === undefined || entry.fingerprint === fingerprint ? entry : undefined
  }

  async function read(name: string): Promise<KnownConnection> {
    const startedAt = now()
    const connection = await resolveConnection(elements, deployment, name)
    log({ event: 'connection_resolved', connection: name, milliseconds: now() - startedAt })
    const entry = { connection, fingerprint: fingerprintOf(connection), readAgainAt: now() + maximumAgeMilliseconds }
    entries.set(name, entry)
    return entry
  }

  /** One for all who ask at that moment. */
  function readOnce(name: string): Promise<KnownConnection> {
    const underWay = readings.get(name)
    if (underWay) return underWay
    const reading = read(name).finally(() => readings.delete(name))
    readings.set(name, reading)
    return reading
  }

  /** Where it is late it goes on, for who asks next. */
  function readInTime(name: string, milliseconds: number): Promise<KnownConnection> {
    return inTime(readOnce(name), milliseconds, pause, () => {
      const sentence = `The elements of ${name} did not come within ${milliseconds} ms: see that their store can be reached.`
      throw new ElementStoreError('elements_unreachable', sentence)
    })
  }

  return {
    readAgain: read,
    has: (name, fingerprint) => current(name, fingerprint) !== undefined,
    async get(name, fingerprint) {
      const inHand = current(name, fingerprint)
      if (inHand) return inHand
      const before = entries.get(name)
      const wouldDo = before && (fingerprint === undefined || before.fingerprint === fingerprint)
      const { inHandMilliseconds, otherwiseMilliseconds } = longestReading
      try {
        return await readInTime(name, wouldDo ? inHandMilliseconds : otherwiseMilliseconds)
      } catch (error) {
        const lastGood = entries.get(name)
        if (!(error instanceof ElementStoreError || error instanceof ConfigurationError)) {
          entries.delete(name)
          throw error
        }
        // Where others go by newer elements already, going on with the old ones would undo theirs.
        if (!lastGood || (fingerprint !== undefined && lastGood.fingerprint !== fingerprint)) throw error
        log({ event: 'reload_failed', connection: name, code: error.code, reason: error.message })
        entries.set(name, { ...lastGood, readAgainAt: now() + pauseMilliseconds })
        return lastGood
      }
    },
  }
}
