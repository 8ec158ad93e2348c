import {
  type ApiAnswer,
  ApiCallError,
  type ApiEndpoint,
  type ApiRequest,
  maximumPayloadBytes,
} from '../../api-call/api-endpoint.ts'
import type { ProtectedApi } from '../../configuration/api.ts'
import { whyNoCredential } from '../../configuration/refused-header.ts'
import { foldedHeaderName } from '../../configuration/value-syntax.ts'
import type { Secret } from '../../secret/secret.ts'
import type { SecretCache } from '../../secret/secret-cache.ts'
import { readConnectionFailure } from './connection-failure.ts'
import { decodeContent } from './content-coding.ts'
import { createDispatcherCache } from './dispatcher-cache.ts'
import { createHttpConnectionPool, type HttpConnectionPool } from './http-connection-pool.ts'
import { AnswerTooLargeError, type ExchangeProgress, exchange, type HttpAnswer } from './http-exchange.ts'
import type { Dispatcher } from './undici.ts'

/** The longest time after which a call would still use an idle connection. */
const keepAliveMilliseconds = 60_000

/** RFC 9110 section 15: no status is higher. API Gateway would turn a higher one into 500. */
const highestStatus = 599

/**
 * Calls APIs over undici: keep-alive sockets per connection and TLS identity, no redirects, no retries, limited time and size. If an
 * API ends its answers in the wrong place, only the same connection is affected.
 */
export function undiciApiEndpoint(secrets: SecretCache, now: () => number): ApiEndpoint {
  const connectionsCache = createDispatcherCache<HttpConnectionPool, ProtectedApi>(secrets, {
    create: (connector, { origin }) => createHttpConnectionPool(origin, connector, keepAliveMilliseconds, now),
  })

  return {
    async send(api, request, limits) {
      const { origin, isPublicOnly = false, tls, proxy, connectTimeoutMilliseconds } = api
      const name = JSON.stringify([
        request.connection,
        ...[origin, isPublicOnly, tls, proxy, connectTimeoutMilliseconds],
      ])
      const dispatched = toDispatch(request)
      const connections = await connectionsCache.get(name, api)
      const connection = await connections.take(limits.maximumIdleMilliseconds)
      const usedBefore = connection.socket
      const progress: ExchangeProgress = { isSent: false, isAnswered: false }
      try {
        const bounds = { ...limits, maximumBytes: maximumPayloadBytes }
        const answer = await exchange(connection.client, dispatched, bounds, progress)
        demandStatus(answer, api)
        await connections.giveBack(connection)
        return { ...answer, body: withoutTransferCodings(answer, api) } as ApiAnswer
      } catch (error) {
        connections.discard(connection)
        const wasReused = usedBefore !== undefined && connection.socket === usedBefore
        throw describeApiFailure(error, api, progress, wasReused)
      }
    },
  }
}

function toDispatch({ method, target, headers, credentials, body }: ApiRequest): Dispatcher.DispatchOptions {
  const revealed = Object.entries(credentials).map(([name, value]) => [name, sendable(name, value)])
  const taken = new Set(Object.keys(credentials).map(foldedHeaderName))
  // A server that reads `x_token` as `x-token` must not get a token from the caller.
  const others = Object.entries(headers).filter(([name]) => !taken.has(foldedHeaderName(name)))
  return {
    method,
    path: target,
    headers: Object.fromEntries([...others, ...revealed]),
    body: body ?? null,
  }
}

/** The answer of a token server must not become another header, or a header about something else. */
function sendable(name: string, value: Secret): string {
  const text = value.reveal()
  if (whyNoCredential(name) === undefined && /^[\x21-\x7e][\x20-\x7e]*$/.test(text)) return text
  const message = `The credential for the header ${name} cannot be sent in it. Check the element that names this header, and what its token server answers.`
  throw new ApiCallError('http_protocol_error', message, { wasSent: false })
}

/** @throws {ApiCallError} */
function demandStatus({ status }: HttpAnswer, { origin }: ProtectedApi): void {
  if (status <= highestStatus) return
  const message = `The API at ${origin} answered with status ${status}, which is not an HTTP status. Fix the API.`
  throw new ApiCallError('http_protocol_error', message, { wasSent: true })
}

/**
 * Transfer codings belong to the HTTP connection. Content codings are for the caller and stay. No request asks for a transfer coding.
 * @throws {ApiCallError}
 */
function withoutTransferCodings({ headers, body }: HttpAnswer, { origin }: ProtectedApi): Buffer {
  const decoded = decodeContent(body, headers['transfer-encoding'], maximumPayloadBytes)
  if (decoded) return decoded
  const message = `The API at ${origin} answered in a transfer coding that cannot be decoded. Fix the API.`
  throw new ApiCallError('http_protocol_error', message, { wasSent: true })
}

function describeApiFailure(
  error: unknown,
  api: ProtectedApi,
  { isSent, isAnswered }: ExchangeProgress,
  wasReused: boolean,
): Error {
  if (error instanceof ApiCallError) return error
  if (error instanceof AnswerTooLargeError)
    return new ApiCallError(
      'http_response_body_size',
      `The API's answer is larger than ${maximumPayloadBytes} bytes (6 MB), the most that Lambda can return. Request less data at a time.`,
      { wasSent: true },
    )
  const { type, message } = readConnectionFailure(error, api, `The API at ${api.origin}`)
  if (isAnswered && type === 'connection_terminated')
    return new ApiCallError(
      'http_response_incomplete',
      `The API at ${api.origin} closed the connection in the middle of its answer.`,
      {
        wasSent: true,
      },
    )
  if (!isSent && type === 'http_response_timeout')
    return new ApiCallError('connection_timeout', `The API at ${api.origin} cannot be reached in time.`, {
      wasSent: false,
    })
  return new ApiCallError(type, message, {
    wasSent: isSent && type !== 'tls_alert_received',
    wasDead: wasReused && type === 'connection_terminated',
  })
}
