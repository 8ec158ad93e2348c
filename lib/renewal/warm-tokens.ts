import { createSemaphore, forEachAtMost } from '../base/semaphore.ts'
import type { Pause } from '../base/time.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { TokenRecords } from '../fleet/fleet-records.ts'
import { type RecordName, readPublishedKeysRecordName } from '../fleet/record-store.ts'
import { attemptMilliseconds } from '../get-token/leased-request.ts'
import type { Log } from '../log/log-event.ts'
import type { Announce } from './announce-renewals.ts'
import type { Renewal, RenewalWanted, RenewToken } from './renew-token.ts'
import type { TryNewKey } from './try-new-key.ts'

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

/**
 * Renews what is kept warm and will go stale before the run after the next: each authorization server by itself, so many at a time
 * as its element allows, the most urgent first.
 * Beside them tries new keys whose time has come; what that throws is thrown once all else is done.
 * @param deadline milliseconds since the epoch: nothing is begun that could not end by then
 */
export type WarmTokens = (deadline: number) => Promise<WarmRun>

export interface WarmTokensParts {
  readonly records: TokenRecords
  readonly renewToken: RenewToken
  readonly tryNewKey: TryNewKey
  readonly announce: Announce
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

interface ServersWork {
  readonly maximumConcurrency: number
  readonly names: RecordName[]
}

export function createWarmTokens(parts: WarmTokensParts): WarmTokens {
  const { records, renewToken, tryNewKey, announce, now, random, pause, log } = parts

  return async (deadline) => {
    const startedAt = now()
    const lastBegin = deadline - attemptMilliseconds
    const freshUntil = startedAt + aheadMilliseconds
    const names = await records.due(freshUntil, mostDue, lastBegin)
    const due = names.filter((name) => readPublishedKeysRecordName(name) === undefined)
    const trials = Promise.all(names.map((name) => tryKeyOf(name, deadline)))
    // Told below: whatever becomes of them, tokens are renewed.
    trials.catch(() => {})
    const semaphore = createSemaphore(mostAtATime)
    const renewals: Renewal[] = []

    await Promise.all(
      (await workByServer(due, lastBegin)).map(async ({ maximumConcurrency, names }) => {
        await pause(random() * spreadMilliseconds)
        await forEachAtMost(maximumConcurrency, names, async (name) => {
          await semaphore.run(async () => {
            if (now() >= lastBegin) return
            const renewal = await renewOne({ name, freshUntil, deadline, isWarming: true })
            if (renewal) renewals.push(renewal)
          })
        })
      }),
    )
    await announce(renewals)
    const run = report(startedAt, due.length, renewals)
    await trials
    return run
  }

  async function tryKeyOf(name: RecordName, deadline: number): Promise<void> {
    const jwtBuilder = readPublishedKeysRecordName(name)
    if (jwtBuilder !== undefined) await tryNewKey(jwtBuilder, deadline)
  }

  /** One that fails keeps no other from being renewed. Undefined where the shared cache can't be asked: it stays due. */
  function renewOne(wanted: RenewalWanted): Promise<Renewal | undefined> {
    return unlessUnavailable(() => renewToken(wanted), undefined)
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
}
