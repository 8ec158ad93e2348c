import { youngMilliseconds } from '../access-token/token.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { Log } from '../log/log-event.ts'
import type { TokenCache } from './token-cache.ts'
import { CoolingDownError } from './token-error.ts'
import type { TokenMemory } from './token-memory.ts'

/** `absent`: that token isn't kept any more. `unknown`: it isn't kept here, and the fleet could not be asked. */
export type RejectionOutcome = 'dropped' | 'absent' | 'unknown'

export interface TokenRejecterDependencies {
  readonly memory: TokenMemory
  readonly cache: Pick<TokenCache, 'invalidate'>
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

/** What becomes of tokens that an API has refused. */
export type TokenRejecter = ReturnType<typeof createTokenRejecter>

export function createTokenRejecter({ memory, cache, events, now, log }: TokenRejecterDependencies) {
  /**
   * Compare-and-invalidate: drops the token if it is still the current one; a burst of refusals costs one.
   * @throws {CoolingDownError} when that token replaced a rejected one too short a time ago: it stays
   */
  async function drop(connection: string, tokenId: string): Promise<RejectionOutcome> {
    const rejection = { connection, tokenId, now: now(), minimumIntervalMilliseconds: youngMilliseconds }
    const shared = await unlessUnavailable(() => cache.invalidate(rejection), 'unavailable')
    const invalidation = typeof shared === 'object' ? shared : memory.invalidate(rejection)
    if (invalidation.outcome === 'too_soon')
      throw new CoolingDownError(
        `This token replaced a rejected one a moment ago; one is replaced at most once in ${youngMilliseconds / 1000} s.`,
        Math.ceil((invalidation.retryAt - rejection.now) / 1000),
      )
    memory.forget(connection, tokenId)
    return shared === 'unavailable' && invalidation.outcome === 'absent' ? 'unknown' : invalidation.outcome
  }

  return {
    drop,

    /** The same, and a token that was dropped is replaced though nobody asks for one: for callers who only reject. */
    async dropAndReplace(connection: string, tokenId: string): Promise<RejectionOutcome> {
      const outcome = await drop(connection, tokenId)
      if (outcome !== 'absent' && events.isHeard)
        await raiseOrLog(events, [{ type: 'TokenRejected', connection, tokenId }], log)
      return outcome
    },
  }
}
