import type { Connection } from './connection.ts'
import { type AuthorizationServer, type ElementReference, keyOf, type OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import { resolveAssertion } from './resolve-assertion.ts'
import { sslIdOf } from './resolve-far-end.ts'
import { isSharedKeyAlgorithm } from './signature-algorithm.ts'

type ResolvedClient = Pick<Connection, 'clientId' | 'clientAuthentication'>

/** Resolves the one authentication method (RFC 6749 section 2.3). Undefined if it can't be resolved. Then there is a finding. */
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
      `authorizationServer/${authServerRef} has basicAuthRef too, but a client uses only one authentication method (RFC 6749 section 2.3). Take out one of the two attributes.`,
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
      'It has an effect only together with jwtAuthenticationTokenRef. Set that attribute, or take this one out.',
    )
  if (server && server.basicAuthRef === undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationTokenRef',
      `The client has no authentication method. Name an oAuthTokenConfig element here, set basicAuthRef on authorizationServer/${authServerRef}, or set tlsAuthenticationClientId.`,
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
  const otherMethods = others.join(' and ')
  if (others.length > 0)
    findings.addMistake(
      element,
      'tlsAuthenticationClientId',
      `A client uses only one authentication method (RFC 6749 section 2.3). Take out this attribute, or ${otherMethods}.`,
    )
  demandCertificate(resolution, element, authServerRef)
  return { clientId, clientAuthentication: { method: 'tls_client_auth' } }
}

/** The finding is about the attribute that should name a certificate. A reference to a missing element already has a finding. */
function demandCertificate({ graph, findings }: Resolution, client: ElementReference, serverId: string): void {
  const server = graph.get('authorizationServer', serverId)
  if (!server) return
  const config = keyOf(client)
  const id = sslIdOf(graph, server.sslCertsRef)
  if (!graph.has('ssl', id))
    findings.addMistake(
      { kind: 'authorizationServer', id: serverId },
      'sslCertsRef',
      `${config} has tlsAuthenticationClientId, but there is no client certificate for this server. Name an ssl element that has keyStoreRef.`,
    )
  else if (graph.get('ssl', id)?.keyStoreRef === undefined)
    findings.addMistake(
      { kind: 'ssl', id },
      'keyStoreRef',
      `${config} has tlsAuthenticationClientId, but there is no client certificate for authorizationServer/${serverId}. Name the keyStore element that holds the certificate.`,
    )
}
