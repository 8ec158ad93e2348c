import { isJsonArray } from '../base/decoding.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { ProtectedApi } from '../configuration/api.ts'
import { isWebUrl } from '../configuration/value-syntax.ts'
import type { MetadataSource } from './metadata-source.ts'
import { parseObject } from './server-metadata.ts'

/** What an API says about itself (RFC 9728 section 2). Everything is the API's word, in texts that can be printed. */
export interface ApiMetadata {
  /** Where the document is. */
  readonly url: string
  readonly resource: string
  readonly authorizationServers: readonly string[]
  readonly scopes: readonly string[]
  readonly bearerMethods: readonly string[]
}

/**
 * Reads the metadata of an API: at the place that RFC 9728 section 3.1 makes from its URL, then at the one for its whole host.
 * @returns undefined if it publishes none that is about this URL
 * @throws {TokenwellError} if the API can't be reached
 */
export async function readApiMetadata(
  source: MetadataSource,
  server: ProtectedApi,
  apiUrl: string,
): Promise<ApiMetadata | undefined> {
  const { origin, pathname, search } = new URL(apiUrl)
  const path = pathname === '/' ? '' : pathname
  const places = new Set([`${path}${search}`, ''].map((end) => `${origin}/.well-known/oauth-protected-resource${end}`))
  for (const url of places) {
    const { status, body } = await source.get({ server, url })
    const members = status === 200 ? parseObject(body) : undefined
    const resource = members?.['resource']
    // RFC 9728 section 3.3: an API must not speak for another one.
    if (!members || typeof resource !== 'string' || !isAbout(resource, apiUrl)) continue
    return {
      ...{ url, resource },
      authorizationServers: printable(members['authorization_servers']),
      scopes: printable(members['scopes_supported']),
      bearerMethods: printable(members['bearer_methods_supported']),
    }
  }
  return undefined
}

/** As `readApiMetadata`, but an API that can't be reached says nothing. */
export async function tryApiMetadata(
  ...[source, server, apiUrl]: Parameters<typeof readApiMetadata>
): Promise<ApiMetadata | undefined> {
  try {
    return await readApiMetadata(source, server, apiUrl)
  } catch (error) {
    if (error instanceof TokenwellError) return undefined
    throw error
  }
}

/** Whether the resource is this URL, or a path above it on the same host. */
function isAbout(resource: string, apiUrl: string): boolean {
  // `URL` also reads what has control characters, and a fragment could be any text.
  if (!isPrintable(resource) || !isWebUrl(resource)) return false
  const [whole, part] = [new URL(apiUrl), new URL(resource)]
  const above = part.pathname.replace(/\/$/, '')
  return part.origin === whole.origin && (whole.pathname === above || whole.pathname.startsWith(`${above}/`))
}

function printable(value: unknown): readonly string[] {
  if (!isJsonArray(value)) return []
  return value.filter((each): each is string => typeof each === 'string' && isPrintable(each)).slice(0, 50)
}

function isPrintable(text: string): boolean {
  return /^[\x21-\x7e]{1,500}$/.test(text)
}

/** Elements for a connection to this API: a start, with a key that Tokenwell makes. */
export function proposeElements(apiUrl: string, { resource, authorizationServers, scopes }: ApiMetadata): object {
  const { origin, pathname } = new URL(apiUrl)
  const [issuer = '<the issuer of the authorization server>'] = authorizationServers
  const basePath = pathname.replace(/\/$/, '')
  return {
    endpointConnection: {
      api: { host: origin, ...(basePath && { domainBasePath: basePath }), authenticationConfigRef: 'apiConfig' },
    },
    oAuthConfig: {
      apiConfig: {
        authServerRef: 'apiServer',
        jwtAuthenticationTokenRef: 'apiToken',
        ...(scopes.length > 0 && { scope: scopes }),
        resource,
      },
    },
    authorizationServer: { apiServer: { issuer } },
    oAuthTokenConfig: { apiToken: { tokenGeneratorRef: 'apiBuilder', tokenSubject: '<the client id>' } },
    jwtBuilder: { apiBuilder: { issuer: '<the client id>', jwkEnabled: true } },
  }
}
