import { allEnded } from '../base/all-ended.ts'
import { createSemaphore, forEachAtMost } from '../base/semaphore.ts'
import type { Pause } from '../base/time.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { FleetRecords } from '../fleet/fleet-records.ts'
import { type RecordName, readPublishedKeysRecordName } from '../fleet/record-store.ts'
import { attemptMilliseconds } from '../get-token/from-fleet.ts'
import type { Log } from '../log/log-event.ts'
import type { Announcer, Renewal } from './announce-renewals.ts'
import type { TokenRenewer } from './renew-token.ts'
import type { NewKeyTrials } from './try-new-key.ts'

/** A run may be late by almost that much, so that until the one after the next it may be two of them. */
export const intervalMilliseconds = 60_000
/** What will be stale by then is renewed now. */
export const aheadMilliseconds = 2 * intervalMilliseconds

/** More than one run can do. */
const mostDue = 10_000
/** Of all authorization servers together; each has a limit of its own. */
const mostAtATime = 200
/** Of those whose connection is gone from the cache: nothing is asked, they are taken off the list. */
const concurrencyWithoutPlan = 10
/** Over which the first requests to a server are spread. */
const spreadMilliseconds = 1_000

/** What a run came to, in tokens: trials of new keys stand apart. */
export interface WarmRun {
  readonly due: number
  readonly renewed: number
  readonly failed: number
  /** Still due, for the next run: there was no time left for them, or the shared cache failed. */
  readonly left: number
}

export interface WarmRunnerDependencies {
  readonly records: FleetRecords
  readonly renewer: TokenRenewer
  readonly newKeyTrials: NewKeyTrials
  readonly announcer: Announcer
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/** The due tokens of one authorization server. */
interface ServersWork {
  readonly maximumConcurrency: number
  readonly names: RecordName[]
}

/** Renews what is kept warm before it goes stale. */
export function createWarmRunner(dependencies: WarmRunnerDependencies) {
  const { records, renewer, newKeyTrials, announcer, now, random, pause, log } = dependencies

  /** Each authorization server by itself, so many at a time as its element allows, the most urgent first. */
  async function renewAll(due: readonly RecordName[], freshUntil: number, deadline: number): Promise<Renewal[]> {
    const lastBegin = deadline - attemptMilliseconds
    const semaphore = createSemaphore(mostAtATime)
    const renewals: Renewal[] = []
    // Without the cache, or its keys, all of it is left to the next run.
    const work = await unlessUnavailable(() => workByServer(due, lastBegin), [])
    await allEnded(
      work.map(async ({ maximumConcurrency, names }) => {
        await pause(random() * spreadMilliseconds)
        const putLast: RecordName[] = []
        await forEachAtMost(maximumConcurrency, names, async (name) => {
          const renewal = await renewOne(name, 'unless_failed')
          if (renewal?.outcome === 'put_last') putLast.push(name)
          else if (renewal) renewals.push(renewal)
        })
        // What failed the last time takes at most half of the places: a server that is slow to fail keeps nothing else waiting.
        await forEachAtMost(Math.ceil(maximumConcurrency / 2), putLast, async (name) => {
          const renewal = await renewOne(name, 'once')
          if (renewal) renewals.push(renewal)
        })
      }),
    )
    return renewals

    /** Undefined where there was no time for it, or the shared cache could not be asked: it stays due. */
    async function renewOne(name: RecordName, attempt: 'unless_failed' | 'once'): Promise<Renewal | undefined> {
      return await semaphore.run(async () => {
        if (now() >= lastBegin) return undefined
        const wanted = { name, freshUntil, deadline, isWarming: true, attempt }
        return await unlessUnavailable(() => renewer.renew(wanted), undefined)
      })
    }
  }

  async function renewDue(
    names: readonly RecordName[],
    {
      startedAt,
      freshUntil,
      deadline,
    }: { readonly startedAt: number; readonly freshUntil: number; readonly deadline: number },
  ): Promise<WarmRun> {
    const due = names.filter((name) => readPublishedKeysRecordName(name) === undefined)
    const renewals = await renewAll(due, freshUntil, deadline)
    await announcer.announce(renewals)
    return report(startedAt, due.length, renewals)
  }

  async function tryKeys(names: readonly RecordName[], deadline: number): Promise<void> {
    const jwtBuilders = names.map(readPublishedKeysRecordName).filter((name) => name !== undefined)
    await allEnded(jwtBuilders.map((jwtBuilder) => newKeyTrials.tryKey(jwtBuilder, deadline)))
  }

  async function workByServer(due: readonly RecordName[], waitUntil: number): Promise<ServersWork[]> {
    const connections = [...new Set(due.map(({ group }) => group))]
    const servers = new Map<string, string>()
    const work = new Map<string, ServersWork>()
    const found = await records.readConnections(connections, waitUntil)
    for (const [position, name] of connections.entries()) {
      const plan = found[position]?.warming
      const server = plan?.authorizationServer ?? ''
      servers.set(name, server)
      const maximumConcurrency = plan?.maximumConcurrency ?? concurrencyWithoutPlan
      if (!work.has(server)) work.set(server, { maximumConcurrency, names: [] })
    }
    for (const name of due) work.get(servers.get(name.group) ?? '')?.names.push(name)
    return [...work.values()]
  }

  function report(startedAt: number, due: number, renewals: readonly Renewal[]): WarmRun {
    const count = (outcome: Renewal['outcome']) => renewals.filter((each) => each.outcome === outcome).length
    const run = { due, renewed: count('renewed'), failed: count('failed'), left: due - renewals.length }
    log({ event: 'warm_run_ended', ...run, milliseconds: now() - startedAt })
    return run
  }

  return {
    /**
     * Renews what will go stale before the run after the next. Beside that tries new keys whose time has come; what that throws is
     * thrown once all else is done.
     * @param deadline milliseconds since the epoch: nothing is begun that could not end by then
     * @throws {CacheUnavailableError} where it isn't known what is due
     */
    async run(deadline: number): Promise<WarmRun> {
      const startedAt = now()
      const freshUntil = startedAt + aheadMilliseconds
      const names = await records.due(freshUntil, mostDue, deadline - attemptMilliseconds)
      const [run] = await allEnded([renewDue(names, { startedAt, freshUntil, deadline }), tryKeys(names, deadline)])
      return run
    },
  }
}
