import { setImmediate } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import Pool from 'undici/lib/dispatcher/pool.js'
import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import {
  maximumAnswerBytes,
  type TokenEndpoint,
  type TokenEndpointAnswer,
  type TokenEndpointRequest,
} from '../token-endpoint/token-endpoint.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import type { Connector } from './connector.ts'
import { exchange, type HttpAnswer } from './http-exchange.ts'
import { createOpenedByIdentity } from './opened-by-identity.ts'
import { describeFailure } from './token-endpoint-failure.ts'

/** Shorter than most servers keep an idle connection: one that they are about to close is not used again. */
const keepAliveMilliseconds = 4_000
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The token endpoint over undici: keep-alive connections per TLS identity, no redirects, no repetition, bounded time and
 * size.
 */
export function undiciTokenEndpoint(secrets: SecretCache): TokenEndpoint {
  const openedPools = createOpenedByIdentity(secrets, createPool)
  /** As long undici takes to use a connection again: who asked sooner would have to open another one. */
  let isFreed: Promise<unknown> = Promise.resolve()

  function poolFor(server: ResolvedAuthorizationServer, { origin }: URL): Promise<Pool> {
    const { id, tls, proxy, connectTimeoutMilliseconds, maximumConcurrency } = server
    return openedPools(JSON.stringify([id, origin, tls, proxy, connectTimeoutMilliseconds, maximumConcurrency]), server)
  }

  return {
    async post(server, { timeouts, ...request }) {
      const url = new URL(server.tokenEndpoint)
      const pool = await poolFor(server, url)
      await isFreed
      try {
        const limits = { ...timeouts, maximumBytes: maximumAnswerBytes, tooLarge }
        return readAnswer(await exchange(pool, toDispatch(url, request), limits))
      } catch (error) {
        throw describeFailure(error, server)
      } finally {
        isFreed = setImmediate()
      }
    },
  }
}

function createPool(connect: Connector, { tokenEndpoint, maximumConcurrency }: ResolvedAuthorizationServer): Pool {
  return new Pool(new URL(tokenEndpoint).origin, {
    connections: maximumConcurrency,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: keepAliveMilliseconds,
    connect,
  })
}

function toDispatch(
  { pathname, search }: URL,
  { headers, form }: Omit<TokenEndpointRequest, 'timeouts'>,
): Dispatcher.DispatchOptions {
  const revealed = Object.entries(headers).map(([name, value]) => [name, value.reveal()])
  return {
    path: `${pathname}${search}`,
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      // A compressed answer could unfold to any size.
      'accept-encoding': 'identity',
      ...Object.fromEntries(revealed),
    },
    body: form.reveal(),
  }
}

function tooLarge(): UnreadableAnswerError {
  return new UnreadableAnswerError(`The token endpoint answers with more than ${maximumAnswerBytes / 1024} KiB.`)
}

function readAnswer({ status, headers, body }: HttpAnswer): TokenEndpointAnswer {
  const { 'retry-after': retryAfter, date } = headers
  return {
    status,
    ...(typeof retryAfter === 'string' && { retryAfter }),
    ...(typeof date === 'string' && { date }),
    body: decode(body),
  }
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new UnreadableAnswerError('The token endpoint answers with text that is not UTF-8.')
  }
}
