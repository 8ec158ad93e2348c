import type { Transport } from './transport.ts'

interface Api extends Transport {
  /** The prefix of each path: empty, or with a slash at the beginning and none at the end. */
  readonly basePath: string
  /** Basic authentication to the API (RFC 7617). Absent where no `authData` authenticates its calls. */
  readonly basicAuthentication?: BasicAuthentication
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

/** The user and the secret with the password that authenticate API calls. */
export interface BasicAuthentication {
  /** The id of the `authData` element. */
  readonly id: string
  readonly user: string
  readonly passwordSecret: string
}

/** How API calls carry a token. */
export interface TokenCarrier {
  /** The name of the header, in lower case. */
  readonly header: string
  /** Whether the value begins with `Bearer ` (RFC 6750 section 2.1). */
  readonly isBearer: boolean
  /** Which answers with 401 mean that the API rejected the token. */
  readonly rejection: TokenRejection
}

/** Any 401, or only a 401 whose challenge says `invalid_token` (RFC 6750 section 3.1). */
export type TokenRejection = 'any_401' | 'invalid_token'
