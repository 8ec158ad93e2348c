import { isUsable, lifetimeSeconds, secondsLeft } from './lifetime.ts'
import type { Token } from './token.ts'
import type { TokenRequest } from './token-request.ts'

/** Below that a token is of no use to anybody. */
export const leastSecondsLeft = 1

/** A token, and how near it was: in this process, in the cache that the fleet shares, or at the authorization server. */
export interface FoundToken {
  readonly token: Token
  readonly source: 'memory' | 'cache' | 'server'
  /** Whether it may answer further requests. */
  readonly isCurrent: boolean
  /** It came while one waited: for those who did there is none better, whatever they asked for. */
  readonly isNew: boolean
}

/** A token that lives shorter than asked for, however new, isn't bettered by asking again. */
export function isAnswer(token: Token, request: TokenRequest, now: number): boolean {
  const { minimumSeconds = 0, rejectedTokenId } = request
  const left = secondsLeft(token, now)
  if (token.id === rejectedTokenId || !isUsable(token, now) || left < leastSecondsLeft) return false
  return left >= minimumSeconds || lifetimeSeconds(token) <= minimumSeconds
}
