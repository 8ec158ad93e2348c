import type * as v from 'valibot'
import type { elementSchemas } from './element-schema.ts'

/**
 * The configuration elements after they were read and typed, with unresolved references. Names and meanings are those of z/OS
 * Connect without the prefix `zosconnect_` (see `README.md` in this folder). Durations are in milliseconds. This module uses only
 * the types of the schemas, so that an instance does not load the schemas before it reads elements.
 */
export type Elements = { readonly [K in Kind]: Readonly<v.InferOutput<(typeof elementSchemas)[K]>> }

export type Kind = keyof typeof elementSchemas

export interface ElementReference<K extends Kind = Kind> {
  readonly kind: K
  readonly id: string
}

/** A named way to get a token, and the API that the token is for. Callers name no other element. */
export type EndpointConnection = Elements['endpointConnection']
export type OAuthConfig = Elements['oAuthConfig']
export type AuthorizationServer = Elements['authorizationServer']
export type JwtBuilder = Elements['jwtBuilder']
export type AuthToken = Elements['authToken']
export type AuthTokenLocal = Elements['authTokenLocal']
export type AuthData = Elements['authData']
export type AwsWebIdentity = Elements['awsWebIdentity']
export type KeyStore = Elements['keyStore']

export type GrantType = NonNullable<OAuthConfig['grantType']>
/** The caller parameters that a request may set, by name: any value (`true`) or one of the listed values. */
export type RequestMay = NonNullable<OAuthConfig['requestMay']>
/** The parameters that are claims of a grant's assertion, and the form of each claim. */
export type AssertionParameters = NonNullable<OAuthConfig['assertionParameters']>
/** Further headers of token requests, by their names in lower case. */
export type HeaderValues = NonNullable<AuthorizationServer['headers']>
/** The claims of a grant's assertion that each request sets, and to which values. */
export type ClaimsFromRequest = NonNullable<OAuthConfig['claimsFromRequest']>
export type CertificateThumbprint = NonNullable<JwtBuilder['certificateThumbprint']>

/** The attributes that refer to elements, with the kind of each, or the kinds over which its ids are looked up. References only go downwards, so a circle is impossible. */
// A test holds that. So no code has to look for a circle at run time.
export const referenceAttributes = {
  endpointConnection: {
    authenticationConfigRef: ['oAuthConfig', 'authToken', 'authTokenLocal', 'authData'],
    sslCertsRef: 'ssl',
    proxyConfigRef: 'proxyConfig',
  },
  oAuthConfig: {
    authServerRef: 'authorizationServer',
    jwtAuthenticationTokenRef: 'oAuthTokenConfig',
    assertionTokenRef: 'oAuthTokenConfig',
    subjectTokenRef: 'oAuthTokenConfig',
    actorTokenRef: 'oAuthTokenConfig',
  },
  authToken: { authServerRef: 'authorizationServer', jwtAuthenticationTokenRef: 'oAuthTokenConfig' },
  authTokenLocal: { tokenGeneratorRef: 'jwtBuilder' },
  oAuthTokenConfig: { tokenGeneratorRef: ['jwtBuilder', 'awsWebIdentity'] },
  authorizationServer: { sslCertsRef: 'ssl', basicAuthRef: 'authData', proxyConfigRef: 'proxyConfig' },
  jwtBuilder: { keyStoreRef: 'keyStore' },
  awsWebIdentity: {},
  keyStore: {},
  ssl: { keyStoreRef: 'keyStore', trustStoreRef: 'keyStore' },
  sslDefault: { sslRef: 'ssl' },
  authData: {},
  proxyConfig: { basicAuthRef: 'authData' },
} as const satisfies { [K in Kind]: { [A in keyof Elements[K]]?: Kind | readonly Kind[] } }

export const kinds = Object.keys(referenceAttributes) as Kind[]

/** A text that is unique for each element. */
export function keyOf({ kind, id }: ElementReference): string {
  return `${kind}/${id}`
}

/** The ids of the elements that are used when a reference is left out. */
export const defaultElementIds = {
  keyStore: 'defaultKeyStore',
  ssl: 'defaultSSLConfig',
  sslDefault: 'default',
} as const
