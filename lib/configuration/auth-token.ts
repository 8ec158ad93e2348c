import type { JsonObject } from '../base/decoding.ts'
import { hasJwtId, type JwtConfiguration } from './assertion-configuration.ts'
import type { ClaimsFromRequest } from './element.ts'

/* Tokens that no OAuth 2.0 grant brings. Names are those of the elements. */

/** A token server that has its own form of request and answer. */
export interface AuthTokenGrant {
  readonly type: 'authToken'
  readonly request: AuthTokenRequest
  readonly response: AuthTokenResponse
  readonly reuse: TokenReuse
}

/** A JWT that Tokenwell signs is the token. */
export interface AuthTokenLocalGrant {
  readonly type: 'authTokenLocal'
  readonly assertion: JwtConfiguration
  /** The claims of the token that each request sets. */
  readonly claimsFromRequest?: ClaimsFromRequest
  readonly reuse: TokenReuse
}

/** Whether each request gets a token of its own, which no other request may get. */
export function isSignedForEachRequest({ assertion, reuse }: AuthTokenLocalGrant): boolean {
  return reuse === 'without_jti' && hasJwtId(assertion)
}

/** Which tokens answer more than one request: all, or only those without a `jti`. With one, an API may detect a replay. */
export type TokenReuse = 'all' | 'without_jti'

export interface AuthTokenRequest {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly credentials: AuthTokenCredentials
  /** Present if each request brings the user and the password. If absent, the elements have all credentials. */
  readonly credentialsFrom?: 'caller'
  /** Headers that a request fills: the parameter for each, by the header's name in lower case. */
  readonly parameterHeaders?: Readonly<Record<string, string>>
  /** Absent if the request has no body. */
  readonly body?: AuthTokenBody
}

/** Where the request has its credentials. Header names are in lower case. */
export type AuthTokenCredentials =
  /** `Basic` with user and password (RFC 7617), or `Bearer` with the assertion. */
  | { readonly in: 'header'; readonly header: string }
  | { readonly in: 'named_headers'; readonly userHeader: string; readonly passwordHeader: string }
  /** The leaves of the body have them. */
  | { readonly in: 'body' }
  /** Only `headers` of the authorizationServer, a client certificate, or nothing. */
  | { readonly in: 'nowhere' }

export interface AuthTokenBody {
  readonly format: 'JSON' | 'form'
  /** Leaves `{ "secret": name }`, `{ "parameter": name }`, `{ "user": true }`, `{ "password": true }` and `{ "assertion": true }` stand for values. */
  readonly structure: JsonObject
}

export interface AuthTokenResponse {
  readonly token: AnswerPlace
  /** Where the answer says when the token ends. If absent, only the token itself may say so. */
  readonly expiry?: ExpiryPlace
}

export type AnswerPlace =
  | { readonly in: 'header'; readonly header: string }
  /** The whole body. */
  | { readonly in: 'text' }
  /** The names of JSON members, from the outside to the inside. */
  | { readonly in: 'json'; readonly path: readonly string[] }

export type ExpiryPlace = Exclude<AnswerPlace, { readonly in: 'text' }>
