import { isFresh, secondsLeft } from '../access-token/lifetime.ts'
import {
  type FoundToken,
  isAnswer,
  leastSecondsLeft,
  type Token,
  type TokenKey,
  type TokenRequest,
} from '../access-token/token.ts'
import type { Pause } from '../base/time.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { Log } from '../log/log-event.ts'
import { reserveMilliseconds } from '../token-endpoint/token-endpoint.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type Asked, type Asking, attemptMilliseconds, type Order } from './leased-request.ts'
import type { Look, SharedFailure, SharedTokenCache } from './token-cache.ts'

/** Before a process looks again whether somebody has renewed a stale token. */
const renewalLookMilliseconds = 1_000
/** Between two looks for what the holder of a lease brings: full jitter up to this, doubling from the first to the last. */
export const poll = { firstMilliseconds: 50, lastMilliseconds: 1_000 } as const

export interface AskFleetParts {
  readonly cache: SharedTokenCache
  readonly asking: Asking
  readonly requestRefresh: RequestRefresh
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
}

export interface TokenWanted {
  readonly key: TokenKey
  readonly request: TokenRequest
  /** Milliseconds since the epoch by which the caller needs an answer. */
  readonly deadline: number
  /** What this process has, where that would do while it is usable. */
  readonly held?: Token
  /** Told as soon as it is known which token answers for the time being, if any. */
  readonly learn: (current: Token | undefined) => void
}

/** A token that this process hasn't got, or must not go on using unasked. Its errors are those of `TokenError`. */
export type AskFleet = (wanted: TokenWanted) => Promise<FoundToken>

/**
 * From the cache that the fleet shares; or from the token endpoint, by whoever holds the lease; or from the holder, for
 * whom the others wait.
 */
export function createAskFleet(parts: AskFleetParts): AskFleet {
  const { cache, asking, requestRefresh, now, random, pause } = parts

  return async (wanted) => {
    const startedAt = now()
    for (let looks = 0; ; looks++) {
      const look = await lookFor(wanted)
      if (!look) return withoutCache(wanted)

      const inHand = look.token && isAnswer(look.token, wanted.request, now()) ? look.token : undefined
      if (inHand && isFresh(inHand, now())) return used(inHand, look)
      if (look.token && isForThoseWhoWaited(look.token, wanted.request, startedAt))
        return { ...found(look.token, 'cache'), isNew: true }
      wanted.learn(look.token)

      const failure = tellable(look.failure, startedAt)
      if (failure && !inHand) throw failure.error
      const toAsk = await unlessSeenTo(look, failure, inHand)
      const asked = toAsk && (await asking.underLease(order(wanted, inHand, look.token), toAsk))
      if (asked) return answerOf(asked, wanted)
      if (inHand) return used(postponed(inHand, failure?.until), look)
      await waitForHolder(looks, wanted.deadline)
    }
  }

  /** Undefined where the cache can't be asked. */
  async function lookFor({ key, request, deadline, held }: TokenWanted): Promise<Look | undefined> {
    const isUsable = held && isAnswer(held, request, now())
    const waitUntil = isUsable ? now() : deadline - attemptMilliseconds
    return unlessUnavailable(() => cache.look(request.connection, key, waitUntil), undefined)
  }

  /** Undefined where nobody is to ask for a while, or somebody else does. */
  async function unlessSeenTo(look: Look, failure: SharedFailure | undefined, inHand: Token | undefined) {
    if (failure || look.isLeased) return undefined
    return inHand ? requestRefresh(look) : look
  }

  /** A slow day: each process asks for itself, and keeps what it has. */
  async function withoutCache(wanted: TokenWanted): Promise<FoundToken> {
    const { request, held } = wanted
    const inHand = held && isAnswer(held, request, now()) ? held : undefined
    if (inHand && isFresh(inHand, now())) return found(inHand, 'memory')
    wanted.learn(inHand)
    return answerOf(await asking.alone(order(wanted, inHand, held)), wanted)
  }

  /** Handed out from the cache, and so in use. */
  async function used(token: Token, look: Look): Promise<FoundToken> {
    await unlessUnavailable(() => cache.noteUse(look, now()), undefined)
    return found(token, 'cache')
  }

  /** A token that came while one waited does for once, even if it is one that is kept for nobody. */
  function isForThoseWhoWaited(token: Token, { rejectedTokenId }: TokenRequest, startedAt: number): boolean {
    return token.issuedAt > startedAt && token.id !== rejectedTokenId && secondsLeft(token, now()) >= leastSecondsLeft
  }

  /** While it cools down everyone is told; after that those who were waiting when it failed. */
  function tellable(failure: SharedFailure | undefined, startedAt: number): SharedFailure | undefined {
    return failure && (now() < failure.until || failure.failedAt > startedAt) ? failure : undefined
  }

  function postponed(token: Token, until = now() + renewalLookMilliseconds): Token {
    return { ...token, refreshAt: until }
  }

  async function waitForHolder(looks: number, deadline: number): Promise<void> {
    const delay = random() * Math.min(poll.lastMilliseconds, poll.firstMilliseconds * 2 ** looks)
    if (now() + delay > deadline - reserveMilliseconds)
      throw new TimedOutError("Somebody else asks for this token, and no answer came before the caller's deadline.")
    await pause(delay)
  }
}

function found(token: Token, source: FoundToken['source']): FoundToken {
  return { token, source, isCurrent: true, isNew: false }
}

function order({ request, deadline }: TokenWanted, inHand: Token | undefined, known: Token | undefined): Order {
  return { request, deadline, inHand, known, isUse: true }
}

function answerOf(asked: Asked, { held }: TokenWanted): FoundToken {
  if (asked.outcome === 'postponed') return found(asked.token, held?.id === asked.token.id ? 'memory' : 'cache')
  return { token: asked.token, source: 'server', isCurrent: asked.isCurrent, isNew: true }
}

/**
 * Sees to it that a stale token is renewed while its caller goes on with it.
 * @returns undefined where somebody will do that; else by which look the caller has to
 */
export type RequestRefresh = (look: Look) => Promise<Look | undefined>

export interface RequestRefreshParts {
  readonly cache: SharedTokenCache
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

/** One event for the whole fleet. Of a user's token there is none: who handles it would lack the password. */
export function createRequestRefresh({ cache, events, now, log }: RequestRefreshParts): RequestRefresh {
  return async (look) => {
    const { token, asked } = look
    if (!events.isHeard || !token || !asked) return look
    const claimed = await unlessUnavailable(() => cache.claimRefresh(look, now()), undefined)
    if (!claimed) return undefined
    const { connection, id: tokenId } = token
    const isRaised = await raiseOrLog(events, [{ type: 'TokenRefreshRequested', connection, tokenId }], log)
    return isRaised ? undefined : claimed
  }
}
