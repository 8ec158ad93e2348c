import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import { TimedOutError } from './token-endpoint-error.ts'

/** Port: sends one token request. It repeats nothing and follows no redirect. */
export interface TokenEndpoint {
  /**
   * The answer, whatever its status.
   * @throws {UnreachableError} when there was no connection
   * @throws {TimedOutError} when the answer didn't come in time
   * @throws {UnreadableAnswerError} when what came is no answer, or too large
   * @throws {SecretError} when a certificate that `tls` names can't be had
   */
  post(server: ResolvedAuthorizationServer, request: TokenEndpointRequest): Promise<TokenEndpointAnswer>
}

export interface TokenEndpointRequest {
  /** By its name; no other one's requests go over the same sockets. */
  readonly connection: string
  readonly headers: Readonly<Record<string, Secret>>
  /** `application/x-www-form-urlencoded`. */
  readonly form: Secret
  readonly timeouts: TokenEndpointTimeouts
}

export interface TokenEndpointTimeouts {
  /** Without a sign of life from the server. */
  readonly receiveMilliseconds: number
  /** Of everything together: waiting for a connection, opening it, sending, and the whole answer. */
  readonly totalMilliseconds: number
}

export interface TokenEndpointAnswer {
  readonly status: number
  /** Seconds or an HTTP date, as it came. */
  readonly retryAfter?: string
  /** When the server's limit of requests ends, in seconds from now or since the epoch, as it came (`X-Rate-Limit-Reset`). */
  readonly rateLimitReset?: string
  /** `WWW-Authenticate`, as it came. */
  readonly challenge?: string
  /** An HTTP date, as it came. */
  readonly date?: string
  readonly body: string
}

/** Largest answer that is read; tokens are a few KiB, and more is an attack or a mistake. */
export const maximumAnswerBytes = 64 * 1024

/** Kept back from the caller's deadline, so that there is time to answer with an error of our own. */
export const answerReserveMilliseconds = 1_000

/** Whether a request that begins now may take as long as the server's own timeouts allow. */
export function hasTimeFor(server: ResolvedAuthorizationServer, leftMilliseconds: number): boolean {
  const { connectTimeoutMilliseconds, receiveTimeoutMilliseconds } = server
  return leftMilliseconds - answerReserveMilliseconds >= connectTimeoutMilliseconds + receiveTimeoutMilliseconds
}

/**
 * The server's own timeouts, or what is left until the deadline where that is less.
 * @throws {TimedOutError} when nothing is left
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
