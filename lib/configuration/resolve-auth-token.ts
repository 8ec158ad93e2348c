import { issuerOf } from './assertion-configuration.ts'
import type { AuthTokenCredentials, AuthTokenRequest, AuthTokenResponse } from './auth-token.ts'
import { refuseMistakes } from './auth-token-mistakes.ts'
import type { ResolvedAuthorizationServer, ServedConnection } from './connection.ts'
import type { AuthorizationServer, AuthToken, ElementReference } from './element.ts'
import type { Resolution } from './element-graph.ts'
import { resolveAssertion } from './resolve-assertion.ts'
import { resolveCarrier } from './resolve-carrier.ts'
import { resolveAuthorizationServer } from './resolve-far-end.ts'
import { isSharedKeyAlgorithm } from './signature-algorithm.ts'
import type { TokenOrigin } from './token-origin.ts'

/** The token of an `authToken`. Undefined if it can't be resolved. Then there is a finding. */
export function resolveAuthToken(
  resolution: Resolution,
  element: ElementReference,
): TokenOrigin<ServedConnection> | undefined {
  const { graph } = resolution
  const attributes = graph.get('authToken', element.id)
  if (!attributes) return undefined
  const server = graph.get('authorizationServer', attributes.authServerRef)
  const authorizationServer = resolveAuthorizationServer(resolution, attributes.authServerRef)
  const origin = { element, attributes, server, authData: graph.get('authData', server?.basicAuthRef) }
  refuseMistakes(origin, resolution.findings)
  resolution.advice?.onAuthToken(origin, authorizationServer)
  const client = resolveClient(resolution, attributes, server, authorizationServer)
  const request = resolveRequest(attributes, server)
  const response = resolveResponse(attributes)
  const carrier = resolveCarrier(resolution, element, attributes, { tokenRetryCheckLevel: 1 })
  if (!authorizationServer || !client || !response) return undefined
  const reuse = attributes.cacheTokensWithJti ? 'all' : 'without_jti'
  return {
    authentication: element,
    carrier,
    grant: { type: 'authToken', request, response, reuse },
    ...client,
    authorizationServer,
    parameters: { scope: [], resource: [], further: {} },
    ...(attributes.requestMay && { requestMay: attributes.requestMay }),
  }
}

/** What authenticates the request: a JWT, a user with a password, a client certificate, or only what the header, the body or the caller has. */
function resolveClient(
  resolution: Resolution,
  { jwtAuthenticationTokenRef, authServerRef, tokenRequest }: AuthToken,
  server: AuthorizationServer | undefined,
  resolved: ResolvedAuthorizationServer | undefined,
): Pick<ServedConnection, 'clientId' | 'clientAuthentication'> | undefined {
  if (tokenRequest?.credentialsFrom === 'caller') return anonymousClient(resolved)
  if (jwtAuthenticationTokenRef !== undefined) {
    const assertion = resolveAssertion(resolution, jwtAuthenticationTokenRef, authServerRef, 'token_server')
    if (!assertion) return undefined
    const method = isSharedKeyAlgorithm(assertion.algorithm) ? 'client_secret_jwt' : 'private_key_jwt'
    const clientId = issuerOf(assertion)
    return { clientId, clientAuthentication: { method, assertion, sendClientId: false } }
  }
  const authData = resolution.graph.get('authData', server?.basicAuthRef)
  if (authData)
    return {
      clientId: authData.user,
      clientAuthentication: { method: 'client_secret_basic', passwordSecret: authData.passwordSecret },
    }
  return server?.basicAuthRef === undefined ? anonymousClient(resolved) : undefined
}

function anonymousClient(
  resolved: ResolvedAuthorizationServer | undefined,
): Pick<ServedConnection, 'clientId' | 'clientAuthentication'> {
  const hasCertificate = resolved?.tls.clientCertificate !== undefined
  return {
    clientId: 'anonymous',
    clientAuthentication: hasCertificate ? { method: 'tls_client_auth' } : { method: 'none', sendClientId: false },
  }
}

function resolveRequest(
  { tokenRequest = {}, jwtAuthenticationTokenRef }: AuthToken,
  server: AuthorizationServer | undefined,
): AuthTokenRequest {
  const { requestMethod: method = 'POST', requestBody: structure, bodyFormat: format = 'JSON' } = tokenRequest
  const isOfCaller = tokenRequest.credentialsFrom === 'caller'
  const hasCredentials = isOfCaller || jwtAuthenticationTokenRef !== undefined || server?.basicAuthRef !== undefined
  return {
    method,
    credentials: hasCredentials ? placeOfCredentials(tokenRequest) : { in: 'nowhere' },
    ...(isOfCaller && { credentialsFrom: 'caller' as const }),
    ...(tokenRequest.parameterHeaders && { parameterHeaders: tokenRequest.parameterHeaders }),
    ...(structure && { body: { format, structure } }),
  }
}

function placeOfCredentials(request: NonNullable<AuthToken['tokenRequest']>): AuthTokenCredentials {
  const { credentialLocation = 'header', header = 'authorization', userHeader, passwordHeader } = request
  if (credentialLocation === 'body') return { in: 'body' }
  if (userHeader !== undefined && passwordHeader !== undefined)
    return { in: 'named_headers', userHeader, passwordHeader }
  return { in: 'header', header }
}

/** Undefined if the element does not say where the token is. Then there is a finding. */
function resolveResponse({ tokenResponse = {} }: AuthToken): AuthTokenResponse | undefined {
  const token = placeOfToken(tokenResponse)
  const expiry = placeOfExpiry(tokenResponse)
  return token && { token, ...(expiry && { expiry }) }
}

function placeOfToken({
  tokenLocation = 'body',
  responseFormat,
  tokenPath,
  header,
}: NonNullable<AuthToken['tokenResponse']>): AuthTokenResponse['token'] | undefined {
  if (tokenLocation === 'header') return header === undefined ? undefined : { in: 'header', header }
  if (responseFormat === 'Text') return { in: 'text' }
  return tokenPath && { in: 'json', path: tokenPath }
}

function placeOfExpiry({
  expiresPath,
  expiresHeader,
}: NonNullable<AuthToken['tokenResponse']>): AuthTokenResponse['expiry'] {
  if (expiresPath !== undefined) return { in: 'json', path: expiresPath }
  return expiresHeader === undefined ? undefined : { in: 'header', header: expiresHeader }
}
