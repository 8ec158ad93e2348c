import { TokenwellError } from '../base/tokenwell-error.ts'
/**
 * Port: the records that a fleet shares. Each is written as a whole, and only over the version that was read. A store knows nothing of
 * leases and tokens: all policy is in the core.
 */
export interface RecordStore {
  /**
   * Reads a record for each name, in that order, in one round trip. The read is consistent with every write that was answered before.
   * @throws {RecordStoreError}
   */
  read(names: readonly RecordName[]): Promise<readonly (StoredRecord | undefined)[]>
  /**
   * Writes by compare-and-set, in one round trip.
   * @param expected the version that was read. Undefined where there was no record
   * @returns whether the store had that version, and the record is written
   * @throws {RecordStoreError}
   */
  write(name: RecordName, record: StoredRecord, expected: string | undefined): Promise<boolean>
  /**
   * Lists records whose `dueAt` is `until` or earlier, the earliest first, at most `limit`. It reads an index and never scans, so that
   * other records cost nothing. The index may be slightly behind the writes, and may list removable records.
   * @param until milliseconds since the epoch
   * @throws {RecordStoreError}
   */
  due(until: number, limit: number): Promise<readonly RecordName[]>
}

export interface StoredRecord {
  /** 16 random bytes in base64url, new with each write. */
  readonly version: string
  /** Milliseconds since the epoch. The store may drop the record from then on, not before. */
  readonly removableFrom: number
  /** Milliseconds since the epoch. From then on `due` lists the record, until a write changes that. Absent: never listed. */
  readonly dueAt?: number
  readonly fields: RecordFields
  /** Present where an earlier version has written it without a MAC: its next use writes it again. No store sets this. */
  readonly isEarlier?: true
}

/**
 * Field names consist of letters. `name`, `version`, `removableFrom`, `ttl`, `dueAt` and `dueShard` are reserved for stores, and `mac`
 * for `authentic-records.ts`.
 */
export type RecordFields = Readonly<Record<string, string | number>>

/** The store failed, or it isn't known whether it did the write. The message never has the content of a record. */
export class RecordStoreError extends TokenwellError {
  readonly code = 'record_store'
  /** The store asks to wait, and has done nothing. This is not an outage. */
  readonly isThrottled: boolean
  /** The store rejects this record as too large or for lack of space, and has done nothing. This is not an outage either. */
  readonly isNotTaken: boolean

  constructor(message: string, { isThrottled = false, isNotTaken = false } = {}) {
    super(message)
    this.isThrottled = isThrottled
    this.isNotTaken = isNotTaken
  }
}

/** The name of a record in the shared cache. It never holds caller parameters in clear. */
export interface RecordName {
  /** The owner of the record, such as a connection. At most 128 letters, digits, `_`, `.` and `-`. */
  readonly group: string
  /** Unique within its group: letters, digits, `_`, `.`, `-` and `#`. */
  readonly id: string
}

export function recordNameText({ group, id }: RecordName): string {
  return `${group}/${id}`
}

/** @returns undefined where the text isn't a group, a slash and an id */
export function readRecordName(text: string): RecordName | undefined {
  const end = text.indexOf('/')
  return end < 0 ? undefined : { group: text.slice(0, end), id: text.slice(end + 1) }
}

/** @param digest the digest of the token key */
export function tokenRecordName(connection: string, digest: string): RecordName {
  return { group: connection, id: `token#${digest}` }
}

/** The record of a connection as a whole. */
export function connectionRecordName(connection: string): RecordName {
  return { group: connection, id: 'connection' }
}

/** @param digest the digest of the name that cools down */
export function coolDownRecordName(digest: string): RecordName {
  return { group: 'cool-downs', id: `cool-down#${digest}` }
}

/** The publication of a jwtBuilder. A connection may have the name `keys`: its records have other ids. */
export function publishedKeysRecordName(jwtBuilder: string): RecordName {
  return { group: 'keys', id: `jwks#${jwtBuilder}` }
}

/** @returns the jwtBuilder. Undefined for the name of any other record */
export function readPublishedKeysRecordName({ group, id }: RecordName): string | undefined {
  const { group: keys, id: prefix } = publishedKeysRecordName('')
  return group === keys && id.startsWith(prefix) ? id.slice(prefix.length) : undefined
}

/** The record whose version changes when a secret changes. */
export const secretsVersionRecordName: RecordName = { group: 'secrets', id: 'secrets#mark' }

/** The record of the last clearing of all connections. A connection may have the name `clearing`: its records have other ids. */
export const clearingRecordName: RecordName = { group: 'clearing', id: 'clearing#all' }

/** A token id from which the record can be found, together with the connection: a random text and the digest in the record's name. */
export function tokenIdFor({ id }: RecordName, random: string): string {
  return `${random}.${id.slice('token#'.length)}`
}

/** @returns undefined for a token that was never in the shared cache */
export function recordNameOf(connection: string, tokenId: string): RecordName | undefined {
  const [, digest] = tokenId.split('.')
  return digest === undefined ? undefined : tokenRecordName(connection, digest)
}

/** The shards of the index of due records. A warm run reads all of them. */
export const dueShards = ['0', '1', '2', '3', '4', '5', '6', '7'] as const

/** The shard of a record, always the same for the same name. FNV-1a mixes the uppermost bits best. */
export function dueShardOf(name: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return String(hash >>> 29)
}
