import { Agent, type Dispatcher, request } from 'undici'
import type { ResolvedAuthorizationServer, TlsConfiguration } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { maximumAnswerBytes, type TokenEndpoint, type TokenEndpointAnswer } from '../token-endpoint/token-endpoint.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import { readTlsIdentity } from './tls-identity.ts'
import { describeFailure } from './token-endpoint-failure.ts'

/** Shorter than most servers keep an idle connection: one that they are about to close is not used again. */
const keepAliveMilliseconds = 4_000

/**
 * The token endpoint over undici: keep-alive connections per TLS identity, no redirects, no repetition, bounded time and
 * size.
 */
export function undiciTokenEndpoint(secrets: SecretCache): TokenEndpoint {
  const agents = new Map<string, { readonly agent: Promise<Agent>; readonly identity: readonly Secret[] }>()

  /** Made anew when a secret changes: certificates that it no longer holds are trusted, and shown, no more. */
  async function agentFor(server: ResolvedAuthorizationServer): Promise<Agent> {
    const { id, tls, connectTimeoutMilliseconds, maximumConcurrency } = server
    const identity = await readIdentity(tls, secrets)
    const name = JSON.stringify([id, tls, connectTimeoutMilliseconds, maximumConcurrency])
    const known = agents.get(name)
    if (known?.identity.every((secret, index) => identity[index]?.equals(secret))) return known.agent

    const agent = createAgent(server, secrets)
    agents.set(name, { agent, identity })
    agent.catch(() => {
      agents.delete(name)
      for (const secret of secretNames(tls)) secrets.forget(secret)
    })
    // What is under way on the old one ends in peace.
    known?.agent.then((old) => old.close()).catch(() => {})
    return agent
  }

  return {
    async post(server, { headers, form, timeouts }) {
      const dispatcher = await agentFor(server)
      const revealed = Object.entries(headers).map(([name, value]) => [name, value.reveal()])
      try {
        const response = await request(server.tokenEndpoint, {
          dispatcher,
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
          signal: AbortSignal.timeout(timeouts.totalMilliseconds),
        })
        return await readAnswer(response)
      } catch (error) {
        throw describeFailure(error, server)
      }
    },
  }
}

function readIdentity(tls: TlsConfiguration, secrets: SecretStore): Promise<Secret[]> {
  return Promise.all(secretNames(tls).map((name) => secrets.get(name)))
}

function secretNames({ trustStore, clientCertificate }: TlsConfiguration): string[] {
  return [trustStore, clientCertificate].filter((name) => name !== undefined)
}

async function createAgent(server: ResolvedAuthorizationServer, secrets: SecretStore): Promise<Agent> {
  return new Agent({
    connections: server.maximumConcurrency,
    pipelining: 1,
    // What is bounded and told apart here is HTTP/1.1: one answer a connection, and its end is the connection's.
    allowH2: false,
    keepAliveTimeout: keepAliveMilliseconds,
    connect: {
      timeout: server.connectTimeoutMilliseconds,
      minVersion: server.tls.minimumVersion,
      ...(await readTlsIdentity(server.tls, secrets)),
    },
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
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UnreadableAnswerError('The token endpoint answers with text that is not UTF-8.')
  }
}
