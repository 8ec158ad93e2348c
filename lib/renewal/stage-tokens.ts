import { keptToken } from '../access-token/token.ts'
import { admitRequest } from '../admission/admit-request.ts'
import { forEachAtMost } from '../base/semaphore.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { KnownConnection } from '../configuration/connection-cache.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import { type ConnectionRecord, warmVariants } from '../fleet/connection-record.ts'
import { type Lease, LeaseLostError } from '../fleet/lease.ts'
import type { RecordName } from '../fleet/record-store.ts'
import { attemptMilliseconds, elementsOf } from '../get-token/leased-request.ts'
import type { AskedFor, Look, SharedTokenCache } from '../get-token/token-cache.ts'
import { isTokenError } from '../get-token/token-error.ts'
import type { ObtainToken } from '../token-endpoint/request-token.ts'
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

export interface PreparationWanted {
  readonly name: RecordName
  /** Under which it is obtained. */
  readonly latest: KnownConnection
  /** What they will be, as was announced. */
  readonly generation: number
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

/**
 * Obtains a token under elements that are not yet in force, and stores it beside the one that is: until they are, the old one
 * is handed out, and from then on the new one.
 * @throws {CacheUnavailableError}
 */
export type PrepareToken = (wanted: PreparationWanted) => Promise<Renewal>

export interface PrepareTokenParts {
  readonly cache: SharedTokenCache
  readonly obtainToken: ObtainToken
  readonly now: () => number
}

export function createPrepareToken({ cache, obtainToken, now }: PrepareTokenParts): PrepareToken {
  return async (wanted) => {
    const { name, generation, deadline } = wanted
    const connection = name.group
    const waitUntil = deadline - attemptMilliseconds
    const look = await cache.lookAt(name, waitUntil)
    if (!isMissing(look, generation)) return { outcome: 'not_needed', connection }
    if (!look.asked) return { outcome: 'unknown', connection }
    const lease = await cache.takeLease(look, waitUntil)
    if (!lease) return { outcome: 'under_way', connection }
    try {
      const token = await obtain(wanted, look, look.asked, lease)
      return token ? { outcome: 'renewed', connection, token } : { outcome: 'under_way', connection }
    } catch (error) {
      // Nobody else is told: what failed here failed under elements that aren't theirs.
      await lease.end({})
      if (error instanceof LeaseLostError) return { outcome: 'under_way', connection }
      if (isTokenError(error)) return { outcome: 'failed', connection, error }
      throw error
    }
  }

  async function obtain(wanted: PreparationWanted, { token }: Look, asked: AskedFor, lease: Lease) {
    const { name, latest, generation, deadline } = wanted
    const request = { connection: name.group, ...asked }
    const parameters = admitRequest(latest.connection, request)
    const obtained = await obtainToken({ ...latest, parameters, request, deadline, keepLease: lease.keepFor })
    return lease.storeNext(keptToken(obtained, token, now()), asked, generation)
  }
}

/** Not where it is there already, nor where that generation is not to come any more. */
function isMissing({ token, read: { record, connection } }: Look, generation: number): boolean {
  if (connection?.next?.generation === generation) return record.nextGeneration !== generation
  return connection?.generation === generation && token?.generation !== generation
}
