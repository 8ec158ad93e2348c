import { issuerOf } from './assertion-configuration.ts'
import {
  type ClientOrigin,
  clientWithAssertion,
  type Method,
  type ResolvedClient,
  refuseClientId,
  withoutEffect,
} from './client-with-assertion.ts'
import { assertionsOfGrant, type Grant } from './connection.ts'
import { type AuthorizationServer, type ElementReference, keyOf, type OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { jwtBearer, tokenExchange } from './grant-type.ts'
import { sslIdOf } from './resolve-far-end.ts'

/** What a client authenticates with. */
type Credentials = 'assertion' | 'password' | 'certificate' | 'none'

const credentialsByMethod: Readonly<Record<Method, Credentials>> = {
  private_key_jwt: 'assertion',
  client_secret_jwt: 'assertion',
  client_secret_basic: 'password',
  client_secret_post: 'password',
  tls_client_auth: 'certificate',
  none: 'none',
}

/** The credentials that each of these attributes belongs to. */
const credentialsByAttribute = {
  jwtAuthenticationTokenRef: 'assertion',
  jwtAuthenticationSetClientId: 'assertion',
  tlsAuthenticationClientId: 'certificate',
  clientId: 'none',
} as const

/** Resolves the one authentication method (RFC 6749 section 2.3). Undefined if it can't be resolved. Then there is a finding. */
export function resolveClientAuthentication(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
  grant: Grant | undefined,
): ResolvedClient | undefined {
  const server = resolution.graph.get('authorizationServer', config.authServerRef)
  const origin = { element, config, server, grant }
  refuseAttributesWithoutEffect(resolution, origin)
  refuseSecondAuthorization(resolution, origin)
  switch (credentialsOf(origin)) {
    case 'assertion':
      return clientWithAssertion(resolution, origin)
    case 'password':
      return byPassword(resolution, origin)
    case 'certificate':
      return byCertificate(resolution, origin)
    case 'none':
      return withoutAuthentication(resolution, origin)
  }
}

function credentialsOf({ config, server }: ClientOrigin): Credentials {
  const { clientAuthentication, tlsAuthenticationClientId, jwtAuthenticationTokenRef } = config
  if (clientAuthentication !== undefined) return credentialsByMethod[clientAuthentication]
  if (tlsAuthenticationClientId !== undefined) return 'certificate'
  if (jwtAuthenticationTokenRef !== undefined) return 'assertion'
  return isProofOfSender(config) && server?.basicAuthRef === undefined ? 'none' : 'password'
}

/** Whether the grant is signed here. A caller's token proves nothing about its sender (RFC 8693 section 2.1). */
function isProofOfSender({ grantType, subjectTokenRef }: OAuthConfig): boolean {
  return grantType === jwtBearer || (grantType === tokenExchange && subjectTokenRef !== undefined)
}

/** With `clientAuthentication`, the attributes of other methods are mistakes, so that no credentials are dropped silently. */
function refuseAttributesWithoutEffect(resolution: Resolution, origin: ClientOrigin): void {
  const { findings } = resolution
  const { element, config } = origin
  const { clientAuthentication: method } = config
  const used = credentialsOf(origin)
  for (const [attribute, credentials] of Object.entries(credentialsByAttribute)) {
    const isGiven = config[attribute as keyof typeof credentialsByAttribute] !== undefined
    // The client id of an assertion that AWS signs is in clientId.
    const isPerhapsUsed = attribute === 'clientId' && used === 'assertion'
    if (!isGiven || credentials === used || isPerhapsUsed) continue
    if (attribute === 'clientId') refuseClientId(resolution, origin)
    else if (method !== undefined) findings.addMistake(element, attribute, withoutEffect(method))
  }
}

/** A client uses one method (RFC 6749 section 2.3), and a request has one header `Authorization`. */
function refuseSecondAuthorization({ findings }: Resolution, origin: ClientOrigin): void {
  const { element, config, server } = origin
  if (server?.headers?.['authorization'] === undefined || credentialsOf(origin) === 'none') return
  const client = keyOf(element)
  findings.addMistake(
    { kind: 'authorizationServer', id: config.authServerRef },
    'headers',
    `It has Authorization, but the client of ${client} authenticates in another way. Set clientAuthentication of ${client} to none, or take Authorization out.`,
  )
}

function byPassword(
  { graph, findings }: Resolution,
  { element, config, server }: ClientOrigin,
): ResolvedClient | undefined {
  const { authServerRef, clientAuthentication: method, jwtAuthenticationSetClientId } = config
  if (method === undefined && jwtAuthenticationSetClientId !== undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationSetClientId',
      'It has an effect only together with jwtAuthenticationTokenRef. Set that attribute, or take this one out.',
    )
  if (server && server.basicAuthRef === undefined && method !== undefined)
    findings.addMistake(
      element,
      'clientAuthentication',
      `${method} needs a client id and a secret. Set basicAuthRef on authorizationServer/${authServerRef}.`,
    )
  else if (server && server.basicAuthRef === undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationTokenRef',
      `The client has no authentication method. Name an oAuthTokenConfig element here, set basicAuthRef on authorizationServer/${authServerRef}, or set tlsAuthenticationClientId.`,
    )
  const authData = graph.get('authData', server?.basicAuthRef)
  if (!authData) return undefined
  const { user, passwordSecret } = authData
  const isInBody = method === 'client_secret_post'
  return {
    clientId: user,
    clientAuthentication: { method: isInBody ? 'client_secret_post' : 'client_secret_basic', passwordSecret },
  }
}

/** RFC 8705 section 2. */
function byCertificate(resolution: Resolution, { element, config, server }: ClientOrigin): ResolvedClient | undefined {
  const { findings } = resolution
  const { authServerRef, clientAuthentication, tlsAuthenticationClientId: clientId } = config
  const { jwtAuthenticationTokenRef, jwtAuthenticationSetClientId } = config
  if (clientId === undefined) {
    findings.addMistake(
      element,
      'clientAuthentication',
      'tls_client_auth needs the client id. Set tlsAuthenticationClientId.',
    )
    return undefined
  }
  const given = {
    jwtAuthenticationTokenRef,
    jwtAuthenticationSetClientId,
    [`the basicAuthRef of authorizationServer/${authServerRef}`]: server?.basicAuthRef,
  }
  const others = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const otherMethods = others.join(' and ')
  if (others.length > 0 && clientAuthentication === undefined)
    findings.addMistake(
      element,
      'tlsAuthenticationClientId',
      `A client uses only one authentication method (RFC 6749 section 2.3). Take out this attribute, or ${otherMethods}.`,
    )
  demandCertificate(resolution, element, authServerRef)
  return { clientId, clientAuthentication: { method: 'tls_client_auth' } }
}

/**
 * RFC 7521 section 4.1 and RFC 8693 section 2.1: where the grant is an assertion or a token, the client may have no credentials. Odd
 * servers want them in a header.
 */
function withoutAuthentication(
  { findings }: Resolution,
  { element, config, server, grant }: ClientOrigin,
): ResolvedClient | undefined {
  const { clientId, grantType = 'client_credentials' } = config
  const hasProof = grantType === jwtBearer || grantType === tokenExchange
  if (!hasProof && hasSecretHeader(server)) return clientWithHeader(findings, element, clientId)
  if (!hasProof) {
    findings.addMistake(
      element,
      'clientAuthentication',
      `none leaves a token request of the grant type ${grantType} without a proof of its sender. Set grantType to jwt-bearer or token-exchange, choose another method, or add a secret to headers of authorizationServer/${config.authServerRef}.`,
    )
    return undefined
  }
  if (!grant) return undefined
  if (!isProofOfSender(config) && !hasSecretHeader(server))
    findings.addWarning(
      element,
      'clientAuthentication',
      'Without client authentication, everyone who gets hold of a subject token can exchange it (RFC 8693 section 2.1). If the server allows it, choose another method.',
    )
  const [assertion] = assertionsOfGrant(grant)
  return {
    // Servers with these grants find the client by the iss of the assertion.
    clientId: clientId ?? (assertion ? issuerOf(assertion) : 'anonymous'),
    clientAuthentication: { method: 'none', sendClientId: clientId !== undefined },
  }
}

function hasSecretHeader(server: AuthorizationServer | undefined): boolean {
  return Object.values(server?.headers ?? {}).some((value) => typeof value !== 'string')
}

function clientWithHeader(
  findings: FindingList,
  element: ElementReference,
  clientId: string | undefined,
): ResolvedClient | undefined {
  if (clientId !== undefined) return { clientId, clientAuthentication: { method: 'none', sendClientId: true } }
  findings.addMistake(
    element,
    'clientId',
    'It is required for a client that authenticates by a header. Add the client id.',
  )
  return undefined
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
