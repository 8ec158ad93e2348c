import type { ProtectedApi, TokenRejection } from './connection.ts'
import type { ElementReference, EndpointConnection, OAuthConfig } from './element.ts'
import { isWrittenWrong } from './finding.ts'
import type { Resolution } from './resolution.ts'
import { resolveTransport } from './resolve-transport.ts'

const defaults = { connectTimeoutMilliseconds: 30_000, receiveTimeoutMilliseconds: 60_000 } as const

/** By `tokenRetryCheckLevel`; the original has 2 in its table, and no function for it. */
const rejections: Readonly<Partial<Record<number, TokenRejection>>> = { 1: 'any_401', 3: 'invalid_token' }

/** What only a call has a use for. */
const attributesOfCalls = [
  'port',
  'domainBasePath',
  'sslCertsRef',
  'proxyConfigRef',
  'connectionTimeout',
  'receiveTimeout',
] as const

/** Where the connection's calls go; undefined where its element names no host. */
export function resolveApi(
  resolution: Resolution,
  name: string,
  endpoint: EndpointConnection,
  { tokenRetryCheckLevel = 3 }: OAuthConfig,
): ProtectedApi | undefined {
  const { graph, note } = resolution
  const element: ElementReference = { kind: 'endpointConnection', id: name }
  const rejection = rejections[tokenRetryCheckLevel]
  if (!rejection)
    note(
      'mistake',
      { kind: 'oAuthConfig', id: endpoint.authenticationConfigRef },
      'tokenRetryCheckLevel',
      '2 is not implemented, here as in the original: use 1 for any 401, or 3 for one that says invalid_token.',
    )

  const { host, port, domainBasePath = '' } = endpoint
  if (host === undefined) {
    if (!isWrittenWrong(graph.findings, element, 'host')) warnOfAttributesOfCalls(resolution, element, endpoint)
    return undefined
  }
  if (port !== undefined && /:\d*\/?$/.test(host))
    note('mistake', element, 'port', 'host has a port already; take one of the two out.')

  const url = new URL(host)
  if (port !== undefined) url.port = String(port)
  if (url.protocol !== 'https:')
    note(
      'mistake',
      element,
      'host',
      'it must begin with https://: a bearer token goes over TLS only (RFC 6750 section 5.3).',
    )
  return {
    origin: url.origin,
    basePath: domainBasePath.replace(/\/+$/, ''),
    ...resolveTransport(resolution, url, endpoint, defaults),
    rejection: rejection ?? 'invalid_token',
  }
}

function warnOfAttributesOfCalls({ note }: Resolution, element: ElementReference, endpoint: EndpointConnection): void {
  for (const attribute of attributesOfCalls)
    if (endpoint[attribute] !== undefined)
      note('warning', element, attribute, 'it has no effect without host: name the host of the API, or leave this out.')
}
