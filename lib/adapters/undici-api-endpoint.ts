import type { Dispatcher } from 'undici'
import { ApiCallError } from '../api-call/api-call-error.ts'
import {
  type ApiAnswer,
  type ApiCallLimits,
  type ApiEndpoint,
  type ApiRequest,
  maximumPayloadBytes,
} from '../api-call/api-endpoint.ts'
import type { ProtectedApi } from '../configuration/connection.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { type ApiConnection, createApiConnections } from './api-connections.ts'
import { readConnectionFailure } from './connection-failure.ts'
import { createOpenedByIdentity } from './opened-by-identity.ts'
import { untilAborted } from './until-aborted.ts'

/** How far a call came, for whoever has to know whether it may be made again. */
interface Progress {
  /** Of the connection, before this call; 0 where it was opened for it. */
  readonly openedTimes: number
  isAnswered: boolean
}

/** APIs over undici: keep-alive connections per origin and TLS identity, no redirects, no repetition, bounded time and size. */
export function undiciApiEndpoint(secrets: SecretCache, now: () => number): ApiEndpoint {
  const openedConnections = createOpenedByIdentity(secrets, (connect, { origin }: ProtectedApi) =>
    createApiConnections(origin, connect, now),
  )

  return {
    async send(api, request, limits) {
      const { origin, tls, proxy, connectTimeoutMilliseconds } = api
      const connections = await openedConnections(JSON.stringify([origin, tls, proxy, connectTimeoutMilliseconds]), api)
      const connection = connections.take(limits.maximumIdleMilliseconds)
      const progress: Progress = { openedTimes: connection.openedTimes, isAnswered: false }
      try {
        const answer = await exchange(connection, request, limits, progress)
        connections.giveBack(connection)
        return answer
      } catch (error) {
        // Looked at first: it is closed now.
        const failure = describeFailure(error, api, connection, progress)
        connections.discard(connection)
        throw failure
      }
    },
  }
}

async function exchange(
  { client }: ApiConnection,
  { method, target, headers, token, body }: ApiRequest,
  { receiveMilliseconds, totalMilliseconds }: ApiCallLimits,
  progress: Progress,
): Promise<ApiAnswer> {
  const signal = AbortSignal.timeout(totalMilliseconds)
  const request = client.request({
    method,
    path: target,
    headers: { ...headers, authorization: `Bearer ${token.reveal()}` },
    body: body ?? null,
    headersTimeout: receiveMilliseconds,
    bodyTimeout: receiveMilliseconds,
    signal,
  })
  const response = await untilAborted(signal, request)
  progress.isAnswered = true
  return { status: response.statusCode, headers: present(response.headers), body: await readBody(response.body) }
}

function present(headers: Dispatcher.ResponseData['headers']): ApiAnswer['headers'] {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return Object.fromEntries(entries)
}

async function readBody(body: Dispatcher.ResponseData['body']): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maximumPayloadBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(): ApiCallError {
  return new ApiCallError(
    'http_response_body_size',
    `The API's answer is larger than the ${maximumPayloadBytes} bytes (6 MB) that Lambda hands over: ask it for less at a time.`,
    { wasSent: true },
  )
}

function describeFailure(error: unknown, api: ProtectedApi, { openedTimes }: ApiConnection, progress: Progress): Error {
  if (error instanceof ApiCallError) return error
  const { type, predicate } = readConnectionFailure(error, api)
  const message = `The API at ${api.origin} ${predicate}.`
  const wasReused = progress.openedTimes > 0 && openedTimes === progress.openedTimes
  const wasSent = progress.isAnswered || openedTimes > progress.openedTimes || wasReused
  if (progress.isAnswered && type === 'connection_terminated')
    return new ApiCallError('http_response_incomplete', `The API at ${api.origin} broke off its answer.`, { wasSent })
  if (!wasSent && type === 'http_response_timeout')
    return new ApiCallError('connection_timeout', `The API at ${api.origin} can't be reached in time.`, { wasSent })
  return new ApiCallError(type, message, {
    wasSent: wasSent && type !== 'tls_alert_received',
    wasDead: wasReused && !progress.isAnswered && type === 'connection_terminated',
  })
}
