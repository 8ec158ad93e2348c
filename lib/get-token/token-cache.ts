import type { Token, TokenKey } from '../access-token/token.ts'
import type { Budget } from '../fleet/circuit-breaker.ts'
import { type ConnectionRecord, withoutUse, withUse } from '../fleet/connection-record.ts'
import type { ReadRecord, TokenRecords } from '../fleet/fleet-records.ts'
import { createLease, type Lease, leaseMilliseconds } from '../fleet/lease.ts'
import { type RecordName, recordNameOf, tokenRecordName } from '../fleet/record-store.ts'
import { type TokenSealing, UnreadableTokenError } from '../fleet/sealing.ts'
import { dueAt, isLeased, withoutFailure, withoutLease, withoutToken } from '../fleet/token-record.ts'
import type { Log } from '../log/log-event.ts'
import { Secret } from '../secret/secret.ts'
import { readFailure } from '../token-endpoint/token-endpoint-error.ts'
import { CoolingDownError } from './token-error.ts'
import type { Invalidation, Rejection } from './token-memory.ts'

/** How long a rejection waits while the store is throttled. */
const rejectionMilliseconds = 5_000
/** So long a renewal that somebody has asked for is waited for before it is asked for again. */
const refreshRequestMilliseconds = 20_000

/** What the fleet knew of a token at one moment. */
export interface Look {
  /** Of the current generation. Whether it may still be used is for the reader to decide. */
  readonly token?: SharedToken
  /** By which it can be asked for again, whatever has become of the token: of one that was rejected, too. */
  readonly asked?: AskedFor
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
  /** The same by the name of its record. */
  lookAt(name: RecordName, waitUntil: number): Promise<Look>
  /** Notes that the token is in use, so that it is kept warm; seldom: what was noted a short time ago costs nothing. */
  noteUse(look: Look, waitUntil: number): Promise<void>
  /** It is kept warm no longer, until somebody uses it again. */
  forgetUse(look: Look, waitUntil: number): Promise<void>
  /**
   * @returns whether it is kept warm; where it is listed as due at another time than it is, or all the same, that ends
   */
  isKeptWarm(look: Look, waitUntil: number): Promise<boolean>
  /**
   * For one of the fleet the right to ask that its stale token be renewed, and for a while for no other.
   * @returns what there is now; undefined where somebody else has it
   */
  claimRefresh(look: Look, waitUntil: number): Promise<Look | undefined>
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

  /** Whatever is sealed there, of whichever generation. */
  async function sealedIn({ name, record }: ReadRecord, waitUntil: number): Promise<SharedToken | undefined> {
    const { sealedToken } = record
    if (sealedToken === undefined) return undefined
    try {
      return await budget.spend('keys', () => sealing.open(name, sealedToken), waitUntil)
    } catch (error) {
      if (!(error instanceof UnreadableTokenError)) throw error
      log({ event: 'cached_token_unreadable', connection: name.group, reason: error.message })
      return undefined
    }
  }

  /** What stands in clear may be a lie: both have to say that it is of this generation, and wasn't dropped. */
  function current(sealed: SharedToken | undefined, { record, connection }: ReadRecord): SharedToken | undefined {
    const { generation, refreshAt } = record
    if (!sealed || generation === undefined) return undefined
    if (generation !== connection?.generation || generation !== sealed.generation) return undefined
    return { ...sealed, refreshAt: refreshAt ?? sealed.refreshAt }
  }

  async function tokenIn(read: ReadRecord, waitUntil: number): Promise<SharedToken | undefined> {
    return current(await sealedIn(read, waitUntil), read)
  }

  async function lookAt(name: RecordName, waitUntil: number): Promise<Look> {
    const read = await records.read(name, waitUntil)
    const sealed = await sealedIn(read, waitUntil)
    const [token, failure] = [current(sealed, read), failureIn(read)]
    return {
      ...(token && { token }),
      ...(sealed?.asked && { asked: sealed.asked }),
      ...(failure && { failure }),
      isLeased: isLeased(read.record, now()),
      read,
    }
  }

  /** Listed as due when it is; who has written it meanwhile has done so. */
  async function list(read: ReadRecord, waitUntil: number): Promise<void> {
    const { record, connection, name } = read
    if (dueAt(record, connection, name.id) !== read.dueAt) await records.write(read, record, waitUntil)
  }

  function failureIn({ record, connection }: ReadRecord): SharedFailure | undefined {
    const { failure, failedAt, coolDownUntil, retryAt, failedFingerprint } = record
    // Under other elements it may go better.
    if (failure === undefined || failedAt === undefined || failedFingerprint !== connection?.fingerprint)
      return undefined
    const error = readFailure(failure)
    const until = coolDownUntil ?? failedAt
    const waitSeconds = Math.max(1, Math.ceil(((retryAt ?? until) - now()) / 1000))
    return error && { failedAt, until, error: CoolingDownError.after(error, waitSeconds) }
  }

  return {
    async look(connection, key, waitUntil) {
      const digest = await budget.spend('keys', () => sealing.digest(key), waitUntil)
      return lookAt(tokenRecordName(connection, digest), waitUntil)
    },
    lookAt,
    async noteUse({ read }, waitUntil) {
      const { name, connection } = read
      if (!connection) return
      const used = withUse(connection, name.id, now())
      if (used !== connection && !(await records.writeConnection(name.group, connection, used, waitUntil))) return
      await list({ ...read, connection: used }, waitUntil)
    },
    async forgetUse({ read: { name, connection } }, waitUntil) {
      const without = (before: ConnectionRecord | undefined) => before && withoutUse(before, name.id)
      await records.amendConnection(name.group, connection, without, waitUntil)
    },
    async isKeptWarm({ read }, waitUntil) {
      const { record, connection, name } = read
      await list(read, waitUntil)
      return dueAt(record, connection, name.id) !== undefined
    },
    async claimRefresh(look, waitUntil) {
      const { refreshRequestedAt = -Infinity, ...record } = look.read.record
      if (now() < refreshRequestedAt + refreshRequestMilliseconds) return undefined
      const read = await records.write(look.read, { ...record, refreshRequestedAt: now() }, waitUntil)
      return read && { ...look, read }
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
          const token = await tokenIn(read, waitUntil)
          if (token?.id !== tokenId) return undefined
          const retryAt = (read.record.rejectedAt ?? -Infinity) + minimumIntervalMilliseconds
          outcome = at < retryAt ? { outcome: 'too_soon', retryAt } : { outcome: 'dropped' }
          if (at < retryAt) return undefined
          const isRepeatable = token.asked !== undefined
          return { ...withoutLease(withoutToken(read.record, { isRepeatable })), rejectedAt: at }
        },
        waitUntil,
      )
      return outcome
    },
  }
}

/** A token as the fleet shares it: with the generation that it belongs to, and what it was asked for. */
export interface SharedToken extends Token {
  readonly generation: number
  /** Absent where it can't be asked for again: nobody has the user's password. */
  readonly asked?: AskedFor
}

/** What a token request held: enough to make it again. Never a user or password. */
export interface AskedFor {
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly audience?: string
  readonly further: Readonly<Record<string, string>>
}

/** For the cipher alone: it holds the token. */
export function writeSharedToken({ accessToken, ...token }: SharedToken): string {
  return JSON.stringify({ ...token, accessToken: accessToken.reveal() })
}

/** @throws {UnreadableTokenError} where it holds no token of that record, as this version writes them */
export function readSharedToken(text: string, { group }: RecordName): SharedToken {
  const token = JSON.parse(text) as Readonly<Record<string, unknown>>
  const { id, connection, accessToken, asked, issuedAt, refreshAt, usableUntil, expiresAt, generation } = token
  const isRead =
    connection === group &&
    [id, accessToken].every((each) => typeof each === 'string') &&
    [issuedAt, refreshAt, usableUntil, expiresAt, generation].every((each) => typeof each === 'number') &&
    (asked === undefined || (typeof asked === 'object' && asked !== null))
  if (!isRead) throw new UnreadableTokenError('it is none that this version of Tokenwell writes')
  return { ...(token as unknown as SharedToken), accessToken: new Secret(String(accessToken)) }
}
