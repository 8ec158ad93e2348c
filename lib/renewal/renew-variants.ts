import { type ConnectionRecord, warmVariants } from '../token-cache/connection-record.ts'
import { forEachAtMost } from './at-most.ts'
import type { Renewal, RenewToken } from './renew-token.ts'

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
      renewals.push(newsOf(prepared.get(id), renewal))
    })
    return renewals
  }
}

/** What is told of the two: the failure that began a cool-down, not the one that met it. */
function newsOf(before: Renewal | undefined, now: Renewal): Renewal {
  const isNews = now.outcome === 'renewed' || (now.outcome !== 'not_needed' && before?.outcome !== 'failed')
  return before && !isNews ? before : now
}
