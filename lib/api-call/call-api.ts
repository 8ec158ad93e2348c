import type { Token } from '../access-token/token.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { Connection, ProtectedApi } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import type { GetToken } from '../get-token/get-token.ts'
import { CoolingDownError } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import type { ApiAnswer, ApiEndpoint, ApiRequest } from './api-endpoint.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import { isTokenRejected } from './rejected-token.ts'
import { createSendCall } from './send-call.ts'
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
  readonly connections: ConnectionCache
  readonly getToken: GetToken
  readonly apiEndpoint: ApiEndpoint
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

/**
 * The use case: a connection's API is called with its token. An answer is whatever the API answers. Errors are those of
 * `TokenError`, and {ApiCallError} where the API gives none.
 * @param deadline milliseconds since the epoch by which the caller needs an answer
 */
export type CallApi = (call: ApiCall, deadline: number) => Promise<ApiAnswer>

/** That a token so young is refused is not a matter of its age: another one would fare no better. */
const youngMilliseconds = 10_000

export function createCallApi({ connections, getToken, apiEndpoint, now, pause, log }: CallApiParts): CallApi {
  const sendCall = createSendCall({ apiEndpoint, now, log })

  return async (call, deadline) => {
    const { connection } = await inTime(connections.get(call.connection), deadline - now(), pause, outOfTime)
    const api = apiOf(connection)
    const request = { ...read(call), target: targetWithin(api.basePath, call.path, call.query) }
    const to = { connection: connection.name, api, deadline }

    const { token } = await getToken({ connection: connection.name, further: {} }, deadline)
    const answer = await sendCall({ ...request, token: token.accessToken }, to)
    if (!isTokenRejected(answer, api.rejection) || isYoung(token)) return answer

    const other = await replace(token, deadline)
    if (!other) return answer
    log({ event: 'api_call_repeated', connection: connection.name, reason: 'token_rejected' })
    return sendCall({ ...request, token: other.accessToken }, to)
  }

  function isYoung({ issuedAt }: Token): boolean {
    return now() < issuedAt + youngMilliseconds
  }

  /** Undefined where that one stays: it replaced another one a moment ago. */
  async function replace({ id, connection }: Token, deadline: number): Promise<Token | undefined> {
    try {
      const { token } = await getToken({ connection, further: {}, rejectedTokenId: id }, deadline)
      return token.id === id ? undefined : token
    } catch (error) {
      if (error instanceof CoolingDownError && !error.failure) return undefined
      throw error
    }
  }
}

function outOfTime(): never {
  throw new TimedOutError("The connection's elements did not come before the caller's deadline.")
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
