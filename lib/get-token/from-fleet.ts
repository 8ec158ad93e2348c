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
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { ConnectionDisabledError } from '../configuration/finding.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import { LeaseLostError, unsharedLease } from '../fleet/lease.ts'
import type { Log } from '../log/log-event.ts'
import { answerReserveMilliseconds } from '../token-endpoint/token-endpoint.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type FromServer, type Obtained, type RepeatsElements, repeatsElements, type TokenNeed } from './from-server.ts'
import type { Look, SharedFailure, TokenCache } from './token-cache.ts'
import type { MemoryKey, TokenMemory } from './token-memory.ts'

/** Before a process looks again whether another one has renewed a stale token. */
const renewalLookMilliseconds = 1_000
/** Between two looks for what the holder of a lease brings. */
export const poll: Backoff = { firstMilliseconds: 50, lastMilliseconds: 1_000 }
/** Kept back while the store is throttled: the token request has to have its time. */
export const attemptMilliseconds = 12_000

/** A token, and how near it was: in this process, in the cache that the fleet shares, or at the authorization server. */
export interface FoundToken {
  readonly token: Token
  readonly source: 'memory' | 'cache' | 'server'
  /** It came while its callers waited: for them there is none better, whatever they asked for. */
  readonly isNew: boolean
}

export interface TokenLookup {
  readonly key: MemoryKey
  readonly request: CallerRequest
  /** Milliseconds since the epoch by which the caller needs an answer. */
  readonly deadline: number
  /** The token in memory, which would do while it is usable. */
  readonly cached?: Token
}

/** Whether a stale token has to be renewed by the caller who met it. */
type Refresh = { readonly kind: 'requested' } | { readonly kind: 'needed'; readonly look: Look }

/** `left_to_others`: another process holds the lease, or came between. */
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
 * The second of three tiers: a token from the cache that the fleet shares. Where it isn't there, the process that gets the
 * lease asks the third tier, `from-server.ts`, and the others wait for what that brings.
 */
export type FromFleet = ReturnType<typeof createFromFleet>

export function createFromFleet(dependencies: FromFleetDependencies) {
  const { connections, memory, cache, fromServer, events, now, random, pause, log } = dependencies

  /** A token that this process hasn't got, or must not go on using without asking the fleet. */
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

  /** The token of the request without what it only repeats. It is remembered for the request as it came, too. */
  async function findShorter(lookup: TokenLookup, { request }: RepeatsElements): Promise<FoundToken> {
    const startedAt = now()
    const key = memory.keyOf(request)
    const cached = memory.get(key)?.token
    const found = await find({ key, request, deadline: lookup.deadline, ...(cached && { cached }) })
    memory.put(lookup.key, found.token, startedAt)
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
    if (failure || look.isLeased) return { outcome: 'left_to_others' }
    const refresh = current ? await requestRefresh(look) : ({ kind: 'needed', look } as const)
    if (refresh.kind === 'requested') return { outcome: 'left_to_others' }
    return await obtainUnderLease(needOf(lookup, current, look.token), refresh.look)
  }

  /** One event for the whole fleet. Of a user's token there is none: the function that handles it would lack the password. */
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
   * Asks the authorization server for the whole fleet.
   * @throws {CacheUnavailableError} where nobody waits for the token: to ask without a lease would be of no use
   * @throws {TokenwellError} what kept the token from being obtained, where there is no current one
   */
  async function obtainUnderLease(need: TokenNeed, look: Look): Promise<LeasedOutcome> {
    const { request, deadline } = need
    const fingerprint = look.read.connection?.fingerprint
    const isAtHand = fingerprint === undefined || connections.has(request.connection, fingerprint)
    // A process that can tell without reading whether a request may be made tells before it takes the lease.
    const admission = isAtHand ? await admit(connections, request, fingerprint) : undefined
    const repeats = admission && repeatsElements(admission, request)
    if (repeats) return repeats
    const waitUntil = deadline - attemptMilliseconds
    const lease = need.isUse
      ? await unlessUnavailable(() => cache.takeLease(look, waitUntil), unsharedLease)
      : await cache.takeLease(look, waitUntil)
    if (!lease) return { outcome: 'left_to_others' }
    try {
      return await fromServer.obtain(lease, need, { fingerprint, admission })
    } catch (error) {
      if (error instanceof LeaseLostError) return { outcome: 'left_to_others' }
      throw error
    }
  }

  /** A slow day: each process asks for itself, and keeps what it has. */
  async function findWithoutCache(lookup: TokenLookup): Promise<FoundToken> {
    const { request, cached } = lookup
    const current = cached && isAnswer(cached, request, now()) ? cached : undefined
    // The fleet can't say that the connection was stopped.
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

  /** Handed out from the cache, and so in use. */
  async function handOutShared(lookup: TokenLookup, token: Token, look: Look, lookedAt: number): Promise<FoundToken> {
    await unlessUnavailable(() => cache.noteUse(look, lookup.request, now()), undefined)
    return remembered(lookup, token, false, lookedAt)
  }

  /** From the look on it may be handed out from memory for a while, however long its caller has waited since. */
  function remembered({ key }: TokenLookup, token: Token, isNew: boolean, lookedAt: number): FoundToken {
    memory.put(key, token, lookedAt)
    return { token, source: 'cache', isNew }
  }

  /** What is known by then is known to all callers at once, not only when a token has come. */
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

  /** A token that came while its caller waited does for once, even if it is one that is kept for nobody. */
  function cameMeanwhile(token: Token, { rejectedTokenId }: TokenRequest, startedAt: number): boolean {
    return token.issuedAt > startedAt && token.id !== rejectedTokenId && secondsLeft(token, now()) >= leastSecondsLeft
  }

  /** While it cools down everyone is told; after that those who were waiting when it failed. */
  function reportableFailure(failure: SharedFailure | undefined, startedAt: number): SharedFailure | undefined {
    return failure && (now() < failure.until || failure.failedAt > startedAt) ? failure : undefined
  }

  function postponed(token: Token, until = now() + renewalLookMilliseconds): Token {
    return { ...token, refreshAt: until }
  }

  async function waitForHolder(looks: number, deadline: number): Promise<void> {
    const delay = jitteredDelay(poll, looks, random())
    if (now() + delay > deadline - answerReserveMilliseconds)
      throw new TimedOutError("Somebody else asks for this token, and no answer came before the caller's deadline.")
    await pause(delay)
  }

  return { find, obtainUnderLease }
}

function needOf(
  { request, deadline }: TokenLookup,
  current: Token | undefined,
  previous: Token | undefined,
): TokenNeed {
  return { request, deadline, current, previous, isUse: true }
}
