import { endWithin } from './believable.ts'
import { readGeneration } from './connection-record.ts'
import type { ConnectionState } from './connection-state.ts'
import { warmUntil } from './kept-warm.ts'
import type { RecordFields } from './record-store.ts'

/** What the fleet knows about one token key. Times are milliseconds since the epoch. */
export interface TokenRecord {
  /** A sealed `SharedToken`. */
  readonly sealedToken?: string
  /** In clear for the index of due records. Only the values inside the seal are trusted. */
  readonly refreshAt?: number
  readonly expiresAt?: number
  readonly generation?: number
  /** The same for a staged token, which counts once its generation is active. */
  readonly nextSealedToken?: string
  readonly nextRefreshAt?: number
  readonly nextExpiresAt?: number
  readonly nextGeneration?: number
  /** A random id of the holder: the only one that may request and store this token. */
  readonly leaseOwner?: string
  readonly leaseUntil?: number
  readonly rejectedAt?: number
  /** When a process last asked by event for the renewal of the stale token. */
  readonly refreshRequestedAt?: number
  /** The failure instead of a token as JSON, its time, and the time until which no process requests the token again. */
  readonly failure?: string
  readonly failedAt?: number
  readonly coolDownUntil?: number
  /** The time from which another request may help, where that is later. */
  readonly retryAt?: number
  /** The fingerprint of the elements of the failed request: a request by other elements may succeed. */
  readonly failedFingerprint?: string
  /** Until when a request needs no lease: the last token was for one request, and the next one is likely to be so too. */
  readonly unleasedUntil?: number
}

const texts = ['sealedToken', 'nextSealedToken', 'leaseOwner', 'failure', 'failedFingerprint'] as const

/** Other processes wait this much longer than the end of the lease, since clocks may differ. */
export const leaseGraceMilliseconds = 1_000
/** How long a record stays after everything in it has expired. */
export const spareMilliseconds = 3_600_000

/** No function runs longer, and a lease ends with the attempt that it is for. */
const longestLease = 60_000
/** No cool-down lasts longer, whatever the server asks for. */
const longestCoolDown = 5 * 60_000
/** For a minute at most, processes request tokens that the server may share again. */
export const longestUnleased = 60_000
/** No token lives longer. */
const longestLifetime = 10 * 365 * 86_400_000
/** How far ahead each time may be, in milliseconds. */
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
  unleasedUntil: longestUnleased,
} as const
const generations = ['generation', 'nextGeneration'] as const
/** The names of all fields. Others are of later versions. */
export const tokenFields: ReadonlySet<string> = new Set([...texts, ...Object.keys(furthest), ...generations])

/** Reads the fields that have possible values: another process with another clock may have written them. */
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

/** Drops the token for its users. The sealed text stays where the request can be repeated, since it also holds that request. */
export function withoutToken(record: TokenRecord, { isRepeatable }: { readonly isRepeatable: boolean }): TokenRecord {
  const { sealedToken, refreshAt: _refresh, expiresAt: _expires, generation: _generation, ...rest } = record
  return { ...rest, ...(isRepeatable && sealedToken !== undefined && { sealedToken }) }
}

export function withoutFailure(record: TokenRecord): TokenRecord {
  const { failure: _a, failedAt: _b, coolDownUntil: _c, retryAt: _d, failedFingerprint: _e, ...rest } = record
  return rest
}

/** The fields of a token in its record. */
export type StoredFields = Required<Pick<TokenRecord, 'sealedToken' | 'refreshAt' | 'expiresAt' | 'generation'>>

/** The record with a new token. It keeps the time of the last rejection and the staged token. */
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

/** The record as it counts in the current generation: a token that was staged for it replaces the other one. */
export function asOfGeneration(record: TokenRecord, current: number | undefined): TokenRecord {
  const { nextSealedToken, nextRefreshAt, nextExpiresAt, nextGeneration, ...rest } = record
  if (nextSealedToken === undefined || nextRefreshAt === undefined || nextExpiresAt === undefined) return record
  if (nextGeneration === undefined || nextGeneration !== current) return record
  const token = { sealedToken: nextSealedToken, refreshAt: nextRefreshAt, expiresAt: nextExpiresAt }
  return { ...withoutFailure(rest), ...token, generation: nextGeneration }
}

/**
 * When a warm run has to renew the token: at once where it is of an old generation. Undefined where it isn't kept warm, or where its idle
 * time ends before that.
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

/** An hour after everything in the record has expired. It only cleans up: it may be late, but never early. */
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
