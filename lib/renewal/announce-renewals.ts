import type { Token } from '../access-token/token.ts'
import type { TokenwellError } from '../base/tokenwell-error.ts'
import { type EventBus, raiseOrLog, type TokenwellEvent } from '../events/event-bus.ts'
import { CoolingDownError, causeOf } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'

/** How renewing a token went for which nobody waits. */
export type Renewal =
  | { readonly outcome: 'renewed'; readonly connection: string; readonly token: Token }
  /** `cooling_down`: it failed for another process, and nobody may ask for a while. */
  | { readonly outcome: 'failed' | 'cooling_down'; readonly connection: string; readonly error: TokenwellError }
  /**
   * `not_needed`: it is good for long enough, or nobody uses it. `under_way`: another process asks for it. `unknown`: nobody
   * knows any more what was asked for. `put_last`: it failed the last time, and others come first.
   */
  | { readonly outcome: 'not_needed' | 'under_way' | 'unknown' | 'put_last'; readonly connection: string }

/** Tells the event bus how renewals went. That it could not be told fails nothing. */
export type Announcer = ReturnType<typeof createAnnouncer>

export function createAnnouncer({ events, log }: { readonly events: EventBus; readonly log: Log }) {
  return {
    async announce(renewals: readonly Renewal[]): Promise<void> {
      const news = renewals.flatMap(newsOf)
      if (events.isHeard) await raiseOrLog(events, news, log)
    },
  }
}

function newsOf(renewal: Renewal): TokenwellEvent[] {
  const { connection, outcome } = renewal
  if (outcome === 'renewed') {
    const { id: tokenId, expiresAt } = renewal.token
    return [{ type: 'TokenRefreshed', connection, tokenId, expiresAt: Math.floor(expiresAt / 1000) }]
  }
  if (outcome !== 'failed') return []
  // The process that began a cool-down has told it already.
  if (renewal.error instanceof CoolingDownError && !renewal.error.began) return []
  const cause = causeOf(renewal.error)
  return cause instanceof RefusedError && cause.fault !== 'caller'
    ? [{ type: 'ConnectionRefused', connection, error: cause.error }]
    : [{ type: 'TokenRefreshFailed', connection, code: cause.code }]
}
