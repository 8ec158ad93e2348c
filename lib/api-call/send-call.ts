import type { ProtectedApi } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import { reserveMilliseconds } from '../token-endpoint/token-endpoint.ts'
import { type ApiAnswer, ApiCallError, type ApiCallLimits, type ApiEndpoint, type ApiRequest } from './api-endpoint.ts'

/** Where a call goes, and by when it must be over. */
export interface CallDestination {
  /** The connection's name. */
  readonly connection: string
  readonly api: ProtectedApi
  /** Milliseconds since the epoch by which the caller needs an answer. */
  readonly deadline: number
}

/**
 * One call; once more over a new connection where it can be done twice and the first one turned out dead.
 * @throws {ApiCallError}
 */
export type SendCall = (request: ApiRequest, destination: CallDestination) => Promise<ApiAnswer>

export interface SendCallParts {
  readonly apiEndpoint: ApiEndpoint
  readonly now: () => number
  readonly log: Log
}

/** RFC 9110 section 9.2.2: to do it twice is to do it once. */
const idempotentMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
/** Longer than that no server keeps a connection that nobody uses. */
const longestIdleMilliseconds = 60_000
/** A connection so fresh is most probably alive: what can't be done twice goes over no other. */
const briefIdleMilliseconds = 2_000
/** A connection that is opened for the call. */
const newOnly = 0

export function createSendCall({ apiEndpoint, now, log }: SendCallParts): SendCall {
  async function sendOnce(request: ApiRequest, to: CallDestination, maximumIdle: number): Promise<ApiAnswer> {
    const { connection, api } = to
    const limits = limitsOf(to, now(), maximumIdle)
    const sentAt = now()
    const told = () => ({ connection, milliseconds: now() - sentAt })
    try {
      const answer = await apiEndpoint.send(api, request, limits)
      log({ event: 'api_called', ...told(), status: answer.status })
      return answer
    } catch (error) {
      if (error instanceof ApiCallError) log({ event: 'api_call_failed', ...told(), code: error.code })
      throw error
    }
  }

  /** Whatever comes of it, the API may have done what it was asked to by the first. */
  async function sendAgain(request: ApiRequest, to: CallDestination): Promise<ApiAnswer> {
    log({ event: 'api_call_repeated', connection: to.connection, reason: 'dead_connection' })
    try {
      return await sendOnce(request, to, newOnly)
    } catch (error) {
      throw error instanceof ApiCallError ? new ApiCallError(error.code, error.message, { wasSent: true }) : error
    }
  }

  return async (request, to) => {
    const isIdempotent = idempotentMethods.includes(request.method)
    try {
      return await sendOnce(request, to, isIdempotent ? longestIdleMilliseconds : briefIdleMilliseconds)
    } catch (error) {
      if (isIdempotent && error instanceof ApiCallError && error.wasDead) return sendAgain(request, to)
      throw error
    }
  }
}

/** @throws {ApiCallError} when nothing is left */
function limitsOf({ api, deadline }: CallDestination, now: number, maximumIdleMilliseconds: number): ApiCallLimits {
  const left = deadline - now - reserveMilliseconds
  if (left <= 0)
    throw new ApiCallError('http_response_timeout', "No time is left for a call before the caller's deadline.", {
      wasSent: false,
    })
  return {
    receiveMilliseconds: Math.min(api.receiveTimeoutMilliseconds, left),
    totalMilliseconds: left,
    maximumIdleMilliseconds,
  }
}
