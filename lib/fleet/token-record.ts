import { endWithin } from './believable.ts'
import { type ConnectionState, readGeneration, warmUntil } from './connection-record.ts'
import type { RecordFields } from './record-store.ts'

/** What the fleet knows under one token key. Times are milliseconds since the epoch. */
export interface TokenRecord {
  /** A `SharedToken`, sealed. */
  readonly sealedToken?: string
  /** In clear for whoever looks for what is due; only what stands inside the seal is believed. */
  readonly refreshAt?: number
  readonly expiresAt?: number
  readonly generation?: number
  /** The same of a staged token: it counts from when that generation is active. */
  readonly nextSealedToken?: string
  readonly nextRefreshAt?: number
  readonly nextExpiresAt?: number
  readonly nextGeneration?: number
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

const texts = ['sealedToken', 'nextSealedToken', 'leaseOwner', 'failure', 'failedFingerprint'] as const

/** Contenders wait that much longer than the holder has, since their clocks may differ. */
export const leaseGraceMilliseconds = 1_000
/** How long a record stays when nothing in it counts any more. */
export const spareMilliseconds = 3_600_000

/** No function runs for longer, and a lease ends with the attempt that it is for. */
const longestLease = 60_000
/** No cool-down lasts longer, whatever a server asks for. */
const longestCoolDown = 5 * 60_000
/** No token lives longer. */
const longestLifetime = 10 * 365 * 86_400_000
/** How far from now each time may be, in milliseconds. */
const furthest = {
  refreshAt: longestLifetime,
  expiresAt: longestLifetime,
  nextRefreshAt: longestLifetime,
  nextExpiresAt: longestLifetime,
  leaseUntil: longestLease,
  rejectedAt: 0,
  refreshRequestedAt: 0,
  failedAt: 0,
  coolDownUntil: longestCoolDown,
  retryAt: longestCoolDown,
} as const
const generations = ['generation', 'nextGeneration'] as const

/** Of fields that somebody else has written, by another clock, those that are as they should be. */
export function readTokenRecord(fields: RecordFields, now: number): TokenRecord {
  const read = [
    ...texts.map((name) => [name, typeof fields[name] === 'string' ? fields[name] : undefined] as const),
    ...Object.entries(furthest).map(
      ([name, milliseconds]) => [name, endWithin(fields[name], now, milliseconds)] as const,
    ),
    ...generations.map((name) => [name, readGeneration(fields[name], now)] as const),
  ]
  return Object.fromEntries(read.filter(([, value]) => value !== undefined))
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

/** A token as it stands in its record. */
export type StoredFields = Required<Pick<TokenRecord, 'sealedToken' | 'refreshAt' | 'expiresAt' | 'generation'>>

/** Of what was there a new token leaves the last rejection, and what is to come. */
export function withToken(record: TokenRecord, token: StoredFields): TokenRecord {
  const kept = ['rejectedAt', 'nextSealedToken', 'nextRefreshAt', 'nextExpiresAt', 'nextGeneration']
  return { ...Object.fromEntries(Object.entries(record).filter(([name]) => kept.includes(name))), ...token }
}

export function withStagedToken(record: TokenRecord, token: StoredFields): TokenRecord {
  const { sealedToken, refreshAt, expiresAt, generation } = token
  return {
    ...withoutLease(record),
    nextSealedToken: sealedToken,
    nextRefreshAt: refreshAt,
    nextExpiresAt: expiresAt,
    nextGeneration: generation,
  }
}

/** The record as it counts in that generation: a token that was staged for it has taken the place of the other. */
export function asOfGeneration(record: TokenRecord, current: number | undefined): TokenRecord {
  const { nextSealedToken, nextRefreshAt, nextExpiresAt, nextGeneration, ...rest } = record
  if (nextSealedToken === undefined || nextRefreshAt === undefined || nextExpiresAt === undefined) return record
  if (nextGeneration === undefined || nextGeneration !== current) return record
  const token = { sealedToken: nextSealedToken, refreshAt: nextRefreshAt, expiresAt: nextExpiresAt }
  return { ...withoutFailure(rest), ...token, generation: nextGeneration }
}

/**
 * When it is to be renewed though nobody asks for it: at once where it answers for nothing any more. Undefined where it isn't
 * kept warm, or will be unused for too long by then.
 */
export function dueAt(record: TokenRecord, connection: ConnectionState | undefined, id: string): number | undefined {
  const { sealedToken, refreshAt, rejectedAt, generation, coolDownUntil = -Infinity } = record
  const isOutdated = connection && generation !== undefined && generation !== connection.generation
  const renewFrom = isOutdated ? connection.generation : (refreshAt ?? rejectedAt)
  const until = connection && warmUntil(connection, id)
  if (sealedToken === undefined || renewFrom === undefined || until === undefined) return undefined
  const due = Math.max(renewFrom, coolDownUntil)
  return due < until ? due : undefined
}

/** An hour after nothing in it counts any more: this only tidies up, so it may be late and must not be early. */
export function removableFrom(
  { expiresAt, nextExpiresAt, leaseUntil, coolDownUntil, rejectedAt }: TokenRecord,
  connection: ConnectionState | undefined,
  id: string,
  now: number,
): number {
  const until = connection && warmUntil(connection, id)
  const ends = [expiresAt, nextExpiresAt, leaseUntil, coolDownUntil, rejectedAt, until].filter((at) => at !== undefined)
  return Math.max(now, ...ends) + spareMilliseconds
}
