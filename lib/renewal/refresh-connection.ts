import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { forEachAtMost } from '../base/semaphore.ts'
import type { Pause } from '../base/time.ts'
import { type ConnectionCache, isFingerprintOf, type KnownConnection } from '../configuration/connection-cache.ts'
import { ElementStoreError } from '../configuration/element-store.ts'
import { ConfigurationError, ConnectionDisabledError, UnknownConnectionError } from '../configuration/finding.ts'
import { CacheUnavailableError, retryWhileCacheUnavailable } from '../fleet/circuit-breaker.ts'
import { wasJustCleared } from '../fleet/clearing.ts'
import type { ConnectionRecord } from '../fleet/connection-record.ts'
import {
  activated,
  type ConnectionState,
  cleared,
  disabledElements,
  type ElementsRevision,
  noElements,
  withStaged,
} from '../fleet/connection-state.ts'
import type { FleetRecords } from '../fleet/fleet-records.ts'
import { revisionOf } from '../get-token/from-server.ts'
import type { Log } from '../log/log-event.ts'
import type { Renewal } from './announce-renewals.ts'
import type { TokenRenewer } from './renew-token.ts'
import type { TokenStager } from './stage-tokens.ts'

/** How long to wait for staged tokens before the changed elements become active without them. */
const stagingMilliseconds = 20_000
/** Reserved for the renewals after that. */
const renewalReserveMilliseconds = 5_000
/** How many connections are cleared at a time, as many as a warm run renews tokens of one server. */
const connectionsAtATime = 10
/** After so many changes by other processes, this process gives up. */
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

/** Makes the fleet use a connection's present elements. */
export type ConnectionRefresher = ReturnType<typeof createConnectionRefresher>

export function createConnectionRefresher(dependencies: ConnectionRefresherDependencies) {
  const { connections, records, stager, renewer, now, pause, log } = dependencies

  /*
   *   read record -> read elements -> stage -> obtain tokens -> read elements -> activate
   *        ^                           |                             |            |
   *        +---------------------------+-----------------------------+------------+
   *            if the record or the elements have changed by then
   */
  async function refreshOnce(
    name: string,
    stageUntil: number,
    deadline: number,
  ): Promise<readonly Renewal[] | typeof lostRace> {
    const known = await readRecord(name, deadline)
    if (!known) return await beginRecord(name, deadline)
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

  /**
   * No instance has had a token of this connection yet. But an instance may have read the former elements, and would request its
   * first token with them. The record's fingerprint makes it read them again.
   */
  async function beginRecord(name: string, deadline: number): Promise<readonly Renewal[] | typeof lostRace> {
    const latest = await readElements(name).catch(ignoreMistakes)
    if (!latest) return []
    let isFirst = false
    const begin = (before: ConnectionRecord | undefined) => {
      isFirst = before === undefined
      return before ?? activated(undefined, latest.revision, now())
    }
    await records.amendConnection(name, undefined, begin, deadline)
    return isFirst ? [] : lostRace
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

  /** The elements may have changed while tokens were obtained. If they can't be read now, the former reading counts. */
  async function isStill({ connection, fingerprint }: KnownConnection): Promise<boolean> {
    try {
      return (await readElements(connection.name)).revision.fingerprint === fingerprint
    } catch (error) {
      if (error instanceof ElementStoreError) return true
      throw error
    }
  }

  /**
   * Loses the race if another process has changed the active or staged elements since: the ones read by this process may be older.
   */
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

  /** @returns undefined if no tokens were ended: the fleet has had none, or they were ended just before */
  async function end(
    name: string,
    deadline: number,
    when: 'always' | 'unless_just_cleared',
  ): Promise<ConnectionRecord | undefined> {
    const [known] = await records.readConnections([name], deadline)
    let isTooSoon = false
    const clear = (before: ConnectionRecord | undefined) => {
      isTooSoon = when === 'unless_just_cleared' && wasJustCleared(before?.clearedAt, now())
      return before && !isTooSoon ? cleared(before, now()) : undefined
    }
    const after = await records.amendConnection(name, known, clear, deadline)
    if (isTooSoon) log({ event: 'clearing_skipped', connection: name })
    return isTooSoon ? undefined : after
  }

  return {
    /**
     * Makes the present elements of a connection active. If they would produce other tokens, it first obtains those that are kept
     * warm, so that no caller waits for them. The old tokens end even if that fails. Without a token so far, only the record begins.
     * @param deadline milliseconds since the epoch, at least half a minute away
     * @throws {ConfigurationError} if the elements have mistakes: the last elements without mistakes stay in use
     * @throws {ElementStoreError}
     * @throws {CacheUnavailableError}
     */
    async refresh(name: string, deadline: number): Promise<readonly Renewal[]> {
      const stageUntil = Math.min(now() + stagingMilliseconds, deadline - renewalReserveMilliseconds)
      const renewals = await compareAndSet(mostTries, () => refreshOnce(name, stageUntil, deadline))
      if (renewals === lostRace)
        throw new CacheUnavailableError(
          `The record of the connection ${name} keeps changing. The event is delivered again.`,
        )
      return renewals
    },

    /**
     * Ends all tokens of a connection, and obtains those that are kept warm anew. It does nothing within 30 s after another clearing, since
     * each costs token requests.
     * @param deadline milliseconds since the epoch
     * @throws {CacheUnavailableError}
     */
    async clear(name: string, deadline: number): Promise<readonly Renewal[]> {
      const ended = await end(name, deadline, 'unless_just_cleared')
      return ended ? await renewer.renewVariants(name, ended, new Map(), deadline) : []
    },

    /**
     * Ends all tokens of these connections in any case, and then obtains those that are kept warm anew. A server that is slow delays no end.
     * @param deadline milliseconds since the epoch
     * @throws {CacheUnavailableError}
     */
    async clearEach(names: readonly string[], deadline: number): Promise<readonly Renewal[]> {
      const ended = new Map<string, ConnectionRecord>()
      await forEachAtMost(connectionsAtATime, names, async (name) => {
        const record = await end(name, deadline, 'always')
        if (record) ended.set(name, record)
      })
      const renewals: Renewal[] = []
      await forEachAtMost(connectionsAtATime, [...ended], async ([name, record]) => {
        renewals.push(...(await renewer.renewVariants(name, record, new Map(), deadline)))
      })
      return renewals
    },
  }
}

interface LatestElements {
  /** Undefined if the connection no longer exists or is disabled. */
  readonly latest?: KnownConnection
  readonly revision: ElementsRevision
}

interface NamedRecord extends ConnectionRecord {
  readonly name: string
}

/** A connection that has had no token may still be incomplete, as while its elements are deployed one by one. */
function ignoreMistakes(error: unknown): undefined {
  if (!(error instanceof ConfigurationError)) throw error
}

function isSameRevision(a: ConnectionState, b: ConnectionState): boolean {
  return a.generation === b.generation && a.staged?.generation === b.staged?.generation
}
