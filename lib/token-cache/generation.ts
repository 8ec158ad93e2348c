import type { StoredRecord } from './record-store.ts'

/** Under which elements the tokens of a connection were issued. A token of another generation answers for nothing. */
export interface Generation {
  /** Rises with each change of the fingerprint; never comes again, even where the record was lost. */
  readonly number: number
  /** Of all in the elements that can change which token is issued. */
  readonly fingerprint: string
  readonly version: string
}

const yearMilliseconds = 365 * 86_400_000

export function readGeneration({ version, fields }: StoredRecord): Generation {
  const { number, fingerprint } = fields
  return { version, number: Number(number), fingerprint: String(fingerprint) }
}

export function generationRecord(
  before: Generation | undefined,
  { fingerprint, now, version }: { readonly fingerprint: string; readonly now: number; readonly version: string },
): StoredRecord {
  const number = Math.max((before?.number ?? 0) + 1, now)
  return { version, removableFrom: now + yearMilliseconds, fields: { number, fingerprint } }
}
