import { LRUCache } from 'lru-cache'
import { type RecordStore, readRecordName, recordNameText, type StoredRecord } from '../../fleet/record-store.ts'

/** Records of one process, the least recently used dropped first. */
export function memoryRecords({ maximumRecords }: { readonly maximumRecords: number }): RecordStore {
  const records = new LRUCache<string, StoredRecord>({ max: maximumRecords })

  return {
    async read(names) {
      return names.map((name) => records.get(recordNameText(name)))
    },
    async write(name, record, expected) {
      const key = recordNameText(name)
      if (records.peek(key)?.version !== expected) return false
      records.set(key, record)
      return true
    },
    async due(until, limit) {
      // A pass over all that is there, which is no use of it.
      const due = [...records.entries()].flatMap(([key, { dueAt = Infinity }]) =>
        dueAt <= until ? [{ key, dueAt }] : [],
      )
      const first = due.sort((a, b) => a.dueAt - b.dueAt).slice(0, limit)
      return first.flatMap(({ key }) => readRecordName(key) ?? [])
    },
  }
}
