import type { LocatedServer, ServerToDiscover } from '../configuration/connection.ts'
import { isReachedDirectly } from '../configuration/no-proxy.ts'
import { isLoopback, repeatedInQuery } from '../configuration/server-address.ts'
import { isWebUrl } from '../configuration/value-syntax.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import { type ServerMetadata, statedEndpoint, unusable } from './server-metadata.ts'

/** The metadata names a token endpoint on a host that the elements do not name. No request is sent there. */
export class NewHostError extends UnreadableAnswerError {
  readonly host: string

  constructor(message: string, host: string) {
    super(message, { mayBeOfRequest: false })
    this.host = host
  }
}

/**
 * The server with the token endpoint that its metadata names. A client with a certificate uses the endpoint for such clients, if there is
 * one (RFC 8705 section 5).
 * @throws {NewHostError}
 * @throws {UnreadableAnswerError} if it names none that may be used
 */
export function locate(server: ServerToDiscover, metadata: ServerMetadata): LocatedServer {
  const { discovery, proxy: _proxyOfIssuer, ...settings } = server
  const tokenEndpoint = demandEndpoint(statedEndpoint(server.tls, metadata.members), server, metadata)
  const proxy =
    discovery.proxy && isReachedDirectly(new URL(tokenEndpoint), discovery.noProxy) ? undefined : discovery.proxy
  const located = { ...settings, tokenEndpoint, ...(proxy && { proxy }) }
  // The token request would leave this machine without TLS.
  if (proxy && tokenEndpoint.startsWith('http:')) throw notTls(server, metadata)
  return located
}

function demandEndpoint(stated: unknown, server: ServerToDiscover, metadata: ServerMetadata): string {
  const { id, issuer, discovery, parametersInQuery = [] } = server
  const { url } = metadata
  if (typeof stated !== 'string' || stated.length > 4096 || !isWebUrl(stated))
    throw unusable(
      `The metadata at ${url} names no token endpoint that is a URL without fragment, user and password. Set tokenEndpoint of authorizationServer/${id}.`,
    )
  const { protocol, hostname } = new URL(stated)
  const issuerUrl = new URL(issuer)
  if (hostname !== issuerUrl.hostname && !discovery.hosts.includes(hostname))
    throw new NewHostError(
      `The metadata at ${url} names a token endpoint on the host ${hostname}, which is not the host of the issuer. No request is sent there. If the operator of the server confirms it, add it to tokenEndpointHosts of authorizationServer/${id}.`,
      hostname,
    )
  // Only elements can allow a request without TLS, and only on this machine.
  if (protocol !== 'https:' && !(issuerUrl.protocol === 'http:' && isLoopback(hostname))) throw notTls(server, metadata)
  const twice = repeatedInQuery(stated, parametersInQuery)
  if (twice !== undefined)
    throw unusable(
      `The metadata at ${url} names a token endpoint whose query has the parameter ${twice} too. Take it out of parametersInQuery of authorizationServer/${id}.`,
    )
  return stated
}

function notTls({ id }: ServerToDiscover, { url }: ServerMetadata): UnreadableAnswerError {
  return unusable(
    `The metadata at ${url} names a token endpoint without TLS. Fix the server, or set tokenEndpoint of authorizationServer/${id}.`,
  )
}
