import type { RecordFields, StoredRecord } from '../token-cache/record-store.ts'

/** The version, a line feed, and the rest as JSON. */
export function createValue({ version, removableFrom, dueAt, fields }: StoredRecord): string {
  return `${version}\n${JSON.stringify({ removableFrom, dueAt, fields })}`
}

/** Without fields where they can't be read, so that it can be replaced; undefined where there is no version, as for a write. */
export function readRecord(value: string | null): StoredRecord | undefined {
  const [, version, json] = /^([A-Za-z0-9_-]+)\n(.*)$/s.exec(value ?? '') ?? []
  if (version === undefined || json === undefined) return undefined
  return { version, ...(readContent(json) ?? { removableFrom: 0, fields: {} }) }
}

function readContent(json: string): Omit<StoredRecord, 'version'> | undefined {
  try {
    const { removableFrom, dueAt, fields } = JSON.parse(json) as Omit<StoredRecord, 'version'>
    if (typeof removableFrom !== 'number' || !areFields(fields)) return undefined
    if (dueAt === undefined) return { removableFrom, fields }
    return typeof dueAt === 'number' ? { removableFrom, dueAt, fields } : undefined
  } catch {
    return undefined
  }
}

function areFields(value: unknown): value is RecordFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((each) => typeof each === 'string' || typeof each === 'number')
}
