import type { RecordName } from './record-name.ts'

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
}

/** Names are letters; `name`, `version`, `removableFrom`, `ttl`, `dueAt` and `dueShard` are the stores' own. */
export type RecordFields = Readonly<Record<string, string | number>>
