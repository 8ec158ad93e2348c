import { createItem } from '../../../lib/adapters/aws/dynamodb-records.ts'
import {
  type RecordName,
  type RecordStore,
  recordNameText,
  type StoredRecord,
} from '../../../lib/fleet/record-store.ts'

export interface Units {
  readonly readUnits: number
  readonly writeUnits: number
  readonly queries: number
}

const readUnitBytes = 4_096
const writeUnitBytes = 1_024

/**
 * A store that counts what DynamoDB would charge: a read unit for 4 KB of each item, a write unit for 1 KB, and a write unit for each
 * entry of the index that is added or removed.
 */
export function countingStore(store: RecordStore) {
  const none = { readUnits: 0, writeUnits: 0, queries: 0 }
  const units = { ...none }
  const dueAt = new Map<string, number | undefined>()
  const sizes = new Map<string, number>()
  const counting: RecordStore = {
    async read(names) {
      const found = await store.read(names)
      for (const [index, name] of names.entries()) {
        const record = found[index]
        units.readUnits += record ? Math.ceil(sizeOf(name, record) / readUnitBytes) : 1
      }
      return found
    },
    async write(name, record, expected) {
      const key = recordNameText(name)
      const size = sizeOf(name, record)
      const before = dueAt.get(key)
      const entries = before === record.dueAt ? 0 : Number(before !== undefined) + Number(record.dueAt !== undefined)
      units.writeUnits += Math.ceil(Math.max(size, sizes.get(key) ?? 0) / writeUnitBytes) + entries
      dueAt.set(key, record.dueAt)
      sizes.set(key, size)
      return await store.write(name, record, expected)
    },
    async due(until, limit) {
      units.queries += 1
      return await store.due(until, limit)
    },
  }
  return {
    store: counting,
    takenUnits(): Units {
      const taken = { ...units }
      Object.assign(units, none)
      return taken
    },
    bytes: () => [...sizes.values()].reduce((sum, size) => sum + size, 0),
  }
}

function sizeOf(name: RecordName, record: StoredRecord): number {
  const attributes = Object.entries(createItem(name, record))
  return attributes.reduce((sum, [key, value]) => sum + key.length + Buffer.byteLength(String(value.S ?? value.N)), 0)
}
