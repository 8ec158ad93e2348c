import type { Token } from '../access-token/token.ts'
import type { AskedFor, SharedToken } from '../get-token/token-cache.ts'
import { type TokenEndpointError, writeFailure } from '../token-endpoint/token-endpoint-error.ts'
import { unlessUnavailable } from './circuit-breaker.ts'
import { type ConnectionRecord, type Elements, settled, withUse } from './connection-record.ts'
import type { ReadRecord, TokenRecords } from './fleet-records.ts'
import { recordNameOf, tokenIdFor } from './record-store.ts'
import type { TokenSealing } from './sealing.ts'
import { type TokenRecord, withNextToken, withoutLease, withToken } from './token-record.ts'

/** Longer than an attempt by the default timeouts takes. */
export const leaseMilliseconds = 12_000
/** How long a caller waits for the token that is there already, while the store asks to wait. */
const storingMilliseconds = 3_000

/** The right to ask for one token. Where the cache fails meanwhile the holder goes on, and stores nothing. */
export interface Lease {
  /**
   * Says under which elements it asks: a token counts only while no others have come into force.
   * @throws {LeaseLostError} where others have come into force since the lease was taken: these may be older
   */
  settle(elements: Elements): Promise<void>
  /**
   * To be called before each attempt: nobody else asks for that long.
   * @throws {LeaseLostError} where somebody else may ask by now, or the token was invalidated
   */
  keepFor(milliseconds: number): Promise<void>
  /**
   * Stores the token, unless the lease was lost or the generation has risen, and ends the lease.
   * @param asked absent where it can't be asked for again
   * @param isUse whether somebody asks for the token, who may do so again
   */
  store(token: Token, asked: AskedFor | undefined, isUse: boolean): Promise<StoredToken>
  /**
   * Stores the token in advance: it counts from when that generation is in force. Ends the lease.
   * @returns undefined where the lease was lost, or that generation is not to come any more
   */
  storeNext(token: Token, asked: AskedFor, generation: number): Promise<Token | undefined>
  /** Ends the lease with what came instead of a token, if the others are to hear of it. */
  end(failure: FailureToShare): Promise<void>
}

export interface StoredToken {
  /** To be handed out: the one that was obtained, or a newer one that is there already. */
  readonly token: Token
  /** Whether it may answer further requests. */
  readonly isCurrent: boolean
  /** Whether the fleet has it, too. */
  readonly isShared: boolean
}

export interface FailureToShare {
  readonly error?: TokenEndpointError
  /** Until when nobody asks again; those who wait are told in any case. */
  readonly until?: number
  /** When asking again may help, where that is later. */
  readonly retryAt?: number
  /** The token in hand is good until its time, and to be renewed from then on. */
  readonly refreshAt?: number
}

export interface LeaseParts {
  readonly records: TokenRecords
  readonly sealing: TokenSealing
  readonly tokenIn: (read: ReadRecord, waitUntil: number) => Promise<SharedToken | undefined>
  readonly now: () => number
}

export interface LeaseTerm {
  readonly leaseOwner: string
  readonly leaseUntil: number
}

export function createLease(parts: LeaseParts, taken: ReadRecord, term: LeaseTerm, waitUntil: number): Lease {
  const { records, sealing, tokenIn, now } = parts
  const { name } = taken
  const { leaseOwner } = term
  let { leaseUntil } = term
  let connection = taken.connection
  const isOurs = ({ record }: ReadRecord) => record.leaseOwner === leaseOwner

  function amendOurs(change: (record: TokenRecord) => TokenRecord, until = waitUntil): Promise<ReadRecord | undefined> {
    return records.amend(name, (read) => (isOurs(read) ? change(read.record) : undefined), until)
  }

  /** One that was shared before keeps its id. */
  function idOf({ id }: Token): string {
    return recordNameOf(name.group, id) ? id : tokenIdFor(name, id)
  }

  async function noteUse(until: number): Promise<void> {
    const withThis = (before: ConnectionRecord | undefined) => before && withUse(before, name.id, now())
    connection = (await records.amendConnection(name.group, connection, withThis, until)) ?? connection
  }

  /** Undefined where the fleet doesn't go by that generation, nor is to next, or the lease was lost. */
  async function put(token: SharedToken, until = waitUntil): Promise<ReadRecord | undefined> {
    const { refreshAt, expiresAt, generation } = token
    const fields = { sealedToken: await sealing.seal(name, token), refreshAt, expiresAt, generation }
    const change = (read: ReadRecord) => {
      if (!isOurs(read)) return undefined
      if (read.connection?.generation === generation) return withToken(read.record, fields)
      return read.connection?.next?.generation === generation ? withNextToken(read.record, fields) : undefined
    }
    return records.amend(name, change, until)
  }

  async function storeFenced(token: SharedToken, until: number): Promise<StoredToken> {
    if (await put(token, until)) return { token, isCurrent: true, isShared: true }
    const newer = await tokenIn(await records.read(name, until), until)
    await amendOurs(withoutLease, until)
    const isBetter = newer && newer.issuedAt > token.issuedAt && now() < newer.usableUntil
    return isBetter ? { token: newer, isCurrent: true, isShared: true } : { token, isCurrent: false, isShared: false }
  }

  return {
    async settle(elements) {
      const takenUnder = connection?.fingerprint
      let isOvertaken = false
      const change = (before: ConnectionRecord | undefined) => {
        isOvertaken = before !== undefined && ![takenUnder, elements.fingerprint].includes(before.fingerprint)
        return isOvertaken ? undefined : settled(before, elements, now())
      }
      const settle = () => records.amendConnection(name.group, connection, change, waitUntil)
      connection = await unlessUnavailable(settle, undefined)
      if (!isOvertaken) return
      await unlessUnavailable(() => amendOurs(withoutLease), undefined)
      throw new LeaseLostError()
    },
    async keepFor(milliseconds) {
      if (now() + milliseconds <= leaseUntil) return
      const until = now() + Math.max(leaseMilliseconds, milliseconds)
      const kept = await unlessUnavailable(() => amendOurs((record) => ({ ...record, leaseUntil: until })), taken)
      if (!kept) throw new LeaseLostError()
      leaseUntil = until
    },
    async store(token, asked, isUse) {
      const id = idOf(token)
      const unshared = { token: { ...token, id }, isCurrent: true, isShared: false }
      if (!connection) return unshared
      const { generation } = connection
      const shared = { ...token, id, generation, ...(asked && { asked }) }
      // Where nobody waits for it, to be stored is all that it is for.
      const until = isUse ? Math.min(waitUntil, now() + storingMilliseconds) : waitUntil
      // What never comes takes no place among those that are kept warm; where noting it fails the next hit does it.
      if (isUse && asked) await unlessUnavailable(() => noteUse(until), undefined)
      return unlessUnavailable(() => storeFenced(shared, until), unshared)
    },
    async storeNext(token, asked, generation) {
      const shared = { ...token, id: idOf(token), generation, asked }
      if (await put(shared)) return shared
      await amendOurs(withoutLease)
      return undefined
    },
    async end(failure) {
      await unlessUnavailable(() => amendOurs((record) => told(withoutLease(record), failure)), undefined)
    },
  }

  function told(record: TokenRecord, { error, until, retryAt, refreshAt }: FailureToShare): TokenRecord {
    const postponed = refreshAt === undefined ? record : { ...record, refreshAt }
    if (!error || !connection) return postponed
    return {
      ...postponed,
      failure: writeFailure(error),
      failedAt: now(),
      failedFingerprint: connection.fingerprint,
      ...(until !== undefined && { coolDownUntil: until }),
      ...(retryAt !== undefined && { retryAt }),
    }
  }
}

/** Where there is no cache to ask: everybody may. */
export const unsharedLease: Lease = {
  settle: () => Promise.resolve(),
  keepFor: () => Promise.resolve(),
  store: (token) => Promise.resolve({ token, isCurrent: true, isShared: false }),
  storeNext: () => Promise.resolve(undefined),
  end: () => Promise.resolve(),
}

/** Somebody else holds the lease by now, or the token in hand was invalidated: what was begun under it counts no more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}
