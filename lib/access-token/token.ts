import type { Secret } from '../secret/secret.ts'
import type { Caller } from './caller.ts'
import { type CallersToken, keyOfCallersToken } from './callers-token.ts'
import { hasOwnEnd, isUsable, type Lifetime, lifetimeSeconds, secondsLeft } from './lifetime.ts'

/** A token for an API, from a server or signed by Tokenwell, with its lifetime and provenance. Times are milliseconds since the epoch. */
export interface Token extends Lifetime {
  /** Random. It names this token to callers, and is valid only for its connection. */
  readonly id: string
  readonly connection: string
  readonly accessToken: Secret
  /** The scope that the server granted, or else the requested scope. */
  readonly scope?: string
  /** The type of a token from an exchange (RFC 8693 section 2.2.1). Absent for every other grant. */
  readonly issuedTokenType?: string
  /** Present for a token that only one request may get. No cache keeps it. */
  readonly isForOneRequest?: true
  /** Absent where the elements name no members. */
  readonly passedOn?: PassedOn
}

/** Members of the authorization server's answer that callers get beside the token, by name. Never logged. */
export type PassedOn = Readonly<Record<string, string | number | boolean>>

/** 16 random bytes in base64url. The id of a shared token also has the digest that finds its record. */
export const tokenIdForm = /^[A-Za-z0-9_-]{22}(\.[A-Za-z0-9_-]{43})?$/

export function isTokenId(text: string): boolean {
  return tokenIdForm.test(text)
}

/** A caller's request after it was read and typed, not yet checked against the connection. */
export interface TokenRequest {
  readonly connection: string
  /** The id of the element whose token is asked for. Absent for the connection's main token. */
  readonly authentication?: string
  readonly grantType?: string
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly audience?: string
  readonly username?: string
  readonly password?: Secret
  /** The tokens that the caller sends to be exchanged (RFC 8693 section 2.1). */
  readonly subjectToken?: CallersToken
  readonly actorToken?: CallersToken
  /** The user that the path names. */
  readonly subject?: string
  /** The claims of the grant's assertion that the request names. */
  readonly claims?: Readonly<Record<string, string>>
  /** The claims of the grant's assertion that name a user: those of the caller's own JWT, and those that the elements don't list. */
  readonly userClaims?: Readonly<Record<string, string>>
  /** The claims of the caller's JWT that an authorizer has checked. They are no part of the token key. */
  readonly callersClaims?: Readonly<Record<string, string>>
  /** Further parameters for the token endpoint, by name. */
  readonly further: Readonly<Record<string, string>>
  /** The names of further parameters in the query. They are not sent. */
  readonly inQuery?: readonly string[]
  /** The token must be valid for at least this many seconds. */
  readonly minimumSeconds?: number
  /** The token that the API rejected. It must not be handed out again. */
  readonly rejectedTokenId?: string
}

/** A token request and its caller. The caller is not a part of the token key: two callers share a token. */
export interface CallerRequest extends TokenRequest {
  readonly caller: Caller
}

/** The tokens that only the caller has. */
export function callersTokens({ subjectToken, actorToken }: TokenRequest): readonly CallersToken[] {
  return [subjectToken, actorToken].filter((each) => each !== undefined)
}

/** The parts of a token request that are needed to repeat it. Never a user, a password or a caller's token. */
export type RepeatableRequest = Pick<
  TokenRequest,
  'authentication' | 'scope' | 'resource' | 'audience' | 'claims' | 'further'
>

/**
 * Whether the token is a user's, or depends on what only the caller has. Such a request is never repeated or warmed, no log says what the
 * server says of it, and its failures say nothing about others.
 */
export function isForUser(request: TokenRequest): boolean {
  const { username, password, subject, userClaims } = request
  return [username, password, subject, userClaims, ...callersTokens(request)].some((each) => each !== undefined)
}

/** Undefined for a user's token: Tokenwell can't repeat its request. */
export function repeatableRequest(request: TokenRequest): RepeatableRequest | undefined {
  if (isForUser(request)) return undefined
  const { authentication, scope, resource, audience, claims, further } = request
  return {
    ...(authentication !== undefined && { authentication }),
    ...(scope && { scope }),
    ...(resource && { resource }),
    ...(audience !== undefined && { audience }),
    ...(claims && { claims }),
    further,
  }
}

/**
 * Names the one token that may answer a request. It is made only from the request and covers everything in it that can change
 * the token. It holds the password, so it is never stored or logged: memory and shared records use digests of it.
 */
export type TokenKey = string & { readonly tokenKey: true }

export function tokenKey(request: TokenRequest): TokenKey {
  const { connection, scope = [], resource = [], audience, username, password, further } = request
  const { authentication, subject, claims, userClaims, subjectToken, actorToken } = request
  const hasClaims = subject !== undefined || claims !== undefined || userClaims !== undefined
  const tokens = {
    ...(subjectToken && { subjectToken: keyOfCallersToken(subjectToken) }),
    ...(actorToken && { actorToken: keyOfCallersToken(actorToken) }),
  }
  return JSON.stringify([
    connection,
    asSet(scope),
    asSet(resource),
    audience ?? null,
    username ?? null,
    password?.reveal() ?? null,
    byName(further),
    // Without these the key is that of 0.2, so that a fleet of two versions shares its tokens.
    ...(hasClaims ? [{ subject, claims: byName(claims ?? {}), userClaims: byName(userClaims ?? {}) }] : []),
    ...(callersTokens(request).length > 0 ? [tokens] : []),
    ...(authentication === undefined ? [] : [{ authentication }]),
  ]) as TokenKey
}

function byName(values: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** The order of scopes and resources has no effect, and neither do duplicates. */
function asSet(values: readonly string[]): readonly string[] {
  return values.length < 2 ? values : [...new Set(values)].sort()
}

/** Whether it is the connection's own request, without caller parameters. */
export function isOwnRequest(request: TokenRequest): boolean {
  const { scope, resource, audience, claims, further } = request
  const added = [scope, resource, audience, claims]
  return !isForUser(request) && added.every((each) => each === undefined) && Object.keys(further).length === 0
}

/** A token with less time left is useless to every caller. */
export const leastSecondsLeft = 1

/** One token key causes at most one token request in this time, whatever its callers request or reject. */
export const youngMilliseconds = 10_000

/** Whether the token is so new that another one would not be better. */
export function isYoung({ issuedAt }: Token, now: number): boolean {
  return now < issuedAt + youngMilliseconds
}

/**
 * Whether this token answers the request. A young token, or one with a short lifetime, does: a new token would not be valid
 * longer.
 */
export function isAnswer(token: Token, request: TokenRequest, now: number): boolean {
  const { minimumSeconds = 0, rejectedTokenId } = request
  const left = secondsLeft(token, now)
  if (token.id === rejectedTokenId || !isUsable(token, now) || left < leastSecondsLeft) return false
  return left >= minimumSeconds || lifetimeSeconds(token) <= minimumSeconds || isYoung(token, now)
}

/** The least time between token requests to a server that returns the same expiring token again. */
const dyingTokenMilliseconds = 1_000
const leastMilliseconds = 1_000

/**
 * The token that a cache keeps after a token request. If the server returned the previous token again, renewing it early is
 * useless, so it stays fresh as long as it is usable. A token inside its margin answers no request from the cache. If the server
 * returns such a token twice, the cache hands it out for one second.
 */
export function keptToken(obtained: Token, previous: Token | undefined, now: number): Token {
  const same = previous?.accessToken.equals(obtained.accessToken) ? previous : undefined
  const token = same && hasOwnEnd(same.accessToken) ? endingWith(obtained, same) : obtained
  const { usableUntil, expiresAt } = token
  if (isUsable(token, now)) {
    const isLonger = !same || expiresAt > same.expiresAt + leastMilliseconds
    return isLonger ? token : { ...token, id: same.id, refreshAt: usableUntil }
  }
  if (!same) return token
  const until = Math.min(now + dyingTokenMilliseconds, expiresAt - leastMilliseconds)
  return { ...token, id: same.id, refreshAt: until, usableUntil: until }
}

/** Keeps the earlier end: a server may state the full lifetime each time that it returns the same token. */
function endingWith(token: Token, same: Token): Token {
  const usableUntil = Math.min(token.usableUntil, same.usableUntil)
  return { ...token, usableUntil, expiresAt: Math.min(token.expiresAt, same.expiresAt) }
}
