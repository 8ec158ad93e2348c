import { decodeUtf8 } from '../../base/decoding.ts'
import {
  longestMetadataMilliseconds,
  type MetadataAnswer,
  type MetadataRequest,
  type MetadataSource,
  maximumMetadataBytes,
} from '../../discovery/metadata-source.ts'
import type { SecretCache } from '../../secret/secret-cache.ts'
import { TimedOutError, UnreachableError, UnreadableAnswerError } from '../../token-endpoint/token-endpoint-error.ts'
import { readConnectionFailure } from './connection-failure.ts'
import { createConnector, secretNamesOf } from './connector.ts'
import { AnswerTooLargeError, exchange, type HttpAnswer } from './http-exchange.ts'
import { Client } from './undici.ts'

/**
 * Reads the documents of servers over undici: by the proxy, the trust store and the client certificate of their elements, with no redirects,
 * no retries, limited time and size. A document is rarely read, so each has a connection of its own.
 */
export function undiciMetadata(secrets: SecretCache): MetadataSource {
  async function open({ server, url }: MetadataRequest): Promise<Client> {
    try {
      const connect = await createConnector(server, secrets)
      return new Client(new URL(url).origin, { connect, pipelining: 1, allowH2: false })
    } catch (error) {
      for (const name of secretNamesOf(server)) secrets.forget(name)
      throw error
    }
  }

  return {
    async get(request) {
      const client = await open(request)
      try {
        return readAnswer(await ask(client, request))
      } catch (error) {
        throw describeFailure(error, request)
      } finally {
        client.destroy().catch(() => {})
      }
    },
  }
}

async function ask(client: Client, { server, url }: MetadataRequest): Promise<HttpAnswer> {
  const { pathname, search } = new URL(url)
  const headers = { accept: 'application/json', 'user-agent': 'tokenwell', 'accept-encoding': 'identity' }
  const limits = {
    receiveMilliseconds: Math.min(server.receiveTimeoutMilliseconds, longestMetadataMilliseconds),
    totalMilliseconds: longestMetadataMilliseconds,
    maximumBytes: maximumMetadataBytes,
  }
  return await exchange(client, { method: 'GET', path: `${pathname}${search}`, headers }, limits)
}

function readAnswer({ status, headers, body }: HttpAnswer): MetadataAnswer {
  const { 'www-authenticate': challenge } = headers
  return { status, ...(challenge !== undefined && { challenge: String(challenge) }), body: decodeUtf8(body) }
}

function describeFailure(error: unknown, { server, url }: MetadataRequest): Error {
  if (error instanceof AnswerTooLargeError)
    return new UnreadableAnswerError(
      `The document at ${url} has more than ${maximumMetadataBytes / 1024} KiB. Fix the server, or set tokenEndpoint.`,
      { mayBeOfRequest: false },
    )
  const { type, message, isLasting = false } = readConnectionFailure(error, server, `The server of ${url}`)
  switch (type) {
    case 'connection_read_timeout':
    case 'http_response_timeout':
      return new TimedOutError(message, { isServers: true, wasSent: false })
    case 'http_protocol_error':
    case 'http_response_header_section_size':
      return new UnreadableAnswerError(message, { mayBeOfRequest: false })
    default:
      return new UnreachableError(message, { isLasting, wasSent: false })
  }
}
