import { findDuplicateName, isDeeplyNested, isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import type { ServerToDiscover } from '../configuration/connection.ts'
import type { TlsConfiguration } from '../configuration/transport.ts'
import { UnreachableError, UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import type { MetadataAnswer, MetadataSource } from './metadata-source.ts'

/** What the metadata of an authorization server says (RFC 8414 section 2). It is as the server wrote it, and not checked. */
export interface ServerMetadata {
  /** Where the document is. */
  readonly url: string
  readonly members: JsonObject
}

/**
 * The places of the metadata of an issuer: that of RFC 8414 section 3.1, which inserts the well-known part before the path, then that of
 * OpenID Connect Discovery section 4, which appends it.
 */
export function metadataUrls(issuer: string): readonly [string, string] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
}

/**
 * Reads the metadata of an issuer, from the second place only if the server has nothing at the first.
 * @throws {TokenEndpointError} and what `MetadataSource` throws
 */
export async function readServerMetadata(source: MetadataSource, server: ServerToDiscover): Promise<ServerMetadata> {
  const [first, second] = metadataUrls(server.issuer)
  const answer = await source.get({ server, url: first })
  if (!isNothing(answer.status)) return readDocument(answer, server, first)
  return readDocument(await source.get({ server, url: second }), server, second)
}

/** A server that does not know the place answers with a code of the client (RFC 9110 section 15.5), or leads to a login page. */
function isNothing(status: number): boolean {
  return status >= 300 && status < 500 && !isPassing(status)
}

/** 408, 425 and 429 say to try again later. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429
}

/** RFC 8414 section 3.2 and 3.3. */
function readDocument({ status, body }: MetadataAnswer, { id, issuer }: ServerToDiscover, url: string): ServerMetadata {
  if (isPassing(status))
    throw new UnreachableError(
      `The issuer of authorizationServer/${id} answered with status ${status} at ${url}. Try again later, or set tokenEndpoint.`,
      { blames: 'endpoint', wasSent: false },
    )
  if (status >= 300 && status < 400)
    throw unusable(
      `The issuer of authorizationServer/${id} answered with a redirect (status ${status}) at ${url}. Tokenwell follows no redirect: set issuer to the value in the server's metadata, or set tokenEndpoint.`,
    )
  if (status !== 200)
    throw unusable(
      `The issuer of authorizationServer/${id} has no metadata: it answered with status ${status} at ${url}. Correct issuer, or set tokenEndpoint.`,
    )
  const members = parseObject(body)
  if (!members)
    throw unusable(
      `The issuer of authorizationServer/${id} answered at ${url} with what is not a JSON object with each name once. Correct issuer, or set tokenEndpoint.`,
    )
  if (members['issuer'] !== issuer) throw unusable(otherIssuer(members['issuer'], issuer, id, url))
  return { url, members }
}

export function parseObject(body: string | undefined): JsonObject | undefined {
  if (body === undefined || isDeeplyNested(body)) return undefined
  const value = parseJson(body)
  // Two readers of the same document may see two different token endpoints.
  return isJsonObject(value) && !findDuplicateName(body) ? value : undefined
}

/** The token endpoint as the metadata names it. RFC 8705 section 5: a client with a certificate has its own, if there is one. */
export function statedEndpoint({ clientCertificate }: TlsConfiguration, members: JsonObject): unknown {
  const aliases = members['mtls_endpoint_aliases']
  const ofCertificates = clientCertificate && isJsonObject(aliases) ? aliases['token_endpoint'] : undefined
  return ofCertificates ?? members['token_endpoint']
}

/** RFC 8414 section 3.3: the issuer must be identical. Otherwise one server could speak for another (mix-up). */
function otherIssuer(stated: unknown, issuer: string, id: string, url: string): string {
  const isSlash = typeof stated === 'string' && stated.replace(/\/$/, '') === issuer.replace(/\/$/, '')
  if (isSlash)
    return `The metadata at ${url} names the issuer of authorizationServer/${id} with another slash at its end. Set issuer to ${JSON.stringify(stated)}.`
  return `The metadata at ${url} is of another issuer than ${issuer}. Set issuer of authorizationServer/${id} to exactly the issuer in the metadata, if that is the server that you mean.`
}

/** It is never due to caller parameters: they are not a part of the request. */
export function unusable(message: string): UnreadableAnswerError {
  return new UnreadableAnswerError(message, { mayBeOfRequest: false })
}
