import { isUsable } from './lifetime.ts'
import type { Token } from './token.ts'

/** A server that hands out a dying token again is asked at most that often. */
const dyingTokenMilliseconds = 1_000
const leastMilliseconds = 1_000

/**
 * What a cache keeps of a token that has just come: the token; of one that the server hands out again instead of a new one
 * the news that renewing it early is of no use. One inside its margin answers no request from the cache; kept, it can be known
 * again, and then it does for a second.
 */
export function keptToken(obtained: Token, previous: Token | undefined, now: number): Token {
  const isSame = previous?.accessToken.equals(obtained.accessToken) ?? false
  const { usableUntil, expiresAt } = obtained
  if (isUsable(obtained, now)) {
    const isLonger = !isSame || !previous || expiresAt > previous.expiresAt + leastMilliseconds
    return isLonger ? obtained : { ...obtained, id: previous.id, refreshAt: usableUntil }
  }
  if (!isSame || !previous) return obtained
  const until = Math.min(now + dyingTokenMilliseconds, expiresAt - leastMilliseconds)
  return { ...obtained, id: previous.id, refreshAt: until, usableUntil: until }
}
