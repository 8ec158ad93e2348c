import { undiciMetadata } from '../adapters/http/undici-metadata.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { ProtectedApi } from '../configuration/api.ts'
import {
  type Connection,
  isLocated,
  isServed,
  type LocatedConnection,
  type ServedConnection,
  type ServerToDiscover,
  tokensOf,
} from '../configuration/connection.ts'
import type { ElementReference } from '../configuration/element.ts'
import { describeFinding, type Finding } from '../configuration/finding.ts'
import type { ListedConnection } from '../configuration/inspect-elements.ts'
import { type ApiMetadata, readApiMetadata, tryApiMetadata } from '../discovery/api-metadata.ts'
import { adviseOnMetadata } from '../discovery/metadata-advice.ts'
import type { MetadataSource } from '../discovery/metadata-source.ts'
import { readServerMetadata } from '../discovery/server-metadata.ts'
import { locate } from '../discovery/stated-endpoint.ts'
import { createSecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'

/**
 * Reads what the servers and APIs of these connections publish about themselves, and holds the elements against it. It sends no token and
 * no secret. Where an issuer alone says where the server is, metadata that can't be used is a mistake.
 */
export async function inspectMetadata(
  listed: readonly ListedConnection[],
  secrets: SecretStore,
): Promise<readonly Finding[]> {
  const source = undiciMetadata(createSecretCache(secrets, () => 0))
  const findings: Finding[] = []
  for (const { connection } of listed)
    if (connection) {
      for (const token of tokensOf(connection))
        if (isServed(token)) findings.push(...(await inspectServer(token, source)))
      findings.push(...(await inspectApi(connection, source)))
    }
  return [...new Map(findings.map((finding) => [describeFinding(finding), finding])).values()]
}

async function inspectServer(connection: ServedConnection, source: MetadataSource): Promise<readonly Finding[]> {
  const server = toDiscover(connection)
  if (!server) return []
  try {
    const metadata = await readServerMetadata(source, server)
    const located: LocatedConnection = isLocated(connection)
      ? connection
      : { ...connection, authorizationServer: locate(server, metadata) }
    return adviseOnMetadata(located, metadata)
  } catch (error) {
    if (!(error instanceof TokenwellError)) throw error
    // A server with a token endpoint in its element needs no metadata.
    if (isLocated(connection)) return []
    const element = { kind: 'authorizationServer', id: server.id } as const
    return [{ severity: 'mistake', element, attribute: 'issuer', sentence: error.message }]
  }
}

/** Undefined if nothing says where the metadata is. */
function toDiscover({ authorizationServer }: ServedConnection): ServerToDiscover | undefined {
  if ('discovery' in authorizationServer) return authorizationServer
  const { issuer = '', tokenEndpoint: _written, ...settings } = authorizationServer
  if (!URL.canParse(issuer) || !issuer.startsWith('https://')) return undefined
  return { ...settings, issuer, discovery: { hosts: [], noProxy: [] } }
}

async function inspectApi(connection: Connection, source: MetadataSource): Promise<readonly Finding[]> {
  const { api, name } = connection
  if (api?.origin === undefined) return []
  const metadata = await tryApiMetadata(source, api, `${api.origin}${api.basePath || '/'}`)
  if (!metadata) return []
  const element = { kind: 'endpointConnection', id: name } as const
  return tokensOf(connection).flatMap((token) => (isServed(token) ? adviseOnApi(token, metadata, element) : []))
}

function adviseOnApi(
  { authorizationServer: { issuer }, parameters: { resource }, authentication }: ServedConnection,
  { url, resource: stated, authorizationServers, bearerMethods }: ApiMetadata,
  element: ElementReference,
): readonly Finding[] {
  const warning = (place: ElementReference, attribute: string, sentence: string): Finding => ({
    ...{ severity: 'warning', element: place, attribute, sentence },
  })
  return [
    ...(issuer !== undefined && authorizationServers.length > 0 && !authorizationServers.includes(issuer)
      ? [
          warning(
            element,
            'authenticationConfigRef',
            `The metadata of the API at ${url} lists other authorization servers than ${issuer}: ${authorizationServers.join(', ')}. Check that the API accepts tokens of this one.`,
          ),
        ]
      : []),
    ...(resource.length > 0 && !resource.includes(stated)
      ? [
          warning(
            authentication,
            'resource',
            `The metadata of the API at ${url} names the resource ${stated}, which is not listed here. Add it, or check that the server maps what is listed to this API.`,
          ),
        ]
      : []),
    ...(bearerMethods.length > 0 && !bearerMethods.includes('header')
      ? [
          warning(
            element,
            'host',
            `The metadata of the API at ${url} does not list the header Authorization as a place for tokens, and Tokenwell sends tokens only in headers. Check it with the operator of the API.`,
          ),
        ]
      : []),
  ]
}

/**
 * What the API at that URL says about itself. It is reached directly, and with the CA list of Node.js.
 * @throws {TokenwellError} if it can't be reached
 */
export async function describeApi(apiUrl: string, secrets: SecretStore): Promise<ApiMetadata | undefined> {
  const api: ProtectedApi = {
    ...{ origin: new URL(apiUrl).origin, basePath: '', tls: { minimumVersion: 'TLSv1.2' } },
    ...{ connectTimeoutMilliseconds: 3_000, receiveTimeoutMilliseconds: 5_000 },
  }
  return await readApiMetadata(undiciMetadata(createSecretCache(secrets, () => 0)), api, apiUrl)
}
