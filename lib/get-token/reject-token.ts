import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { Log } from '../log/log-event.ts'
import type { SharedTokenCache } from './token-cache.ts'
import { CoolingDownError } from './token-error.ts'
import type { TokenMemory } from './token-memory.ts'

/** One token key causes at most one token request in this time by rejection, whoever rejects and however often. */
const minimumIntervalMilliseconds = 10_000

/**
 * Compare-and-invalidate: drops a token that an API refused if it is still the one in hand; a burst of refusals costs one.
 * @throws {CoolingDownError} when that token replaced a rejected one too short a time ago: it stays
 */
export type RejectToken = (connection: string, tokenId: string) => Promise<RejectionOutcome>

/** `absent`: that token isn't kept any more. `unknown`: it isn't kept here, and the fleet could not be asked. */
export type RejectionOutcome = 'dropped' | 'absent' | 'unknown'

export interface RejectTokenParts {
  readonly memory: TokenMemory
  readonly cache: Pick<SharedTokenCache, 'invalidate'>
  readonly now: () => number
}

export function createRejectToken({ memory, cache, now }: RejectTokenParts): RejectToken {
  return async (connection, tokenId) => {
    const rejection = { connection, tokenId, now: now(), minimumIntervalMilliseconds }
    const shared = await unlessUnavailable(() => cache.invalidate(rejection), 'unavailable')
    const invalidation = typeof shared === 'object' ? shared : memory.invalidate(rejection)
    if (invalidation.outcome === 'too_soon')
      throw new CoolingDownError(
        `This token replaced a rejected one a moment ago; one is replaced at most once in ${minimumIntervalMilliseconds / 1000} s.`,
        Math.ceil((invalidation.retryAt - rejection.now) / 1000),
      )
    memory.forget(connection, tokenId)
    return shared === 'unavailable' && invalidation.outcome === 'absent' ? 'unknown' : invalidation.outcome
  }
}

export interface TellOfRejectionParts {
  readonly events: EventBus
  readonly log: Log
}

/** The same, and a token that was dropped is replaced though nobody asks for one: for those who only reject. */
export function withRejectionTold(rejectToken: RejectToken, { events, log }: TellOfRejectionParts): RejectToken {
  return async (connection, tokenId) => {
    const outcome = await rejectToken(connection, tokenId)
    if (outcome !== 'absent' && events.isHeard)
      await raiseOrLog(events, [{ type: 'TokenRejected', connection, tokenId }], log)
    return outcome
  }
}
