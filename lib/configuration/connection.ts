import type { ApiOfToken, ProtectedApi, TokenCarrier } from './api.ts'
import { type AssertionConfiguration, isSignedByTokenwell, type JwtConfiguration } from './assertion-configuration.ts'
import type { AuthTokenGrant, AuthTokenLocalGrant } from './auth-token.ts'
import { secretsInBody } from './body-leaf.ts'
import type {
  AssertionParameters,
  ClaimsFromRequest,
  ElementReference,
  GrantType,
  HeaderValues,
  RequestMay,
} from './element.ts'
import { jwtBearer, tokenExchange } from './grant-type.ts'
import type { HttpProxy, Transport } from './transport.ts'

/** A connection with all references followed and all defaults set. Deeply frozen. */
export type Connection = TokenConnection | TokenlessConnection

interface ConnectionBase {
  readonly name: string
  /** Its elements, each as `kind/id`. */
  readonly elements: readonly string[]
  /** Absent if `host` is left out. Then callers get tokens, but Tokenwell makes no API calls. */
  readonly api?: ProtectedApi | ApiOfToken
  /** The subjects of client certificates that may use it. If absent, none may. */
  readonly clientCertificateSubjects?: readonly string[]
}

/** Its API calls have basic authentication only. */
export interface TokenlessConnection extends ConnectionBase {
  readonly grant?: undefined
}

/**
 * A connection with a token. One that has several of them is described by its main token, the first in `authenticationConfigRef`, and
 * has the others in `others`.
 */
export type TokenConnection = ServedConnection | LocalConnection

interface TokenBase extends ConnectionBase {
  /** The element that describes the token. Its id names the token to callers. */
  readonly authentication: ElementReference
  readonly carrier: TokenCarrier
  /** Absent if it has one token only. Each has the name of the connection. */
  readonly others?: readonly TokenConnection[]
  /** Present for each of `others`. A request for it names it. */
  readonly isFurther?: true
  readonly parameters: ConfiguredParameters
  readonly requestMay?: RequestMay
  /** If absent, warm runs renew no token of the connection. Otherwise they renew those that can be requested without a caller. */
  readonly warming?: Warming
}

/** A server issues the token. */
export interface ServedConnection extends TokenBase {
  readonly grant: ServedGrant
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication
  readonly authorizationServer: ResolvedAuthorizationServer
  /** The members of a token answer that callers get beside the token. */
  readonly passOn?: readonly string[]
}

/** A connection to a server whose token endpoint is known. */
export interface LocatedConnection extends ServedConnection {
  readonly authorizationServer: LocatedServer
}

export function isLocated(connection: ServedConnection): connection is LocatedConnection {
  return connection.authorizationServer.tokenEndpoint !== undefined
}

/** The URL that a server is known by: its token endpoint, or its issuer where its metadata says where the token endpoint is. */
export function addressOf(server: ResolvedAuthorizationServer): string {
  return server.tokenEndpoint ?? server.issuer
}

/** Tokenwell signs the token. */
export interface LocalConnection extends TokenBase {
  readonly grant: AuthTokenLocalGrant
  readonly lifetime: LifetimePolicy
}

/** The tokens of a connection, the main one first. */
export function tokensOf(connection: Connection): readonly TokenConnection[] {
  return connection.grant === undefined ? [] : [connection, ...(connection.others ?? [])]
}

export function isServed(connection: Connection): connection is ServedConnection {
  return 'authorizationServer' in connection
}

/** The token with that id, or the main one. Undefined if the connection has no such token. */
export function tokenNamed(connection: Connection, id: string | undefined): TokenConnection | undefined {
  return tokensOf(connection).find(({ authentication }) => id === undefined || authentication.id === id)
}

/** Which tokens of a connection the warm runs renew before they get stale, and how many of them at a time. */
export interface Warming {
  /** The id of the authorizationServer that issues the first of these tokens. The element of the token, if Tokenwell signs all of them. */
  readonly authorizationServer: string
  readonly maximumConcurrency: number
  /** How long after its last use a token is still renewed. */
  readonly idleMilliseconds: number
  /** The same limit in lifetimes of the token. The shorter limit counts. */
  readonly idleLifetimes?: number
  /** The maximum number of renewed tokens: one for each combination of scope, resource, audience and further parameters. */
  readonly maximumVariants: number
}

export type Grant = ServedGrant | AuthTokenLocalGrant

/** What a server issues a token for. */
export type ServedGrant = OAuthGrant | AuthTokenGrant

export type OAuthGrant = PlainGrant | JwtBearerGrant | TokenExchangeGrant

/** RFC 6749 sections 4.4 and 4.3, and Zoom's `account_credentials`. */
export interface PlainGrant {
  readonly type: Exclude<GrantType, typeof jwtBearer | typeof tokenExchange>
}

/** RFC 7523 section 2.1: an assertion is the grant. */
export interface JwtBearerGrant {
  readonly type: typeof jwtBearer
  readonly assertion: AssertionConfiguration
  /** The parameters that the server reads from claims of the assertion, and the form of each claim. */
  readonly assertionParameters: AssertionParameters
  /** The claims of the assertion that each request sets. */
  readonly claimsFromRequest?: ClaimsFromRequest
}

/** The claims that each request for this grant must set. Empty for most grants. */
export function claimsFromRequestOf(grant: Grant): ClaimsFromRequest {
  return ('claimsFromRequest' in grant && grant.claimsFromRequest) || {}
}

/** Whether each request sets a claim that names a user: any `sub`, one of the caller's JWT, or one with values that the elements don't list. */
export function needsUser(grant: Grant): boolean {
  return takesPassword(grant) || namesUser(claimsFromRequestOf(grant))
}

/** Whether each request brings a user and the user's password. */
export function takesPassword(grant: Grant): boolean {
  return grant.type === 'password' || (grant.type === 'authToken' && grant.request.credentialsFrom === 'caller')
}

export function namesUser(claims: ClaimsFromRequest): boolean {
  return Object.entries(claims).some(([name, rule]) => name === 'sub' || !Array.isArray(rule))
}

/** RFC 8693 section 2.1: tokens are the grant. */
export interface TokenExchangeGrant {
  readonly type: typeof tokenExchange
  readonly subject: ExchangedToken
  /** If absent, there is no actor, unless a caller may send one. */
  readonly actor?: ExchangedToken
}

/** A token that a token request exchanges. */
export interface ExchangedToken {
  /** A URI of RFC 8693 section 3. Absent if each caller names it. */
  readonly type?: string
  /** The JWT of Tokenwell or AWS. Absent if each caller sends the token. */
  readonly assertion?: AssertionConfiguration
}

/** The JWTs of a grant, or the one that is the token. */
export function assertionsOfGrant(grant: Grant): readonly AssertionConfiguration[] {
  switch (grant.type) {
    case jwtBearer:
    case 'authTokenLocal':
      return [grant.assertion]
    case tokenExchange:
      return [grant.subject.assertion, grant.actor?.assertion].filter((each) => each !== undefined)
    default:
      return []
  }
}

/** All JWTs that get a token: that of the client, those of the grant, or the token itself. */
export function assertionsOf(token: TokenConnection): readonly AssertionConfiguration[] {
  const ofClient = isServed(token) && 'assertion' in token.clientAuthentication
  return [...(ofClient ? [token.clientAuthentication.assertion] : []), ...assertionsOfGrant(token.grant)]
}

/** Those of `assertionsOf` that Tokenwell signs. */
export function signedJwtsOf(token: TokenConnection): readonly JwtConfiguration[] {
  return assertionsOf(token).filter(isSignedByTokenwell)
}

export type ClientAuthentication = PrivateKeyJwt | ClientPassword | TlsClientAuth | NoAuthentication

/** RFC 7523 section 2.2, with an asymmetric or a shared key. */
export interface PrivateKeyJwt {
  readonly method: 'private_key_jwt' | 'client_secret_jwt'
  readonly assertion: AssertionConfiguration
  /** Whether the body also has `client_id`. */
  readonly sendClientId: boolean
}

/** RFC 6749 section 2.3.1: in the header `Authorization`, or in the body. */
export interface ClientPassword {
  readonly method: 'client_secret_basic' | 'client_secret_post'
  readonly passwordSecret: string
}

/** RFC 8705 section 2: with the certificate of `authorizationServer.tls`. */
export interface TlsClientAuth {
  readonly method: 'tls_client_auth'
}

/** The client has no credentials: its grant proves what it may have (RFC 7521 section 4.1, RFC 8693 section 2.1). */
export interface NoAuthentication {
  readonly method: 'none'
  /** Whether the body has `client_id`. */
  readonly sendClientId: boolean
}

export type ResolvedAuthorizationServer = LocatedServer | ServerToDiscover

/** A server whose token endpoint is known: from the elements, or from its metadata. */
export interface LocatedServer extends ServerSettings {
  readonly tokenEndpoint: string
}

/** A server whose metadata (RFC 8414) says where its token endpoint is. */
export interface ServerToDiscover extends ServerSettings {
  readonly issuer: string
  readonly tokenEndpoint?: undefined
  readonly discovery: DiscoveryRules
}

/** What the metadata of a server may decide. */
export interface DiscoveryRules {
  /** The hosts, beside that of the issuer, that its token endpoint may have. In the form of a URL's `hostname`. */
  readonly hosts: readonly string[]
  /** The proxy of the element, for endpoints that `noProxy` does not name. */
  readonly proxy?: HttpProxy
  readonly noProxy: readonly string[]
}

interface ServerSettings extends Transport {
  readonly id: string
  readonly issuer?: string
  /** Values of `token_type`, beside `Bearer`, for its bearer tokens. */
  readonly tokenTypes?: readonly string[]
  /** Between two scopes in a text, where it is no blank (RFC 6749 section 3.3). */
  readonly scopeSeparator?: string
  readonly headers?: HeaderValues
  /** The names of the parameters that are sent in the query of the token endpoint. */
  readonly parametersInQuery?: readonly string[]
  readonly maximumConcurrency: number
  /** The cool-down after the first failure. It doubles after each further failure, up to 5 min. */
  readonly coolDownSeconds: number
  readonly lifetime: LifetimePolicy
}

/** The names of the secrets in the body of the request of an `authToken`. Empty for any other grant. */
export function secretsInBodyOf(grant: Grant): readonly string[] {
  return grant.type === 'authToken' ? secretsInBody(grant.request.body?.structure) : []
}

/** The names of the secrets in the headers of its token requests. */
export function secretsInHeaders({ headers = {} }: ResolvedAuthorizationServer): readonly string[] {
  return Object.values(headers).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]))
}

export interface LifetimePolicy {
  /** The lifetime of a token if neither the answer nor the token states one. */
  readonly assumedLifetimeSeconds: number
  readonly maximumLifetimeSeconds?: number
  /** Replaces the default margin: 10 % of the lifetime, at least 1 s and at most 30 s. */
  readonly marginSeconds?: number
}

export interface ConfiguredParameters {
  readonly scope: readonly string[]
  readonly resource: readonly string[]
  readonly audience?: string
  readonly further: Readonly<Record<string, string>>
}
