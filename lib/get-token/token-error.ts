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

/** A cool-down is active: no token request is made for `retryAfterSeconds`. */
export class CoolingDownError extends TokenwellError {
  readonly code = 'cooling_down'
  readonly retryAfterSeconds: number
  /** The failure that began the cool-down. Every request gets it until then. */
  readonly failure?: TokenEndpointError
  /** The one caller that the cool-down is for. All other callers may go on. */
  readonly caller?: Caller
  /** What began to cool down with this failure. Absent where the cool-down was active before. */
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

  /** @param failure undefined where another version of Tokenwell has written the failure */
  static after(
    failure: TokenEndpointError | undefined,
    retryAfterSeconds: number,
    details: Omit<CoolingDownDetails, 'failure'> = {},
  ): CoolingDownError {
    const reason = failure?.reason ?? 'Its reason is not known.'
    const message =
      details.began === undefined
        ? `No token request was made: the next one is allowed in ${retryAfterSeconds} s. The last one failed: ${reason}`
        : `${reason} Tokenwell makes the next token request in ${retryAfterSeconds} s at the earliest.`
    return new CoolingDownError(message, retryAfterSeconds, { failure, ...details })
  }

  static notYourTurn(caller: Caller): CoolingDownError {
    return new CoolingDownError(
      'A token request has failed, and another request of this caller is under way. Try again in 1 s.',
      1,
      { caller },
    )
  }

  static tooManyGuesses(retryAfterSeconds: number, caller: Caller): CoolingDownError {
    return new CoolingDownError(
      `The authorization server refused too many passwords of this user within a minute. Try again in ${retryAfterSeconds} s.`,
      retryAfterSeconds,
      { caller },
    )
  }
}

/** Ignores a cool-down, where no harm is done if no token request is made now or a rejected token stays. */
export function ignoreCoolingDown(error: unknown): void {
  if (!(error instanceof CoolingDownError)) throw error
}

/** Whether an error is the reason why there is no token. An unavailable shared cache or a programming error is not. */
export function isTokenError(error: unknown): error is TokenwellError {
  return error instanceof TokenwellError && !(error instanceof CacheUnavailableError)
}

/** The failure that a cool-down began with. For any other error, the error itself. */
export function causeOf<E>(error: E): E | TokenEndpointError {
  return (error instanceof CoolingDownError ? error.failure : undefined) ?? error
}
