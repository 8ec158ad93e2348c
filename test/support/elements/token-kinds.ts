import { exampleElements, type RawElements } from './elements.ts'

/* Tokens that no OAuth 2.0 grant brings, one kind for each place that a credential or a token may have. */

/** What an `authToken` and its server have beside a token endpoint. */
interface TokenServerKind {
  readonly authToken: Readonly<Record<string, unknown>>
  readonly server: Readonly<Record<string, unknown>>
  /** An answer with this token that ends in an hour. */
  answer(token: string): { readonly headers?: Record<string, string>; readonly body?: unknown }
}

const byPassword = { basicAuthRef: 'theUser' }
const inJson = { tokenLocation: 'body', responseFormat: 'JSON', tokenPath: 'token', expiresPath: 'expires_in' }
const answerInJson = (token: string) => ({ body: { token, expires_in: 3_600 } })
const secretInBody = { secret: 'tokenwell/local/the-body-secret' }

/** The kinds of token servers, by the place of the credentials. */
export const tokenServerKinds = {
  'bearer-jwt': {
    authToken: { jwtAuthenticationTokenRef: 'theTokenConfig', tokenResponse: inJson },
    server: { headers: { 'x-api-key': { secret: 'tokenwell/local/the-header-secret' } } },
    answer: answerInJson,
  },
  basic: {
    authToken: { tokenRequest: { requestMethod: 'GET' }, tokenResponse: inJson },
    server: byPassword,
    answer: answerInJson,
  },
  'named-headers': {
    authToken: {
      tokenRequest: { userHeader: 'x-user', passwordHeader: 'x-password' },
      tokenResponse: { tokenLocation: 'header', header: 'x-token', expiresHeader: 'x-expires' },
    },
    server: byPassword,
    answer: (token: string) => ({ headers: { 'x-token': token, 'x-expires': '3600' } }),
  },
  'json-body': {
    authToken: {
      tokenRequest: {
        credentialLocation: 'body',
        requestBody: { login: { name: { user: true }, word: { password: true } }, keys: ['a', secretInBody] },
      },
      tokenResponse: { tokenLocation: 'body', responseFormat: 'Text', expiresHeader: 'x-expires' },
    },
    server: byPassword,
    answer: (token: string) => ({ headers: { 'x-expires': '3600', 'content-type': 'text/plain' }, body: token }),
  },
  'form-body': {
    authToken: {
      tokenRequest: {
        credentialLocation: 'body',
        bodyFormat: 'form',
        requestBody: { name: { user: true }, word: { password: true }, key: secretInBody },
      },
      tokenResponse: inJson,
    },
    server: byPassword,
    answer: answerInJson,
  },
  'jwt-in-body': {
    authToken: {
      jwtAuthenticationTokenRef: 'theTokenConfig',
      tokenRequest: { credentialLocation: 'body', requestBody: { jwt: { assertion: true }, key: secretInBody } },
      tokenResponse: inJson,
    },
    server: {},
    answer: answerInJson,
  },
} as const satisfies Record<string, TokenServerKind>

export type TokenServerKindName = keyof typeof tokenServerKinds

/** A header can have it, and it is no other text in any encoding. */
export const printableSecret = 'pass%word+of/the "user"=\\ and {more}'

/** Secrets that a header may have, and that no encoding leaves as they are. */
export const secretsOfKinds = {
  'the-password': printableSecret,
  'the-header-secret': 'header%secret+of/the "server"=\\ and {more}',
  'the-body-secret': 'body%secret+of/the "server"=\\ and {more}',
} as const

export const userOfKinds = 'some-user@example.com'

/** The elements that all kinds share, without servers and connections. */
export function sharedElements(issuer: string): RawElements {
  const { jwtBuilder, oAuthTokenConfig, ssl, keyStore } = exampleElements(issuer, {
    builder: { issuer: 'theApp', signatureAlgorithm: 'ES256', audiences: [issuer] },
  })
  return {
    ...{ jwtBuilder: jwtBuilder ?? {}, oAuthTokenConfig: oAuthTokenConfig ?? {}, ssl: ssl ?? {} },
    keyStore: keyStore ?? {},
    authData: { theUser: { user: userOfKinds, passwordSecret: 'tokenwell/local/the-password' } },
  }
}

/** A connection `name` whose token comes from a server of this kind at that URL. */
export function connectionOfKind(
  kind: TokenServerKindName,
  name: string,
  tokenEndpoint: string,
  { server = {}, authToken = {}, endpoint = {} }: Readonly<Record<string, Record<string, unknown>>> = {},
): RawElements {
  const own: TokenServerKind = tokenServerKinds[kind]
  return {
    authorizationServer: { [name]: { tokenEndpoint, ...own.server, ...server } },
    authToken: { [name]: { authServerRef: name, ...own.authToken, ...authToken } },
    endpointConnection: { [name]: { authenticationConfigRef: name, ...endpoint } },
  }
}

/** The elements of all sets, kind by kind. */
export function mergedElements(...sets: readonly RawElements[]): RawElements {
  const kinds = new Set(sets.flatMap((set) => Object.keys(set)))
  return Object.fromEntries([...kinds].map((kind) => [kind, Object.assign({}, ...sets.map((set) => set[kind] ?? {}))]))
}
