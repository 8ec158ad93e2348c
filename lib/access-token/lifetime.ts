import { decodeJwt } from 'jose'
import type { LifetimePolicy } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'

/**
 * Milliseconds since the epoch. Fresh before `refreshAt`; stale after it, handed out and to be renewed; from `usableUntil`
 * on handed out from no cache; from `expiresAt` on no API takes it.
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

/** A token and what its server says of its lifetime (RFC 6749 section 5.1). */
export interface IssuedToken {
  readonly accessToken: Secret
  readonly expiresInSeconds?: number
}

/** A longer one is a mistake, and would overflow a date. */
const longestLifetimeSeconds = 10 * 365 * 86_400
const marginShare = 0.1
const leastMarginMilliseconds = 1_000
const mostMarginMilliseconds = 30_000
/** Of the usable time; spread, so that tokens obtained together aren't renewed together. */
const refreshShare = { from: 0.75, to: 0.85 } as const

/**
 * When a token ends, by durations alone, so that no clock of ours has a say: the shorter of the answer's `expires_in` and of the life
 * that a token which is a JWT was issued for, or what the operator assumes where neither is there.
 * @param sentAt when the request was sent: the server can't have counted from earlier
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

/** Kept back because an API's clock, and the way there, differ from ours. */
function margin(lifetime: number, { marginSeconds }: LifetimePolicy): number {
  if (marginSeconds !== undefined) return marginSeconds * 1000
  return Math.min(Math.max(lifetime * marginShare, leastMarginMilliseconds), mostMarginMilliseconds)
}

/**
 * An access token is opaque to its client (RFC 6749 section 1.4): what it says of its life is a hint, and most say nothing. By some it begins
 * with `nbf` alone.
 */
function jwtSeconds(accessToken: string): number | undefined {
  const { exp, iat, nbf } = claimsOf(accessToken)
  const seconds = Number(exp) - Number(iat ?? nbf)
  return seconds > 0 && Number.isFinite(seconds) ? seconds : undefined
}

/** Whether the token itself says when it ends: handed out once more, it ends no later. */
export function hasOwnEnd(accessToken: Secret): boolean {
  const seconds = jwtSeconds(accessToken.reveal())
  return seconds !== undefined
}

function claimsOf(accessToken: string): { readonly exp?: unknown; readonly iat?: unknown; readonly nbf?: unknown } {
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
 * Whether it was issued later than now, by more than clocks may differ: whoever obtained it had another time, and it ends earlier
 * than it says. Within its margin it is out of use before it ends all the same.
 */
export function isIssuedAhead({ issuedAt, usableUntil, expiresAt }: Lifetime, now: number): boolean {
  return issuedAt > now + Math.max(expiresAt - usableUntil, leastMarginMilliseconds)
}

/** Rounded down: never more than there is. */
export function secondsLeft({ expiresAt }: Lifetime, now: number): number {
  return Math.floor((expiresAt - now) / 1000)
}

/** What it had when it was new. */
export function lifetimeSeconds(lifetime: Lifetime): number {
  return secondsLeft(lifetime, lifetime.issuedAt)
}
