import { isJsonArray } from '../base/decoding.ts'
import type { LocatedConnection } from '../configuration/connection.ts'
import type { ElementReference } from '../configuration/element.ts'
import type { Finding } from '../configuration/finding.ts'
import { isWebUrl } from '../configuration/value-syntax.ts'
import { type ServerMetadata, statedEndpoint } from './server-metadata.ts'

/** A warning about an attribute that the metadata of a server contradicts. */
export type MetadataWarning = Finding & Required<Pick<Finding, 'element' | 'attribute'>>

/**
 * Holds the elements of a connection against the metadata of its server. Only lists that the metadata has are compared: what it leaves
 * out may still be supported. Scopes are not compared, because a server may advertise only some of them (RFC 8414 section 2).
 */
export function adviseOnMetadata(connection: LocatedConnection, metadata: ServerMetadata): readonly MetadataWarning[] {
  if (connection.grant.type === 'authToken') return []
  return [
    ...adviseOnEndpoint(connection, metadata),
    ...adviseOnMethod(connection, metadata),
    ...adviseOnAlgorithm(connection, metadata),
    ...adviseOnGrantType(connection, metadata),
  ]
}

/** RFC 8705 section 5: a client with a certificate uses the endpoint for such clients. */
function adviseOnEndpoint(
  { authorizationServer: { id, tokenEndpoint, tls } }: LocatedConnection,
  { url, members }: ServerMetadata,
): readonly MetadataWarning[] {
  const stated = statedEndpoint(tls, members)
  if (typeof stated !== 'string' || !isWebUrl(stated) || new URL(stated).href === new URL(tokenEndpoint).href) return []
  const server = { kind: 'authorizationServer', id } as const
  const whose = stated === members['token_endpoint'] ? '' : ' for clients with a certificate'
  return [
    warning(
      server,
      'tokenEndpoint',
      `The metadata at ${url} names another token endpoint${whose}: ${shown(stated)}. Correct tokenEndpoint, or take it out so that the metadata decides.`,
    ),
  ]
}

function adviseOnMethod(
  { authentication, clientAuthentication: { method } }: LocatedConnection,
  { url, members }: ServerMetadata,
): readonly MetadataWarning[] {
  const listed = listOf(members['token_endpoint_auth_methods_supported'])
  // RFC 8705 section 2.2: a server that registers the certificate itself has another name for the same method.
  const names = method === 'tls_client_auth' ? [method, 'self_signed_tls_client_auth'] : [method]
  if (!listed || names.some((name) => listed.includes(name))) return []
  return [
    warning(
      authentication,
      'clientAuthentication',
      `The client authenticates with ${method}. The metadata at ${url} lists other methods: ${shownList(listed)}. Choose one of these.`,
    ),
  ]
}

function adviseOnAlgorithm(
  { authentication, clientAuthentication: way }: LocatedConnection,
  { url, members }: ServerMetadata,
): readonly MetadataWarning[] {
  const listed = listOf(members['token_endpoint_auth_signing_alg_values_supported'])
  if (!listed || !('assertion' in way) || listed.includes(way.assertion.algorithm)) return []
  return [
    warning(
      authentication,
      'jwtAuthenticationTokenRef',
      `The assertion of the client is signed with ${way.assertion.algorithm}. The metadata at ${url} lists other algorithms: ${shownList(listed)}. Set the signature algorithm to one of these.`,
    ),
  ]
}

function adviseOnGrantType(
  { authentication, grant: { type } }: LocatedConnection,
  { url, members }: ServerMetadata,
): readonly MetadataWarning[] {
  const listed = listOf(members['grant_types_supported'])
  if (!listed || listed.includes(type)) return []
  return [
    warning(
      authentication,
      'grantType',
      `The grant type is ${type}. The metadata at ${url} lists others: ${shownList(listed)}. Check that the server supports it for this client.`,
    ),
  ]
}

function warning(element: ElementReference, attribute: string, sentence: string): MetadataWarning {
  return { severity: 'warning', element, attribute, sentence }
}

function listOf(value: unknown): readonly string[] | undefined {
  return isJsonArray(value) && value.length > 0 && value.every((each) => typeof each === 'string') ? value : undefined
}

const mostShown = 12

/** The words of a server, without anything that could be read as a sentence. */
function shownList(words: readonly string[]): string {
  const printable = words.filter((word) => /^[\w:.+/-]{1,80}$/.test(word)).slice(0, mostShown)
  return printable.length > 0 ? printable.join(', ') : 'none that can be shown'
}

function shown(url: string): string {
  return url.length <= 200 ? url : new URL(url).origin
}
