import { isIssuedAhead, lifetimeSeconds } from '../access-token/lifetime.ts'
import {
  type CallerRequest,
  isOwnRequest,
  type RepeatableRequest,
  type Token,
  type TokenKey,
} from '../access-token/token.ts'
import { lostRace } from '../base/compare-and-set.ts'
import { CacheUnavailableError, type CircuitBreaker, unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { FleetRecords, ReadRecord } from '../fleet/fleet-records.ts'
import { own, ownFurther, type Use, withoutUse, withUse } from '../fleet/kept-warm.ts'
import { createLease, type Lease, leaseMilliseconds } from '../fleet/lease.ts'
import { type RecordName, recordNameOf, tokenRecordName } from '../fleet/record-store.ts'
import { type Sealing, UnreadableTokenError } from '../fleet/sealing.ts'
import { dueAt, isLeased, withoutFailure, withoutLease, withoutToken } from '../fleet/token-record.ts'
import type { Log } from '../log/log-event.ts'
import { readFailure } from '../token-endpoint/token-endpoint-error.ts'
import { ofActiveGeneration, readSharedToken, type SharedToken, sealable } from './shared-token.ts'
import { CoolingDownError } from './token-error.ts'
import type { Invalidation, Rejection } from './token-memory.ts'

/** How long a rejection waits while the store is throttled. */
const rejectionMilliseconds = 5_000
/** How long a requested renewal is waited for before another one is requested. */
const refreshRequestMilliseconds = 20_000
/** How long a throttled store may delay a caller whose token has already been issued. */
// Without it, storing could take 13 s of a caller's 25 s. A longer throttling costs one more token request after the lease.
const storingMilliseconds = 3_000

/** Enough to tell the callers of one connection apart. */
const callerDigestLength = 11

/** What the fleet knew about a token at one time. */
export interface Look {
  /** The token of the active generation. The reader decides whether it may still be used. */
  readonly token?: SharedToken
  /** The request that can be repeated for it, present even where the token was rejected. */
  readonly asked?: RepeatableRequest
  /** The failure of the last token request. */
  readonly failure?: SharedFailure
  /** Whether a process holds the lease, which may have died and not released it. */
  readonly isLeased: boolean
  /** Whether the last token was for one request. */
  readonly isForOneRequest: boolean
  readonly read: ReadRecord
}

export interface SharedFailure {
  readonly failedAt: number
  /** No process requests the token before this time. After it, only the requests that were waiting get the failure. */
  readonly until: number
  readonly error: CoolingDownError
}

export interface StoredToken {
  /** The token to hand out: the obtained one, or a newer one that the fleet has already. */
  readonly token: Token
  /** Whether it may answer further requests. */
  readonly isCurrent: boolean
  /** Whether the fleet has it as well. */
  readonly isShared: boolean
}

export interface TokenCacheDependencies {
  readonly records: FleetRecords
  readonly sealing: Sealing
  readonly breaker: CircuitBreaker
  readonly now: () => number
  readonly randomId: () => string
  readonly log: Log
}

/**
 * The tokens of a fleet. For each token key, one process at a time holds the lease: the right to request the token and to store it. Each
 * function throws `CacheUnavailableError` where the shared cache fails or is too slow. `waitUntil` is the time, in milliseconds since the
 * epoch, until which a call waits while the store is throttled.
 */
export type TokenCache = ReturnType<typeof createTokenCache>

export function createTokenCache({ records, sealing, breaker, now, randomId, log }: TokenCacheDependencies) {
  /** The sealed token, of any generation. */
  async function openSeal({ name, record }: ReadRecord, waitUntil: number): Promise<SharedToken | undefined> {
    const { sealedToken } = record
    if (sealedToken === undefined) return undefined
    try {
      return readSharedToken(await breaker.call('keys', () => sealing.open(name, sealedToken), waitUntil), name)
    } catch (error) {
      if (!(error instanceof UnreadableTokenError)) throw error
      log({ event: 'cached_token_unreadable', connection: name.group, reason: error.message })
      return undefined
    }
  }

  /** Undefined where the token is of another generation, was dropped, or has impossible times. */
  function activeIn(sealed: SharedToken | undefined, read: ReadRecord): SharedToken | undefined {
    const token = ofActiveGeneration(sealed, read)
    if (!token || !isIssuedAhead(token, now())) return token
    const seconds = Math.ceil((token.issuedAt - now()) / 1000)
    const reason = `The token was issued ${seconds} s in the future, according to the clock of this instance. Check the clocks of all instances.`
    log({ event: 'cached_token_unreadable', connection: read.name.group, reason })
    return undefined
  }

  async function activeToken(read: ReadRecord, waitUntil: number): Promise<SharedToken | undefined> {
    return activeIn(await openSeal(read, waitUntil), read)
  }

  /** One round trip. */
  async function lookAt(name: RecordName, waitUntil: number): Promise<Look> {
    const read = await records.read(name, waitUntil)
    const sealed = await openSeal(read, waitUntil)
    const [token, failure] = [activeIn(sealed, read), failureIn(read, now())]
    return {
      ...(token && { token }),
      ...(sealed?.asked && { asked: sealed.asked }),
      ...(failure && { failure }),
      isLeased: isLeased(read.record, now()),
      isForOneRequest: now() < (read.record.unleasedUntil ?? -Infinity),
      read,
    }
  }

  async function look(connection: string, key: TokenKey, waitUntil: number): Promise<Look> {
    const digest = await breaker.call('keys', () => sealing.digest(key), waitUntil)
    return await lookAt(tokenRecordName(connection, digest), waitUntil)
  }

  /** Corrects when the index lists the record as due, and rewrites a record of an earlier version. A lost race needs no retry. */
  async function list(read: ReadRecord, waitUntil: number): Promise<void> {
    const { record, connection, name } = read
    const isListed = dueAt(record, connection, name.id) === read.dueAt
    if (!isListed || read.isEarlier) await records.write(read, record, waitUntil)
  }

  /** Notes that the token is in use, so that it is kept warm if it can be. A use that was noted recently costs nothing. */
  async function noteUse({ read, token }: Look, request: CallerRequest, waitUntil: number): Promise<void> {
    const { name, connection } = read
    if (!connection || !token) return
    // A warm run can't repeat a request for a user: noted, it would take the place of one that can be repeated.
    const use = token.asked && (await useOf(request, token, waitUntil))
    const used = use ? withUse(connection, { ...use, id: name.id }, now()) : connection
    if (used !== connection || connection.isEarlier) {
      const written = await records.writeConnection(name.group, connection, used, waitUntil)
      if (written === lostRace) return
    }
    await list({ ...read, connection: used }, waitUntil)
  }

  /** The use of a token, with a digest of the caller: a reader of the record does not learn the caller. */
  async function useOf(request: CallerRequest, token: Token, waitUntil: number): Promise<Omit<Use, 'id'>> {
    const lifetimeMilliseconds = lifetimeSeconds(token) * 1000
    const { authentication } = request
    if (isOwnRequest(request))
      return { caller: authentication === undefined ? own : ownFurther(authentication), lifetimeMilliseconds }
    const digest = await breaker.call('keys', () => sealing.digest(`caller ${request.caller}`), waitUntil)
    return { caller: digest.slice(0, callerDigestLength), lifetimeMilliseconds }
  }

  /** Stops keeping the token warm until its next use. */
  async function forgetUse({ read: { name, connection } }: Look, waitUntil: number): Promise<void> {
    await records.amendConnection(name.group, connection, (before) => before && withoutUse(before, name.id), waitUntil)
  }

  /** Corrects when the index lists the record as due. @returns whether the token is kept warm */
  async function isKeptWarm({ read }: Look, waitUntil: number): Promise<boolean> {
    const { record, connection, name } = read
    await list(read, waitUntil)
    return dueAt(record, connection, name.id) !== undefined
  }

  /**
   * Claims the right to request the renewal of a stale token by event. For 20 s no other process gets it.
   * @returns what the fleet knows now. Undefined where another process has the right
   */
  async function claimRefresh(look: Look, waitUntil: number): Promise<Look | undefined> {
    const { refreshRequestedAt = -Infinity, ...record } = look.read.record
    if (now() < refreshRequestedAt + refreshRequestMilliseconds) return undefined
    const read = await records.write(look.read, { ...record, refreshRequestedAt: now() }, waitUntil)
    return read === lostRace ? undefined : { ...look, read }
  }

  /** @returns undefined where another process holds the lease */
  async function takeLease({ read, isLeased: isTaken }: Look, waitUntil: number): Promise<Lease | undefined> {
    if (isTaken) return undefined
    const term = { leaseOwner: randomId(), leaseUntil: now() + leaseMilliseconds }
    const taken = await records.write(read, { ...withoutFailure(read.record), ...term }, waitUntil)
    return taken === lostRace ? undefined : createLease({ records, sealing, now }, taken, term, waitUntil)
  }

  /** Stores the token only while the lease is held. Otherwise it looks for a newer token in the fleet. */
  async function storeFenced(lease: Lease, token: SharedToken, until: number): Promise<StoredToken> {
    if (await lease.sealAndWrite(sealable(token), until)) return { token, isCurrent: true, isShared: true }
    const read = await lease.readAgain(until)
    const newer = read && (await activeToken(read, until))
    await lease.release(until)
    const isBetter = newer && newer.issuedAt > token.issuedAt && now() < newer.usableUntil
    return isBetter ? { token: newer, isCurrent: true, isShared: true } : { token, isCurrent: false, isShared: false }
  }

  /**
   * Stores the token, unless the lease was lost or the generation has risen, and ends the lease.
   * @param asked the request to repeat for it. Undefined where it can't be repeated
   * @param user the request of the caller that waits for the token. Undefined where no caller waits
   */
  async function store(
    lease: Lease,
    token: Token,
    asked: RepeatableRequest | undefined,
    user: CallerRequest | undefined,
  ): Promise<StoredToken> {
    const id = lease.idFor(token.id)
    const unshared = { token: { ...token, id }, isCurrent: true, isShared: false }
    const generation = lease.generation()
    if (generation === undefined) return unshared
    const shared = { ...token, id, generation, ...(asked && { asked }) }
    // Where no caller waits, the token is of use only if it is stored.
    const until = user ? Math.min(lease.waitUntil, now() + storingMilliseconds) : lease.waitUntil
    // The use is noted only now: a token that is never issued must not take a place among those that are kept warm. If this fails, the
    // next hit notes the use.
    if (user && asked)
      await unlessUnavailable(async () => await lease.noteUse(await useOf(user, token, until), until), undefined)
    try {
      return await storeFenced(lease, shared, until)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      // The store did not take the token: the other processes need not wait for it.
      await unlessUnavailable(() => lease.release(now()), undefined)
      return unshared
    }
  }

  /**
   * Stores a staged token, which counts once its generation is active. Ends the lease.
   * @returns undefined where the lease was lost, or that generation is no longer staged
   */
  async function storeStaged(
    lease: Lease,
    token: Token,
    asked: RepeatableRequest,
    generation: number,
  ): Promise<Token | undefined> {
    const shared = { ...token, id: lease.idFor(token.id), generation, asked }
    if (await lease.sealAndWrite(sealable(shared), lease.waitUntil)) return shared
    await lease.release(lease.waitUntil)
    return undefined
  }

  /**
   * Compare-and-invalidate. A process that requests that token at the same time loses its lease and can't store it.
   * @returns undefined for a token that was never shared
   */
  async function invalidate(rejection: Rejection): Promise<Invalidation | undefined> {
    const { connection, tokenId, now: at, minimumIntervalMilliseconds } = rejection
    const name = recordNameOf(connection, tokenId)
    if (!name) return undefined
    const waitUntil = at + rejectionMilliseconds
    let outcome: Invalidation | undefined
    await records.amend(
      name,
      async (read) => {
        outcome = { outcome: 'absent' }
        const token = await activeToken(read, waitUntil)
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
  }

  return {
    ...{ look, lookAt, noteUse, forgetUse, isKeptWarm, claimRefresh },
    ...{ takeLease, store, storeStaged, invalidate },
  }
}

function failureIn({ record, connection }: ReadRecord, now: number): SharedFailure | undefined {
  const { failure, failedAt, coolDownUntil, retryAt, failedFingerprint } = record
  // A request by other elements, or after a clearing, may succeed.
  if (failure === undefined || failedAt === undefined || !connection) return undefined
  if (failedFingerprint !== connection.fingerprint || failedAt < connection.generation) return undefined
  const error = readFailure(failure)
  const until = coolDownUntil ?? failedAt
  const waitSeconds = Math.max(1, Math.ceil(((retryAt ?? until) - now) / 1000))
  return error && { failedAt, until, error: CoolingDownError.after(error, waitSeconds) }
}
