import { decodeJwt } from 'jose'
import type { LifetimePolicy } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'

/**
 * Milliseconds since the epoch. A token is fresh before `refreshAt`. After it the token is stale: it is handed out and renewed.
 * From `usableUntil` no cache hands it out. From `expiresAt` no API accepts it.
 *
 *     issuedAt            refreshAt                 usableUntil         expiresAt
 *        |------ fresh ------|---------- stale ----------|---- margin ------|
 */
export interface Lifetime {
  readonly issuedAt: number
  readonly refreshAt: number
  readonly usableUntil: number
  readonly expiresAt: number
}

/** A token and the lifetime from the server's answer (RFC 6749 section 5.1). */
export interface IssuedToken {
  readonly accessToken: Secret
  readonly expiresInSeconds?: number
}

/** A longer lifetime is a mistake, and would overflow a date. */
const longestLifetimeSeconds = 10 * 365 * 86_400
const marginShare = 0.1
const leastMarginMilliseconds = 1_000
const mostMarginMilliseconds = 30_000
/** The share of the usable time before `refreshAt`. It varies, so that tokens obtained together are not renewed together. */
const refreshShare = { from: 0.75, to: 0.85 } as const

/**
 * The lifetime of a token, computed from durations only, so that a wrong clock has no effect. The duration is the shorter of the
 * answer's `expires_in` and the lifetime in a JWT, or else `assumedLifetimeSeconds`.
 * @param sentAt when the request was sent: the server can't have issued the token earlier
 * @param random from 0 up to 1
 */
export function lifetimeOf(issued: IssuedToken, policy: LifetimePolicy, sentAt: number, random: number): Lifetime {
  const { expiresInSeconds, accessToken } = issued
  const known = [expiresInSeconds, jwtSeconds(accessToken.reveal())].filter((seconds) => seconds !== undefined)
  const seconds = known.length > 0 ? Math.min(...known) : policy.assumedLifetimeSeconds
  const expiresAt = sentAt + Math.min(seconds, policy.maximumLifetimeSeconds ?? longestLifetimeSeconds) * 1000
  const usableUntil = expiresAt - margin(expiresAt - sentAt, policy)
  const share = refreshShare.from + random * (refreshShare.to - refreshShare.from)
  return { issuedAt: sentAt, refreshAt: sentAt + (usableUntil - sentAt) * share, usableUntil, expiresAt }
}

/** Allows for the API's clock and for the time until the token reaches the API. */
function margin(lifetime: number, { marginSeconds }: LifetimePolicy): number {
  if (marginSeconds !== undefined) return marginSeconds * 1000
  return Math.min(Math.max(lifetime * marginShare, leastMarginMilliseconds), mostMarginMilliseconds)
}

/**
 * The lifetime in a token that is a JWT. An access token is opaque to its client (RFC 6749 section 1.4), so this is only a hint,
 * and most tokens have none. Some tokens have `nbf` but no `iat`.
 */
function jwtSeconds(accessToken: string): number | undefined {
  const { exp, iat, nbf } = claimsOf(accessToken)
  const seconds = Number(exp) - Number(iat ?? nbf)
  return seconds > 0 && Number.isFinite(seconds) ? seconds : undefined
}

/** Whether the token itself holds its end. If the server hands it out again, it still ends at the same time. */
export function hasOwnEnd(accessToken: Secret): boolean {
  const seconds = jwtSeconds(accessToken.reveal())
  return seconds !== undefined
}

/** Whether the token is a JWT with a `jti`. An API may use it to detect that a token comes a second time. */
export function hasJwtId(accessToken: Secret): boolean {
  return claimsOf(accessToken.reveal()).jti !== undefined
}

function claimsOf(accessToken: string): {
  readonly exp?: unknown
  readonly iat?: unknown
  readonly nbf?: unknown
  readonly jti?: unknown
} {
  try {
    return decodeJwt(accessToken)
  } catch {
    return {}
  }
}

export function isFresh({ refreshAt }: Lifetime, now: number): boolean {
  return now < refreshAt
}

export function isUsable({ usableUntil }: Lifetime, now: number): boolean {
  return now < usableUntil
}

/**
 * Whether `issuedAt` is later than now, by more than clocks may differ. Then the instance that obtained the token had a wrong
 * clock, and the token ends before its `expiresAt`. A difference within the margin does no harm.
 */
export function isIssuedAhead({ issuedAt, usableUntil, expiresAt }: Lifetime, now: number): boolean {
  return issuedAt > now + Math.max(expiresAt - usableUntil, leastMarginMilliseconds)
}

/** Seconds until the token expires, rounded down. */
export function secondsLeft({ expiresAt }: Lifetime, now: number): number {
  return Math.floor((expiresAt - now) / 1000)
}

/** The whole lifetime of the token, in seconds. */
export function lifetimeSeconds(lifetime: Lifetime): number {
  return secondsLeft(lifetime, lifetime.issuedAt)
}
