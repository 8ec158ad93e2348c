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

/** The time between two runs. A run may be almost one interval late. */
export const intervalMilliseconds = 60_000
/** A run renews tokens that get stale within this time: the next run may be late. */
// On average this renews a token one and a half minutes early. A token that lives shorter than this is renewed by every run.
export const aheadMilliseconds = 2 * intervalMilliseconds

/** More than one run can do. */
const mostDue = 10_000
/** The limit for all authorization servers together. Each server also has its own limit. */
const mostAtATime = 200
/** The limit for tokens whose connection is gone from the cache. They are only removed from the list of due tokens. */
const concurrencyWithoutPlan = 10
/** The first requests to the servers are spread over this time. */
const spreadMilliseconds = 1_000

/** The result of a run, in tokens. Trials of new keys are not counted. */
export interface WarmRun {
  readonly due: number
  readonly renewed: number
  readonly failed: number
  /** Still due for the next run: no time was left, or the shared cache failed. */
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
  /** Empty for connections that are gone from the cache. */
  readonly server: string
  readonly maximumConcurrency: number
  readonly names: RecordName[]
}

interface RenewedTokens {
  readonly renewals: readonly Renewal[]
  /** The authorization servers with tokens that are left to the next run. */
  readonly leftAt: readonly string[]
}

/** Renews tokens that are kept warm before they get stale. */
export function createWarmRunner(dependencies: WarmRunnerDependencies) {
  const { records, renewer, newKeyTrials, announcer, now, random, pause, log } = dependencies

  /** Serves each authorization server separately, the most urgent token first, with the concurrency that its element allows. */
  async function renewAll(due: readonly RecordName[], freshUntil: number, deadline: number): Promise<RenewedTokens> {
    const lastBegin = deadline - attemptMilliseconds
    const semaphore = createSemaphore(mostAtATime)
    const renewals: Renewal[] = []
    const leftAt: string[] = []
    // Without the shared cache, or its keys, the next run does all of this.
    const work = await unlessUnavailable(() => workByServer(due, lastBegin), [])
    await allEnded(
      work.map(async ({ server, maximumConcurrency, names }) => {
        await pause(random() * spreadMilliseconds)
        const putLast: RecordName[] = []
        let ended = 0
        const note = (renewal: Renewal) => {
          ended++
          renewals.push(renewal)
        }
        await forEachAtMost(maximumConcurrency, names, async (name) => {
          const renewal = await renewOne(name, 'unless_failed')
          if (renewal?.outcome === 'put_last') putLast.push(name)
          else if (renewal) note(renewal)
        })
        // Tokens that failed the last time come last and get half of the places, so that a server that fails slowly delays no other
        // token.
        await forEachAtMost(Math.ceil(maximumConcurrency / 2), putLast, async (name) => {
          const renewal = await renewOne(name, 'once')
          if (renewal) note(renewal)
        })
        if (ended < names.length) leftAt.push(server)
      }),
    )
    return { renewals, leftAt }

    /** Undefined if no time was left or the shared cache failed: the token stays due. */
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
    const renewed = await renewAll(due, freshUntil, deadline)
    await announcer.announce(renewed.renewals)
    return report(startedAt, due.length, renewed)
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
      if (!work.has(server)) work.set(server, { server, maximumConcurrency, names: [] })
    }
    for (const name of due) work.get(servers.get(name.group) ?? '')?.names.push(name)
    return [...work.values()]
  }

  function report(startedAt: number, due: number, { renewals, leftAt }: RenewedTokens): WarmRun {
    const count = (outcome: Renewal['outcome']) => renewals.filter((each) => each.outcome === outcome).length
    const run = { due, renewed: count('renewed'), failed: count('failed'), left: due - renewals.length }
    log({ event: 'warm_run_ended', ...run, leftAt, milliseconds: now() - startedAt })
    return run
  }

  return {
    /**
     * Renews tokens that get stale before the run after the next. It also tries new keys that have started to sign, and throws an
     * error of that once everything else is done.
     * @param deadline in milliseconds since the epoch: it starts nothing that could not end by then
     * @throws {CacheUnavailableError} if the due tokens cannot be read
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
