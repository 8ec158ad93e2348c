import type { Omittable } from './assertion-schema.ts'
import type {
  AssertionParameters,
  CertificateThumbprint,
  ClaimsFromRequest,
  GrantType,
  HeaderValues,
  RequestMay,
} from './element.ts'
import { jwtBearer, tokenExchange } from './grant-type.ts'
import type { SignatureAlgorithm } from './signature-algorithm.ts'

/** A connection with all references followed and all defaults set. Deeply frozen. */
export interface Connection {
  readonly name: string
  /** Its elements, each as `kind/id`. */
  readonly elements: readonly string[]
  /** Absent if `host` is left out. Then callers get tokens, but Tokenwell makes no API calls. */
  readonly api?: ProtectedApi | ApiOfToken
  readonly grant: Grant
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication
  readonly authorizationServer: ResolvedAuthorizationServer
  readonly parameters: ConfiguredParameters
  /** The members of a token answer that callers get beside the token. */
  readonly passOn?: readonly string[]
  readonly requestMay?: RequestMay
  /** The subjects of client certificates that may use it. If absent, none may. */
  readonly clientCertificateSubjects?: readonly string[]
  /** If absent, warm runs do not renew its tokens. */
  readonly warming?: Warming
}

/** Which tokens of a connection the warm runs renew before they get stale. */
export interface Warming {
  /** How long after its last use a token is still renewed. */
  readonly idleMilliseconds: number
  /** The same limit in lifetimes of the token. The shorter limit counts. */
  readonly idleLifetimes?: number
  /** The maximum number of renewed tokens: one for each combination of scope, resource, audience and further parameters. */
  readonly maximumVariants: number
}

export type Grant = PlainGrant | JwtBearerGrant | TokenExchangeGrant

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
  return grant.type === 'password' || namesUser(claimsFromRequestOf(grant))
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
  /** The JWT that Tokenwell signs. Absent if each caller sends the token. */
  readonly assertion?: AssertionConfiguration
}

/** The JWTs that Tokenwell signs for a grant. */
export function assertionsOfGrant(grant: Grant): readonly AssertionConfiguration[] {
  switch (grant.type) {
    case jwtBearer:
      return [grant.assertion]
    case tokenExchange:
      return [grant.subject.assertion, grant.actor?.assertion].filter((each) => each !== undefined)
    default:
      return []
  }
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

export interface AssertionConfiguration {
  readonly issuer: string
  /** If absent, the assertion has no `sub`. The assertion of a client always has one. */
  readonly subject?: string
  readonly audiences: readonly string[]
  readonly expiresInSeconds: number
  readonly issuedAtOffsetSeconds: number
  /** If absent, the assertion has no `nbf`. */
  readonly notBeforeOffsetSeconds?: number
  readonly hasJwtId: boolean
  readonly scope?: string
  /** The operator's claims. They overwrite the claims above, except `sub` and `iat`. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly algorithm: SignatureAlgorithm
  /** The header `typ`. Absent if the operator set `none`. */
  readonly type?: string
  readonly certificateThumbprint: CertificateThumbprint
  /** Present if the header has the certificate chain of the key. */
  readonly hasCertificateChain?: true
  /** Further members of the header. */
  readonly header?: Readonly<Record<string, unknown>>
  /** What the assertion does not have, although the settings above give it. */
  readonly omitted?: readonly Omittable[]
  readonly key: KeyReference
}

export interface KeyReference {
  /** The id of the jwtBuilder that has this key. */
  readonly jwtBuilder: string
  /** The `kid` of each key in `revokedKeys` of the element. */
  readonly revoked?: readonly string[]
  /** The name of the secret. */
  readonly location: string
  readonly alias?: string
  /** Present if Tokenwell makes the key itself (`jwkEnabled`). */
  readonly generated?: GeneratedKey
}

export interface GeneratedKey {
  /** In bits, for an RSA key. */
  readonly modulusLength: number
  /** The time from one new key to the next. */
  readonly rotationSeconds: number
  /** The time from the publication of a key to its first signature. */
  readonly publishAheadSeconds: number
}

/** How a server is reached. */
export interface Transport {
  readonly tls: TlsConfiguration
  /** If absent, the server is reached directly. */
  readonly proxy?: HttpProxy
  /** The time limit until the connection is open, including the tunnel of a proxy. */
  readonly connectTimeoutMilliseconds: number
  /** The longest time without data from the server. */
  readonly receiveTimeoutMilliseconds: number
}

export interface ResolvedAuthorizationServer extends Transport {
  readonly id: string
  readonly issuer?: string
  readonly tokenEndpoint: string
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

/** The names of the secrets in the headers of its token requests. */
export function secretsInHeaders({ headers = {} }: ResolvedAuthorizationServer): readonly string[] {
  return Object.values(headers).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]))
}

interface Api extends Transport {
  /** The prefix of each path: empty, or with a slash at the beginning and none at the end. */
  readonly basePath: string
  /** Which answers with 401 mean that the API rejected the token. */
  readonly rejection: TokenRejection
}

/** The API of a connection. Tokenwell calls it with the connection's token. */
export interface ProtectedApi extends Api {
  /** Such as `https://api.example.com:8443`. */
  readonly origin: string
  /** The answer of an authorization server chose the origin: it is reached at public addresses only. */
  readonly isPublicOnly?: true
}

/** An API whose origin each token answer names. */
export interface ApiOfToken extends Api {
  readonly origin?: undefined
  readonly hostFrom: HostFrom
}

export interface HostFrom {
  /** The member of the token answer that has the origin. It is one of `passOn`. */
  readonly member: string
  /** The hosts that it may name: `api.example.com`, or `*.example.com` for all hosts below a domain. In lower case. */
  readonly within: readonly string[]
  /** The hosts that are reached without `proxy`. */
  readonly noProxy: readonly string[]
}

/** Any 401, or only a 401 whose challenge says `invalid_token` (RFC 6750 section 3.1). */
export type TokenRejection = 'any_401' | 'invalid_token'

/** A proxy for tunnels with CONNECT (RFC 9110 section 9.3.6). */
export interface HttpProxy {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly credentials?: ProxyCredentials
}

/** RFC 7617. */
export interface ProxyCredentials {
  readonly user: string
  readonly passwordSecret: string
}

export interface TlsConfiguration {
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3'
  /** The name of the secret with the CA bundle. If absent, the CA list of Node.js is used. */
  readonly trustStore?: string
  /** The name of the secret with the client certificate and its key. */
  readonly clientCertificate?: string
  /** Each certificate in the trust store is trusted by itself. Otherwise a chain must end in a self-signed certificate. */
  readonly allowPartialTrustChain?: true
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
