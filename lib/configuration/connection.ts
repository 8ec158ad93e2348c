import { createHash } from 'node:crypto'
import { isJsonObject } from '../base/decoding.ts'
import type { CertificateThumbprint, GrantType, RequestMay } from './element.ts'
import type { SignatureAlgorithm } from './signature-algorithm.ts'

/** A connection with every reference followed and every default in place. Deeply frozen. */
export interface Connection {
  readonly name: string
  /** Those that it is made of, each as `kind/id`, as its operator wrote them. */
  readonly elements: readonly string[]
  /** Absent if `host` is left out: then callers get tokens, and Tokenwell makes no call. */
  readonly api?: ProtectedApi
  readonly grantType: GrantType
  readonly clientId: string
  readonly clientAuthentication: ClientAuthentication
  readonly authorizationServer: ResolvedAuthorizationServer
  readonly parameters: ConfiguredParameters
  readonly requestMay?: RequestMay
  /** If absent, its tokens are not kept warm. */
  readonly warming?: Warming
}

/** Which tokens of a connection are renewed on a schedule before they go stale. */
export interface Warming {
  /** From the last use of a token to its last renewal. */
  readonly idleMilliseconds: number
  /** The same in lifetimes of the token, where that is less. */
  readonly idleLifetimes?: number
  /** The most tokens that are renewed: one for each combination of scope, resource, audience and further parameters. */
  readonly maximumVariants: number
}

export type ClientAuthentication = PrivateKeyJwt | ClientSecretBasic | TlsClientAuth

/** RFC 7523 section 2.2, asymmetric or with a shared key. */
export interface PrivateKeyJwt {
  readonly method: 'private_key_jwt' | 'client_secret_jwt'
  readonly assertion: AssertionConfiguration
  /** Whether the body has `client_id` too. */
  readonly sendClientId: boolean
}

/** RFC 6749 section 2.3.1. */
export interface ClientSecretBasic {
  readonly method: 'client_secret_basic'
  readonly passwordSecret: string
}

/** RFC 8705 section 2: by the certificate that `authorizationServer.tls` presents. */
export interface TlsClientAuth {
  readonly method: 'tls_client_auth'
}

export interface AssertionConfiguration {
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  readonly expiresInSeconds: number
  readonly issuedAtOffsetSeconds: number
  /** If absent, the assertion has no `nbf`. */
  readonly notBeforeOffsetSeconds?: number
  readonly hasJwtId: boolean
  readonly scope?: string
  /** Claims of the operator, which overwrite all of the above but `sub` and `iat`. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly algorithm: SignatureAlgorithm
  /** The header `typ`; absent if the operator set `none`. */
  readonly type?: string
  readonly certificateThumbprint: CertificateThumbprint
  readonly key: KeyReference
}

export interface KeyReference {
  /** Whose key it is. */
  readonly jwtBuilder: string
  /** The `kid` of each key that must not be used any more, by the element. */
  readonly revoked?: readonly string[]
  /** The name of the secret. */
  readonly location: string
  readonly alias?: string
  /** Present if Tokenwell makes the key itself (`jwkEnabled`). */
  readonly generated?: GeneratedKey
}

export interface GeneratedKey {
  /** In bits, of an RSA key. */
  readonly modulusLength: number
  /** From one new key to the next. */
  readonly rotationSeconds: number
  /** From the publication of a key to its first signature. */
  readonly publishAheadSeconds: number
}

/** How a far end is reached. */
export interface Transport {
  readonly tls: TlsConfiguration
  /** If absent, the far end is reached directly. */
  readonly proxy?: HttpProxy
  /** Until the connection is open, with the tunnel of a proxy if there is one. */
  readonly connectTimeoutMilliseconds: number
  /** Longest silence of the far end. */
  readonly receiveTimeoutMilliseconds: number
}

export interface ResolvedAuthorizationServer extends Transport {
  readonly id: string
  readonly issuer?: string
  readonly tokenEndpoint: string
  /** What its bearer tokens are called beside `Bearer`. */
  readonly tokenTypes?: readonly string[]
  readonly maximumConcurrency: number
  /** After the first failure; doubled after each further one, up to 5 min. */
  readonly coolDownSeconds: number
  readonly lifetime: LifetimePolicy
}

/** The API that a connection is for: Tokenwell calls it with the connection's token. */
export interface ProtectedApi extends Transport {
  /** `https://api.example.com:8443` */
  readonly origin: string
  /** In front of each path: empty, or begins with a slash and ends without one. */
  readonly basePath: string
  /** Which 401 means that the API rejected the token. */
  readonly rejection: TokenRejection
}

/** Any 401, or one whose challenge says `invalid_token` (RFC 6750 section 3.1). */
export type TokenRejection = 'any_401' | 'invalid_token'

/** Tunnels are opened through it by CONNECT (RFC 9110 section 9.3.6). */
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
  /** The name of the secret with the CA bundle; the CA list of Node.js if absent. */
  readonly trustStore?: string
  /** The name of the secret with the client certificate and its key. */
  readonly clientCertificate?: string
  /** Each certificate of the trust store is trusted as it is. Otherwise a chain must end in one that signed itself. */
  readonly allowPartialTrustChain?: true
}

export interface LifetimePolicy {
  /** Of a token whose lifetime neither the answer nor its own content says. */
  readonly assumedLifetimeSeconds: number
  readonly maximumLifetimeSeconds?: number
  /** Instead of 10 % of the lifetime, at least 1 s, at most 30 s. */
  readonly marginSeconds?: number
}

export interface ConfiguredParameters {
  readonly scope: readonly string[]
  readonly resource: readonly string[]
  readonly audience?: string
  readonly further: Readonly<Record<string, string>>
}

/** Instead of a fingerprint, of a connection that its operator has disabled: no hash is so short. */
export const disabledFingerprint = 'disabled'

/**
 * A hash over all of a connection that can change which token is issued, how long it is used, or who may ask for it. Keys, the
 * API, timeouts, TLS and proxies are left out: after a change of those, cached tokens stay good.
 */
export function fingerprintOf(connection: Connection): string {
  const { grantType, clientId, clientAuthentication, authorizationServer, parameters, requestMay } = connection
  const { tokenEndpoint, issuer, lifetime } = authorizationServer
  const identity = {
    ...{ grantType, clientId, tokenEndpoint, issuer, lifetime, parameters, requestMay },
    ...('assertion' in clientAuthentication && assertionIdentity(clientAuthentication.assertion)),
  }
  return createHash('sha256').update(canonicalJson(identity)).digest('base64url')
}

function assertionIdentity({ issuer, subject, audiences, scope, claims }: AssertionConfiguration): object {
  return { assertion: { issuer, subject, audiences, scope, claims } }
}

/** The same text whatever the order in which members were written. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    isJsonObject(member) ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member,
  )
}
