import { type ConnectionState, warmUntil } from './connection-record.ts'
import type { RecordFields } from './record-store.ts'

/** What the fleet knows under one token key. Times are milliseconds since the epoch. */
export interface TokenRecord {
  /** A `SharedToken`, sealed. */
  readonly sealedToken?: string
  /** In clear for whoever looks for what is due; only what stands inside the seal is believed. */
  readonly refreshAt?: number
  readonly expiresAt?: number
  readonly generation?: number
  /** Random: who may ask for this token, and store it. */
  readonly leaseOwner?: string
  readonly leaseUntil?: number
  readonly rejectedAt?: number
  /** Somebody has asked then that the stale token be renewed. */
  readonly refreshRequestedAt?: number
  /** What came instead of a token, as JSON; when, and until when nobody asks again. */
  readonly failure?: string
  readonly failedAt?: number
  readonly coolDownUntil?: number
  /** When asking again may help, where that is later. */
  readonly retryAt?: number
  /** The fingerprint of the elements by which it was asked: others may fare better. */
  readonly failedFingerprint?: string
}

const texts = ['sealedToken', 'leaseOwner', 'failure', 'failedFingerprint'] as const
const times = [
  'refreshAt',
  'expiresAt',
  'generation',
  'leaseUntil',
  'rejectedAt',
  'refreshRequestedAt',
  'failedAt',
  'coolDownUntil',
  'retryAt',
] as const

/** Contenders wait that much longer than the holder has, since their clocks may differ. */
export const leaseGraceMilliseconds = 1_000
/** How long a record stays when nothing in it counts any more. */
export const spareMilliseconds = 3_600_000

/** Of fields that somebody else has written, those that are as they should be. */
export function readTokenRecord(fields: RecordFields): TokenRecord {
  const right = Object.entries(fields).filter(([name, value]) =>
    typeof value === 'number'
      ? (times as readonly string[]).includes(name)
      : (texts as readonly string[]).includes(name),
  )
  return Object.fromEntries(right)
}

export function isLeased({ leaseUntil = -Infinity }: TokenRecord, now: number): boolean {
  return now <= leaseUntil + leaseGraceMilliseconds
}

export function withoutLease({ leaseOwner: _owner, leaseUntil: _until, ...record }: TokenRecord): TokenRecord {
  return record
}

/** For those who use it. What was asked for stays where it can be asked for again: it stands in the seal, too. */
export function withoutToken(record: TokenRecord, { isRepeatable }: { readonly isRepeatable: boolean }): TokenRecord {
  const { sealedToken, refreshAt: _refresh, expiresAt: _expires, generation: _generation, ...rest } = record
  return { ...rest, ...(isRepeatable && sealedToken !== undefined && { sealedToken }) }
}

export function withoutFailure(record: TokenRecord): TokenRecord {
  const { failure: _a, failedAt: _b, coolDownUntil: _c, retryAt: _d, failedFingerprint: _e, ...rest } = record
  return rest
}

/** What a new token leaves of the record. */
export function onlyRejection({ rejectedAt }: TokenRecord): TokenRecord {
  return rejectedAt === undefined ? {} : { rejectedAt }
}

/** When it is to be renewed though nobody asks for it: undefined where it isn't kept warm, or will be unused for too long by then. */
export function dueAt(record: TokenRecord, connection: ConnectionState | undefined, id: string): number | undefined {
  const { sealedToken, refreshAt, rejectedAt, coolDownUntil = -Infinity } = record
  const renewFrom = refreshAt ?? rejectedAt
  const until = connection && warmUntil(connection, id)
  if (sealedToken === undefined || renewFrom === undefined || until === undefined) return undefined
  const due = Math.max(renewFrom, coolDownUntil)
  return due < until ? due : undefined
}

/** An hour after nothing in it counts any more: this only tidies up, so it may be late and must not be early. */
export function removableFrom(
  { expiresAt, leaseUntil, coolDownUntil, rejectedAt }: TokenRecord,
  connection: ConnectionState | undefined,
  id: string,
  now: number,
): number {
  const until = connection && warmUntil(connection, id)
  const ends = [expiresAt, leaseUntil, coolDownUntil, rejectedAt, until].filter((at) => at !== undefined)
  return Math.max(now, ...ends) + spareMilliseconds
}
