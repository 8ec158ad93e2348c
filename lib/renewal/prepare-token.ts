import type { KnownConnection } from '../configuration/connections.ts'
import { admitRequest } from '../token/admit-request.ts'
import { attemptMilliseconds, elementsOf } from '../token/asking.ts'
import { keptToken } from '../token/keep-token.ts'
import type { ObtainToken } from '../token/obtain-token.ts'
import { isTokenError } from '../token/token-error.ts'
import type { Lease } from '../token-cache/lease.ts'
import { LeaseLostError } from '../token-cache/lease-lost-error.ts'
import type { RecordName } from '../token-cache/record-name.ts'
import type { Look, SharedTokenCache } from '../token-cache/shared-token-cache.ts'
import type { Renewal } from './renew-token.ts'

/** A token under elements that the fleet does not go by yet; until it comes into force the old one is handed out. */
export interface PreparedToken {
  readonly outcome: 'prepared'
  /** Makes those elements the fleet's, and stores it. */
  comeIntoForce(): Promise<Renewal>
}

export type Preparation = PreparedToken | Exclude<Renewal, { readonly outcome: 'renewed' }>

/** @throws {CacheUnavailableError} */
export type PrepareToken = (name: RecordName, latest: KnownConnection, deadline: number) => Promise<Preparation>

export interface PrepareTokenParts {
  readonly cache: SharedTokenCache
  readonly obtainToken: ObtainToken
  readonly now: () => number
}

export function createPrepareToken({ cache, obtainToken, now }: PrepareTokenParts): PrepareToken {
  return async (name, latest, deadline) => {
    const connection = name.group
    const waitUntil = deadline - attemptMilliseconds
    const look = await cache.lookAt(name, waitUntil)
    if (!look.asked) return { outcome: 'unknown', connection }
    const lease = await cache.takeLease(look, waitUntil)
    if (!lease) return { outcome: 'under_way', connection }
    try {
      return await obtain(look, lease, latest, deadline)
    } catch (error) {
      // Nobody else is told: what failed here failed under elements that aren't theirs.
      await lease.end({})
      if (error instanceof LeaseLostError) return { outcome: 'under_way', connection }
      if (isTokenError(error)) return { outcome: 'failed', connection, error }
      throw error
    }
  }

  async function obtain(
    { asked, token }: Look,
    lease: Lease,
    latest: KnownConnection,
    deadline: number,
  ): Promise<PreparedToken> {
    const { name: connection } = latest.connection
    const request = { connection, further: {}, ...asked }
    const parameters = admitRequest(latest.connection, request)
    const obtained = await obtainToken({ ...latest, parameters, request, deadline, keepLease: lease.keepFor })
    return {
      outcome: 'prepared',
      async comeIntoForce() {
        await lease.settle(elementsOf(latest))
        const stored = await lease.store(keptToken(obtained, token, now()), asked, false)
        return { outcome: 'renewed', connection, token: stored.token }
      },
    }
  }
}
