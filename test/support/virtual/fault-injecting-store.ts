import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { RecordName, RecordStore, StoredRecord } from '../../../lib/fleet/record-store.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'

export interface FaultInjectingStore extends RecordStore {
  /** Called before each call: it does nothing, waits, changes a record as another process would, or throws. */
  before: { read(names: readonly RecordName[]): unknown; write(name: RecordName, record: StoredRecord): unknown }
  readonly counts: { reads: number; writes: number }
}

/** Throws as a store does that can't hold the record. */
export function isNotTaken(reason: string): never {
  throw new RecordStoreError(reason, { isNotTaken: true })
}

export function createFaultInjectingStore(): FaultInjectingStore {
  const records = memoryRecords({ maximumRecords: 1_000 })
  const store: FaultInjectingStore = {
    before: { read() {}, write() {} },
    counts: { reads: 0, writes: 0 },
    async read(names) {
      store.counts.reads++
      await store.before.read(names)
      return records.read(names)
    },
    async write(name, record, expected) {
      store.counts.writes++
      await store.before.write(name, record)
      return records.write(name, record, expected)
    },
    due: (...question) => records.due(...question),
  }
  return store
}

export function isDown(): never {
  throw new RecordStoreError('nobody listens')
}

export const isFine = { read() {}, write() {} }
