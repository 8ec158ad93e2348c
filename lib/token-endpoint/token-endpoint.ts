import type { LocatedServer, ResolvedAuthorizationServer } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import { TimedOutError } from './token-endpoint-error.ts'

/** Port: sends one token request. It makes no retry and follows no redirect. */
export interface TokenEndpoint {
  /**
   * Resolves with the answer, whatever its status.
   * @throws {UnreachableError} when no connection could be opened
   * @throws {TimedOutError} when the answer didn't come in time
   * @throws {UnreadableAnswerError} when the answer isn't valid HTTP, or is too large
   * @throws {SecretError} when a certificate that `tls` names can't be read
   * @throws what `write` throws
   */
  post(server: LocatedServer, request: TokenEndpointRequest): Promise<TokenEndpointAnswer>
}

export interface TokenEndpointRequest {
  /** The name of the connection. Requests of other connections never use the same sockets. */
  readonly connection: string
  /**
   * Called when no other wait comes before sending: the request has its turn, and its connection is open. If that connection ends
   * meanwhile, it is called again, and what it wrote first is not sent.
   */
  write(): Promise<WrittenRequest>
  readonly timeouts: TokenEndpointTimeouts
  /** The names of further headers of the answer that its reader needs, in lower case. */
  readonly answerHeaders?: readonly string[]
}

export interface WrittenRequest {
  /** `POST` if absent. */
  readonly method?: 'GET' | 'PUT'
  readonly headers: Readonly<Record<string, Secret>>
  /** The body as `application/x-www-form-urlencoded`. */
  readonly form?: Secret
  /** The body as `application/json`, in place of a form. */
  readonly json?: Secret
  /** Percent-encoded parameters to add to the query of the URL. */
  readonly query?: Secret
}

export interface TokenEndpointTimeouts {
  /** The longest time in which the server sends nothing. */
  readonly receiveMilliseconds: number
  /** The longest time for everything: waiting for a connection, opening it, sending, and the whole answer. */
  readonly totalMilliseconds: number
}

export interface TokenEndpointAnswer {
  readonly status: number
  /** Seconds or an HTTP date, unchanged. */
  readonly retryAfter?: string
  /** The end of the server's rate limit, in seconds from now or since the epoch, unchanged (`X-Rate-Limit-Reset`). */
  readonly rateLimitReset?: string
  /** `WWW-Authenticate`, unchanged. */
  readonly challenge?: string
  /** An HTTP date, unchanged. */
  readonly date?: string
  /** Those of `answerHeaders` that the answer has. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** The largest answer that is read. Tokens take a few KiB: a larger answer is an attack or a mistake. */
export const maximumAnswerBytes = 64 * 1024

/** The time before the caller's deadline that Tokenwell keeps for its own error answer. */
export const answerReserveMilliseconds = 1_000

/** Whether a request that begins now can take as long as the timeouts of the element allow. */
export function hasTimeFor(server: ResolvedAuthorizationServer, leftMilliseconds: number): boolean {
  const { connectTimeoutMilliseconds, receiveTimeoutMilliseconds } = server
  return leftMilliseconds - answerReserveMilliseconds >= connectTimeoutMilliseconds + receiveTimeoutMilliseconds
}

/**
 * The timeouts of the element, or the time left until the deadline where that is less.
 * @throws {TimedOutError} when no time is left
 */
export function timeoutsUntil(
  deadline: number,
  now: number,
  { connectTimeoutMilliseconds, receiveTimeoutMilliseconds }: ResolvedAuthorizationServer,
): TokenEndpointTimeouts {
  const left = deadline - now - answerReserveMilliseconds
  if (left <= 0) throw new TimedOutError("No time is left for a token request before the caller's deadline.")
  return {
    receiveMilliseconds: Math.min(receiveTimeoutMilliseconds, left),
    totalMilliseconds: Math.min(connectTimeoutMilliseconds + receiveTimeoutMilliseconds, left),
  }
}
