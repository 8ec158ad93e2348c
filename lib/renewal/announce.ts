import type { EventBus } from '../event/event-bus.ts'
import { raiseOrLog } from '../event/raise-or-log.ts'
import type { TokenwellEvent } from '../event/tokenwell-event.ts'
import type { Log } from '../log/log-event.ts'
import { CoolingDownError } from '../token/cooling-down-error.ts'
import { causeOf } from '../token/token-error.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import type { Renewal } from './renew-token.ts'

/** Tells who listens how renewals went. That it could not be told fails nothing. */
export type Announce = (renewals: readonly Renewal[]) => Promise<void>

export interface AnnounceParts {
  readonly events: EventBus
  readonly log: Log
}

export function createAnnounce({ events, log }: AnnounceParts): Announce {
  return async (renewals) => {
    const news = renewals.flatMap((renewal) => newsOf(renewal) ?? [])
    if (events.isHeard) await raiseOrLog(events, news, log)
  }
}

function newsOf(renewal: Renewal): TokenwellEvent | undefined {
  const { connection, outcome } = renewal
  if (outcome === 'renewed') {
    const { id: tokenId, expiresAt } = renewal.token
    return { type: 'TokenRefreshed', connection, tokenId, expiresAt: Math.floor(expiresAt / 1000) }
  }
  if (outcome !== 'failed') return undefined
  // Whoever began a cool-down has told it already.
  if (renewal.error instanceof CoolingDownError && !renewal.error.began) return undefined
  const cause = causeOf(renewal.error)
  return cause instanceof RefusedError && cause.fault !== 'caller'
    ? { type: 'ConnectionRefused', connection, error: cause.error }
    : { type: 'TokenRefreshFailed', connection, code: cause.code }
}
