import { forEachAtMost } from '../base/semaphore.ts'
import { type EventBus, raiseOrLog, type TokenwellEvent } from '../events/event-bus.ts'
import { type ConnectionRecord, warmVariants } from '../fleet/connection-record.ts'
import { CoolingDownError, causeOf } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import type { Renewal, RenewToken } from './renew-token.ts'

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

/**
 * Obtains what is kept warm and answers for nothing any more.
 * @param prepared how it went when that was tried before, by the variant's id
 * @param deadline milliseconds since the epoch
 * @throws {CacheUnavailableError}
 */
export type RenewVariants = (
  connection: string,
  record: ConnectionRecord,
  prepared: ReadonlyMap<string, Renewal>,
  deadline: number,
) => Promise<readonly Renewal[]>

export interface RenewVariantsParts {
  readonly renewToken: RenewToken
  readonly now: () => number
}

export function createRenewVariants({ renewToken, now }: RenewVariantsParts): RenewVariants {
  return async (group, record, prepared, deadline) => {
    const renewals: Renewal[] = []
    const maximum = record.warming?.maximumConcurrency ?? 1
    await forEachAtMost(maximum, warmVariants(record, now()), async ({ id }) => {
      const renewal = await renewToken({ name: { group, id }, freshUntil: -Infinity, deadline })
      renewals.push(moreTelling(prepared.get(id), renewal))
    })
    return renewals
  }
}

/** What is told of the two: the failure that began a cool-down, not the one that met it. */
function moreTelling(before: Renewal | undefined, now: Renewal): Renewal {
  const isNews = now.outcome === 'renewed' || (now.outcome !== 'not_needed' && before?.outcome !== 'failed')
  return before && !isNews ? before : now
}
