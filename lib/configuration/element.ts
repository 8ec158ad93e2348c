import type { SignatureAlgorithm } from './signature-algorithm.ts'

/**
 * The configuration elements as the core sees them: read, typed, still unresolved. Names and meaning are those of
 * z/OS Connect without the `zosconnect_` prefix (`README.md` beside this file). Durations are milliseconds here.
 */
export interface Elements {
  endpointConnection: EndpointConnection
  oAuthConfig: OAuthConfig
  oAuthTokenConfig: OAuthTokenConfig
  authorizationServer: AuthorizationServer
  jwtBuilder: JwtBuilder
  keyStore: KeyStore
  ssl: Ssl
  sslDefault: SslDefault
  authData: AuthData
  proxyConfig: ProxyConfig
}

export type Kind = keyof Elements

export interface ElementReference<K extends Kind = Kind> {
  readonly kind: K
  readonly id: string
}

/** A named API and how to authenticate to it. Callers name nothing else. */
export interface EndpointConnection {
  readonly authenticationConfigRef: string
  /** Scheme and host, as in the original: `https://api.server.com`. */
  readonly host?: string
  readonly port?: number
  readonly domainBasePath?: string
  readonly sslCertsRef?: string
  readonly proxyConfigRef?: string
  readonly connectionTimeout?: number
  readonly receiveTimeout?: number
  readonly warm?: boolean
  readonly warmIdle?: number
  readonly warmVariants?: number
}

export interface OAuthConfig {
  readonly grantType?: GrantType
  readonly authServerRef: string
  readonly jwtAuthenticationTokenRef?: string
  readonly jwtAuthenticationSetClientId?: boolean
  /** The OAuth 2.0 client id of a client that authenticates by its TLS certificate (RFC 8705 section 2). */
  readonly tlsAuthenticationClientId?: string
  readonly tokenRetryCheckLevel?: 1 | 2 | 3
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly audience?: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly requestMay?: RequestMay
}

export type GrantType = 'client_credentials' | 'password'

/** What a request may set, by parameter name: any value (`true`) or one of those listed. Nothing else, where given. */
export type RequestMay = Readonly<Record<string, true | readonly string[]>>

export interface OAuthTokenConfig {
  readonly tokenGeneratorRef: string
  /** The OAuth 2.0 client id; always the assertion's `sub`. */
  readonly tokenSubject: string
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface AuthorizationServer {
  /** The token endpoint's URL as written: its query is kept. */
  readonly tokenEndpoint: string
  /** The issuer identifier (RFC 8414): the default `aud` of an assertion. */
  readonly issuer?: string
  readonly sslCertsRef?: string
  readonly basicAuthRef?: string
  readonly proxyConfigRef?: string
  readonly connectionTimeout?: number
  readonly receiveTimeout?: number
  readonly assumedLifetimeSeconds?: number
  readonly maximumLifetimeSeconds?: number
  readonly marginSeconds?: number
  readonly maximumConcurrency?: number
  readonly coolDownSeconds?: number
  readonly allowLoopbackHttp?: boolean
}

export interface JwtBuilder {
  readonly issuer?: string
  readonly audiences?: readonly string[]
  readonly expiresInSeconds?: number
  readonly expiry?: number
  readonly nbfOffset?: number
  readonly issuedAtOffset?: number
  readonly jti?: boolean
  readonly scope?: string
  readonly signatureAlgorithm?: SignatureAlgorithm
  readonly keyStoreRef?: string
  readonly keyAlias?: string
  /** The name of the secret that holds the key of an HS* algorithm. */
  readonly sharedKey?: string
  readonly typ?: string
  readonly certificateThumbprint?: CertificateThumbprint
  readonly jwkEnabled?: boolean
  readonly jwkSigningKeySize?: 2048 | 3072 | 4096
  readonly jwkRotationTime?: number
  readonly publishAheadSeconds?: number
}

export type CertificateThumbprint = 'none' | 'x5t#S256' | 'x5t'

export interface KeyStore {
  /** The name of the secret that holds the keys or certificates. */
  readonly location: string
}

export interface Ssl {
  readonly keyStoreRef?: string
  readonly trustStoreRef?: string
  readonly sslProtocol?: 'TLSv1.2' | 'TLSv1.3'
}

/** One for all: its id is `default`. */
export interface SslDefault {
  readonly sslRef: string
}

export interface AuthData {
  readonly user: string
  /** The name of the secret that holds the password. */
  readonly passwordSecret: string
}

export interface ProxyConfig {
  readonly host: string
  readonly port: number
  readonly basicAuthRef?: string
  /** Hosts that are reached without it, as `NO_PROXY` lists them. */
  readonly noProxy?: readonly string[]
}

/** Which attribute refers to an element of which kind. Elements refer downwards only, so a circle can't be written. */
export const references = {
  endpointConnection: { authenticationConfigRef: 'oAuthConfig', sslCertsRef: 'ssl', proxyConfigRef: 'proxyConfig' },
  oAuthConfig: { authServerRef: 'authorizationServer', jwtAuthenticationTokenRef: 'oAuthTokenConfig' },
  oAuthTokenConfig: { tokenGeneratorRef: 'jwtBuilder' },
  authorizationServer: { sslCertsRef: 'ssl', basicAuthRef: 'authData', proxyConfigRef: 'proxyConfig' },
  jwtBuilder: { keyStoreRef: 'keyStore' },
  keyStore: {},
  ssl: { keyStoreRef: 'keyStore', trustStoreRef: 'keyStore' },
  sslDefault: { sslRef: 'ssl' },
  authData: {},
  proxyConfig: { basicAuthRef: 'authData' },
} as const satisfies { [K in Kind]: { [A in keyof Elements[K]]?: Kind } }

export const kinds = Object.keys(references) as Kind[]

/** The same text for the same element, and for no other. */
export function keyOf({ kind, id }: ElementReference): string {
  return `${kind}/${id}`
}

/** Ids are case-sensitive. Two dots alone are none: they would step out of a path. */
export function isElementId(id: string): boolean {
  return /^[A-Za-z0-9_.-]{1,128}$/.test(id) && !/^\.+$/.test(id)
}

/** The ids of the elements that stand in where a reference is left out. */
export const standIns = {
  keyStore: 'defaultKeyStore',
  ssl: 'defaultSSLConfig',
  sslDefault: 'default',
} as const
