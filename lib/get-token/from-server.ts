import { knownCallers } from '../access-token/caller.ts'
import { secondsLeft } from '../access-token/lifetime.ts'
import {
  type CallerRequest,
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
import type { ConnectionCache, KnownConnection } from '../configuration/connection-cache.ts'
import { ConnectionDisabledError } from '../configuration/finding.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import { disabledElements, type ElementsRevision } from '../fleet/connection-record.ts'
import { type FailureToShare, type Lease, LeaseLostError } from '../fleet/lease.ts'
import type { SecretsVersion } from '../fleet/secrets-version.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { SignerCache } from '../signing/signer-cache.ts'
import { hasTimeFor } from '../token-endpoint/token-endpoint.ts'
import { RefusedError, UnreachableError, writeFailure } from '../token-endpoint/token-endpoint-error.ts'
import type { Attempts, LeasedContext } from './attempts.ts'
import type { OutcomeLog } from './connection-status.ts'
import type { NamedRequest } from './cool-down-names.ts'
import type { Clearance, CoolDownPolicy, Verdict } from './cool-down-policy.ts'
import { retryDelay } from './retry-policy.ts'
import type { HelpfulAttempt } from './second-attempt.ts'
import type { StoredToken, TokenCache } from './token-cache.ts'
import { CoolingDownError, isTokenError } from './token-error.ts'

/** Before a stale token whose renewal failed is tried again. */
const renewalPauseSeconds = 10
/** What cools down beyond one token ends for all of them at once: each record says so only for a moment. */
const widerMilliseconds = 2_000

/** What a token is needed for. */
export interface TokenNeed {
  readonly request: CallerRequest
  /** Milliseconds since the epoch by which the answer is needed. */
  readonly deadline: number
  /** Good until its time, and to be renewed. */
  readonly current: Token | undefined
  /** The last one that was obtained, good or not. */
  readonly previous: Token | undefined
  /** Whether somebody asks for the token, who may do so again. */
  readonly isUse: boolean
  /** Whether a passing failure is not repeated: nobody waits, and it may well fail. */
  readonly isOnce?: boolean | undefined
}

/** What is known before a token is asked for. */
export interface KnownBefore {
  /** Of the elements by which the fleet goes. */
  readonly fingerprint: string | undefined
  /** Absent where the elements have to be read first. */
  readonly admission: Admission | undefined
}

/** `postponed`: the current token serves on. */
export type Obtained =
  | (StoredToken & { readonly outcome: 'renewed' })
  | { readonly outcome: 'postponed'; readonly token: Token; readonly error: TokenwellError }

/** The request only repeats what its elements say: it is answered by the token of the request that leaves that out. */
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
  readonly secretsVersion: SecretsVersion
  readonly secrets: SecretCache
  readonly signers: SignerCache
  readonly coolDownPolicy: CoolDownPolicy
  readonly attempts: Attempts
  readonly outcomes: OutcomeLog
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/**
 * The last of three tiers: a token from the authorization server, in one sequence: admission, secrets, cool-downs, attempts,
 * storing.
 */
export type FromServer = ReturnType<typeof createFromServer>

export function createFromServer(dependencies: FromServerDependencies) {
  const { connections, cache, secretsVersion, secrets, signers, coolDownPolicy } = dependencies
  const { attempts, outcomes, now, random, pause, log } = dependencies
  let knownVersion: string | undefined
  let mayHoldOlder = false

  /**
   * For the whole fleet, or for this process where the lease is shared with nobody.
   * @throws {LeaseLostError}
   * @throws {TokenwellError} what kept the token from being obtained, where there is no current one
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
      return {
        outcome: 'renewed',
        ...(await cache.store(lease, token, repeatableRequest(request), isUse ? request : undefined)),
      }
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      // In force at once for the whole fleet, whether an event tells of it or not.
      if (error instanceof ConnectionDisabledError) await lease.activate(disabledElements)
      return await endWithFailure(lease, need, error)
    }
  }

  /** A token of the authorization server, which nobody stores here. Its failures are noted and cool down. */
  async function requestToken(context: LeasedContext): Promise<Token> {
    const { name } = context.connection
    try {
      await refreshSecrets()
      const token = await requestWithRetries(context)
      outcomes.noteToken(name)
      return token
    } catch (error) {
      if (!(error instanceof LeaseLostError)) outcomes.noteFailure(name, error)
      throw error
    }
  }

  /**
   * Secrets are read again where one has changed since this process read its own, and no revoked key signs. Current tokens stay
   * good.
   */
  async function refreshSecrets(): Promise<void> {
    const state = await secretsVersion.read()
    if (state) signers.revoke(state.revocations)
    if (state && state.version !== knownVersion) {
      if (mayHoldOlder) secrets.readAllAgain()
      knownVersion = state.version
    }
    mayHoldOlder = true
  }

  /** Passing failures are repeated within the deadline, each time with a new assertion. */
  async function requestWithRetries(context: LeasedContext): Promise<Token> {
    const { connection, request, deadline, mendedAt, isOnce } = context
    const { caller } = request
    const named = { ...context, caller, isOwn: isOwnRequest(request), mendedAt }
    let wasSuspected: boolean | undefined
    for (let attempt = 1; ; attempt++) {
      const clearance = await coolDownPolicy.clear(named)
      // Later on the suspicion may be our own.
      wasSuspected ??= clearance.pass.isSuspected
      try {
        const token = keptToken(await attempts.make(context), context.previous, now())
        if (secondsLeft(token, now()) < leastSecondsLeft)
          throw UnreachableError.endsAtOnce(`of the connection ${connection.name}`)
        await coolDownPolicy.noteSuccess(clearance, named)
        return token
      } catch (error) {
        // A server that may be failing gets one attempt.
        const mayRepeat = !wasSuspected && !isOnce
        const delay = mayRepeat ? retryDelay(error, attempt, deadline - now(), random()) : undefined
        const verdict = await coolDownPolicy.noteFailure(error, named, clearance, delay !== undefined)
        if (delay === undefined) return await lookFurther(context, named, clearance, verdict)
        log({ event: 'token_request_repeated', connection: connection.name, attempt, milliseconds: delay })
        await pause(delay)
        // A pause may be long, and a key that is revoked meanwhile must not sign.
        await refreshSecrets()
      }
    }
  }

  /**
   * The last word on a failure: whether the connection's own request fails, too. Where that needed a second attempt, so does this
   * request.
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
   * The control request: what failed with a caller's addition is tried without. Its token is stored like any other, and its failure
   * makes wait what it speaks about. It is made only where the connection's own request has brought a token before.
   */
  async function requestControl(context: LeasedContext): Promise<ControlOutcome> {
    attempts.takeHelpful(context.connection)
    const isIssued = await isOwnTokenIssued(context)
    const helpful = attempts.takeHelpful(context.connection)
    return { isIssued, ...(isIssued && helpful && { helpful }) }
  }

  async function isOwnTokenIssued({ connection, deadline, fingerprint }: LeasedContext): Promise<boolean> {
    if (!hasTimeFor(connection.authorizationServer, deadline - now())) return false
    const request = { caller: knownCallers.tokenwell, connection: connection.name, further: {} }
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

  /** The others are told; a current token is to be renewed later. */
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

/** What became of a control request. */
interface ControlOutcome {
  readonly isIssued: boolean
  /** Without which it would have been refused, too. */
  readonly helpful?: HelpfulAttempt
}

/** What the fleet is told: what the token endpoint did. Of our own faults each process has to see for itself. */
function failureToShare(error: unknown, now: number): FailureToShare {
  // What concerns one caller keeps no other from asking.
  if (!(error instanceof CoolingDownError) || !error.failure || error.caller !== undefined) return {}
  const retryAt = now + error.retryAfterSeconds * 1000
  const shared = { failure: writeFailure(error.failure), retryAt }
  if (!error.began) return shared
  return { ...shared, until: error.began === 'token' ? retryAt : Math.min(retryAt, now + widerMilliseconds) }
}

/** Its server issues the connection's own token: what the caller added is refused. */
function blameCaller(reported: unknown): unknown {
  if (!(reported instanceof CoolingDownError) || !(reported.failure instanceof RefusedError)) return reported
  const { failure, retryAfterSeconds, caller, began } = reported
  return CoolingDownError.after(failure.asCallers(), retryAfterSeconds, { caller, began })
}

function renewalPause(error: TokenwellError): number {
  return error instanceof CoolingDownError ? error.retryAfterSeconds : renewalPauseSeconds
}

/** What the fleet is told of the elements by which a token is asked for. */
export function revisionOf({ connection, fingerprint, otherFingerprints = [] }: KnownConnection): ElementsRevision {
  const { warming, authorizationServer } = connection
  const { id, maximumConcurrency } = authorizationServer
  const plan = warming && { ...warming, authorizationServer: id, maximumConcurrency }
  return { fingerprint, otherFingerprints, ...(plan && { warming: plan }) }
}
