import type { Secret } from '../secret/secret.ts'
import type { Caller } from './caller.ts'
import { hasOwnEnd, isUsable, type Lifetime, lifetimeSeconds, secondsLeft } from './lifetime.ts'

/** An access token with its lifetime and provenance. Times are milliseconds since the epoch. */
export interface Token extends Lifetime {
  /** Random; names this token to its callers. Valid only under its connection. */
  readonly id: string
  readonly connection: string
  readonly accessToken: Secret
  /** What the server says was granted, or what it was asked for. */
  readonly scope?: string
}

/** 16 random bytes in base64url. The id of a shared token also has the digest that finds its record. */
export const tokenIdForm = /^[A-Za-z0-9_-]{22}(\.[A-Za-z0-9_-]{43})?$/

export function isTokenId(text: string): boolean {
  return tokenIdForm.test(text)
}

/** What a caller asks for, read and typed, not yet held against the connection. */
export interface TokenRequest {
  readonly connection: string
  readonly grantType?: string
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly audience?: string
  readonly username?: string
  readonly password?: Secret
  /** Further parameters for the token endpoint, by name. */
  readonly further: Readonly<Record<string, string>>
  /** The names of further parameters that the query has; none of them is sent. */
  readonly inQuery?: readonly string[]
  /** The token must have at least that long to live. */
  readonly minimumSeconds?: number
  /** The token that the API refused: not that one again. */
  readonly rejectedTokenId?: string
}

/** A token request, and who makes it. The caller is no part of the token key: two callers share a token. */
export interface CallerRequest extends TokenRequest {
  readonly caller: Caller
}

/** What a token request held: enough to make it again. Never a user or password. */
export type RepeatableRequest = Pick<TokenRequest, 'scope' | 'resource' | 'audience' | 'further'>

/** Undefined for a user's token: without the password nobody can ask for it again. */
export function repeatableRequest(request: TokenRequest): RepeatableRequest | undefined {
  const { scope, resource, audience, further, password } = request
  if (password) return undefined
  return {
    ...(scope && { scope }),
    ...(resource && { resource }),
    ...(audience !== undefined && { audience }),
    further,
  }
}

/**
 * Names the one token that may answer a request, made from the request alone. It covers all that can change the token. It
 * holds the password, so nobody keeps it or writes it down: memory and the shared records are named by digests of it.
 */
export type TokenKey = string & { readonly tokenKey: true }

export function tokenKey(request: TokenRequest): TokenKey {
  const { connection, scope = [], resource = [], audience, username, password, further } = request
  return JSON.stringify([
    connection,
    asSet(scope),
    asSet(resource),
    audience ?? null,
    username ?? null,
    password?.reveal() ?? null,
    Object.entries(further).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]) as TokenKey
}

/** The order in which scopes and resources are named changes nothing, nor does naming one twice. */
function asSet(values: readonly string[]): readonly string[] {
  return values.length < 2 ? values : [...new Set(values)].sort()
}

/** Whether it asks for nothing but what the elements say: the connection's own request. */
export function isOwnRequest({ scope, resource, audience, username, password, further }: TokenRequest): boolean {
  const added = [scope, resource, audience, username, password]
  return added.every((each) => each === undefined) && Object.keys(further).length === 0
}

/** Below that a token is of no use to anybody. */
export const leastSecondsLeft = 1

/** One token key causes at most one token request in this time, by whatever its callers ask for or reject. */
export const youngMilliseconds = 10_000

/** Another token would fare no better than one so new. */
export function isYoung({ issuedAt }: Token, now: number): boolean {
  return now < issuedAt + youngMilliseconds
}

/** A token that lives shorter than asked for, or is young, isn't bettered by asking again. */
export function isAnswer(token: Token, request: TokenRequest, now: number): boolean {
  const { minimumSeconds = 0, rejectedTokenId } = request
  const left = secondsLeft(token, now)
  if (token.id === rejectedTokenId || !isUsable(token, now) || left < leastSecondsLeft) return false
  return left >= minimumSeconds || lifetimeSeconds(token) <= minimumSeconds || isYoung(token, now)
}

/** A server that hands out a dying token again is asked at most that often. */
const dyingTokenMilliseconds = 1_000
const leastMilliseconds = 1_000

/**
 * What a cache keeps of a token that has just come: the token; of one that the server hands out again instead of a new one
 * the news that renewing it early is of no use. One inside its margin answers no request from the cache; kept, it can be known
 * again, and then it does for a second.
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

/** A server may say each time that a token has all of its life before it. */
function endingWith(token: Token, same: Token): Token {
  const usableUntil = Math.min(token.usableUntil, same.usableUntil)
  return { ...token, usableUntil, expiresAt: Math.min(token.expiresAt, same.expiresAt) }
}
