import { ConfigurationError } from '../configuration/configuration-error.ts'
import type { Connection, ProtectedApi } from '../configuration/connection.ts'
import type { Connections } from '../configuration/connections.ts'
import type { Log } from '../log/log-event.ts'
import { CoolingDownError } from '../token/cooling-down-error.ts'
import type { GetToken } from '../token/get-token.ts'
import type { Token } from '../token/token.ts'
import { reserveMilliseconds } from '../token-endpoint/timeouts.ts'
import { ApiCallError } from './api-call-error.ts'
import type { ApiAnswer, ApiCallLimits, ApiEndpoint, ApiRequest } from './api-endpoint.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import { isTokenRejected } from './is-token-rejected.ts'
import { targetWithin } from './target-within.ts'

/** A call as it came, still without a token. */
export interface ApiCall {
  readonly connection: string
  readonly method: string
  /** Below the base path, decoded; begins with a slash. */
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly cookies?: readonly string[]
  readonly body?: Uint8Array
}

export interface CallApiParts {
  readonly connections: Connections
  readonly getToken: GetToken
  readonly apiEndpoint: ApiEndpoint
  readonly now: () => number
  readonly log: Log
}

/**
 * The use case: a connection's API is called with its token. An answer is whatever the API answers. Errors are those of
 * `TokenError`, and {ApiCallError} where the API gives none.
 * @param deadline milliseconds since the epoch by which the caller needs an answer
 */
export type CallApi = (call: ApiCall, deadline: number) => Promise<ApiAnswer>

/** RFC 9110 section 9.2.2: to do it twice is to do it once. */
const idempotentMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
/** Longer than that no server keeps a connection that nobody uses. */
const longestIdleMilliseconds = 60_000
/** A connection so fresh is most probably alive: what can't be done twice goes over no other. */
const briefIdleMilliseconds = 2_000
/** That a token so young is refused is not a matter of its age: another one would fare no better. */
const youngMilliseconds = 10_000

export function createCallApi({ connections, getToken, apiEndpoint, now, log }: CallApiParts): CallApi {
  return async (call, deadline) => {
    const { connection } = await connections.get(call.connection)
    const api = apiOf(connection)
    const request = { ...read(call), target: targetWithin(api.basePath, call.path, call.query) }

    const { token } = await getToken({ connection: connection.name, further: {} }, deadline)
    const answer = await send(token)
    if (!isTokenRejected(answer, api.rejection) || isYoung(token)) return answer

    const other = await replace(token)
    if (!other) return answer
    log({ event: 'api_call_repeated', connection: connection.name, reason: 'token_rejected' })
    return send(other)

    async function send({ accessToken }: Token): Promise<ApiAnswer> {
      const withToken = { ...request, token: accessToken }
      const isIdempotent = idempotentMethods.includes(call.method)
      try {
        return await sendOnce(withToken, isIdempotent ? longestIdleMilliseconds : briefIdleMilliseconds)
      } catch (error) {
        if (!isIdempotent || !(error instanceof ApiCallError) || !error.wasDead) throw error
        log({ event: 'api_call_repeated', connection: connection.name, reason: 'dead_connection' })
        return sendAgain(withToken)
      }
    }

    /** Over a new connection. Whatever comes of it, the API may have done what it was asked to by the first. */
    async function sendAgain(request: ApiRequest): Promise<ApiAnswer> {
      try {
        return await sendOnce(request, 0)
      } catch (error) {
        throw error instanceof ApiCallError ? new ApiCallError(error.code, error.message, { wasSent: true }) : error
      }
    }

    async function sendOnce(request: ApiRequest, maximumIdleMilliseconds: number): Promise<ApiAnswer> {
      const sentAt = now()
      const told = () => ({ connection: connection.name, milliseconds: now() - sentAt })
      try {
        const answer = await apiEndpoint.send(api, request, limitsUntil(deadline, api, maximumIdleMilliseconds))
        log({ event: 'api_called', ...told(), status: answer.status })
        return answer
      } catch (error) {
        if (error instanceof ApiCallError) log({ event: 'api_call_failed', ...told(), code: error.code })
        throw error
      }
    }

    /** Undefined where that one stays: it replaced another one a moment ago. */
    async function replace({ id }: Token): Promise<Token | undefined> {
      try {
        const { token } = await getToken({ connection: connection.name, further: {}, rejectedTokenId: id }, deadline)
        return token.id === id ? undefined : token
      } catch (error) {
        if (error instanceof CoolingDownError && !error.failure) return undefined
        throw error
      }
    }
  }

  function isYoung({ issuedAt }: Token): boolean {
    return now() < issuedAt + youngMilliseconds
  }

  function limitsUntil(
    deadline: number,
    { receiveTimeoutMilliseconds }: ProtectedApi,
    maximumIdleMilliseconds: number,
  ): ApiCallLimits {
    const left = deadline - now() - reserveMilliseconds
    if (left <= 0)
      throw new ApiCallError('http_response_timeout', "No time is left for a call before the caller's deadline.", {
        wasSent: false,
      })
    return {
      receiveMilliseconds: Math.min(receiveTimeoutMilliseconds, left),
      totalMilliseconds: left,
      maximumIdleMilliseconds,
    }
  }
}

function read({ method, headers, cookies, body }: ApiCall): Omit<ApiRequest, 'target' | 'token'> {
  return { method, headers: forwardedHeaders(headers, cookies), ...(body && { body }) }
}

function apiOf({ name, api }: Connection): ProtectedApi {
  if (api) return api
  throw new ConfigurationError([
    {
      severity: 'mistake',
      element: { kind: 'endpointConnection', id: name },
      attribute: 'host',
      sentence: 'it is left out, and without it there is no API to call: name its host, as in https://api.example.com.',
    },
  ])
}
