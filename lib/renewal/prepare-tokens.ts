import type { KnownConnection } from '../configuration/connections.ts'
import { elementsOf } from '../token/asking.ts'
import { inTime, type Pause } from '../token/in-time.ts'
import { unlessUnavailable } from '../token-cache/cache-unavailable-error.ts'
import { type ConnectionRecord, warmVariants } from '../token-cache/connection-record.ts'
import { forEachAtMost } from './at-most.ts'
import type { PrepareToken } from './prepare-token.ts'
import type { Renewal } from './renew-token.ts'

/** Between two looks whether who asks for a token at that moment is done. */
const turnMilliseconds = 500

/**
 * Obtains the tokens that a connection will need under elements that were announced: of all that are kept warm then.
 * @param until milliseconds since the epoch: it ends then, whatever is still under way
 * @returns how it went with each, by its variant's id
 */
export type PrepareTokens = (
  latest: KnownConnection,
  announcement: ConnectionRecord,
  until: number,
) => Promise<ReadonlyMap<string, Renewal>>

export interface PrepareTokensParts {
  readonly prepareToken: PrepareToken
  readonly now: () => number
  readonly pause: Pause
}

export function createPrepareTokens({ prepareToken, now, pause }: PrepareTokensParts): PrepareTokens {
  return async (latest, announcement, until) => {
    const { name: group, authorizationServer } = latest.connection
    const { warming } = elementsOf(latest)
    const { next, variants } = announcement
    const prepared = new Map<string, Renewal>()
    if (!warming || !next) return prepared

    const underWay: Renewal = { outcome: 'under_way', connection: group }
    const prepare = async (id: string) => {
      const wanted = { name: { group, id }, latest, generation: next.generation, deadline: until }
      prepared.set(id, await unlessUnavailable(() => prepareToken(wanted), underWay))
    }
    const prepareAll = async () => {
      let waiting = warmVariants({ warming, variants }, now()).map(({ id }) => id)
      while (waiting.length > 0) {
        await forEachAtMost(authorizationServer.maximumConcurrency, waiting, prepare)
        waiting = waiting.filter((id) => prepared.get(id)?.outcome === 'under_way')
        if (now() + turnMilliseconds >= until) return
        if (waiting.length > 0) await pause(turnMilliseconds)
      }
    }
    await inTime(prepareAll(), until - now(), pause, () => {})
    return prepared
  }
}
