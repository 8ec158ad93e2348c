import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'

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
