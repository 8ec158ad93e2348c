import { LRUCache } from 'lru-cache'
import { decodeUtf8 } from '../../base/decoding.ts'
import { createSemaphore, type Semaphore } from '../../base/semaphore.ts'
import type { LocatedServer } from '../../configuration/connection.ts'
import type { SecretCache } from '../../secret/secret-cache.ts'
import {
  maximumAnswerBytes,
  type TokenEndpoint,
  type TokenEndpointAnswer,
  type TokenEndpointRequest,
  type WrittenRequest,
} from '../../token-endpoint/token-endpoint.ts'
import { TimedOutError, UnreachableError, UnreadableAnswerError } from '../../token-endpoint/token-endpoint-error.ts'
import { readConnectionFailure } from './connection-failure.ts'
import { decodeContent } from './content-coding.ts'
import { createDispatcherCache } from './dispatcher-cache.ts'
import {
  createHttpConnectionPool,
  type HttpConnection,
  type HttpConnectionPool,
  isOpen,
} from './http-connection-pool.ts'
import { AnswerTooLargeError, type ExchangeProgress, exchange, type HttpAnswer, withinTime } from './http-exchange.ts'
import { type Dispatcher, errors } from './undici.ts'

/** A request that waited longer than this for others, or for its signature, did not have the full time for its server. */
const longestWaitMilliseconds = 100
/** Shorter than the keep-alive time of most servers, so that a connection that is about to be closed is not used. */
const keepAliveMilliseconds = 4_000

const maximumServers = 1_000

/**
 * Sends token requests over undici: keep-alive sockets per connection and TLS identity, no redirects, no retries, limited time and
 * size. If a server answers twice, one connection's token still never reaches another connection.
 */
export function undiciTokenEndpoint(secrets: SecretCache, now: () => number): TokenEndpoint {
  const pools = createDispatcherCache<HttpConnectionPool, LocatedServer>(secrets, {
    create: (connector, { tokenEndpoint }) =>
      createHttpConnectionPool(new URL(tokenEndpoint).origin, connector, keepAliveMilliseconds, now),
  })
  const semaphores = new LRUCache<string, Semaphore>({ max: maximumServers })

  /** All connections of a server share its `maximumConcurrency`. */
  function semaphoreOf({ id, tokenEndpoint, maximumConcurrency }: LocatedServer): Semaphore {
    const name = JSON.stringify([id, new URL(tokenEndpoint).origin, maximumConcurrency])
    const semaphore = semaphores.get(name) ?? createSemaphore(maximumConcurrency)
    semaphores.set(name, semaphore)
    return semaphore
  }

  return {
    async post(server, request) {
      const { id, tls, proxy, connectTimeoutMilliseconds, tokenEndpoint } = server
      const { origin } = new URL(tokenEndpoint)
      const name = JSON.stringify([request.connection, id, origin, tls, proxy, connectTimeoutMilliseconds])
      const route = { tokenEndpoint, connections: await pools.get(name, server), semaphore: semaphoreOf(server) }
      const progress: ExchangeProgress = { isSent: false, isAnswered: false }
      try {
        return readAnswer(await exchangeOver(route, request, progress), request.answerHeaders)
      } catch (error) {
        if (error instanceof WritingFailedError) throw error.cause
        throw describeTokenEndpointFailure(error, server, progress)
      }
    },
  }
}

/** The route from one connection to its authorization server. */
interface Route {
  readonly tokenEndpoint: string
  readonly connections: HttpConnectionPool
  readonly semaphore: Semaphore
}

/** The request could not be written. The cause says why, and has nothing to do with the server. */
class WritingFailedError extends Error {
  override readonly name = 'WritingFailedError'
}

async function exchangeOver(
  route: Route,
  request: TokenEndpointRequest,
  progress: ExchangeProgress,
): Promise<HttpAnswer> {
  const { receiveMilliseconds, totalMilliseconds: total } = request.timeouts
  const startedAt = performance.now()
  const endsAt = startedAt + total
  const timeUp = AbortSignal.timeout(Math.max(0, Math.ceil(total)))
  let waitedMilliseconds = Infinity
  let writingMilliseconds = 0
  const exchanged = route.semaphore.run(async () => {
    waitedMilliseconds = performance.now() - startedAt
    const { connection, written, ...ready } = await openAndWrite(route, request, endsAt)
    writingMilliseconds = ready.writingMilliseconds
    try {
      const totalMilliseconds = endsAt - performance.now()
      const limits = { receiveMilliseconds, totalMilliseconds, maximumBytes: maximumAnswerBytes }
      const answer = await exchange(connection.client, toDispatch(route, written), limits, progress)
      await route.connections.giveBack(connection)
      return answer
    } catch (error) {
      route.connections.discard(connection)
      throw error
    }
  }, timeUp)
  return await exchanged.catch((error: unknown) => {
    if (!(error instanceof DOMException)) throw error
    if (waitedMilliseconds > longestWaitMilliseconds)
      throw new TimedOutError(
        'Other token requests of this process used up the time for this one. Consider increasing maximumConcurrency of the authorization server.',
      )
    if (writingMilliseconds <= longestWaitMilliseconds) throw error
    throw new TimedOutError(
      'The signature of the token request took so long that the server did not have its full time. If the key is in AWS KMS, check that KMS answers in time.',
      { wasSent: progress.isSent },
    )
  })
}

interface Ready {
  readonly connection: HttpConnection
  readonly written: WrittenRequest
  readonly writingMilliseconds: number
}

/** Writes the request for a connection that is open, so that a short-lived assertion does not wait for one. */
async function openAndWrite(
  { connections }: Pick<Route, 'connections'>,
  request: TokenEndpointRequest,
  endsAt: number,
  maximumIdleMilliseconds = keepAliveMilliseconds,
): Promise<Ready> {
  const connection = await connections.take(maximumIdleMilliseconds)
  const wasIdle = isOpen(connection)
  try {
    await withinTime(connections.open(connection), endsAt - performance.now())
    const begunAt = performance.now()
    const written = await withinTime(writeFor(request), endsAt - begunAt).catch((error: unknown) => {
      throw error instanceof DOMException ? signedTooLate() : error
    })
    if (isOpen(connection)) return { connection, written, writingMilliseconds: performance.now() - begunAt }
  } catch (error) {
    connections.discard(connection)
    throw error
  }
  connections.discard(connection)
  // A server closes idle connections at any time, and may have done so meanwhile.
  if (wasIdle) return await openAndWrite({ connections }, request, endsAt, 0)
  throw connection.endedBy ?? new errors.SocketError('The server closed a new connection.')
}

/** A key service that is slow says nothing about the authorization server. */
function signedTooLate(): TimedOutError {
  return new TimedOutError(
    'The token request was not signed in time. If its key is in AWS KMS, check that KMS answers in time.',
    { wasSent: false },
  )
}

/** @throws {WritingFailedError} */
async function writeFor(request: TokenEndpointRequest): Promise<WrittenRequest> {
  try {
    return await request.write()
  } catch (cause) {
    throw new WritingFailedError('The token request was not written.', { cause })
  }
}

function toDispatch(
  { tokenEndpoint }: Pick<Route, 'tokenEndpoint'>,
  { method, headers, form, json, query }: WrittenRequest,
): Dispatcher.DispatchOptions {
  const { pathname, search } = new URL(tokenEndpoint)
  const revealed = Object.entries(headers).map(([name, value]) => [name, value.reveal()])
  return {
    path: `${pathname}${query ? `${search === '' ? '?' : `${search}&`}${query.reveal()}` : search}`,
    method: method ?? 'POST',
    headers: {
      accept: 'application/json',
      // Some servers, such as GitHub, refuse requests without it.
      'user-agent': 'tokenwell',
      ...Object.fromEntries(revealed),
      ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(json && { 'content-type': 'application/json' }),
      'accept-encoding': 'identity',
    },
    body: (form ?? json)?.reveal() ?? null,
  }
}

function readAnswer({ status, headers, body }: HttpAnswer, wanted: readonly string[] = []): TokenEndpointAnswer {
  const { 'retry-after': retryAfter, 'www-authenticate': challenge, date } = headers
  const rateLimitReset = headers['x-rate-limit-reset'] ?? headers['x-ratelimit-reset']
  return {
    status,
    ...(typeof retryAfter === 'string' && { retryAfter }),
    ...(typeof rateLimitReset === 'string' && { rateLimitReset }),
    ...(challenge !== undefined && { challenge: String(challenge) }),
    ...(typeof date === 'string' && { date }),
    ...(wanted.length > 0 && { headers: headersNamed(wanted, headers) }),
    body: readText(body, headers),
  }
}

/** A header that comes several times is left out: none of its values can be told from the others. */
function headersNamed(names: readonly string[], headers: HttpAnswer['headers']): Record<string, string> {
  const found = names.map((name) => [name, headers[name]] as const)
  return Object.fromEntries(found.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

/** JSON is UTF-8 (RFC 8259 section 8.1). A token can be read from other encodings too. */
function readText(body: Buffer, headers: HttpAnswer['headers']): string {
  const codings = [headers['content-encoding'] ?? '', headers['transfer-encoding'] ?? ''].flat()
  // Some servers name a content coding that they did not apply.
  const bytes = decodeContent(body, codings, maximumAnswerBytes) ?? body
  const text = decodeUtf8(bytes)
  if (text !== undefined && !text.includes('\0')) return text
  const decoder = decoderOf(String(headers['content-type'])) ?? new TextDecoder('latin1')
  return decoder.decode(bytes)
}

/** The decoder for the charset of a media type. Undefined if it names no charset or an unknown one. */
function decoderOf(mediaType: string): InstanceType<typeof TextDecoder> | undefined {
  const [, charset = ''] = /;\s*charset="?([\w.:-]{1,40})/i.exec(mediaType) ?? []
  try {
    return charset === '' ? undefined : new TextDecoder(charset)
  } catch {
    return undefined
  }
}

/**
 * Translates what undici and node:tls throw. A connection that ends without a byte of an answer blames the way, not the endpoint,
 * because a server that rejects the client certificate may close the connection like this.
 */
export function describeTokenEndpointFailure(
  error: unknown,
  server: LocatedServer,
  { isSent, isAnswered }: ExchangeProgress,
): Error {
  if (error instanceof UnreadableAnswerError || error instanceof TimedOutError) return error
  if (error instanceof AnswerTooLargeError)
    return new UnreadableAnswerError(`The token endpoint answered with more than ${maximumAnswerBytes / 1024} KiB.`)
  const failure = readConnectionFailure(error, server, `The token endpoint of ${server.id}`)
  const { type, message, isLasting = false } = failure
  switch (type) {
    case 'connection_read_timeout':
    case 'http_response_timeout':
      return new TimedOutError(message, { isServers: true, wasSent: isSent })
    case 'http_protocol_error':
    case 'http_response_header_section_size':
      return new UnreadableAnswerError(message)
    case 'dns_error':
    case 'destination_unavailable':
    case 'destination_ip_prohibited':
    case 'destination_ip_unroutable':
    case 'connection_refused':
    case 'connection_timeout':
    case 'tls_certificate_error':
    case 'tls_protocol_error':
    case 'tls_alert_received':
      return new UnreachableError(message, { isLasting })
    case 'connection_terminated':
      return new UnreachableError(message, { blames: isAnswered ? 'endpoint' : 'way', wasSent: isSent, isLasting })
  }
}
