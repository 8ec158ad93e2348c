import type { ClientSecretBasic, Connection, PrivateKeyJwt } from './connection.ts'
import type { ElementReference, OAuthConfig } from './element.ts'
import type { ElementGraph, Resolution } from './element-graph.ts'
import { resolveAssertion } from './resolve-assertion.ts'
import { sslIdOf } from './resolve-far-end.ts'
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
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
  clientId: string,
): ResolvedClient {
  const { graph, note } = resolution
  const { authServerRef, jwtAuthenticationTokenRef, jwtAuthenticationSetClientId } = config
  const given = {
    jwtAuthenticationTokenRef,
    jwtAuthenticationSetClientId,
    [`the basicAuthRef of authorizationServer/${authServerRef}`]: graph.get('authorizationServer', authServerRef)
      ?.basicAuthRef,
  }
  const others = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (others.length > 0)
    note(
      'mistake',
      element,
      'tlsAuthenticationClientId',
      `a client uses one authentication method (RFC 6749 section 2.3); take this out, or ${others.join(' and ')}.`,
    )
  demandCertificate(resolution, element, authServerRef)
  return { clientId, clientAuthentication: { method: 'tls_client_auth' } }
}

/** Noted where it is to be given: a reference to nothing that stands there is told already. */
function demandCertificate({ graph, note }: Resolution, client: ElementReference, serverId: string): void {
  const server = graph.get('authorizationServer', serverId)
  if (!server) return
  const reason = `${client.kind}/${client.id} has tlsAuthenticationClientId, and no certificate is presented to authorizationServer/${serverId}`
  const id = sslIdOf(graph, server.sslCertsRef)
  if (!graph.has('ssl', id))
    note(
      'mistake',
      { kind: 'authorizationServer', id: serverId },
      'sslCertsRef',
      `${reason}: name an ssl element that has keyStoreRef.`,
    )
  else if (graph.get('ssl', id)?.keyStoreRef === undefined)
    note('mistake', { kind: 'ssl', id }, 'keyStoreRef', `${reason}: name the keyStore that holds it.`)
}
