import { TokenwellError } from '../base/tokenwell-error.ts'
import { CacheUnavailableError } from '../fleet/circuit-breaker.ts'
import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'

/** What a failure keeps from being asked for: one token, or all of a client, a user or an endpoint. */
export type CoolDownKind = 'token' | 'client' | 'user' | 'endpoint'

interface CoolingDownDetails {
  readonly failure?: TokenEndpointError
  readonly began?: CoolDownKind
}

/** It was just asked for, and asking again before `retryAfterSeconds` would only load the server. */
export class CoolingDownError extends TokenwellError {
  readonly code = 'cooling_down'
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

  override get isPassing(): boolean {
    return true
  }

  override get publicMessage(): string {
    return this.failure?.publicMessage ?? this.message
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

/** Whether an error says why there is no token. That the shared cache can't be asked says nothing of it, nor does a fault of ours. */
export function isTokenError(error: unknown): error is TokenwellError {
  return error instanceof TokenwellError && !(error instanceof CacheUnavailableError)
}

/** The failure that a cool-down began with; any other error is its own. */
export function causeOf<E>(error: E): E | TokenEndpointError {
  return (error instanceof CoolingDownError ? error.failure : undefined) ?? error
}
