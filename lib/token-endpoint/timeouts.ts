import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import type { TokenEndpointTimeouts } from './token-endpoint.ts'
import { TimedOutError } from './token-endpoint-error.ts'

/** Kept back from the caller's deadline, so that there is time to answer with an error of our own. */
export const reserveMilliseconds = 1_000

/** Whether a request that begins now may take as long as the server's own timeouts allow. */
export function hasTimeFor(server: ResolvedAuthorizationServer, leftMilliseconds: number): boolean {
  const { connectTimeoutMilliseconds, receiveTimeoutMilliseconds } = server
  return leftMilliseconds - reserveMilliseconds >= connectTimeoutMilliseconds + receiveTimeoutMilliseconds
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
  const left = deadline - now - reserveMilliseconds
  if (left <= 0) throw new TimedOutError("No time is left for a token request before the caller's deadline.")
  return {
    receiveMilliseconds: Math.min(receiveTimeoutMilliseconds, left),
    totalMilliseconds: Math.min(connectTimeoutMilliseconds + receiveTimeoutMilliseconds, left),
  }
}
