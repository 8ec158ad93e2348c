import type * as v from 'valibot'
import type { elementSchemas } from './element-schema.ts'

/**
 * The configuration elements as the core sees them: read, typed, still unresolved. Names and meaning are those of
 * z/OS Connect without the `zosconnect_` prefix (`README.md` beside this file). Durations are milliseconds here. The schemas
 * say which attributes there are; only their types are used here, so that no instance loads them before it reads elements.
 */
export type Elements = { readonly [K in Kind]: Readonly<v.InferOutput<(typeof elementSchemas)[K]>> }

export type Kind = keyof typeof elementSchemas

export interface ElementReference<K extends Kind = Kind> {
  readonly kind: K
  readonly id: string
}

/** A named API and how to authenticate to it. Callers name nothing else. */
export type EndpointConnection = Elements['endpointConnection']
export type OAuthConfig = Elements['oAuthConfig']
export type AuthorizationServer = Elements['authorizationServer']
export type JwtBuilder = Elements['jwtBuilder']

export type GrantType = NonNullable<OAuthConfig['grantType']>
/** What a request may set, by parameter name: any value (`true`) or one of those listed. It may set nothing else. */
export type RequestMay = NonNullable<OAuthConfig['requestMay']>
export type CertificateThumbprint = NonNullable<JwtBuilder['certificateThumbprint']>

/** Which attribute refers to an element of which kind. Elements refer downwards only, so a circle can't be written. */
export const referenceAttributes = {
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

export const kinds = Object.keys(referenceAttributes) as Kind[]

/** The same text for the same element, and for no other. */
export function keyOf({ kind, id }: ElementReference): string {
  return `${kind}/${id}`
}

/** The ids of the elements that are used where a reference is left out. */
export const defaultElementIds = {
  keyStore: 'defaultKeyStore',
  ssl: 'defaultSSLConfig',
  sslDefault: 'default',
} as const
