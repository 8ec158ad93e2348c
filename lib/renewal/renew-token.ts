import { knownCallers } from '../access-token/caller.ts'
import { type CallerRequest, isAnswer, type Token } from '../access-token/token.ts'
import { UnknownTokenError } from '../admission/admit-authentication.ts'
import { InvalidRequestError } from '../admission/invalid-request.ts'
import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { forEachAtMost } from '../base/semaphore.ts'
import type { TokenwellError } from '../base/tokenwell-error.ts'
import { type ConnectionCache, isFingerprintOf } from '../configuration/connection-cache.ts'
import { ConnectionDisabledError, UnknownConnectionError } from '../configuration/finding.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { CacheUnavailableError } from '../fleet/circuit-breaker.ts'
import type { ConnectionRecord } from '../fleet/connection-record.ts'
import { disabledElements, type ElementsRevision, noElements } from '../fleet/connection-state.ts'
import { warmVariants } from '../fleet/kept-warm.ts'
import type { RecordName } from '../fleet/record-store.ts'
import { attemptMilliseconds, type FromFleet, type LeasedOutcome } from '../get-token/from-fleet.ts'
import type { TokenNeed } from '../get-token/from-server.ts'
import type { Look, TokenCache } from '../get-token/token-cache.ts'
import { causeOf, isTokenError } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import type { Renewal } from './announce-renewals.ts'

export interface RenewalWanted {
  readonly name: RecordName
  /** Renews only if this is still the token of the record, or there is no token any more. */
  readonly tokenId?: string
  /** A token that is fresh until then needs no renewal. In milliseconds since the epoch, as is `deadline`. */
  readonly freshUntil: number
  readonly deadline: number
  /** Renews only if it is one of these tokens of the connection, by the `authentication` of its request. */
  readonly tokens?: readonly (string | undefined)[] | undefined
  /** Renews only if the token is kept warm. */
  readonly isWarming?: boolean
  /** `unless_failed`: skips a token whose last renewal failed. `once`: makes one attempt, even after a passing failure. */
  readonly attempt?: 'unless_failed' | 'once'
}

export interface TokenRenewerDependencies {
  readonly connections: ConnectionCache
  readonly cache: TokenCache
  readonly fromFleet: FromFleet
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

/** A process that loses the race so often leaves the token to the winners. */
const mostTries = 3
/** The time before the event about the same change is raised again, if it had no effect. */
const tellAgainMilliseconds = 20_000

interface ReportedChange {
  readonly fingerprint: string
  readonly at: number
  readonly isRaised: Promise<boolean>
}

/** `disabled`: the operator has disabled the connection, so its tokens are not renewed. `taken_out`: the connection has lost this token. */
type RenewedOutcome =
  | LeasedOutcome
  | { readonly outcome: 'failed'; readonly error: TokenwellError }
  | { readonly outcome: 'disabled' | 'taken_out' }

/** Repeats the token requests of stored tokens in the background. */
export type TokenRenewer = ReturnType<typeof createTokenRenewer>

export function createTokenRenewer(dependencies: TokenRenewerDependencies) {
  const { connections, cache, fromFleet, events, now, log } = dependencies
  const reportedChanges = new Map<string, ReportedChange>()

  /**
   * Repeats the token request that a record holds, under the lease, even if the token is gone.
   * @throws {CacheUnavailableError}
   */
  async function renew(wanted: RenewalWanted): Promise<Renewal> {
    const renewal = await compareAndSet(mostTries, () => renewOnce(wanted))
    return renewal === lostRace ? { outcome: 'under_way', connection: wanted.name.group } : renewal
  }

  async function renewOnce(wanted: RenewalWanted): Promise<Renewal | typeof lostRace> {
    const { name, tokenId, tokens, freshUntil, deadline, isWarming = false, attempt } = wanted
    const connection = name.group
    const waitUntil = deadline - attemptMilliseconds
    const look = await cache.lookAt(name, waitUntil)
    if (isWarming && !(await cache.isKeptWarm(look, waitUntil))) return { outcome: 'not_needed', connection }
    if (look.token && isGoodEnough(look.token, freshUntil, tokenId)) return { outcome: 'not_needed', connection }
    if (look.isLeased) return { outcome: 'under_way', connection }
    if (look.failure && now() < look.failure.until)
      return { outcome: 'cooling_down', connection, error: look.failure.error }
    if (!look.asked) return { outcome: 'unknown', connection }
    if (tokens && !tokens.includes(look.asked.authentication)) return { outcome: 'not_needed', connection }
    if (look.failure && attempt === 'unless_failed') return { outcome: 'put_last', connection }

    const request = { caller: knownCallers.tokenwell, connection, ...look.asked }
    const need = { ...needFor(request, look, deadline), isOnce: attempt === 'once' }
    if (need.current && (await isLeftToConnectionChange(look))) return { outcome: 'under_way', connection }
    return await renewalOf(await obtain(need, look), look, waitUntil)
  }

  async function renewalOf(
    obtained: RenewedOutcome,
    look: Look,
    waitUntil: number,
  ): Promise<Renewal | typeof lostRace> {
    const connection = look.read.name.group
    switch (obtained.outcome) {
      case 'left_to_others':
        return lostRace
      case 'repeats_elements':
      case 'taken_out':
        await cache.forgetUse(look, waitUntil)
        return { outcome: 'not_needed', connection }
      case 'disabled':
        return { outcome: 'not_needed', connection }
      case 'failed':
      case 'postponed':
        if (isForCallers(obtained.error)) await cache.forgetUse(look, waitUntil)
        return { outcome: 'failed', connection, error: obtained.error }
      case 'renewed':
        // The server began to issue such tokens. Another one would be as useless.
        if (obtained.token.isForOneRequest) {
          await cache.forgetUse(look, waitUntil)
          return { outcome: 'not_needed', connection }
        }
        if (obtained.isShared) return { outcome: 'renewed', connection, token: obtained.token }
        if (!obtained.isCurrent) return lostRace
        throw new CacheUnavailableError(
          `The new token of the connection ${connection} could not be stored. The renewal is repeated later.`,
        )
    }
  }

  async function obtain(need: TokenNeed, look: Look): Promise<RenewedOutcome> {
    try {
      return await fromFleet.obtainUnderLease(need, look)
    } catch (error) {
      if (error instanceof ConnectionDisabledError) return { outcome: 'disabled' }
      if (error instanceof UnknownTokenError) return { outcome: 'taken_out' }
      if (!isTokenError(error)) throw error
      log({ event: 'renewal_failed', connection: look.read.name.group, code: error.code, reason: error.message })
      return { outcome: 'failed', error }
    }
  }

  function needFor(request: CallerRequest, { token }: Look, deadline: number): TokenNeed {
    const current = token && isAnswer(token, request, now()) ? token : undefined
    return { request, deadline, current, previous: token, isUse: false }
  }

  /**
   * Whether a renewal is left to the event `ConnectionChanged`. If the elements have changed, a token obtained under them would
   * make them active before their other tokens are staged. Raises the event if it was not raised yet.
   */
  async function isLeftToConnectionChange({ read: { name, connection } }: Look): Promise<boolean> {
    if (!events.isHeard || !connection) return false
    const latest = await latestRevision(name.group, connection.fingerprint)
    if (!latest || isFingerprintOf(latest, connection.fingerprint)) return false
    return await reportChange(name.group, latest)
  }

  /** Undefined if the token request would meet the same error: the request then reports it. */
  async function latestRevision(connection: string, fingerprint: string): Promise<ElementsRevision | undefined> {
    try {
      return await connections.get(connection, fingerprint)
    } catch (error) {
      if (error instanceof UnknownConnectionError) return noElements
      if (error instanceof ConnectionDisabledError) return disabledElements
      if (!isTokenError(error)) throw error
      return undefined
    }
  }

  /** One event for all tokens of a connection that are renewed at the same time. */
  function reportChange(connection: string, { fingerprint }: ElementsRevision): Promise<boolean> {
    const before = reportedChanges.get(connection)
    if (before?.fingerprint === fingerprint && now() < before.at + tellAgainMilliseconds) return before.isRaised
    const isRaised = raiseOrLog(events, [{ type: 'ConnectionChanged', connection }], log)
    reportedChanges.set(connection, { fingerprint, at: now(), isRaised })
    return isRaised
  }

  /**
   * Obtains those tokens that are kept warm and are no longer valid for the connection.
   * @param staged the outcomes of staging the same tokens before, by the variant's id
   * @param deadline milliseconds since the epoch
   * @throws {CacheUnavailableError}
   */
  async function renewVariants(
    group: string,
    record: ConnectionRecord,
    staged: ReadonlyMap<string, Renewal>,
    deadline: number,
  ): Promise<readonly Renewal[]> {
    const renewals: Renewal[] = []
    const maximum = record.warming?.maximumConcurrency ?? 1
    await forEachAtMost(maximum, warmVariants(record, now()), async ({ id }) => {
      const renewal = await renew({ name: { group, id }, freshUntil: -Infinity, deadline })
      renewals.push(moreTelling(staged.get(id), renewal))
    })
    return renewals
  }

  return { renew, renewVariants }
}

function isGoodEnough({ id, refreshAt }: Token, freshUntil: number, tokenId = id): boolean {
  return refreshAt > freshUntil || id !== tokenId
}

/** The server no longer grants the request. The next caller gets the error; to repeat the request in the background is useless. */
function isForCallers(error: TokenwellError): boolean {
  const cause = causeOf(error)
  if (cause instanceof RefusedError) return cause.fault === 'caller'
  return cause instanceof InvalidRequestError || cause instanceof UnknownConnectionError
}

/** Chooses between two renewals of one token: the failure that started a cool-down, not the one that the cool-down caused. */
function moreTelling(before: Renewal | undefined, now: Renewal): Renewal {
  const isNews = now.outcome === 'renewed' || (now.outcome !== 'not_needed' && before?.outcome !== 'failed')
  return before && !isNews ? before : now
}
