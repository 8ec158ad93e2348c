import type { Log } from '../log/log-event.ts'
import { CoolingDownError } from '../token/cooling-down-error.ts'
import type { TokenKey } from '../token/token-key.ts'
import type { Invalidation, Rejection } from '../token/token-memory.ts'
import type { Budget } from './budget.ts'
import { createLease, type Lease, leaseMilliseconds } from './lease.ts'
import { recordNameOf, tokenRecordName } from './record-name.ts'
import { readFailure } from './shared-failure.ts'
import type { SharedToken } from './shared-token.ts'
import { isLeased, withoutFailure, withoutLease, withoutToken } from './token-record.ts'
import type { ReadRecord, TokenRecords } from './token-records.ts'
import type { TokenSealing } from './token-sealing.ts'
import { UnreadableTokenError } from './unreadable-token-error.ts'

/** How long a rejection waits while the store is throttled. */
const rejectionMilliseconds = 5_000

/** What the fleet knew of a token at one moment. */
export interface Look {
  /** Of the current generation. Whether it may still be used is for the reader to decide. */
  readonly token?: SharedToken
  /** What the last one who asked got instead of a token. */
  readonly failure?: SharedFailure
  /** Somebody asks for it, or died doing so a moment ago. */
  readonly isLeased: boolean
  readonly read: ReadRecord
}

export interface SharedFailure {
  readonly failedAt: number
  /** Nobody asks again before that. Past where only those are told who were waiting. */
  readonly until: number
  readonly error: CoolingDownError
}

/**
 * The tokens of a whole fleet. For each token key one process at a time holds the lease: the right to ask the token
 * endpoint and to store what comes.
 * Each call throws `CacheUnavailableError` where the cache fails or takes too long.
 */
export interface SharedTokenCache {
  /** One round trip. @param waitUntil milliseconds since the epoch: how long to wait while the store is throttled */
  look(connection: string, key: TokenKey, waitUntil: number): Promise<Look>
  /** @returns undefined where somebody else holds it */
  takeLease(look: Look, waitUntil: number): Promise<Lease | undefined>
  /**
   * Compare-and-invalidate; whoever asks for that token at this moment can't store it any more.
   * @returns undefined for a token that was never shared
   */
  invalidate(rejection: Rejection): Promise<Invalidation | undefined>
}

export interface SharedTokenCacheParts {
  readonly records: TokenRecords
  readonly sealing: TokenSealing
  readonly budget: Budget
  readonly now: () => number
  readonly randomId: () => string
  readonly log: Log
}

export function createSharedTokenCache(parts: SharedTokenCacheParts): SharedTokenCache {
  const { records, sealing, budget, now, randomId, log } = parts

  async function tokenIn(
    { name, record, generation }: ReadRecord,
    waitUntil: number,
  ): Promise<SharedToken | undefined> {
    const { sealedToken, refreshAt, generation: number } = record
    // What stands in clear may be a lie, and then the seal tells; it saves the work where it is not.
    if (sealedToken === undefined || !generation || number !== generation.number) return undefined
    try {
      const token = await budget.spend('keys', () => sealing.open(name, sealedToken), waitUntil)
      return token.generation === generation.number ? { ...token, refreshAt: refreshAt ?? token.refreshAt } : undefined
    } catch (error) {
      if (!(error instanceof UnreadableTokenError)) throw error
      log({ event: 'cached_token_unreadable', connection: name.group, reason: error.message })
      return undefined
    }
  }

  function failureIn({ record, generation }: ReadRecord): SharedFailure | undefined {
    const { failure, failedAt, coolDownUntil, retryAt, failedFingerprint } = record
    // Under other elements it may go better.
    if (failure === undefined || failedAt === undefined || failedFingerprint !== generation?.fingerprint)
      return undefined
    const error = readFailure(failure)
    const until = coolDownUntil ?? failedAt
    const waitSeconds = Math.max(1, Math.ceil(((retryAt ?? until) - now()) / 1000))
    return error && { failedAt, until, error: CoolingDownError.after(error, waitSeconds) }
  }

  return {
    async look(connection, key, waitUntil) {
      const digest = await budget.spend('keys', () => sealing.digest(key), waitUntil)
      const read = await records.read(tokenRecordName(connection, digest), waitUntil)
      const [token, failure] = [await tokenIn(read, waitUntil), failureIn(read)]
      return { ...(token && { token }), ...(failure && { failure }), isLeased: isLeased(read.record, now()), read }
    },
    async takeLease({ read, isLeased: isTaken }, waitUntil) {
      if (isTaken) return undefined
      const lease = { leaseOwner: randomId(), leaseUntil: now() + leaseMilliseconds }
      const held = await records.write(read, { ...withoutFailure(read.record), ...lease }, waitUntil)
      return held && createLease({ ...parts, tokenIn }, held, lease, waitUntil)
    },
    async invalidate({ connection, tokenId, now: at, minimumIntervalMilliseconds }) {
      const name = recordNameOf(connection, tokenId)
      if (!name) return undefined
      const waitUntil = at + rejectionMilliseconds
      let outcome: Invalidation = { outcome: 'absent' }
      await records.amend(
        name,
        async (read) => {
          outcome = { outcome: 'absent' }
          if ((await tokenIn(read, waitUntil))?.id !== tokenId) return undefined
          const retryAt = (read.record.rejectedAt ?? -Infinity) + minimumIntervalMilliseconds
          outcome = at < retryAt ? { outcome: 'too_soon', retryAt } : { outcome: 'dropped' }
          return at < retryAt ? undefined : { ...withoutLease(withoutToken(read.record)), rejectedAt: at }
        },
        waitUntil,
      )
      return outcome
    },
  }
}
