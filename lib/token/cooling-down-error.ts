import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'

/** It was just asked for, and asking again before `retryAfterSeconds` would only load the server. */
export class CoolingDownError extends Error {
  readonly code = 'cooling_down'
  override readonly name = 'CoolingDownError'
  readonly retryAfterSeconds: number
  /** What came of it, and is told to everyone until then. */
  readonly failure?: TokenEndpointError

  constructor(message: string, retryAfterSeconds: number, failure?: TokenEndpointError) {
    super(message)
    this.retryAfterSeconds = retryAfterSeconds
    if (failure) this.failure = failure
  }

  static after(failure: TokenEndpointError, retryAfterSeconds: number): CoolingDownError {
    return new CoolingDownError(
      `${failure.message} It is asked again in ${retryAfterSeconds} s at the earliest.`,
      retryAfterSeconds,
      failure,
    )
  }
}
