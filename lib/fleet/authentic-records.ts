import type { Log } from '../log/log-event.ts'
import {
  type RecordFields,
  type RecordName,
  type RecordStore,
  RecordStoreError,
  recordNameText,
  type StoredRecord,
} from './record-store.ts'
import type { Sealing } from './sealing.ts'

/** Whose records without a MAC are read, for as long as an upgrade takes. */
export type EarlierRecords = '0.1' | 'none'

export interface AuthenticRecordsDependencies {
  readonly store: RecordStore
  readonly sealing: Sealing
  readonly earlierRecords: EarlierRecords
  readonly log: Log
}

/** What the MAC covers, and in which form. A version that covers something else has another number, and reads this one as well. */
const format = 2
/** Well below what any store takes: DynamoDB's limit is 400 KB. */
const mostBytes = 350_000

/**
 * Records that only a process with the keys of the cache can have written. Each has one MAC, the field `mac`, over its name and all that
 * it holds. One that is not authentic counts as empty at the version that it has, so that the next write replaces it. Beside the errors
 * of the store, those of the cache's secret pass through.
 */
export function createAuthenticRecords(dependencies: AuthenticRecordsDependencies): RecordStore {
  const { store, sealing, earlierRecords, log } = dependencies

  async function authenticate(name: RecordName, stored: StoredRecord | undefined): Promise<StoredRecord | undefined> {
    if (!stored) return undefined
    const { mac, ...fields } = stored.fields
    const record = { ...stored, fields }
    if (mac === undefined) return earlierRecords === '0.1' ? ofEarlierVersion(record) : emptied(record)
    const prefix = `${format}:`
    const isKnown = typeof mac === 'string' && mac.startsWith(prefix)
    if (isKnown && (await sealing.verify(textOf(name, record), mac.slice(prefix.length)))) return record
    log({ event: 'record_not_authentic', record: recordNameText(name) })
    return emptied(record)
  }

  return {
    async read(names) {
      const found = await store.read(names)
      return await Promise.all(names.map((name, index) => authenticate(name, found[index])))
    },
    async write(name, record, expected) {
      const text = textOf(name, record)
      const bytes = Buffer.byteLength(text)
      if (bytes > mostBytes)
        throw new RecordStoreError(
          `A record of ${name.group} has ${bytes} bytes, and may have ${mostBytes}: what was asked for, or the token, is too long.`,
          { isNotTaken: true },
        )
      const mac = `${format}:${await sealing.authenticate(text)}`
      return await store.write(name, { ...record, fields: { ...record.fields, mac } }, expected)
    },
    async due(until, limit) {
      return await store.due(until, limit)
    },
  }
}

/** The same text for the same record, whatever its store makes of the order of fields and of halves of characters. */
function textOf(name: RecordName, { version, removableFrom, dueAt, fields }: StoredRecord): string {
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
  const values = sorted.map(([field, value]) => [field, typeof value === 'string' ? value.toWellFormed() : value])
  return JSON.stringify([format, recordNameText(name), version, removableFrom, dueAt ?? null, values])
}

/** It stays known from when on it is listed as due, which the next write corrects. */
function emptied({ version, dueAt }: StoredRecord): StoredRecord {
  return { version, removableFrom: 0, ...(dueAt !== undefined && { dueAt }), fields: {} }
}

/** What a token or its connection can't do without for the length of an upgrade. Neither failures nor cool-downs are among it. */
const readOfEarlier: readonly string[] = [
  ...['sealedToken', 'refreshAt', 'expiresAt', 'generation'],
  ...['nextSealedToken', 'nextRefreshAt', 'nextExpiresAt', 'nextGeneration'],
  ...['leaseOwner', 'leaseUntil', 'fingerprint', 'nextFingerprint'],
  ...['idleMilliseconds', 'maximumVariants', 'maximumConcurrency', 'authorizationServer', 'variants'],
]

function ofEarlierVersion({ fields, ...record }: StoredRecord): StoredRecord {
  const read: RecordFields = Object.fromEntries(
    Object.entries(fields).filter(([field]) => readOfEarlier.includes(field)),
  )
  return { ...record, fields: read, isEarlier: true }
}
