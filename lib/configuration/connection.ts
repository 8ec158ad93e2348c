import type { CertificateThumbprint, GrantType, RequestMay } from './element.ts'
import type { SignatureAlgorithm } from './signature-algorithm.ts'

/** A connection with every reference followed and every default in place. Deeply frozen. */
export interface Connection {
  readonly name: string
  /** Where the API is; shown, not called. */
  readonly apiUrl?: string
  readonly grantType: GrantType
  readonly clientId: string
  readonly clientAuthentication: PrivateKeyJwt | ClientSecretBasic
  readonly authorizationServer: ResolvedAuthorizationServer
  readonly parameters: ConfiguredParameters
  readonly requestMay?: RequestMay
  /** Its tokens are not kept warm where absent. */
  readonly warming?: Warming
}

/** Which tokens of a connection are renewed on a schedule before they go stale. */
export interface Warming {
  /** So long after its last use a token is still renewed. */
  readonly idleMilliseconds: number
  /** Tokens that are renewed at most: one for each combination of scope, resource, audience and further parameters. */
  readonly maximumVariants: number
}

/** RFC 7523 section 2.2, asymmetric or with a shared key. */
export interface PrivateKeyJwt {
  readonly method: 'private_key_jwt' | 'client_secret_jwt'
  readonly assertion: AssertionConfiguration
  /** Whether `client_id` also stands in the body. */
  readonly sendClientId: boolean
}

/** RFC 6749 section 2.3.1. */
export interface ClientSecretBasic {
  readonly method: 'client_secret_basic'
  readonly passwordSecret: string
}

export interface AssertionConfiguration {
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  readonly expiresInSeconds: number
  readonly issuedAtOffsetSeconds: number
  /** No `nbf` where absent. */
  readonly notBeforeOffsetSeconds?: number
  readonly hasJwtId: boolean
  readonly scope?: string
  /** Claims of the operator, which overwrite all of the above but `sub` and `iat`. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly algorithm: SignatureAlgorithm
  /** The header `typ`; absent where the operator set `none`. */
  readonly type?: string
  readonly certificateThumbprint: CertificateThumbprint
  readonly key: KeyReference
}

export interface KeyReference {
  /** The name of the secret. */
  readonly location: string
  readonly alias?: string
  /** Present where Tokenwell makes the key itself (`jwkEnabled`). */
  readonly generated?: GeneratedKey
}

export interface GeneratedKey {
  /** Of an RSA key. */
  readonly modulusLength: number
  /** So often a new one is made. */
  readonly rotationSeconds: number
  /** So long it is published before it signs. */
  readonly publishAheadSeconds: number
}

export interface ResolvedAuthorizationServer {
  readonly id: string
  readonly issuer?: string
  readonly tokenEndpoint: string
  readonly tls: TlsConfiguration
  readonly connectTimeoutMilliseconds: number
  readonly receiveTimeoutMilliseconds: number
  readonly maximumConcurrency: number
  /** After the first failure; doubled after each further one, up to 5 min. */
  readonly coolDownSeconds: number
  readonly lifetime: LifetimePolicy
}

export interface TlsConfiguration {
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3'
  /** The name of the secret with the CA bundle; the CA list of Node.js where absent. */
  readonly trustStore?: string
  /** The name of the secret with the client certificate and its key. */
  readonly clientCertificate?: string
}

export interface LifetimePolicy {
  /** Of a token whose answer and content say nothing. */
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
