import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import type { Pause } from '../base/time.ts'
import { type ConnectionCache, isFingerprintOf, type KnownConnection } from '../configuration/connection-cache.ts'
import { ElementStoreError } from '../configuration/element-store.ts'
import { ConnectionDisabledError, UnknownConnectionError } from '../configuration/finding.ts'
import { CacheUnavailableError, retryWhileCacheUnavailable } from '../fleet/circuit-breaker.ts'
import { wasJustCleared } from '../fleet/clearing.ts'
import {
  activated,
  type ConnectionRecord,
  type ConnectionState,
  cleared,
  disabledElements,
  type ElementsRevision,
  noElements,
  withStaged,
} from '../fleet/connection-record.ts'
import type { FleetRecords } from '../fleet/fleet-records.ts'
import { revisionOf } from '../get-token/from-server.ts'
import type { Log } from '../log/log-event.ts'
import type { Renewal } from './announce-renewals.ts'
import type { TokenRenewer } from './renew-token.ts'
import type { TokenStager } from './stage-tokens.ts'

/** So long new tokens are waited for before the elements become active without. */
const stagingMilliseconds = 20_000
/** Kept back for the renewals that come after that. */
const renewalReserveMilliseconds = 5_000
/** A process that finds other elements that often gives up. */
const mostTries = 10

export interface ConnectionRefresherDependencies {
  readonly connections: ConnectionCache
  readonly records: FleetRecords
  readonly stager: TokenStager
  readonly renewer: TokenRenewer
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

/** Sees to it that the fleet goes by a connection's elements as they are now. */
export type ConnectionRefresher = ReturnType<typeof createConnectionRefresher>

export function createConnectionRefresher(dependencies: ConnectionRefresherDependencies) {
  const { connections, records, stager, renewer, now, pause, log } = dependencies

  /*
   *   read record -> read elements -> stage -> obtain tokens -> read elements -> activate
   *        ^                           |                             |            |
   *        +---------------------------+-----------------------------+------------+
   *            where the record, or the elements, are others by then
   */
  async function refreshOnce(
    name: string,
    stageUntil: number,
    deadline: number,
  ): Promise<readonly Renewal[] | typeof lostRace> {
    const known = await readRecord(name, deadline)
    // Nobody has asked for a token of it yet.
    if (!known) return []
    const { latest, revision: elements } = await readElements(name)
    const staged = await amendUnchanged(known, deadline, (before) => withStaged(before, elements, now()))
    if (staged === lostRace) return lostRace

    const isChanged = latest !== undefined && !isFingerprintOf(latest, known.fingerprint)
    const renewals = isChanged ? await stager.stage(latest, staged, stageUntil) : new Map<string, Renewal>()
    if (isChanged && !(await isStill(latest))) return lostRace
    const active = await amendUnchanged(staged, deadline, (before) => activated(before, elements, now()))
    if (active === lostRace) return lostRace
    return latest ? await renewer.renewVariants(name, active, renewals, deadline) : []
  }

  async function readRecord(name: string, deadline: number): Promise<NamedRecord | undefined> {
    const [known] = await retryWhileCacheUnavailable(
      () => records.readConnections([name], deadline),
      deadline - renewalReserveMilliseconds,
      now,
      pause,
    )
    return known && { ...known, name }
  }

  async function readElements(name: string): Promise<LatestElements> {
    try {
      const latest = await connections.readAgain(name)
      return { latest, revision: revisionOf(latest) }
    } catch (error) {
      if (error instanceof UnknownConnectionError) return { revision: noElements }
      if (error instanceof ConnectionDisabledError) return { revision: disabledElements }
      throw error
    }
  }

  /** Obtaining tokens took its time. Where that can't be told it is enough that it was so then. */
  async function isStill({ connection, fingerprint }: KnownConnection): Promise<boolean> {
    try {
      return (await readElements(connection.name)).revision.fingerprint === fingerprint
    } catch (error) {
      if (error instanceof ElementStoreError) return true
      throw error
    }
  }

  /** Lost where another process has said since which elements are active, or staged: these may be older. */
  async function amendUnchanged(
    known: NamedRecord,
    deadline: number,
    change: (before: ConnectionRecord) => ConnectionState,
  ): Promise<NamedRecord | typeof lostRace> {
    const { name, ...record } = known
    let isUnchanged = false
    const after = await retryWhileCacheUnavailable(
      () =>
        records.amendConnection(
          name,
          record,
          (before) => {
            isUnchanged = before !== undefined && isSameRevision(before, known)
            return before && isUnchanged ? change(before) : undefined
          },
          deadline,
        ),
      deadline - renewalReserveMilliseconds,
      now,
      pause,
    )
    return isUnchanged && after ? { ...after, name } : lostRace
  }

  return {
    /**
     * Where the elements would issue other tokens these are obtained first, for all that is kept warm, so that nobody waits for
     * them; where that fails the old ones end all the same.
     * @param deadline milliseconds since the epoch, at least half a minute away
     * @throws {ConfigurationError} where the elements have mistakes: the last good ones serve on
     * @throws {ElementStoreError}
     * @throws {CacheUnavailableError}
     */
    async refresh(name: string, deadline: number): Promise<readonly Renewal[]> {
      const stageUntil = Math.min(now() + stagingMilliseconds, deadline - renewalReserveMilliseconds)
      const renewals = await compareAndSet(mostTries, () => refreshOnce(name, stageUntil, deadline))
      if (renewals === lostRace) throw new CacheUnavailableError(`The record of the connection ${name} keeps changing.`)
      return renewals
    },

    /**
     * Ends all tokens of a connection, and obtains those that are kept warm anew; unless another process did so a moment ago.
     * @param deadline milliseconds since the epoch
     * @throws {CacheUnavailableError}
     */
    async clear(name: string, deadline: number): Promise<readonly Renewal[]> {
      const [known] = await records.readConnections([name], deadline)
      let isTooSoon = false
      const clear = (before: ConnectionRecord | undefined) => {
        isTooSoon = wasJustCleared(before?.clearedAt, now())
        return before && !isTooSoon ? cleared(before, now()) : undefined
      }
      const after = await records.amendConnection(name, known, clear, deadline)
      if (isTooSoon) log({ event: 'clearing_skipped', connection: name })
      return after && !isTooSoon ? await renewer.renewVariants(name, after, new Map(), deadline) : []
    },
  }
}

interface LatestElements {
  /** Absent where there is no connection of that name any more, or it is disabled. */
  readonly latest?: KnownConnection
  readonly revision: ElementsRevision
}

interface NamedRecord extends ConnectionRecord {
  readonly name: string
}

function isSameRevision(a: ConnectionState, b: ConnectionState): boolean {
  return a.generation === b.generation && a.staged?.generation === b.staged?.generation
}
