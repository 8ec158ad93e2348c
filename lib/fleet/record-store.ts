import { TokenwellError } from '../base/tokenwell-error.ts'
/**
 * Port: records that a whole fleet shares, each written as a whole and only over the version that was read. All policy is
 * the core's: a store knows nothing of leases and tokens.
 */
export interface RecordStore {
  /**
   * One round trip, consistent with every write that has been answered: a record for each name, in that order.
   * @throws {RecordStoreError}
   */
  read(names: readonly RecordName[]): Promise<readonly (StoredRecord | undefined)[]>
  /**
   * Compare-and-set, one round trip.
   * @param expected the version that was read; undefined where there was no record
   * @returns whether that was the version there, and the record is written
   * @throws {RecordStoreError}
   */
  write(name: RecordName, record: StoredRecord, expected: string | undefined): Promise<boolean>
  /**
   * Records whose `dueAt` is `until` or earlier, the earliest first, at most `limit`. From an index, never a scan: what isn't
   * due costs nothing. It may lag behind a write for a moment, and list what is removable.
   * @param until milliseconds since the epoch
   * @throws {RecordStoreError}
   */
  due(until: number, limit: number): Promise<readonly RecordName[]>
}

export interface StoredRecord {
  /** 16 random bytes in base64url, new with each write. */
  readonly version: string
  /** Milliseconds since the epoch. From then on the store may drop it; until then it doesn't. */
  readonly removableFrom: number
  /** Milliseconds since the epoch. From then on `due` lists it, until a write says otherwise; never where it is absent. */
  readonly dueAt?: number
  readonly fields: RecordFields
  /** An earlier version has written it, without a MAC: its next use writes it again. No store sets this. */
  readonly isEarlier?: true
}

/** Names are letters; `name`, `version`, `removableFrom`, `ttl`, `dueAt` and `dueShard` are the stores' own, `mac` is the fleet's. */
export type RecordFields = Readonly<Record<string, string | number>>

/** The store did not do it, or it isn't known whether it did. Never says what the record holds. */
export class RecordStoreError extends TokenwellError {
  readonly code = 'record_store'
  /** It asks to wait, and has done nothing: no outage. */
  readonly isThrottled: boolean
  /** It does not take what was to be written, be it too large or for want of room, and has done nothing: no outage either. */
  readonly isNotTaken: boolean

  constructor(message: string, { isThrottled = false, isNotTaken = false } = {}) {
    super(message)
    this.isThrottled = isThrottled
    this.isNotTaken = isNotTaken
  }
}

/** Names a record in the shared cache. What a caller asks for never stands in it. */
export interface RecordName {
  /** What belongs together: a connection, or an authorization server. At most 128 letters, digits, `_`, `.` and `-`. */
  readonly group: string
  /** Unique within its group: letters, digits, `_`, `.`, `-` and `#`. */
  readonly id: string
}

export function recordNameText({ group, id }: RecordName): string {
  return `${group}/${id}`
}

/** @returns undefined for what isn't a group, a slash and an id */
export function readRecordName(text: string): RecordName | undefined {
  const end = text.indexOf('/')
  return end < 0 ? undefined : { group: text.slice(0, end), id: text.slice(end + 1) }
}

/** @param digest of the token key */
export function tokenRecordName(connection: string, digest: string): RecordName {
  return { group: connection, id: `token#${digest}` }
}

/** What is known of a connection as a whole. */
export function connectionRecordName(connection: string): RecordName {
  return { group: connection, id: 'connection' }
}

/** @param digest of what cools down */
export function coolDownRecordName(digest: string): RecordName {
  return { group: 'cool-downs', id: `cool-down#${digest}` }
}

/** What is published of a jwtBuilder's keys. A connection may be called `keys`: its ids are others. */
export function publishedKeysRecordName(jwtBuilder: string): RecordName {
  return { group: 'keys', id: `jwks#${jwtBuilder}` }
}

/** @returns the jwtBuilder; undefined for the name of any other record */
export function readPublishedKeysRecordName({ group, id }: RecordName): string | undefined {
  const { group: keys, id: prefix } = publishedKeysRecordName('')
  return group === keys && id.startsWith(prefix) ? id.slice(prefix.length) : undefined
}

/** Its version changes when a secret does. */
export const secretsVersionRecordName: RecordName = { group: 'secrets', id: 'secrets#mark' }

/** When all connections were cleared at once. A connection may be called `clearing`: its ids are others. */
export const clearingRecordName: RecordName = { group: 'clearing', id: 'clearing#all' }

/** A token id that finds its record again, under its connection alone: random, and the digest in the record's name. */
export function tokenIdFor({ id }: RecordName, random: string): string {
  return `${random}.${id.slice('token#'.length)}`
}

/** @returns undefined for a token that never was in the shared cache */
export function recordNameOf(connection: string, tokenId: string): RecordName | undefined {
  const [, digest] = tokenId.split('.')
  return digest === undefined ? undefined : tokenRecordName(connection, digest)
}

/** The parts of the index of what is due: whoever asks what is due asks all of them. */
export const dueShards = ['0', '1', '2', '3', '4', '5', '6', '7'] as const

/** The shard of a record, always the same for the same name: FNV-1a, of which the uppermost bits are mixed best. */
export function dueShardOf(name: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return String(hash >>> 29)
}
