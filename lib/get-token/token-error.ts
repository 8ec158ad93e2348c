import type { Caller } from '../access-token/caller.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import { CacheUnavailableError } from '../fleet/circuit-breaker.ts'
import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import type { CoolDownKind } from './cool-down-names.ts'

interface CoolingDownDetails {
  readonly failure?: TokenEndpointError | undefined
  readonly caller?: Caller | undefined
  readonly began?: CoolDownKind | undefined
}

/** It was just asked for, and asking again before `retryAfterSeconds` would only load the server. */
export class CoolingDownError extends TokenwellError {
  readonly code = 'cooling_down'
  readonly retryAfterSeconds: number
  /** What came of it, and is told to everyone until then. */
  readonly failure?: TokenEndpointError
  /** Whom alone it concerns: all others may ask. */
  readonly caller?: Caller
  /** What this very failure made cool down; absent where it was cooling down already. */
  readonly began?: CoolDownKind

  constructor(message: string, retryAfterSeconds: number, details: CoolingDownDetails = {}) {
    super(message)
    this.retryAfterSeconds = retryAfterSeconds
    const { failure, caller, began } = details
    if (failure) this.failure = failure
    if (caller !== undefined) this.caller = caller
    if (began) this.began = began
  }

  override get isPassing(): boolean {
    return true
  }

  override get publicMessage(): string {
    return this.failure?.publicMessage ?? this.message
  }

  /** @param failure undefined where another version of Tokenwell has written it */
  static after(
    failure: TokenEndpointError | undefined,
    retryAfterSeconds: number,
    details: Omit<CoolingDownDetails, 'failure'> = {},
  ): CoolingDownError {
    const reason = failure?.message ?? 'The last request failed.'
    return new CoolingDownError(
      `${reason} The next request is made in ${retryAfterSeconds} s at the earliest.`,
      retryAfterSeconds,
      { failure, ...details },
    )
  }

  static notYourTurn(caller: Caller): CoolingDownError {
    const reason = 'A request of this caller has just failed, and another one is under way.'
    return new CoolingDownError(`${reason} Try again in 1 s.`, 1, { caller })
  }

  static tooManyGuesses(retryAfterSeconds: number, caller: Caller): CoolingDownError {
    return new CoolingDownError(
      `Too many passwords of this user were refused within a minute. Try again in ${retryAfterSeconds} s.`,
      retryAfterSeconds,
      { caller },
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
