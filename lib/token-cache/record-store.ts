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
   * The names of records whose `dueAt` is at or before that, the earliest first. What isn't due costs nothing. It may lag a
   * moment behind what was written.
   * @throws {RecordStoreError}
   */
  due(until: number, limit: number): Promise<readonly RecordName[]>
}

export interface StoredRecord {
  /** 16 random bytes in base64url, new with each write. */
  readonly version: string
  /** Milliseconds since the epoch. From then on the store may drop it; until then it doesn't. */
  readonly removableFrom: number
  /** Milliseconds since the epoch: from when on it is listed as due. Absent: it never is. */
  readonly dueAt?: number
  readonly fields: RecordFields
}

/** Names are letters; `name`, `version`, `removableFrom` and `ttl` are the stores' own. */
export type RecordFields = Readonly<Record<string, string | number>>
