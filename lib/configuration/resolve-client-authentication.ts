import type { Connection } from './connection.ts'
import type { AuthorizationServer, ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import { resolveAssertion } from './resolve-assertion.ts'
import { sslIdOf } from './resolve-far-end.ts'
import { isSharedKeyAlgorithm } from './signature-algorithm.ts'

type ResolvedClient = Pick<Connection, 'clientId' | 'clientAuthentication'>

/** One authentication method, never two (RFC 6749 section 2.3). Undefined if there is none: there is a finding on that. */
export function resolveClientAuthentication(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
): ResolvedClient | undefined {
  const server = resolution.graph.get('authorizationServer', config.authServerRef)
  const { jwtAuthenticationTokenRef, tlsAuthenticationClientId } = config

  if (tlsAuthenticationClientId !== undefined)
    return tlsClientAuth(resolution, element, config, tlsAuthenticationClientId)
  if (jwtAuthenticationTokenRef !== undefined) {
    refuseSecondMethod(resolution, element, config, server)
    return privateKeyJwt(resolution, config, jwtAuthenticationTokenRef)
  }
  return clientSecretBasic(resolution, element, config, server)
}

function refuseSecondMethod(
  { findings }: Resolution,
  element: ElementReference,
  { authServerRef }: OAuthConfig,
  server: AuthorizationServer | undefined,
): void {
  if (server?.basicAuthRef !== undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationTokenRef',
      `authorizationServer/${authServerRef} has basicAuthRef as well, and a client uses one authentication method (RFC 6749 section 2.3); take one of the two out.`,
    )
}

function privateKeyJwt(resolution: Resolution, config: OAuthConfig, tokenConfigId: string): ResolvedClient | undefined {
  const assertion = resolveAssertion(resolution, tokenConfigId, config.authServerRef)
  if (!assertion) return undefined

  const method = isSharedKeyAlgorithm(assertion.algorithm) ? 'client_secret_jwt' : 'private_key_jwt'
  const sendClientId = config.jwtAuthenticationSetClientId ?? false
  return { clientId: assertion.subject, clientAuthentication: { method, assertion, sendClientId } }
}

function clientSecretBasic(
  { graph, findings }: Resolution,
  element: ElementReference,
  { authServerRef, jwtAuthenticationSetClientId }: OAuthConfig,
  server: AuthorizationServer | undefined,
): ResolvedClient | undefined {
  if (jwtAuthenticationSetClientId !== undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationSetClientId',
      'it has an effect only beside jwtAuthenticationTokenRef; set that, or take this out.',
    )
  if (server && server.basicAuthRef === undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationTokenRef',
      `the client has no way to authenticate: name an oAuthTokenConfig here, or give authorizationServer/${authServerRef} a basicAuthRef, or set tlsAuthenticationClientId.`,
    )
  const authData = graph.get('authData', server?.basicAuthRef)
  if (!authData) return undefined
  const { user, passwordSecret } = authData
  return { clientId: user, clientAuthentication: { method: 'client_secret_basic', passwordSecret } }
}

/** RFC 8705 section 2. */
function tlsClientAuth(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
  clientId: string,
): ResolvedClient {
  const { graph, findings } = resolution
  const { authServerRef, jwtAuthenticationTokenRef, jwtAuthenticationSetClientId } = config
  const given = {
    jwtAuthenticationTokenRef,
    jwtAuthenticationSetClientId,
    [`the basicAuthRef of authorizationServer/${authServerRef}`]: graph.get('authorizationServer', authServerRef)
      ?.basicAuthRef,
  }
  const others = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (others.length > 0)
    findings.addMistake(
      element,
      'tlsAuthenticationClientId',
      `a client uses one authentication method (RFC 6749 section 2.3); take this out, or ${others.join(' and ')}.`,
    )
  demandCertificate(resolution, element, authServerRef)
  return { clientId, clientAuthentication: { method: 'tls_client_auth' } }
}

/** The finding is on the attribute that should name a certificate. One that names what does not exist has a finding already. */
function demandCertificate({ graph, findings }: Resolution, client: ElementReference, serverId: string): void {
  const server = graph.get('authorizationServer', serverId)
  if (!server) return
  const reason = `${client.kind}/${client.id} has tlsAuthenticationClientId, and no certificate is presented to authorizationServer/${serverId}`
  const id = sslIdOf(graph, server.sslCertsRef)
  if (!graph.has('ssl', id))
    findings.addMistake(
      { kind: 'authorizationServer', id: serverId },
      'sslCertsRef',
      `${reason}: name an ssl element that has keyStoreRef.`,
    )
  else if (graph.get('ssl', id)?.keyStoreRef === undefined)
    findings.addMistake({ kind: 'ssl', id }, 'keyStoreRef', `${reason}: name the keyStore that holds it.`)
}
