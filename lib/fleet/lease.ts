import { isFingerprintOf } from '../configuration/connection-cache.ts'
import type { Secret } from '../secret/secret.ts'
import { unlessUnavailable } from './circuit-breaker.ts'
import { activated, type ElementsRevision, mendedAt } from './connection-state.ts'
import type { FleetRecords, ReadRecord } from './fleet-records.ts'
import { type Use, withUse } from './kept-warm.ts'
import { recordNameOf, tokenIdFor } from './record-store.ts'
import type { Sealing } from './sealing.ts'
import { longestUnleased, type TokenRecord, withoutLease, withStagedToken, withToken } from './token-record.ts'

/** Longer than an attempt takes with the default timeouts. */
export const leaseMilliseconds = 12_000

/** The lease is lost: another process may hold it, or the token was invalidated. The result of the work under it must not be stored. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

/**
 * The right of one process to request one token. Where the shared cache fails meanwhile, the holder goes on and stores nothing. Times
 * are milliseconds since the epoch.
 */
export interface Lease {
  /** The time until which calls wait while the store is throttled. */
  readonly waitUntil: number
  /** The id of a token in the fleet. A token that was shared before keeps its id. */
  idFor(tokenId: string): string
  /** The generation of the token. Undefined where it isn't known: then the token can't be shared. */
  generation(): number | undefined
  /** When the connection was last changed or cleared. Undefined where it never was, or where that isn't known. */
  mendedAt(): number | undefined
  /**
   * Makes the holder's elements the active ones: a token counts only while they are active.
   * @throws {LeaseLostError} where other elements became active since the lease was taken: the holder's may be older
   */
  activate(elements: ElementsRevision): Promise<void>
  /**
   * Must be called before each attempt: extends the lease, so that no other process requests the token for that time.
   * @throws {LeaseLostError} where another process may hold the lease by now, or the token was invalidated
   */
  keepFor(milliseconds: number): Promise<void>
  /** Notes that a caller uses the token, so that it is kept warm. */
  noteUse(use: Omit<Use, 'id'>, waitUntil: number): Promise<void>
  /**
   * Seals a token, stores it and ends the lease.
   * @returns false where the lease was lost, or the token's generation is neither active nor staged
   */
  sealAndWrite(token: SealableToken, waitUntil: number): Promise<boolean>
  /** The record as it is now, whichever process has written it. Undefined where nothing is shared. */
  readAgain(waitUntil: number): Promise<ReadRecord | undefined>
  /** Ends the lease without a result for the waiting processes. */
  release(waitUntil: number): Promise<void>
  /** Ends the lease of a token that only one request may get. For a minute, other processes need no lease either. */
  releaseUnshared(waitUntil: number): Promise<void>
  /** Ends the lease, and shares the failure where it has one. */
  end(failure: FailureToShare): Promise<void>
}

/** A token as the fleet keeps it: the text to seal, and what processes must know without opening the seal. */
export interface SealableToken {
  readonly text: Secret
  readonly refreshAt: number
  readonly expiresAt: number
  readonly generation: number
}

export interface FailureToShare {
  /** The failure as text of the caller of this module. */
  readonly failure?: string
  /** Until when no process requests the token again. Processes that wait for the lease get the failure in any case. */
  readonly until?: number
  /** The time from which another request may help, where that is later. */
  readonly retryAt?: number
  /** The time from which the current token, which is still valid, is to be renewed. */
  readonly refreshAt?: number
}

export interface LeaseDependencies {
  readonly records: FleetRecords
  readonly sealing: Sealing
  readonly now: () => number
}

export interface LeaseTerm {
  readonly leaseOwner: string
  readonly leaseUntil: number
}

/** @param taken the record as it was written with that term */
export function createLease(
  { records, sealing, now }: LeaseDependencies,
  taken: ReadRecord,
  term: LeaseTerm,
  waitUntil: number,
): Lease {
  const { name } = taken
  let { leaseUntil } = term
  let connection = taken.connection
  const isOurs = ({ record }: ReadRecord) => record.leaseOwner === term.leaseOwner

  async function amendOurs(
    change: (record: TokenRecord) => TokenRecord,
    until: number,
  ): Promise<ReadRecord | undefined> {
    return await records.amend(name, (read) => (isOurs(read) ? change(read.record) : undefined), until)
  }

  function withFailure(record: TokenRecord, { failure, until, retryAt, refreshAt }: FailureToShare): TokenRecord {
    const postponed = refreshAt === undefined ? record : { ...record, refreshAt }
    if (failure === undefined || !connection) return postponed
    return {
      ...postponed,
      failure,
      failedAt: now(),
      failedFingerprint: connection.fingerprint,
      ...(until !== undefined && { coolDownUntil: until }),
      ...(retryAt !== undefined && { retryAt }),
    }
  }

  return {
    waitUntil,
    idFor(tokenId) {
      return recordNameOf(name.group, tokenId) ? tokenId : tokenIdFor(name, tokenId)
    },
    generation() {
      return connection?.generation
    },
    mendedAt() {
      return connection && mendedAt(connection)
    },
    async activate(elements) {
      const takenUnder = connection?.fingerprint
      let isOvertaken: boolean | undefined
      const activate = () =>
        records.amendConnection(
          name.group,
          connection,
          (before) => {
            isOvertaken =
              before !== undefined &&
              before.fingerprint !== takenUnder &&
              !isFingerprintOf(elements, before.fingerprint)
            return isOvertaken ? undefined : activated(before, elements, now())
          },
          waitUntil,
        )
      connection = await unlessUnavailable(() => activate(), undefined)
      if (!isOvertaken) return
      await unlessUnavailable(() => amendOurs((record) => withoutLease(record), waitUntil), undefined)
      throw new LeaseLostError()
    },
    async keepFor(milliseconds) {
      if (now() + milliseconds <= leaseUntil) return
      const until = now() + Math.max(leaseMilliseconds, milliseconds)
      const kept = await unlessUnavailable(
        () => amendOurs((record) => ({ ...record, leaseUntil: until }), waitUntil),
        taken,
      )
      if (!kept) throw new LeaseLostError()
      leaseUntil = until
    },
    async noteUse(use, until) {
      const noted = await records.amendConnection(
        name.group,
        connection,
        (before) => before && withUse(before, { ...use, id: name.id }, now()),
        until,
      )
      connection = noted ?? connection
    },
    async sealAndWrite({ text, refreshAt, expiresAt, generation }, until) {
      const fields = { sealedToken: await sealing.seal(name, text), refreshAt, expiresAt, generation }
      const written = await records.amend(
        name,
        (read) => {
          if (!isOurs(read)) return undefined
          if (read.connection?.generation === generation) return withToken(read.record, fields)
          return read.connection?.staged?.generation === generation ? withStagedToken(read.record, fields) : undefined
        },
        until,
      )
      return written !== undefined
    },
    async readAgain(until) {
      return await records.read(name, until)
    },
    async release(until) {
      await amendOurs((record) => withoutLease(record), until)
    },
    async releaseUnshared(until) {
      const unleasedUntil = now() + longestUnleased
      await amendOurs((record) => ({ ...withoutLease(record), unleasedUntil }), until)
    },
    async end(failure) {
      await unlessUnavailable(
        () => amendOurs((record) => withFailure(withoutLease(record), failure), waitUntil),
        undefined,
      )
    },
  }
}

/** The lease without a shared cache: every process may request the token. */
export const unsharedLease: Lease = {
  waitUntil: -Infinity,
  idFor(tokenId) {
    return tokenId
  },
  generation() {},
  mendedAt() {},
  async activate() {},
  async keepFor() {},
  async noteUse() {},
  async sealAndWrite() {
    return false
  },
  async readAgain() {},
  async release() {},
  async releaseUnshared() {},
  async end() {},
}
