import type { KnownConnection } from '../configuration/connections.ts'
import { admitRequest } from '../token/admit-request.ts'
import { attemptMilliseconds } from '../token/asking.ts'
import { keptToken } from '../token/keep-token.ts'
import type { ObtainToken } from '../token/obtain-token.ts'
import { isTokenError } from '../token/token-error.ts'
import type { Lease } from '../token-cache/lease.ts'
import { LeaseLostError } from '../token-cache/lease-lost-error.ts'
import type { RecordName } from '../token-cache/record-name.ts'
import type { AskedFor } from '../token-cache/shared-token.ts'
import type { Look, SharedTokenCache } from '../token-cache/shared-token-cache.ts'
import type { Renewal } from './renew-token.ts'

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
