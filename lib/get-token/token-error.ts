import { InvalidRequestError } from '../admission/admit-request.ts'
import { UnexpectedError, unexpectedReason } from '../base/tokenwell-error.ts'
import { ElementStoreError } from '../configuration/element-store.ts'
import { ConfigurationError, UnknownConnectionError } from '../configuration/finding.ts'
import { CacheUnavailableError } from '../fleet/circuit-breaker.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import {
  RefusedError,
  TimedOutError,
  type TokenEndpointError,
  UnreachableError,
  UnreadableAnswerError,
} from '../token-endpoint/token-endpoint-error.ts'

/** What a failure keeps from being asked for: one token, or all of a client, a user or an endpoint. */
export type CoolDownKind = 'token' | 'client' | 'user' | 'endpoint'

interface CoolingDownDetails {
  readonly failure?: TokenEndpointError
  readonly began?: CoolDownKind
}

/** It was just asked for, and asking again before `retryAfterSeconds` would only load the server. */
export class CoolingDownError extends Error {
  readonly code = 'cooling_down'
  override readonly name = 'CoolingDownError'
  readonly retryAfterSeconds: number
  /** What came of it, and is told to everyone until then. */
  readonly failure?: TokenEndpointError
  /** What this very failure made cool down; absent where it was cooling down already. */
  readonly began?: CoolDownKind

  constructor(message: string, retryAfterSeconds: number, { failure, began }: CoolingDownDetails = {}) {
    super(message)
    this.retryAfterSeconds = retryAfterSeconds
    if (failure) this.failure = failure
    if (began) this.began = began
  }

  static after(failure: TokenEndpointError, retryAfterSeconds: number, began?: CoolDownKind): CoolingDownError {
    return new CoolingDownError(
      `${failure.message} It is asked again in ${retryAfterSeconds} s at the earliest.`,
      retryAfterSeconds,
      { failure, ...(began && { began }) },
    )
  }
}

/** For whom it does no harm that nobody asks now, or that a rejected token stays: it replaced another one a moment ago. */
export function ignoreCoolingDown(error: unknown): void {
  if (!(error instanceof CoolingDownError)) throw error
}

const classes = [
  ConfigurationError,
  CoolingDownError,
  ElementStoreError,
  InvalidRequestError,
  RefusedError,
  SecretError,
  KeyStoreError,
  TimedOutError,
  UnknownConnectionError,
  UnreachableError,
  UnreadableAnswerError,
] as const

/** All that can come instead of a token. Anything else is a fault of ours. */
export type TokenError = InstanceType<(typeof classes)[number]>

/** The failure that a cool-down began with; any other error is its own. */
export function causeOf<E>(error: E): E | TokenEndpointError {
  return (error instanceof CoolingDownError ? error.failure : undefined) ?? error
}

export function isTokenError(error: unknown): error is TokenError {
  return classes.some((each) => error instanceof each)
}

/** For operators, as it stands in the log. */
export interface Failure {
  readonly code: string
  readonly reason: string
}

interface OurError extends Error {
  readonly code: string
}

/**
 * Our errors hold no secret; of any other only its kind and place are kept.
 * @param classes of those that may come beside `TokenError` and `CacheUnavailableError`
 */
export function describeFailure(error: unknown, classes: readonly (new (...args: never[]) => OurError)[]): Failure {
  if (isTokenError(error)) return { code: error.code, reason: error.message }
  if (error instanceof CacheUnavailableError) return { code: 'cache', reason: `The shared cache: ${error.message}` }
  for (const each of classes) if (error instanceof each) return { code: error.code, reason: error.message }
  return { code: 'unexpected', reason: unexpectedReason(error) }
}

/** What a function may throw of an error: itself if it is ours, of any other its kind and place. The arguments are those of `describeFailure`. */
export function errorToThrow(...[error, classes]: Parameters<typeof describeFailure>): unknown {
  return describeFailure(error, classes).code === 'unexpected' ? new UnexpectedError(error) : error
}
