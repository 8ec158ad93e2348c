import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'

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
  /** An HTTP date, as it came. */
  readonly date?: string
  readonly body: string
}

/** Largest answer that is read; tokens are a few KiB, and more is an attack or a mistake. */
export const maximumAnswerBytes = 64 * 1024
