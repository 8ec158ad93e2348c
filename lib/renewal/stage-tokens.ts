import { knownCallers } from '../access-token/caller.ts'
import { keptToken, type RepeatableRequest, type Token } from '../access-token/token.ts'
import { admitAuthentication, UnknownTokenError } from '../admission/admit-authentication.ts'
import { admitRequest } from '../admission/admit-request.ts'
import { forEachAtMost } from '../base/semaphore.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { Warming } from '../configuration/connection.ts'
import type { KnownConnection } from '../configuration/connection-cache.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { ConnectionRecord } from '../fleet/connection-record.ts'
import type { StagedGeneration } from '../fleet/connection-state.ts'
import { warmVariants } from '../fleet/kept-warm.ts'
import { type Lease, LeaseLostError } from '../fleet/lease.ts'
import type { RecordName } from '../fleet/record-store.ts'
import { attemptMilliseconds } from '../get-token/from-fleet.ts'
import { type FromServer, revisionOf } from '../get-token/from-server.ts'
import type { Look, TokenCache } from '../get-token/token-cache.ts'
import { isTokenError } from '../get-token/token-error.ts'
import type { Renewal } from './announce-renewals.ts'

/** The pause between two checks whether another process has obtained the token. */
const lookAgainMilliseconds = 500

/** A token to obtain under elements that are not active yet. */
interface StagedToken {
  readonly name: RecordName
  /** The elements that the token is obtained under. */
  readonly latest: KnownConnection
  /** The generation that the elements get when they become active. */
  readonly generation: number
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

export interface TokenStagerDependencies {
  readonly cache: TokenCache
  readonly fromServer: FromServer
  readonly now: () => number
  readonly pause: Pause
}

/**
 * Obtains tokens under elements that are not active yet, and stores each staged token beside the active one. Callers get the old
 * token until the elements are active, and the new one from then on.
 */
export type TokenStager = ReturnType<typeof createTokenStager>

export function createTokenStager({ cache, fromServer, now, pause }: TokenStagerDependencies) {
  /** @throws {CacheUnavailableError} */
  async function stageOne(wanted: StagedToken): Promise<Renewal> {
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
      if (token === 'for_one_request') {
        await lease.end({})
        return { outcome: 'not_needed', connection }
      }
      return token ? { outcome: 'renewed', connection, token } : { outcome: 'under_way', connection }
    } catch (error) {
      // No failure is shared: it happened under elements that other requests do not use yet.
      await lease.end({})
      if (error instanceof LeaseLostError) return { outcome: 'under_way', connection }
      if (error instanceof UnknownTokenError) return { outcome: 'not_needed', connection }
      if (isTokenError(error)) return { outcome: 'failed', connection, error }
      throw error
    }
  }

  async function obtain(
    { name, latest, generation, deadline }: StagedToken,
    { token }: Look,
    asked: RepeatableRequest,
    lease: Lease,
  ): Promise<Token | 'for_one_request' | undefined> {
    const request = { caller: knownCallers.tokenwell, connection: name.group, ...asked }
    const connection = admitAuthentication(latest.connection, request)
    const parameters = admitRequest(connection, request)
    const issued = await fromServer.requestToken({
      ...latest,
      connection,
      parameters,
      request,
      deadline,
      lease,
      mendedAt: generation,
    })
    if (issued.isForOneRequest) return 'for_one_request'
    return await cache.storeStaged(lease, keptToken(issued, token, now()), asked, generation)
  }

  async function stageEach(
    latest: KnownConnection,
    { generation, maximumConcurrency }: StagedGeneration & Pick<Warming, 'maximumConcurrency'>,
    variants: readonly string[],
    until: number,
    renewals: Map<string, Renewal>,
  ): Promise<void> {
    const { name: group } = latest.connection
    const underWay: Renewal = { outcome: 'under_way', connection: group }
    let waiting = variants
    while (waiting.length > 0) {
      await forEachAtMost(maximumConcurrency, waiting, async (id) => {
        const wanted = { name: { group, id }, latest, generation, deadline: until }
        renewals.set(id, await unlessUnavailable(() => stageOne(wanted), underWay))
      })
      waiting = waiting.filter((id) => renewals.get(id)?.outcome === 'under_way')
      if (now() + lookAgainMilliseconds >= until) return
      if (waiting.length > 0) await pause(lookAgainMilliseconds)
    }
  }

  return {
    /**
     * Stages all tokens that are kept warm under the staged elements.
     * @param until in milliseconds since the epoch: it returns then, even if requests are still under way
     * @returns the outcome for each token, by its variant's id
     */
    async stage(
      latest: KnownConnection,
      { staged, variants }: ConnectionRecord,
      until: number,
    ): Promise<ReadonlyMap<string, Renewal>> {
      const { warming } = revisionOf(latest)
      const renewals = new Map<string, Renewal>()
      if (!warming || !staged) return renewals
      const ids = warmVariants({ warming, variants }, now()).map(({ id }) => id)
      await inTime(stageEach(latest, { ...staged, ...warming }, ids, until, renewals), until - now(), pause, () => {})
      return renewals
    },
  }
}

/** False if the staged token exists already, or the generation is no longer staged. */
function isMissing({ token, read: { record, connection } }: Look, generation: number): boolean {
  if (connection?.staged?.generation === generation) return record.nextGeneration !== generation
  return connection?.generation === generation && token?.generation !== generation
}
