import type { EventBus } from '../event/event-bus.ts'
import { raiseOrLog } from '../event/raise-or-log.ts'
import type { Log } from '../log/log-event.ts'
import { unlessUnavailable } from '../token-cache/cache-unavailable-error.ts'
import type { Look, SharedTokenCache } from '../token-cache/shared-token-cache.ts'

/**
 * Sees to it that a stale token is renewed while its caller goes on with it.
 * @returns undefined where somebody will do that; else by which look the caller has to
 */
export type RequestRefresh = (look: Look) => Promise<Look | undefined>

export interface RequestRefreshParts {
  readonly cache: SharedTokenCache
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

/** One event for the whole fleet. Of a user's token there is none: who handles it would lack the password. */
export function createRequestRefresh({ cache, events, now, log }: RequestRefreshParts): RequestRefresh {
  return async (look) => {
    const { token, asked } = look
    if (!events.isHeard || !token || !asked) return look
    const claimed = await unlessUnavailable(() => cache.claimRefresh(look, now()), undefined)
    if (!claimed) return undefined
    const { connection, id: tokenId } = token
    const isRaised = await raiseOrLog(events, [{ type: 'TokenRefreshRequested', connection, tokenId }], log)
    return isRaised ? undefined : claimed
  }
}
