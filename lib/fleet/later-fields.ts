import type { RecordFields } from './record-store.ts'

/** A record with the fields that a later version of Tokenwell has written into it. */
export interface WithLaterFields {
  /** Fields whose names this version does not know. Absent if it knows all of them. Each write must put them back. */
  readonly laterFields?: RecordFields
}

/** @param known every field of this kind of record that this version writes */
export function withLaterFields(fields: RecordFields, known: ReadonlySet<string>): WithLaterFields {
  const later = Object.entries(fields).filter(([name]) => !known.has(name))
  return later.length === 0 ? {} : { laterFields: Object.fromEntries(later) }
}
