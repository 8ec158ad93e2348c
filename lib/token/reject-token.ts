import { CoolingDownError } from './cooling-down-error.ts'
import type { TokenCache } from './token-cache.ts'

/** One token key causes at most one token request in this time by rejection, whoever rejects and however often. */
const minimumIntervalMilliseconds = 10_000

/**
 * Compare-and-invalidate: drops a token that an API refused if it is still the one in hand; a burst of refusals costs one.
 * @throws {CoolingDownError} when that token replaced a rejected one too short a time ago: it stays
 */
export type RejectToken = (connection: string, tokenId: string) => Promise<void>

export function createRejectToken(cache: TokenCache, now: () => number): RejectToken {
  return async (connection, tokenId) => {
    const at = now()
    const invalidation = await cache.invalidate({ connection, tokenId, now: at, minimumIntervalMilliseconds })
    if (invalidation.outcome === 'too_soon')
      throw new CoolingDownError(
        `This token replaced a rejected one a moment ago; one is replaced at most once in ${minimumIntervalMilliseconds / 1000} s.`,
        Math.ceil((invalidation.retryAt - at) / 1000),
      )
  }
}
