import type { ElementGraph } from './collect-elements.ts'
import type { ClientSecretBasic, Connection, PrivateKeyJwt } from './connection.ts'
import type { ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './resolution.ts'
import { resolveAssertion } from './resolve-assertion.ts'
import { resolveTls } from './resolve-transport.ts'
import { isSharedKeyAlgorithm } from './signature-algorithm.ts'

type ResolvedClient = Pick<Connection, 'clientId' | 'clientAuthentication'>

/** One authentication method, never two (RFC 6749 section 2.3). */
export function resolveClientAuthentication(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
): ResolvedClient | undefined {
  const { graph, note } = resolution
  const server = graph.get('authorizationServer', config.authServerRef)
  const { jwtAuthenticationTokenRef, tlsAuthenticationClientId } = config

  if (tlsAuthenticationClientId !== undefined)
    return tlsClientAuth(resolution, element, config, tlsAuthenticationClientId)
  if (jwtAuthenticationTokenRef !== undefined) {
    if (server?.basicAuthRef !== undefined)
      note(
        'mistake',
        element,
        'jwtAuthenticationTokenRef',
        `authorizationServer/${config.authServerRef} has basicAuthRef as well, and a client uses one authentication method (RFC 6749 section 2.3); take one of the two out.`,
      )
    return privateKeyJwt(resolution, config, jwtAuthenticationTokenRef)
  }

  if (config.jwtAuthenticationSetClientId !== undefined)
    note(
      'mistake',
      element,
      'jwtAuthenticationSetClientId',
      'it has an effect only beside jwtAuthenticationTokenRef; set that, or take this out.',
    )
  if (!server) return undefined
  if (server.basicAuthRef === undefined) {
    note(
      'mistake',
      element,
      'jwtAuthenticationTokenRef',
      `the client has no way to authenticate: name an oAuthTokenConfig here, or give authorizationServer/${config.authServerRef} a basicAuthRef, or set tlsAuthenticationClientId.`,
    )
    return undefined
  }
  return clientSecretBasic(graph, server.basicAuthRef)
}

function privateKeyJwt(resolution: Resolution, config: OAuthConfig, tokenConfigId: string): ResolvedClient | undefined {
  const assertion = resolveAssertion(resolution, tokenConfigId, config.authServerRef)
  if (!assertion) return undefined

  const method = isSharedKeyAlgorithm(assertion.algorithm) ? 'client_secret_jwt' : 'private_key_jwt'
  const sendClientId = config.jwtAuthenticationSetClientId ?? false
  const clientAuthentication: PrivateKeyJwt = { method, assertion, sendClientId }
  return { clientId: assertion.subject, clientAuthentication }
}

function clientSecretBasic(graph: ElementGraph, authDataId: string): ResolvedClient | undefined {
  const authData = graph.get('authData', authDataId)
  if (!authData) return undefined
  const clientAuthentication: ClientSecretBasic = {
    method: 'client_secret_basic',
    passwordSecret: authData.passwordSecret,
  }
  return { clientId: authData.user, clientAuthentication }
}

/** RFC 8705 section 2. */
function tlsClientAuth(
  { graph, note }: Resolution,
  element: ElementReference,
  { authServerRef, jwtAuthenticationTokenRef, jwtAuthenticationSetClientId }: OAuthConfig,
  clientId: string,
): ResolvedClient {
  const server = graph.get('authorizationServer', authServerRef)
  const others = {
    jwtAuthenticationTokenRef,
    jwtAuthenticationSetClientId,
    [`the basicAuthRef of authorizationServer/${authServerRef}`]: server?.basicAuthRef,
  }
  for (const [other, value] of Object.entries(others))
    if (value !== undefined)
      note(
        'mistake',
        element,
        'tlsAuthenticationClientId',
        `a client uses one authentication method (RFC 6749 section 2.3); take this out, or ${other}.`,
      )
  if (server && resolveTls(graph, server.sslCertsRef).clientCertificate === undefined)
    note(
      'mistake',
      element,
      'tlsAuthenticationClientId',
      `no certificate is presented to authorizationServer/${authServerRef}: name it by keyStoreRef on the ssl element that its sslCertsRef names.`,
    )
  return { clientId, clientAuthentication: { method: 'tls_client_auth' } }
}
