import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import type { ClientMetadata } from 'oidc-provider'
import { jwtBearer, tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { plant } from '../output/canary.ts'
import type { ConfigurableAuthorizationServer, TlsClient } from './configurable-authorization-server.ts'
import { keycloakAdministrator } from './installed-servers.ts'

/** The only user of the realm. */
export const keycloakUser = { username: 'alice', password: 'the password of alice' } as const

export const keycloakRealm = 'tokenwell'

/** What a test does with Keycloak's admin REST API. */
export interface KeycloakAdmin extends Pick<ConfigurableAuthorizationServer, 'register' | 'setEnabled'> {
  createRealm(): Promise<void>
  /**
   * Accepts assertions of this issuer as grants, once each. Its subject is the realm's user.
   * @param jwks the public keys of the issuer
   */
  trustIssuer(issuer: string, subject: string, jwks: object): Promise<void>
  /**
   * Registers a client that authenticates by JWTs of AWS's issuer, as lib/configuration/keyless.md shows it.
   * @param subject the ARN of the role
   */
  trustAwsIdentity(clientId: string, issuer: string, subject: string): Promise<void>
  /** Milliseconds since the epoch, from an administrator's token, because Keycloak's answers have no `Date` header. */
  readClock(): Promise<number>
}

export function createKeycloakAdmin(tls: TlsClient, origin: string): KeycloakAdmin {
  const clients = `${origin}/admin/realms/${keycloakRealm}/clients`
  plant(keycloakUser.password)

  async function token(): Promise<string> {
    const { access_token } = await tls.readJson(`${origin}/realms/master/protocol/openid-connect/token`, {
      form: { grant_type: 'password', client_id: 'admin-cli', ...keycloakAdministrator },
    })
    return String(access_token)
  }

  /** A new token each time, because it lives for one minute. */
  async function authorization(): Promise<Record<string, string>> {
    return { authorization: `Bearer ${await token()}` }
  }

  async function find(clientId: string, headers: Record<string, string>): Promise<string | undefined> {
    const response = await tls.send(`${clients}?clientId=${clientId}`, { method: 'GET', headers })
    const [found] = (await response.json()) as { readonly id: string }[]
    return found?.id
  }

  return {
    async readClock() {
      const { iat = 0 } = decodeJwt(await token())
      return iat * 1000
    },

    async createRealm() {
      await tls.send(`${origin}/admin/realms`, { headers: await authorization(), json: realmOf() })
    },

    async trustIssuer(issuer, subject, jwks) {
      const headers = await authorization()
      const realm = `${origin}/admin/realms/${keycloakRealm}`
      await tls.send(`${realm}/identity-provider/instances`, { headers, json: identityProviderOf(issuer, jwks) })
      const { username } = keycloakUser
      const response = await tls.send(`${realm}/users?username=${username}`, { method: 'GET', headers })
      const [user] = (await response.json()) as { readonly id: string }[]
      const json = { identityProvider: trustedIssuer, userId: subject, userName: username }
      await tls.send(`${realm}/users/${user?.id}/federated-identity/${trustedIssuer}`, { headers, json })
    },

    async trustAwsIdentity(clientId, issuer, subject) {
      const headers = await authorization()
      const realm = `${origin}/admin/realms/${keycloakRealm}`
      await tls.send(`${realm}/identity-provider/instances`, { headers, json: awsIdentityProvider(issuer) })
      const attributes = { 'jwt.credential.issuer': awsIssuer, 'jwt.credential.sub': subject }
      const clientAuthenticatorType = 'federated-jwt'
      const json = { ...representationOf({ client_id: clientId }), clientAuthenticatorType, attributes }
      await tls.send(clients, { headers, json })
    },

    async register(client) {
      const headers = await authorization()
      const former = await find(client.client_id, headers)
      if (former !== undefined) await tls.send(`${clients}/${former}`, { method: 'DELETE', headers })
      await tls.send(clients, { headers, json: representationOf(client) })
    },

    async setEnabled(clientId, enabled) {
      const headers = await authorization()
      const id = await find(clientId, headers)
      assert(id)
      await tls.send(`${clients}/${id}`, { method: 'PUT', headers, json: { clientId, enabled } })
    },
  }
}

/** The alias of the issuer of assertions. */
const trustedIssuer = 'tokenwell'

/** https://www.keycloak.org/securing-apps/jwt-authorization-grant */
function identityProviderOf(issuer: string, jwks: object) {
  return {
    alias: trustedIssuer,
    providerId: 'jwt-authorization-grant',
    enabled: true,
    config: {
      issuer,
      useJwksUrl: 'false',
      publicKeySignatureVerifier: JSON.stringify(jwks),
      jwtAuthorizationGrantEnabled: 'true',
      jwtAuthorizationGrantAssertionReuseAllowed: 'false',
    },
  }
}

/** The alias of AWS's issuer. */
const awsIssuer = 'aws'

/** Nobody logs in by it, so its other endpoints are never asked. */
function awsIdentityProvider(issuer: string) {
  return {
    alias: awsIssuer,
    providerId: 'oidc',
    enabled: true,
    hideOnLogin: true,
    config: {
      issuer,
      useJwksUrl: 'true',
      jwksUrl: `${issuer}/.well-known/jwks.json`,
      validateSignature: 'true',
      supportsClientAssertions: 'true',
      clientId: 'unused',
      clientSecret: 'unused',
      authorizationUrl: `${issuer}/unused`,
      tokenUrl: `${issuer}/unused`,
    },
  }
}

function realmOf() {
  const { username, password } = keycloakUser
  const name = { email: `${username}@example.com`, firstName: username, lastName: username }
  return {
    realm: keycloakRealm,
    enabled: true,
    users: [{ username, ...name, enabled: true, credentials: [{ type: 'password', value: password }] }],
  }
}

/** A client in Keycloak's own format. */
function representationOf(client: ClientMetadata) {
  return {
    clientId: client.client_id,
    publicClient: false,
    standardFlowEnabled: false,
    serviceAccountsEnabled: true,
    directAccessGrantsEnabled: client.grant_types?.includes('password') ?? false,
    clientAuthenticatorType: authenticatorOf(client),
    ...(client.client_secret !== undefined && { secret: client.client_secret }),
    attributes: attributesOf(client),
    protocolMappers: [audienceOf(client)],
  }
}

/** Keycloak introspects a token for a client only if that client is in its audience. */
function audienceOf({ client_id }: ClientMetadata) {
  return {
    name: 'itself',
    protocol: 'openid-connect',
    protocolMapper: 'oidc-audience-mapper',
    config: {
      'included.client.audience': client_id,
      'access.token.claim': 'true',
      'introspection.token.claim': 'true',
    },
  }
}

function authenticatorOf({ token_endpoint_auth_method }: ClientMetadata): string {
  switch (token_endpoint_auth_method) {
    case 'private_key_jwt':
      return 'client-jwt'
    case 'client_secret_jwt':
      return 'client-secret-jwt'
    case 'client_secret_basic':
    case 'client_secret_post':
      return 'client-secret'
    default:
      return 'client-x509'
  }
}

function attributesOf(client: ClientMetadata): Record<string, string> {
  const { jwks, jwks_uri, token_endpoint_auth_signing_alg: algorithm } = client
  return {
    ...(algorithm !== undefined && { 'token.endpoint.auth.signing.alg': algorithm }),
    ...(jwks && { 'use.jwks.string': 'true', 'jwks.string': JSON.stringify(jwks) }),
    ...(jwks_uri !== undefined && { 'use.jwks.url': 'true', 'jwks.url': jwks_uri }),
    ...(client.tls_client_auth_subject_dn !== undefined && { 'x509.subjectdn': client.tls_client_auth_subject_dn }),
    ...(client.grant_types?.includes(jwtBearer) && {
      'oauth2.jwt.authorization.grant.enabled': 'true',
      'oauth2.jwt.authorization.grant.idp': trustedIssuer,
    }),
    ...(client.grant_types?.includes(tokenExchange) && { 'standard.token.exchange.enabled': 'true' }),
    ...(client.tls_client_certificate_bound_access_tokens === true && {
      'tls.client.certificate.bound.access.tokens': 'true',
    }),
  }
}
