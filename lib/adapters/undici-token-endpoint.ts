import { setImmediate } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import request from 'undici/lib/api/api-request.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { maximumAnswerBytes, type TokenEndpoint, type TokenEndpointAnswer } from '../token-endpoint/token-endpoint.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import type { Connector } from './connector.ts'
import { createOpenedByIdentity } from './opened-by-identity.ts'
import { describeFailure } from './token-endpoint-failure.ts'
import { untilAborted } from './until-aborted.ts'

/** Shorter than most servers keep an idle connection: one that they are about to close is not used again. */
const keepAliveMilliseconds = 4_000
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The token endpoint over undici: keep-alive connections per TLS identity, no redirects, no repetition, bounded time and
 * size.
 */
export function undiciTokenEndpoint(secrets: SecretCache): TokenEndpoint {
  const openedAgents = createOpenedByIdentity(secrets, createAgent)

  function agentFor(server: ResolvedAuthorizationServer): Promise<Agent> {
    const { id, tls, proxy, connectTimeoutMilliseconds, maximumConcurrency } = server
    return openedAgents(JSON.stringify([id, tls, proxy, connectTimeoutMilliseconds, maximumConcurrency]), server)
  }

  return {
    async post(server, { headers, form, timeouts }) {
      const agent = await agentFor(server)
      const { origin, pathname, search } = new URL(server.tokenEndpoint)
      const revealed = Object.entries(headers).map(([name, value]) => [name, value.reveal()])
      const signal = AbortSignal.timeout(timeouts.totalMilliseconds)
      try {
        const response = request.call(agent, {
          origin,
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
          headersTimeout: timeouts.receiveMilliseconds,
          bodyTimeout: timeouts.receiveMilliseconds,
          signal,
        })
        const answer = await readAnswer(await untilAborted(signal, response))
        // So long undici takes to use a connection again: who asks sooner has to open another one.
        await setImmediate()
        return answer
      } catch (error) {
        throw describeFailure(error, server)
      }
    },
  }
}

function createAgent(connect: Connector, { maximumConcurrency }: ResolvedAuthorizationServer): Agent {
  return new Agent({
    connections: maximumConcurrency,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: keepAliveMilliseconds,
    connect,
  })
}

async function readAnswer({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<TokenEndpointAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maximumAnswerBytes)
      throw new UnreadableAnswerError(`The token endpoint answers with more than ${maximumAnswerBytes / 1024} KiB.`)
    chunks.push(chunk)
  }
  const { 'retry-after': retryAfter, date } = headers
  return {
    status: statusCode,
    ...(typeof retryAfter === 'string' && { retryAfter }),
    ...(typeof date === 'string' && { date }),
    body: decode(Buffer.concat(chunks)),
  }
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new UnreadableAnswerError('The token endpoint answers with text that is not UTF-8.')
  }
}
