import type { Token } from '../access-token/token.ts'
import type { TokenwellError } from '../base/tokenwell-error.ts'
import { type ConnectionEvent, type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { CoolingDownError, causeOf } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'

/** The outcome of one renewal in the background. */
export type Renewal =
  | { readonly outcome: 'renewed'; readonly connection: string; readonly token: Token }
  /** `cooling_down`: the request failed for another process, and no process may repeat it for some time. */
  | { readonly outcome: 'failed' | 'cooling_down'; readonly connection: string; readonly error: TokenwellError }
  /**
   * `not_needed`: the token is fresh for long enough, or no caller uses it. `under_way`: another process renews it. `unknown`: the
   * cache no longer holds its request. `put_last`: it failed the last time, so other tokens come first.
   */
  | { readonly outcome: 'not_needed' | 'under_way' | 'unknown' | 'put_last'; readonly connection: string }

/** Raises events about the outcome of renewals. If the event bus does not take them, that is logged and nothing fails. */
export type Announcer = ReturnType<typeof createAnnouncer>

export function createAnnouncer({ events, log }: { readonly events: EventBus; readonly log: Log }) {
  return {
    async announce(renewals: readonly Renewal[]): Promise<void> {
      const news = renewals.flatMap(newsOf)
      if (events.isHeard) await raiseOrLog(events, news, log)
    },
  }
}

function newsOf(renewal: Renewal): ConnectionEvent[] {
  const { connection, outcome } = renewal
  if (outcome === 'renewed') {
    const { id: tokenId, expiresAt } = renewal.token
    return [{ type: 'TokenRefreshed', connection, tokenId, expiresAt: Math.floor(expiresAt / 1000) }]
  }
  if (outcome !== 'failed') return []
  // The process that started the cool-down has raised the event already.
  if (renewal.error instanceof CoolingDownError && !renewal.error.began) return []
  const cause = causeOf(renewal.error)
  return cause instanceof RefusedError && cause.fault !== 'caller'
    ? [{ type: 'ConnectionRefused', connection, error: cause.error }]
    : [{ type: 'TokenRefreshFailed', connection, code: cause.code }]
}
