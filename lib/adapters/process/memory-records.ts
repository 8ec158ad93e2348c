import { LRUCache } from 'lru-cache'
import { type RecordStore, readRecordName, recordNameText, type StoredRecord } from '../../fleet/record-store.ts'

/** The limit for all records together, as `bytesOf` counts them. */
const maximumBytes = 64 * 1024 * 1024
/** Name, version, times, and the overhead of the map. */
const recordBytes = 1_000
/** The most that V8 uses for a character. */
const bytesPerCharacter = 2

/** Records in the memory of one process. The least recently used record is dropped first. */
export function memoryRecords({ maximumRecords }: { readonly maximumRecords: number }): RecordStore {
  const records = new LRUCache<string, StoredRecord>({
    max: maximumRecords,
    maxSize: maximumBytes,
    sizeCalculation: bytesOf,
  })

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
      // This pass over all records does not count as a use of them.
      const due = [...records.entries()].flatMap(([key, { dueAt = Infinity }]) =>
        dueAt <= until ? [{ key, dueAt }] : [],
      )
      const first = due.sort((a, b) => a.dueAt - b.dueAt).slice(0, limit)
      return first.flatMap(({ key }) => readRecordName(key) ?? [])
    },
  }
}

function bytesOf({ fields }: StoredRecord): number {
  const texts = Object.values(fields).filter((value) => typeof value === 'string')
  return texts.reduce((sum, text) => sum + bytesPerCharacter * text.length, recordBytes)
}
