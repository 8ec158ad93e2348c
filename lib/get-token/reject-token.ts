import { youngMilliseconds } from '../access-token/token.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { Log } from '../log/log-event.ts'
import type { TokenCache } from './token-cache.ts'
import { CoolingDownError } from './token-error.ts'
import type { TokenMemory } from './token-memory.ts'

const youngSeconds = youngMilliseconds / 1000

/** `absent`: that token isn't kept any more. `unknown`: it isn't in memory, and the shared cache is unavailable. */
export type RejectionOutcome = 'dropped' | 'absent' | 'unknown'

export interface TokenRejecterDependencies {
  readonly memory: TokenMemory
  readonly cache: Pick<TokenCache, 'invalidate'>
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

/** Drops rejected tokens. */
export type TokenRejecter = ReturnType<typeof createTokenRejecter>

export function createTokenRejecter({ memory, cache, events, now, log }: TokenRejecterDependencies) {
  /**
   * Compare-and-invalidate: drops the token if it is still the current one. A burst of rejections costs one new token.
   * @throws {CoolingDownError} where that token replaced a rejected one within the last 10 s: it stays
   */
  async function drop(connection: string, tokenId: string): Promise<RejectionOutcome> {
    const rejection = { connection, tokenId, now: now(), minimumIntervalMilliseconds: youngMilliseconds }
    const shared = await unlessUnavailable(() => cache.invalidate(rejection), 'unavailable')
    const invalidation = typeof shared === 'object' ? shared : memory.invalidate(rejection)
    if (invalidation.outcome === 'too_soon')
      throw new CoolingDownError(
        `This token replaced a rejected token less than ${youngSeconds} s ago. Tokenwell replaces a rejected token at most once in ${youngSeconds} s.`,
        Math.ceil((invalidation.retryAt - rejection.now) / 1000),
      )
    memory.forget(connection, tokenId)
    return shared === 'unavailable' && invalidation.outcome === 'absent' ? 'unknown' : invalidation.outcome
  }

  return {
    drop,

    /** Does the same for callers that reject a token without asking for another one. An event replaces the dropped token. */
    async dropAndReplace(connection: string, tokenId: string): Promise<RejectionOutcome> {
      const outcome = await drop(connection, tokenId)
      if (outcome !== 'absent' && events.isHeard)
        await raiseOrLog(events, [{ type: 'TokenRejected', connection, tokenId }], log)
      return outcome
    },
  }
}
