import type { ProtectedApi } from '../configuration/api.ts'
import type { Log } from '../log/log-event.ts'
import { type ApiAnswer, ApiCallError, type ApiCallLimits, type ApiEndpoint, type ApiRequest } from './api-endpoint.ts'

/** A call, and what authenticates it. */
export interface PreparedCall {
  readonly request: Omit<ApiRequest, 'credentials'>
  readonly credentials: CredentialSource
}

/** What authenticates the attempts of one call. */
export interface CredentialSource {
  /**
   * The headers for one attempt, by their names in lower case. A token that only one request may have is another one each time.
   * @throws {TokenwellError} the reason why one of them can't be had
   */
  next(): Promise<ApiRequest['credentials']>
}

/** Where a call goes, and when it must be over. */
export interface CallDestination {
  /** The connection's name. */
  readonly connection: string
  readonly api: ProtectedApi
  /** When the caller needs an answer, in milliseconds since the epoch. */
  readonly deadline: number
}

/** RFC 9110 section 9.2.2: two requests have the same effect as one. */
const idempotentMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
/** Servers close a TCP connection that is idle for longer. */
const longestIdleMilliseconds = 60_000
/** A TCP connection that was used so recently is very likely open. A request that must not be repeated uses no older one. */
const briefIdleMilliseconds = 2_000
/** The call opens a new TCP connection. */
const noIdleMilliseconds = 0
/** Reserved before the deadline, so that the API's answer still reaches the caller. */
const returnReserveMilliseconds = 1_000

/** Makes calls with a token that was obtained before. */
export function createCallSender(dependencies: {
  readonly apiEndpoint: ApiEndpoint
  readonly now: () => number
  readonly log: Log
}) {
  const { apiEndpoint, now, log } = dependencies
  return { send }

  /**
   * Makes one call. If the method is idempotent and the TCP connection turned out to be closed, repeats it over a new one. Each attempt has credentials of its own.
   * @throws {ApiCallError}
   */
  async function send(call: PreparedCall, destination: CallDestination): Promise<ApiAnswer> {
    const isIdempotent = idempotentMethods.includes(call.request.method)
    try {
      return await sendOnce(call, destination, isIdempotent ? longestIdleMilliseconds : briefIdleMilliseconds)
    } catch (error) {
      if (isIdempotent && error instanceof ApiCallError && error.wasDead) return await sendAgain(call, destination)
      throw error
    }
  }

  async function sendOnce(
    { request, credentials }: PreparedCall,
    destination: CallDestination,
    maximumIdleMilliseconds: number,
  ): Promise<ApiAnswer> {
    const { connection, api } = destination
    const sent = { ...request, credentials: await credentials.next() }
    const sentAt = now()
    const limits = limitsOf(destination, sentAt, maximumIdleMilliseconds)
    try {
      const answer = await apiEndpoint.send(api, sent, limits)
      log({ event: 'api_called', connection, milliseconds: now() - sentAt, status: answer.status })
      return answer
    } catch (error) {
      if (error instanceof ApiCallError)
        log({ event: 'api_call_failed', connection, milliseconds: now() - sentAt, code: error.code })
      throw error
    }
  }

  /** The API may have received the first request, whatever the second one ends in. */
  async function sendAgain(call: PreparedCall, destination: CallDestination): Promise<ApiAnswer> {
    log({ event: 'api_call_repeated', connection: destination.connection, reason: 'dead_connection' })
    try {
      return await sendOnce(call, destination, noIdleMilliseconds)
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
