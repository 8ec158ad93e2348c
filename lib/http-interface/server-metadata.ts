import type { OfferedRequests } from '../admission/offered-requests.ts'
import type { KeySetAnswer, OpenidMetadata, ServerMetadata } from './answers.ts'
import { type HttpEvent, type HttpResponse, namedConnection } from './http-event.ts'

/*
 * Each connection is a token endpoint, and its URL is an issuer: a client that knows the issuer alone finds the endpoint (RFC 8414, OpenID
 * Connect Discovery 1.0).
 */

/** A changed element counts after a minute at the latest. Clients of five minutes ago may still send what it no longer allows. */
const maximumAgeSeconds = 300
const wellKnown = '/.well-known/oauth-authorization-server'

/** A document about a connection, and where it is. */
export interface DiscoveryRoute {
  readonly path: string
  readonly kind: 'oauth' | 'openid' | 'keys'
  /** The path of the public URL. Clients insert the well-known part before it. */
  readonly publicPath?: string
}

interface Described {
  readonly publicUrl: string
  readonly offered: OfferedRequests
  /** Whether the answer is the same for every caller, so that a cache on the way may keep it. */
  readonly isForEverybody: boolean
}

/**
 * The paths of the documents. RFC 8414 section 3.1 inserts the well-known part before the path of the issuer, and OpenID appends it.
 * @param publicUrl if it has a path, issuers have it too
 */
export function discoveryRoutes(publicUrl?: string): readonly DiscoveryRoute[] {
  const publicPath = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '')
  const inserted = { path: `${wellKnown}${publicPath}/connections/{connection}`, kind: 'oauth', publicPath } as const
  return [
    { path: `${wellKnown}/connections/{connection}`, kind: 'oauth' },
    ...(publicPath === '' ? [] : [inserted]),
    { path: '/connections/{connection}/.well-known/openid-configuration', kind: 'openid' },
    { path: '/connections/{connection}/.well-known/jwks.json', kind: 'keys' },
  ]
}

/**
 * The document of this route about the connection in the path.
 * @throws {InvalidRequestError} for a name that no connection can have
 */
export function discoveryResponse(
  { kind, publicPath }: DiscoveryRoute,
  event: HttpEvent,
  { publicUrl, offered, isForEverybody }: Described,
): HttpResponse {
  const connection = namedConnection(event.pathParameters['connection'])
  const issuer = `${urlAsked(event, publicUrl, publicPath)}/connections/${connection}`
  return {
    statusCode: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': `${isForEverybody ? 'public' : 'private'}, max-age=${maximumAgeSeconds}`,
    },
    body: JSON.stringify(documentOf(kind, issuer, event, offered)),
  }
}

function documentOf(
  kind: DiscoveryRoute['kind'],
  issuer: string,
  event: HttpEvent,
  offered: OfferedRequests,
): KeySetAnswer | ServerMetadata | OpenidMetadata {
  switch (kind) {
    case 'keys':
      return { keys: [] }
    case 'oauth':
      return metadataOf(issuer, event, offered)
    case 'openid':
      return {
        ...metadataOf(issuer, event, offered),
        // Clients that read OpenID's documents fail without these three, and fetch the keys.
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [],
      }
  }
}

function metadataOf(issuer: string, { entry }: HttpEvent, { grantTypes, scopes }: OfferedRequests): ServerMetadata {
  return {
    issuer,
    token_endpoint: `${issuer}/token`,
    token_endpoint_auth_methods_supported: [entry.kind === 'mutual_tls' ? 'tls_client_auth' : 'none'],
    grant_types_supported: grantTypes,
    // RFC 8414 section 2 demands the member, and section 3.2 forbids an empty list. Clients insist on the member.
    response_types_supported: [],
    ...(scopes && { scopes_supported: scopes }),
  }
}

/**
 * What the client has put before `/connections`. It compares this with the issuer that it knows (RFC 8414 section 3.3). At the URL of the
 * HTTP API itself the public URL counts, because a server in front of the API may have changed the host.
 */
function urlAsked({ requestContext, basePath }: HttpEvent, publicUrl: string, publicPath = basePath): string {
  const { domainName, apiId } = requestContext
  const { protocol, host } = new URL(publicUrl)
  if (domainName === undefined) return publicUrl
  if (domainName !== host && domainName.startsWith(`${apiId}.execute-api.`)) return publicUrl
  return `${protocol}//${domainName}${encodeURI(publicPath)}`
}
