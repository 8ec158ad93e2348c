import type { Pause } from '../base/time.ts'
import type { ConnectionCache, KnownConnection } from '../configuration/connection-cache.ts'
import { ElementStoreError } from '../configuration/element-store.ts'
import { UnknownConnectionError } from '../configuration/finding.ts'
import { CacheUnavailableError, insist } from '../fleet/circuit-breaker.ts'
import {
  announced,
  type ConnectionRecord,
  type ConnectionState,
  cleared,
  noElements,
  settled,
} from '../fleet/connection-record.ts'
import type { TokenRecords } from '../fleet/fleet-records.ts'
import { elementsOf } from '../get-token/leased-request.ts'
import type { RenewVariants } from './announce-renewals.ts'
import type { Renewal } from './renew-token.ts'
import type { PrepareTokens } from './stage-tokens.ts'

/** So long new tokens are waited for before the elements come into force without. */
const preparationMilliseconds = 20_000
/** Kept back for what comes after that. */
const reserveMilliseconds = 5_000
/** Who finds other elements that often gives up. */
const mostTries = 10

/**
 * Sees to it that the fleet goes by the connection's elements as they are now. Where they would issue other tokens these are
 * obtained first, for all that is kept warm, so that nobody waits for them; where that fails the old ones end all the same.
 * @param deadline milliseconds since the epoch, at least half a minute away
 * @throws {ConfigurationError} where the elements have mistakes: the last good ones serve on
 * @throws {ElementStoreError}
 * @throws {CacheUnavailableError}
 */
export type RefreshConnection = (connection: string, deadline: number) => Promise<readonly Renewal[]>

export interface RefreshConnectionParts {
  readonly connections: ConnectionCache
  readonly records: TokenRecords
  readonly prepareTokens: PrepareTokens
  readonly renewVariants: RenewVariants
  readonly now: () => number
  readonly pause: Pause
}

/*
 *   read record -> read elements -> announce -> obtain tokens -> read elements -> in force
 *        ^                             |                              |              |
 *        +-----------------------------+------------------------------+--------------+
 *            where the record, or the elements, are others by then
 */
export function createRefreshConnection(parts: RefreshConnectionParts): RefreshConnection {
  const { connections, records, prepareTokens, renewVariants, now, pause } = parts

  return async (name, deadline) => {
    const insistently = <T>(call: () => Promise<T>) => insist(call, deadline - reserveMilliseconds, now, pause)
    const prepareUntil = Math.min(now() + preparationMilliseconds, deadline - reserveMilliseconds)

    for (let tries = 0; tries < mostTries; tries++) {
      const [known] = await insistently(() => records.readConnections([name], deadline))
      // Nobody has asked for a token of it yet.
      if (!known) return []
      const latest = await readElements(name)
      const elements = latest ? elementsOf(latest) : noElements
      const announce = (before: ConnectionRecord) => announced(before, elements.fingerprint, now())
      const announcement = await insistently(() => amendUnchanged(name, known, announce, deadline))
      if (!announcement) continue

      const isPrepared = latest !== undefined && latest.fingerprint !== known.fingerprint
      const prepared = isPrepared ? await prepareTokens(latest, announcement, prepareUntil) : new Map<string, Renewal>()
      if (isPrepared && !(await isStill(latest))) continue
      const settle = (before: ConnectionRecord) => settled(before, elements, now())
      const inForce = await insistently(() => amendUnchanged(name, announcement, settle, deadline))
      if (inForce) return latest ? renewVariants(name, inForce, prepared, deadline) : []
    }
    throw new CacheUnavailableError('its elements change all the time')
  }

  function readElements(name: string): Promise<KnownConnection | undefined> {
    return connections.readAgain(name).catch(undefinedIfUnknown)
  }

  /** Obtaining tokens took its time. Where that can't be told it is enough that it was so then. */
  async function isStill({ connection, fingerprint }: KnownConnection): Promise<boolean> {
    try {
      return (await readElements(connection.name))?.fingerprint === fingerprint
    } catch (error) {
      if (error instanceof ElementStoreError) return true
      throw error
    }
  }

  /** Undefined where somebody else has said since which elements are in force, or come next: these may be older. */
  async function amendUnchanged(
    name: string,
    known: ConnectionRecord,
    change: (before: ConnectionRecord) => ConnectionState,
    deadline: number,
  ): Promise<ConnectionRecord | undefined> {
    let isUnchanged = false
    const amend = (before: ConnectionRecord | undefined) => {
      isUnchanged = before?.generation === known.generation && before.next?.generation === known.next?.generation
      return before && isUnchanged ? change(before) : undefined
    }
    const after = await records.amendConnection(name, known, amend, deadline)
    return isUnchanged ? after : undefined
  }
}

function undefinedIfUnknown(error: unknown): undefined {
  if (!(error instanceof UnknownConnectionError)) throw error
}

/**
 * Ends all tokens of a connection, and obtains those that are kept warm anew.
 * @param deadline milliseconds since the epoch
 * @throws {CacheUnavailableError}
 */
export type ClearConnection = (connection: string, deadline: number) => Promise<readonly Renewal[]>

export interface ClearConnectionParts {
  readonly records: TokenRecords
  readonly renewVariants: RenewVariants
  readonly now: () => number
}

export function createClearConnection({ records, renewVariants, now }: ClearConnectionParts): ClearConnection {
  return async (name, deadline) => {
    const [known] = await records.readConnections([name], deadline)
    const clear = (before: ConnectionRecord | undefined) => before && cleared(before, now())
    const after = await records.amendConnection(name, known, clear, deadline)
    return after ? renewVariants(name, after, new Map(), deadline) : []
  }
}
