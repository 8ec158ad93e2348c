import { isIssuedAhead, lifetimeSeconds } from '../access-token/lifetime.ts'
import {
  type CallerRequest,
  isOwnRequest,
  type RepeatableRequest,
  type Token,
  type TokenKey,
} from '../access-token/token.ts'
import { lostRace } from '../base/compare-and-set.ts'
import { isJsonObject, parseJson } from '../base/decoding.ts'
import { CacheUnavailableError, type CircuitBreaker, unlessUnavailable } from '../fleet/circuit-breaker.ts'
import { own, type Use, withoutUse, withUse } from '../fleet/connection-record.ts'
import type { FleetRecords, ReadRecord } from '../fleet/fleet-records.ts'
import { createLease, type Lease, leaseMilliseconds } from '../fleet/lease.ts'
import { type RecordName, recordNameOf, tokenRecordName } from '../fleet/record-store.ts'
import { type Sealing, UnreadableTokenError } from '../fleet/sealing.ts'
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
/** How long a caller waits for the token that is there already, while the store asks to wait. */
const storingMilliseconds = 3_000

/** Enough to tell the callers of one connection apart. */
const callerDigestLength = 11

/** A token as the fleet shares it: with the generation that it belongs to, and what it was asked for. */
export interface SharedToken extends Token {
  readonly generation: number
  /** Absent where it can't be asked for again: nobody has the user's password. */
  readonly asked?: RepeatableRequest
}

/** What the fleet knew of a token at one moment. */
export interface Look {
  /** Of the active generation. Whether it may still be used is for the reader to decide. */
  readonly token?: SharedToken
  /** By which it can be asked for again, whatever has become of the token: of one that was rejected, too. */
  readonly asked?: RepeatableRequest
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

export interface StoredToken {
  /** To be handed out: the one that was obtained, or a newer one that is there already. */
  readonly token: Token
  /** Whether it may answer further requests. */
  readonly isCurrent: boolean
  /** Whether the fleet has it, too. */
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
 * The tokens of a whole fleet. For each token key one process at a time holds the lease: the right to ask the token
 * endpoint and to store what comes. Each call throws `CacheUnavailableError` where the cache fails or takes too long;
 * `waitUntil` says, in milliseconds since the epoch, how long to wait while the store is throttled.
 */
export type TokenCache = ReturnType<typeof createTokenCache>

export function createTokenCache({ records, sealing, breaker, now, randomId, log }: TokenCacheDependencies) {
  /** Whatever is sealed there, of whichever generation. */
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

  /** Undefined where it is of another generation, was dropped, or has times that can't be believed. */
  function activeIn(sealed: SharedToken | undefined, read: ReadRecord): SharedToken | undefined {
    const token = ofActiveGeneration(sealed, read)
    if (!token || !isIssuedAhead(token, now())) return token
    const seconds = Math.ceil((token.issuedAt - now()) / 1000)
    const reason = `its times are ${seconds} s ahead: the clock of this process, or of another one, is wrong`
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
      read,
    }
  }

  async function look(connection: string, key: TokenKey, waitUntil: number): Promise<Look> {
    const digest = await breaker.call('keys', () => sealing.digest(key), waitUntil)
    return await lookAt(tokenRecordName(connection, digest), waitUntil)
  }

  /** Lists it as due when it is, and writes again what an earlier version wrote; another process that was faster has done so. */
  async function list(read: ReadRecord, waitUntil: number): Promise<void> {
    const { record, connection, name } = read
    const isListed = dueAt(record, connection, name.id) === read.dueAt
    if (!isListed || read.isEarlier) await records.write(read, record, waitUntil)
  }

  /** Notes that the token is in use, so that it is kept warm; seldom: what was noted a short time ago costs nothing. */
  async function noteUse({ read, token }: Look, request: CallerRequest, waitUntil: number): Promise<void> {
    const { name, connection } = read
    if (!connection || !token) return
    const use = await useOf(request, token, waitUntil)
    const used = withUse(connection, { ...use, id: name.id }, now())
    if (used !== connection || connection.isEarlier) {
      const written = await records.writeConnection(name.group, connection, used, waitUntil)
      if (written === lostRace) return
    }
    await list({ ...read, connection: used }, waitUntil)
  }

  /** Who uses a token, by a digest: whoever reads the record does not learn the caller. */
  async function useOf(request: CallerRequest, token: Token, waitUntil: number): Promise<Omit<Use, 'id'>> {
    const lifetimeMilliseconds = lifetimeSeconds(token) * 1000
    if (isOwnRequest(request)) return { caller: own, lifetimeMilliseconds }
    const digest = await breaker.call('keys', () => sealing.digest(`caller ${request.caller}`), waitUntil)
    return { caller: digest.slice(0, callerDigestLength), lifetimeMilliseconds }
  }

  /** It is kept warm no longer, until somebody uses it again. */
  async function forgetUse({ read: { name, connection } }: Look, waitUntil: number): Promise<void> {
    await records.amendConnection(name.group, connection, (before) => before && withoutUse(before, name.id), waitUntil)
  }

  /** @returns whether it is kept warm; where it is listed as due at another time than it is, or all the same, that ends */
  async function isKeptWarm({ read }: Look, waitUntil: number): Promise<boolean> {
    const { record, connection, name } = read
    await list(read, waitUntil)
    return dueAt(record, connection, name.id) !== undefined
  }

  /**
   * For one of the fleet the right to ask that its stale token be renewed, and for a while for no other.
   * @returns what there is now; undefined where another process has the right
   */
  async function claimRefresh(look: Look, waitUntil: number): Promise<Look | undefined> {
    const { refreshRequestedAt = -Infinity, ...record } = look.read.record
    if (now() < refreshRequestedAt + refreshRequestMilliseconds) return undefined
    const read = await records.write(look.read, { ...record, refreshRequestedAt: now() }, waitUntil)
    return read === lostRace ? undefined : { ...look, read }
  }

  /** @returns undefined where another process holds it */
  async function takeLease({ read, isLeased: isTaken }: Look, waitUntil: number): Promise<Lease | undefined> {
    if (isTaken) return undefined
    const term = { leaseOwner: randomId(), leaseUntil: now() + leaseMilliseconds }
    const taken = await records.write(read, { ...withoutFailure(read.record), ...term }, waitUntil)
    return taken === lostRace ? undefined : createLease({ records, sealing, now }, taken, term, waitUntil)
  }

  /** Stores it only while the lease is held; else looks whether a better one is there. */
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
   * @param asked absent where it can't be asked for again
   * @param user who asks for the token and may do so again; undefined where nobody waits for it
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
    // Where nobody waits for it, to be stored is all that it is for.
    const until = user ? Math.min(lease.waitUntil, now() + storingMilliseconds) : lease.waitUntil
    // A token that never comes takes no place among those that are kept warm; where noting its use fails the next hit does it.
    if (user && asked)
      await unlessUnavailable(async () => await lease.noteUse(await useOf(user, token, until), until), undefined)
    try {
      return await storeFenced(lease, shared, until)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      // Where the store did not take the token, the others need not wait for it.
      await unlessUnavailable(() => lease.release(now()), undefined)
      return unshared
    }
  }

  /**
   * Stores the token in advance: it counts from when that generation is active. Ends the lease.
   * @returns undefined where the lease was lost, or that generation is not staged any more
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
   * Compare-and-invalidate; whoever asks for that token at this moment can't store it any more.
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

/** What stands in clear may be a lie: both have to say that it is of this generation, and wasn't dropped. */
function ofActiveGeneration(
  sealed: SharedToken | undefined,
  { record, connection }: ReadRecord,
): SharedToken | undefined {
  const { generation, refreshAt } = record
  if (!sealed || generation !== connection?.generation || generation !== sealed.generation) return undefined
  return { ...sealed, refreshAt: Math.min(refreshAt ?? sealed.refreshAt, sealed.usableUntil) }
}

function failureIn({ record, connection }: ReadRecord, now: number): SharedFailure | undefined {
  const { failure, failedAt, coolDownUntil, retryAt, failedFingerprint } = record
  // Under other elements it may go better, and after the connection was cleared.
  if (failure === undefined || failedAt === undefined || !connection) return undefined
  if (failedFingerprint !== connection.fingerprint || failedAt < connection.generation) return undefined
  const error = readFailure(failure)
  const until = coolDownUntil ?? failedAt
  const waitSeconds = Math.max(1, Math.ceil(((retryAt ?? until) - now) / 1000))
  return error && { failedAt, until, error: CoolingDownError.after(error, waitSeconds) }
}

function sealable(token: SharedToken) {
  const { refreshAt, expiresAt, generation } = token
  return { text: writeSharedToken(token), refreshAt, expiresAt, generation }
}

/** For the seal alone: it holds the token. */
export function writeSharedToken({ accessToken, ...token }: SharedToken): Secret {
  return new Secret(JSON.stringify({ ...token, accessToken: accessToken.reveal() }))
}

/** @throws {UnreadableTokenError} where it holds no token of that record, as this version writes them */
export function readSharedToken(text: Secret, { group }: RecordName): SharedToken {
  const written = parseJson(text.reveal())
  const token = isJsonObject(written) ? written : {}
  const { id, connection, accessToken, asked, issuedAt, refreshAt, usableUntil, expiresAt, generation } = token
  const isRead =
    connection === group &&
    [id, accessToken].every((each) => typeof each === 'string') &&
    [issuedAt, refreshAt, usableUntil, expiresAt, generation].every((each) => typeof each === 'number') &&
    (asked === undefined || isJsonObject(asked))
  if (!isRead) throw new UnreadableTokenError('it is none that this version of Tokenwell writes')
  return { ...(token as unknown as SharedToken), accessToken: new Secret(String(accessToken)) }
}
