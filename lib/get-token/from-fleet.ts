import { isFresh, secondsLeft } from '../access-token/lifetime.ts'
import {
  type CallerRequest,
  isAnswer,
  leastSecondsLeft,
  type Token,
  type TokenRequest,
  tokenKey,
} from '../access-token/token.ts'
import { type Admission, admit } from '../admission/admit-request.ts'
import { type Backoff, jitteredDelay, type Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { ConnectionDisabledError } from '../configuration/finding.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import { type Lease, LeaseLostError, unsharedLease } from '../fleet/lease.ts'
import type { Log } from '../log/log-event.ts'
import { answerReserveMilliseconds } from '../token-endpoint/token-endpoint.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type FromServer, type Obtained, type RepeatsElements, repeatsElements, type TokenNeed } from './from-server.ts'
import { createOneRequestTokens } from './one-request-tokens.ts'
import type { Look, SharedFailure, TokenCache } from './token-cache.ts'
import type { MemoryKey, TokenMemory } from './token-memory.ts'

/** How long a process waits before it checks again whether another one has renewed a stale token. */
const renewalLookMilliseconds = 1_000
/** The pause between two reads while another process holds the lease. */
export const poll: Backoff = { firstMilliseconds: 50, lastMilliseconds: 1_000 }
/** The time before the deadline in which a throttled store is no longer waited for: the token request needs it. */
export const attemptMilliseconds = 12_000

/** A token and its source: the memory of this process, the shared cache, or its server. `server` also means a token that Tokenwell has just signed. */
export interface FoundToken {
  readonly token: Token
  readonly source: 'memory' | 'cache' | 'server'
  /** Whether it was issued while its callers waited. They get it in any case, since no better token exists. */
  readonly isNew: boolean
}

export interface TokenLookup {
  readonly key: MemoryKey
  readonly request: CallerRequest
  /** The latest time for an answer to the caller, in milliseconds since the epoch. */
  readonly deadline: number
  /** The token in memory, which serves while it is usable. */
  readonly cached?: Token
}

/** Whether the request that met a stale token has to renew it. */
type Refresh = { readonly kind: 'requested' } | { readonly kind: 'needed'; readonly look: Look }

/** `left_to_others`: another process holds the lease, or was faster. */
export type LeasedOutcome = Obtained | RepeatsElements | { readonly outcome: 'left_to_others' }

export interface FromFleetDependencies {
  readonly connections: ConnectionCache
  readonly memory: TokenMemory
  readonly cache: TokenCache
  readonly fromServer: FromServer
  readonly events: EventBus
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/**
 * The second of three tiers: a token from the shared cache. Where it isn't there, the process that gets the lease uses the third tier,
 * `from-server.ts`, and the others wait for its result.
 */
export type FromFleet = ReturnType<typeof createFromFleet>

export function createFromFleet(dependencies: FromFleetDependencies) {
  const { connections, memory, cache, fromServer, events, now, random, pause, log } = dependencies
  const oneRequestTokens = createOneRequestTokens(connections)

  /** Finds a token that is not in memory, or that this process must confirm with the fleet. */
  async function find(lookup: TokenLookup): Promise<FoundToken> {
    const startedAt = now()
    for (let looks = 0; ; looks++) {
      const lookedAt = now()
      const look = await lookFor(lookup)
      if (look === 'unavailable') return await findWithoutCache(lookup)

      const current = look.token && isAnswer(look.token, lookup.request, now()) ? look.token : undefined
      if (current && isFresh(current, now())) return await handOutShared(lookup, current, look, lookedAt)
      if (look.token && cameMeanwhile(look.token, lookup.request, startedAt))
        return remembered(lookup, look.token, true, lookedAt)
      rememberKnown(lookup, look.token)

      const failure = reportableFailure(look.failure, startedAt)
      if (failure && !current) throw failure.error
      const obtained = await obtainUnlessOthersDo(lookup, look, failure, current)
      if (obtained.outcome === 'repeats_elements') return await findShorter(lookup, obtained)
      if (obtained.outcome !== 'left_to_others') return rememberObtained(lookup, obtained, lookedAt)
      if (current) return await handOutShared(lookup, postponed(current, failure?.until), look, lookedAt)
      await waitForHolder(looks, lookup.deadline)
    }
  }

  /** Finds the token of the request without its repetitions. Memory keeps it for the original request as well. */
  async function findShorter(lookup: TokenLookup, { request }: RepeatsElements): Promise<FoundToken> {
    const startedAt = now()
    const key = memory.keyOf(request)
    const cached = memory.get(key)?.token
    const found = await find({ key, request, deadline: lookup.deadline, ...(cached && { cached }) })
    if (!found.token.isForOneRequest) memory.put(lookup.key, found.token, startedAt)
    return found
  }

  async function lookFor({ request, deadline, cached }: TokenLookup): Promise<Look | 'unavailable'> {
    const isUsable = cached && isAnswer(cached, request, now())
    const waitUntil = isUsable ? now() : deadline - attemptMilliseconds
    return await unlessUnavailable(() => cache.look(request.connection, tokenKey(request), waitUntil), 'unavailable')
  }

  async function obtainUnlessOthersDo(
    lookup: TokenLookup,
    look: Look,
    failure: SharedFailure | undefined,
    current: Token | undefined,
  ): Promise<LeasedOutcome> {
    const isOthers = look.isLeased && !isForOneRequest(lookup, look)
    if (failure || isOthers) return { outcome: 'left_to_others' }
    const refresh = current ? await requestRefresh(look) : ({ kind: 'needed', look } as const)
    if (refresh.kind === 'requested') return { outcome: 'left_to_others' }
    return await obtainUnderLease(needOf(lookup, current, look.token), refresh.look)
  }

  function isForOneRequest({ request }: Pick<TokenLookup, 'request'>, look: Look): boolean {
    return look.isForOneRequest || oneRequestTokens.has(request)
  }

  /** Raises one event for the whole fleet. For a user's token it raises none: the function that handles it lacks the password. */
  async function requestRefresh(look: Look): Promise<Refresh> {
    const { token, asked } = look
    if (!events.isHeard || !token || !asked) return { kind: 'needed', look }
    const claimed = await unlessUnavailable(() => cache.claimRefresh(look, now()), undefined)
    if (!claimed) return { kind: 'requested' }
    const { connection, id: tokenId } = token
    const isRaised = await raiseOrLog(events, [{ type: 'TokenRefreshRequested', connection, tokenId }], log)
    return isRaised ? { kind: 'requested' } : { kind: 'needed', look: claimed }
  }

  /**
   * Obtains a token for the whole fleet.
   * @throws {CacheUnavailableError} where no caller waits for the token: without a lease it could not be stored
   * @throws {TokenwellError} the reason why no token was obtained, where there is no current one
   */
  async function obtainUnderLease(need: TokenNeed, look: Look): Promise<LeasedOutcome> {
    const { request } = need
    const fingerprint = look.read.connection?.fingerprint
    const isUnshared = need.isUse && isForOneRequest(need, look)
    // Without elements it would take the lease to read them. Under the lease it meets the same error again.
    if (isUnshared) await connections.get(request.connection, fingerprint).catch(ignoreTokenwellError)
    const isAtHand = fingerprint === undefined || connections.has(request.connection, fingerprint)
    // Where the elements are in memory, a request that they don't allow fails before it takes the lease.
    const admission = isAtHand ? await admit(connections, request, fingerprint) : undefined
    const repeats = admission && repeatsElements(admission, request)
    if (repeats) return repeats
    // Under a lease, elements become the active ones. Those that are active already need none.
    const isActive = fingerprint !== undefined && isAtHand
    const lease = isUnshared && isActive ? unsharedLease : await takeLease(need, look)
    if (!lease) return { outcome: 'left_to_others' }
    try {
      const obtained = await fromServer.obtain(lease, need, { fingerprint, admission })
      if (obtained.outcome === 'renewed') oneRequestTokens.note(request, obtained.token)
      return obtained
    } catch (error) {
      if (error instanceof LeaseLostError) return { outcome: 'left_to_others' }
      throw error
    }
  }

  async function takeLease({ deadline, isUse }: TokenNeed, look: Look): Promise<Lease | undefined> {
    const waitUntil = deadline - attemptMilliseconds
    if (!isUse) return await cache.takeLease(look, waitUntil)
    return await unlessUnavailable(() => cache.takeLease(look, waitUntil), unsharedLease)
  }

  /** Without the shared cache, each process requests its own tokens and keeps those that it has. */
  async function findWithoutCache(lookup: TokenLookup): Promise<FoundToken> {
    const { request, cached } = lookup
    const current = cached && isAnswer(cached, request, now()) ? cached : undefined
    // Without the shared cache, this process must find out by itself that the connection is disabled.
    if (current && (await connections.isDisabled(request.connection))) {
      memory.forget(request.connection, current.id)
      throw new ConnectionDisabledError(request.connection)
    }
    if (current && isFresh(current, now())) {
      memory.put(lookup.key, current, now())
      return { token: current, source: 'memory', isNew: false }
    }
    rememberKnown(lookup, current)
    const admission: Admission = await admit(connections, request)
    const need = needOf(lookup, current, cached)
    const obtained = await fromServer.obtain(unsharedLease, need, { fingerprint: undefined, admission })
    if (obtained.outcome === 'repeats_elements') return await findShorter(lookup, obtained)
    return rememberObtained(lookup, obtained, now())
  }

  /** Hands out a token of the shared cache, and notes its use. */
  async function handOutShared(lookup: TokenLookup, token: Token, look: Look, lookedAt: number): Promise<FoundToken> {
    await unlessUnavailable(() => cache.noteUse(look, lookup.request, now()), undefined)
    return remembered(lookup, token, false, lookedAt)
  }

  /** Memory may hand it out for a while, counted from the read of the shared cache and not from the end of the caller's wait. */
  function remembered({ key }: TokenLookup, token: Token, isNew: boolean, lookedAt: number): FoundToken {
    memory.put(key, token, lookedAt)
    return { token, source: 'cache', isNew }
  }

  /** Memory learns at once what is known now, so that other callers don't have to wait for a new token. */
  function rememberKnown({ key, request, cached }: TokenLookup, current: Token | undefined): void {
    if (current) memory.put(key, current, now())
    else if (cached) memory.forget(request.connection, cached.id)
  }

  function rememberObtained({ key, cached }: TokenLookup, obtained: Obtained, lookedAt: number): FoundToken {
    const { token } = obtained
    if (obtained.outcome === 'postponed') {
      memory.put(key, token, lookedAt)
      return { token, source: cached?.id === token.id ? 'memory' : 'cache', isNew: false }
    }
    if (obtained.isCurrent) memory.put(key, token, now())
    return { token, source: 'server', isNew: true }
  }

  /** A token that was issued while its caller waited is handed out once, even if it lives too short to be kept. */
  function cameMeanwhile(token: Token, { rejectedTokenId }: TokenRequest, startedAt: number): boolean {
    return token.issuedAt > startedAt && token.id !== rejectedTokenId && secondsLeft(token, now()) >= leastSecondsLeft
  }

  /** During the cool-down every request gets the failure. After that only the requests that were waiting when it failed get it. */
  function reportableFailure(failure: SharedFailure | undefined, startedAt: number): SharedFailure | undefined {
    return failure && (now() < failure.until || failure.failedAt > startedAt) ? failure : undefined
  }

  function postponed(token: Token, until = now() + renewalLookMilliseconds): Token {
    return { ...token, refreshAt: until }
  }

  async function waitForHolder(looks: number, deadline: number): Promise<void> {
    const delay = jitteredDelay(poll, looks, random())
    if (now() + delay > deadline - answerReserveMilliseconds)
      throw new TimedOutError(
        "Another process requests this token, and no token came before the caller's deadline. Try again: the token may be there by then.",
      )
    await pause(delay)
  }

  return { find, obtainUnderLease }
}

function ignoreTokenwellError(error: unknown): void {
  if (!(error instanceof TokenwellError)) throw error
}

function needOf(
  { request, deadline }: TokenLookup,
  current: Token | undefined,
  previous: Token | undefined,
): TokenNeed {
  return { request, deadline, current, previous, isUse: true }
}
