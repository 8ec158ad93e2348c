import type { ProtectedApi } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import { type ApiAnswer, ApiCallError, type ApiCallLimits, type ApiEndpoint, type ApiRequest } from './api-endpoint.ts'

/** Where a call goes, and when it must be over. */
export interface CallDestination {
  /** The connection's name. */
  readonly connection: string
  readonly api: ProtectedApi
  /** Milliseconds since the epoch by which the caller needs an answer. */
  readonly deadline: number
}

/** RFC 9110 section 9.2.2: two requests have the effect of one. */
const idempotentMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
/** Servers close a connection that is idle for longer. */
const longestIdleMilliseconds = 60_000
/** A connection that was used so recently is most probably alive. A request that must not be repeated uses no older one. */
const briefIdleMilliseconds = 2_000
/** The call opens a connection of its own. */
const noIdleMilliseconds = 0
/** Kept back from the deadline, so that the API's answer still reaches the caller. */
const returnReserveMilliseconds = 1_000

/** Makes calls with a token that the caller has got already. */
export function createCallSender(dependencies: {
  readonly apiEndpoint: ApiEndpoint
  readonly now: () => number
  readonly log: Log
}) {
  const { apiEndpoint, now, log } = dependencies
  return { send }

  /**
   * One call, and once more over a new connection if the method is idempotent and the connection turned out to be dead.
   * @throws {ApiCallError}
   */
  async function send(request: ApiRequest, destination: CallDestination): Promise<ApiAnswer> {
    const isIdempotent = idempotentMethods.includes(request.method)
    try {
      return await sendOnce(request, destination, isIdempotent ? longestIdleMilliseconds : briefIdleMilliseconds)
    } catch (error) {
      if (isIdempotent && error instanceof ApiCallError && error.wasDead) return await sendAgain(request, destination)
      throw error
    }
  }

  async function sendOnce(
    request: ApiRequest,
    destination: CallDestination,
    maximumIdleMilliseconds: number,
  ): Promise<ApiAnswer> {
    const { connection, api } = destination
    const sentAt = now()
    const limits = limitsOf(destination, sentAt, maximumIdleMilliseconds)
    try {
      const answer = await apiEndpoint.send(api, request, limits)
      log({ event: 'api_called', connection, milliseconds: now() - sentAt, status: answer.status })
      return answer
    } catch (error) {
      if (error instanceof ApiCallError)
        log({ event: 'api_call_failed', connection, milliseconds: now() - sentAt, code: error.code })
      throw error
    }
  }

  /** Whatever comes of the second request, the API may have received the first one. */
  async function sendAgain(request: ApiRequest, destination: CallDestination): Promise<ApiAnswer> {
    log({ event: 'api_call_repeated', connection: destination.connection, reason: 'dead_connection' })
    try {
      return await sendOnce(request, destination, noIdleMilliseconds)
    } catch (error) {
      throw error instanceof ApiCallError ? new ApiCallError(error.code, error.message, { wasSent: true }) : error
    }
  }
}

/** @throws {ApiCallError} if no time is left */
function limitsOf({ api, deadline }: CallDestination, now: number, maximumIdleMilliseconds: number): ApiCallLimits {
  const left = deadline - now - returnReserveMilliseconds
  if (left <= 0)
    throw new ApiCallError('http_response_timeout', "No time is left to call the API before the caller's deadline.", {
      wasSent: false,
    })
  return {
    receiveMilliseconds: Math.min(api.receiveTimeoutMilliseconds, left),
    totalMilliseconds: left,
    maximumIdleMilliseconds,
  }
}
