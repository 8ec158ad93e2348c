import type { Connections } from '../configuration/connections.ts'
import type { Log } from '../log/log-event.ts'
import { unlessUnavailable } from '../token-cache/cache-unavailable-error.ts'
import { type Lease, unsharedLease } from '../token-cache/lease.ts'
import { LeaseLostError } from '../token-cache/lease-lost-error.ts'
import type { AskedFor } from '../token-cache/shared-token.ts'
import type { Look, SharedFailure, SharedTokenCache } from '../token-cache/shared-token-cache.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type Admission, admit } from './admission.ts'
import { CoolingDownError } from './cooling-down-error.ts'
import { failureForOthers } from './failure-for-others.ts'
import { type FoundToken, isAnswer, leastSecondsLeft } from './found-token.ts'
import type { Pause } from './in-time.ts'
import { keptToken } from './keep-token.ts'
import { isFresh, secondsLeft } from './lifetime.ts'
import type { ObtainToken } from './obtain-token.ts'
import type { Token } from './token.ts'
import { isTokenError, type TokenError } from './token-error.ts'
import type { TokenKey } from './token-key.ts'
import type { TokenRequest } from './token-request.ts'

/** Before a stale token whose renewal failed is tried again. */
const renewalPauseSeconds = 10
/** Before a process looks again whether somebody has renewed a stale token. */
const renewalLookMilliseconds = 1_000
/** Between two looks for what the holder of a lease brings: full jitter up to this, doubling from the first to the last. */
const poll = { firstMilliseconds: 50, lastMilliseconds: 1_000 } as const
/** Kept back while the store is throttled: the token request has to have its time. */
const attemptMilliseconds = 12_000
/** Kept back from the caller's deadline, so that there is time to answer with an error of our own. */
const reserveMilliseconds = 1_000

export interface AskFleetParts {
  readonly connections: Connections
  readonly cache: SharedTokenCache
  readonly obtainToken: ObtainToken
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
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
  const { connections, cache, obtainToken, now, random, pause, log } = parts

  return async (wanted) => {
    const startedAt = now()
    for (let looks = 0; ; looks++) {
      const look = await lookFor(wanted)
      if (!look) return withoutCache(wanted)

      const inHand = look.token && isAnswer(look.token, wanted.request, now()) ? look.token : undefined
      if (inHand && isFresh(inHand, now())) return found(inHand, 'cache')
      if (look.token && isForThoseWhoWaited(look.token, wanted.request, startedAt))
        return { ...found(look.token, 'cache'), isNew: true }
      wanted.learn(look.token)

      const failure = tellable(look.failure, startedAt)
      if (failure && !inHand) throw failure.error
      const asked = failure ? undefined : await askUnderLease(wanted, look, inHand)
      if (asked) return asked
      if (inHand) return found(postponed(inHand, failure?.until), 'cache')
      await waitForHolder(looks, wanted.deadline)
    }
  }

  /** Undefined where the cache can't be asked. */
  async function lookFor({ key, request, deadline, held }: TokenWanted): Promise<Look | undefined> {
    const isUsable = held && isAnswer(held, request, now())
    const waitUntil = isUsable ? now() : deadline - attemptMilliseconds
    return unlessUnavailable(() => cache.look(request.connection, key, waitUntil), undefined)
  }

  /** A slow day: each process asks for itself, and keeps what it has. */
  async function withoutCache(wanted: TokenWanted): Promise<FoundToken> {
    const { request, held } = wanted
    const inHand = held && isAnswer(held, request, now()) ? held : undefined
    if (inHand && isFresh(inHand, now())) return found(inHand, 'memory')
    wanted.learn(inHand)
    const admission = await admit(connections, request)
    return ask(unsharedLease, admission, wanted, { inHand, known: held })
  }

  /** Undefined where somebody else holds the lease. */
  async function askUnderLease(
    wanted: TokenWanted,
    look: Look,
    inHand: Token | undefined,
  ): Promise<FoundToken | undefined> {
    if (look.isLeased) return undefined
    const { request, deadline } = wanted
    const fingerprint = look.read.generation?.fingerprint
    const isAtHand = fingerprint === undefined || connections.has(request.connection, fingerprint)
    // Whoever can tell without reading whether a request may be made tells before it takes the lease.
    const admission = isAtHand ? await admit(connections, request, fingerprint) : undefined
    const taking = () => cache.takeLease(look, deadline - attemptMilliseconds)
    const lease = await unlessUnavailable(taking, unsharedLease)
    try {
      return lease && (await ask(lease, admission, wanted, { inHand, known: look.token, fingerprint }))
    } catch (error) {
      if (error instanceof LeaseLostError) return undefined
      throw error
    }
  }

  async function ask(
    lease: Lease,
    admission: Admission | undefined,
    wanted: TokenWanted,
    before: Before,
  ): Promise<FoundToken> {
    const { request, deadline } = wanted
    const { inHand, known, fingerprint } = before
    try {
      const admitted = admission ?? (await admit(connections, request, fingerprint))
      await lease.settle(admitted.fingerprint)
      const obtained = await obtainToken({ ...admitted, request, deadline, keepLease: lease.keepFor })
      const stored = await lease.store(keptToken(obtained, known, now()), askedFor(request))
      return { ...stored, source: 'server', isNew: true }
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      const isInHand = inHand !== undefined && isTokenError(error) && isAnswer(inHand, request, now())
      const renewFrom = isInHand ? now() + renewalPause(error) * 1000 : undefined
      await lease.end({ ...failureForOthers(error, now()), ...(renewFrom !== undefined && { refreshAt: renewFrom }) })
      if (!isInHand) throw error
      log({ event: 'renewal_failed', connection: request.connection, code: error.code, reason: error.message })
      return found(postponed(inHand, renewFrom), wanted.held?.id === inHand.id ? 'memory' : 'cache')
    }
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

/** What there was before a token was asked for. */
interface Before {
  /** Good until its time, and to be renewed. */
  readonly inHand: Token | undefined
  /** The last one that was obtained, good or not. */
  readonly known: Token | undefined
  /** Of the elements by which the fleet goes. */
  readonly fingerprint?: string | undefined
}

function found(token: Token, source: FoundToken['source']): FoundToken {
  return { token, source, isCurrent: true, isNew: false }
}

function renewalPause(error: TokenError): number {
  return error instanceof CoolingDownError ? error.retryAfterSeconds : renewalPauseSeconds
}

/** Never the user: without the password nobody can ask for it again. */
function askedFor({ scope, resource, audience, further }: TokenRequest): AskedFor {
  return {
    ...(scope && { scope }),
    ...(resource && { resource }),
    ...(audience !== undefined && { audience }),
    further,
  }
}
