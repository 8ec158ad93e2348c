import { knownCallers } from '../access-token/caller.ts'
import { keptWithin } from '../access-token/callers-token.ts'
import { secondsLeft } from '../access-token/lifetime.ts'
import {
  type CallerRequest,
  callersTokens,
  isAnswer,
  isOwnRequest,
  keptToken,
  leastSecondsLeft,
  repeatableRequest,
  type Token,
  tokenKey,
} from '../access-token/token.ts'
import { type Admission, admit } from '../admission/admit-request.ts'
import { withoutRepetition } from '../admission/repetition.ts'
import type { Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import { isServed, type TokenConnection, tokensOf } from '../configuration/connection.ts'
import type { ConnectionCache, KnownConnection } from '../configuration/connection-cache.ts'
import { ConnectionDisabledError } from '../configuration/finding.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import { disabledElements, type ElementsRevision } from '../fleet/connection-state.ts'
import { type FailureToShare, type Lease, LeaseLostError } from '../fleet/lease.ts'
import type { Log } from '../log/log-event.ts'
import { hasTimeFor } from '../token-endpoint/token-endpoint.ts'
import { RefusedError, UnreachableError, writeFailure } from '../token-endpoint/token-endpoint-error.ts'
import type { Attempts, LeasedContext } from './attempts.ts'
import type { OutcomeLog } from './connection-status.ts'
import type { NamedRequest } from './cool-down-names.ts'
import type { Clearance, CoolDownPolicy, Verdict } from './cool-down-policy.ts'
import type { LocalTokens } from './local-tokens.ts'
import { retryDelay } from './retry-policy.ts'
import type { HelpfulAttempt } from './second-attempt.ts'
import type { SecretsInStep } from './secrets-in-step.ts'
import type { StoredToken, TokenCache } from './token-cache.ts'
import { CoolingDownError, isTokenError } from './token-error.ts'

/** The pause before the next renewal of a stale token whose renewal failed. */
const renewalPauseSeconds = 10
/** A cool-down wider than one token ends for all tokens at once. So the record of a token repeats it for this time only. */
const widerMilliseconds = 2_000

/** What a token is needed for. */
export interface TokenNeed {
  readonly request: CallerRequest
  /** The latest time for an answer, in milliseconds since the epoch. */
  readonly deadline: number
  /** The token that is still valid, and has to be renewed. */
  readonly current: Token | undefined
  /** The last token that was obtained, valid or not. */
  readonly previous: Token | undefined
  /** Whether a caller asks for the token, and may do so again. */
  readonly isUse: boolean
  /** Whether a passing failure is not retried: no caller waits, and the request is likely to fail. */
  readonly isOnce?: boolean | undefined
}

/** What a token is obtained from: a server, or a key of Tokenwell. */
export type TokenContext = Omit<LeasedContext, 'connection'> & { readonly connection: TokenConnection }

/** What is known before a token is requested. */
export interface KnownBefore {
  /** The fingerprint of the elements that are active in the fleet. */
  readonly fingerprint: string | undefined
  /** Absent where the elements have to be read first. */
  readonly admission: Admission | undefined
}

/** `postponed`: the renewal failed, and the current token stays in use. */
export type Obtained =
  | (StoredToken & { readonly outcome: 'renewed' })
  | { readonly outcome: 'postponed'; readonly token: Token; readonly error: TokenwellError }

/** The request repeats values of the elements. The token of `request`, which leaves them out, answers it. */
export interface RepeatsElements {
  readonly outcome: 'repeats_elements'
  readonly request: CallerRequest
}

export function repeatsElements({ connection }: Admission, request: CallerRequest): RepeatsElements | undefined {
  const shorter = withoutRepetition(connection, request)
  return shorter === request ? undefined : { outcome: 'repeats_elements', request: shorter }
}

export interface FromServerDependencies {
  readonly connections: ConnectionCache
  readonly cache: TokenCache
  readonly secretsInStep: SecretsInStep
  readonly coolDownPolicy: CoolDownPolicy
  readonly attempts: Attempts
  readonly localTokens: LocalTokens
  readonly outcomes: OutcomeLog
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/**
 * The last of three tiers: a token from its server, or one that Tokenwell signs. The steps are admission, secrets, cool-downs, attempts and storing.
 */
export type FromServer = ReturnType<typeof createFromServer>

export function createFromServer(dependencies: FromServerDependencies) {
  const { connections, cache, secretsInStep, coolDownPolicy, attempts, localTokens } = dependencies
  const { outcomes, now, random, pause, log } = dependencies

  /**
   * Obtains a token for the whole fleet, or for this process alone where the lease isn't shared.
   * @throws {LeaseLostError}
   * @throws {TokenwellError} the reason why no token was obtained, where there is no current one
   */
  async function obtain(lease: Lease, need: TokenNeed, known: KnownBefore): Promise<Obtained | RepeatsElements> {
    const { request, deadline, previous, isUse, isOnce } = need
    try {
      const admission = known.admission ?? (await admit(connections, request, known.fingerprint))
      const repeats = repeatsElements(admission, request)
      if (repeats) {
        await unlessUnavailable(() => lease.release(lease.waitUntil), undefined)
        return repeats
      }
      await lease.activate(revisionOf(admission))
      const token = await requestToken({
        ...{ ...admission, request, deadline, lease, isOnce, previous },
        mendedAt: lease.mendedAt(),
      })
      if (token.isForOneRequest) return await handOutOnce(lease, token)
      return {
        outcome: 'renewed',
        ...(await cache.store(lease, token, repeatableRequest(request), isUse ? request : undefined)),
      }
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      // This disables the connection for the whole fleet at once, even if the event about it is late or lost.
      if (error instanceof ConnectionDisabledError) await lease.activate(disabledElements)
      return await endWithFailure(lease, need, error)
    }
  }

  async function handOutOnce(lease: Lease, token: Token): Promise<Obtained> {
    await unlessUnavailable(() => lease.releaseUnshared(lease.waitUntil), undefined)
    return { outcome: 'renewed', token, isCurrent: false, isShared: false }
  }

  /** Obtains a token without storing it. Failures are noted, and begin cool-downs. */
  async function requestToken(context: TokenContext): Promise<Token> {
    const { connection } = context
    try {
      await secretsInStep.refresh()
      const token = isServed(connection)
        ? await requestWithRetries({ ...context, connection })
        : await localTokens.sign(connection, context.parameters)
      outcomes.noteToken(connection)
      return token
    } catch (error) {
      if (!(error instanceof LeaseLostError)) outcomes.noteFailure(connection, error)
      throw error
    }
  }

  /** Retries passing failures within the deadline, each time with a new assertion. */
  async function requestWithRetries(context: LeasedContext): Promise<Token> {
    const { connection, request, deadline, mendedAt, isOnce } = context
    const { caller } = request
    const named = { ...context, caller, isOwn: isOwnRequest(request), mendedAt }
    let wasSuspected: boolean | undefined
    for (let attempt = 1; ; attempt++) {
      const clearance = await coolDownPolicy.clear(named)
      // Only the first check counts: a later suspicion may come from this request itself.
      wasSuspected ??= clearance.pass.isSuspected
      try {
        const obtained = keptToken(await attempts.make(context), context.previous, now())
        const token = keptWithin(obtained, callersTokens(request))
        if (secondsLeft(token, now()) < leastSecondsLeft) throw UnreachableError.endsAtOnce(connection.name)
        await coolDownPolicy.noteSuccess(clearance, named)
        return token
      } catch (error) {
        // A server that may be failing gets no retry.
        const mayRepeat = !wasSuspected && !isOnce
        const delay = mayRepeat ? retryDelay(error, attempt, deadline - now(), random()) : undefined
        const verdict = await coolDownPolicy.noteFailure(error, named, clearance, delay !== undefined)
        if (delay === undefined) return await lookFurther(context, named, clearance, verdict)
        log({ event: 'token_request_repeated', connection: connection.name, attempt, milliseconds: delay })
        await pause(delay)
        // The pause may be long, and a key that was revoked meanwhile must not sign.
        await secretsInStep.refresh()
      }
    }
  }

  /**
   * Finds out by a control request whether the connection's own request fails as well. Where that one needed a second attempt, this request
   * gets the same second attempt.
   */
  async function lookFurther(
    context: LeasedContext,
    named: NamedRequest,
    clearance: Clearance,
    { reported, suspect }: Verdict,
  ): Promise<Token> {
    if (!suspect || !(await clearance.pass.claimControl(suspect))) throw reported
    const control = await requestControl(context)
    const token = control.helpful && (await attempts.repeatBy(control.helpful, context))
    if (!token) throw control.isIssued ? blameCaller(reported) : reported
    await coolDownPolicy.noteSuccess(clearance, named)
    return token
  }

  /**
   * Makes the control request: the failed request without its caller parameters. Its token is stored like any other, and its failure
   * begins a cool-down like any other. It is made only where the connection's own request has brought a token before.
   */
  async function requestControl(context: LeasedContext): Promise<ControlOutcome> {
    attempts.takeHelpful(context.connection)
    const isIssued = await isOwnTokenIssued(context)
    const helpful = attempts.takeHelpful(context.connection)
    return { isIssued, ...(isIssued && helpful && { helpful }) }
  }

  async function isOwnTokenIssued({ connection, deadline, fingerprint }: LeasedContext): Promise<boolean> {
    if (!hasTimeFor(connection.authorizationServer, deadline - now())) return false
    const { authentication, isFurther } = connection
    const named = isFurther && { authentication: authentication.id }
    const request = { caller: knownCallers.tokenwell, connection: connection.name, ...named, further: {} }
    const look = await unlessUnavailable(() => cache.look(connection.name, tokenKey(request), now()), undefined)
    const previous = look?.token
    if (!look || !previous) return false
    const lease = await unlessUnavailable(() => cache.takeLease(look, now()), undefined)
    if (!lease) return false
    const current = isAnswer(previous, request, now()) ? previous : undefined
    const need = { request, deadline, current, previous, isUse: false, isOnce: true }
    try {
      return (await obtain(lease, need, { fingerprint, admission: undefined })).outcome === 'renewed'
    } catch (error) {
      if (error instanceof LeaseLostError || error instanceof TokenwellError) return false
      throw error
    }
  }

  /** Shares the failure with the fleet. A current token stays in use and is renewed later. */
  async function endWithFailure(lease: Lease, { request, current }: TokenNeed, error: unknown): Promise<Obtained> {
    const isStopped = error instanceof ConnectionDisabledError
    const isCurrent = current !== undefined && !isStopped && isTokenError(error) && isAnswer(current, request, now())
    const failure = failureToShare(error, now())
    if (!isCurrent) {
      await lease.end(failure)
      throw error
    }
    const refreshAt = now() + renewalPause(error) * 1000
    await lease.end({ ...failure, refreshAt })
    log({ event: 'renewal_failed', connection: request.connection, code: error.code, reason: error.message })
    return { outcome: 'postponed', token: { ...current, refreshAt }, error }
  }

  return { obtain, requestToken }
}

/** The result of a control request. */
interface ControlOutcome {
  readonly isIssued: boolean
  /** The second attempt that the control request needed. */
  readonly helpful?: HelpfulAttempt
}

/** Only failures of the token endpoint are shared. Each process finds its own failures, such as a missing secret, by itself: its rights or its network may differ. */
function failureToShare(error: unknown, now: number): FailureToShare {
  // A cool-down of one caller must not make other callers wait.
  if (!(error instanceof CoolingDownError) || !error.failure || error.caller !== undefined) return {}
  const retryAt = now + error.retryAfterSeconds * 1000
  const shared = { failure: writeFailure(error.failure), retryAt }
  if (!error.began) return shared
  return { ...shared, until: error.began === 'token' ? retryAt : Math.min(retryAt, now + widerMilliseconds) }
}

/** The server issued the connection's own token, so that it refused the caller parameters. */
function blameCaller(reported: unknown): unknown {
  if (!(reported instanceof CoolingDownError) || !(reported.failure instanceof RefusedError)) return reported
  const { failure, retryAfterSeconds, caller, began } = reported
  return CoolingDownError.after(failure.asCallers(), retryAfterSeconds, { caller, began })
}

function renewalPause(error: TokenwellError): number {
  return error instanceof CoolingDownError ? error.retryAfterSeconds : renewalPauseSeconds
}

/** What the fleet learns about the elements of a token request. */
export function revisionOf({ connection, fingerprint, otherFingerprints = [] }: KnownConnection): ElementsRevision {
  const { warming } = tokensOf(connection)[0] ?? {}
  return { fingerprint, otherFingerprints, ...(warming && { warming }) }
}
