import { LRUCache } from 'lru-cache'
import { recordNameText } from '../token-cache/record-name.ts'
import type { RecordStore, StoredRecord } from '../token-cache/record-store.ts'

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
  }
}
