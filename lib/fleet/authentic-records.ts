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

/** The version whose records without a MAC are still read, for the time of an upgrade. */
export type EarlierRecords = '0.1' | 'none'

export interface AuthenticRecordsDependencies {
  readonly store: RecordStore
  readonly sealing: Sealing
  readonly earlierRecords: EarlierRecords
  readonly log: Log
}

/** The number of what the MAC covers, and of its form. A version that changes it takes another number, and still reads this one. */
const format = 2
/** Well below the limit of every store: DynamoDB takes 400 KB. */
const mostBytes = 350_000

/**
 * Records that only a process with the keys of the shared cache can have written. Each has a MAC in its field `mac`, over its name and
 * its whole content. A record with a wrong MAC counts as empty, but keeps its version, so that the next write replaces it. The errors of
 * the store and of the cache's secret pass through.
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
          `The record ${recordNameText(name)} has ${bytes} bytes, and the limit is ${mostBytes}. The caller parameters or the token are too long to be shared.`,
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

/** The same text for the same record, even if its store changes the order of fields or replaces unpaired surrogates. */
function textOf(name: RecordName, { version, removableFrom, dueAt, fields }: StoredRecord): string {
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
  const values = sorted.map(([field, value]) => [field, typeof value === 'string' ? value.toWellFormed() : value])
  return JSON.stringify([format, recordNameText(name), version, removableFrom, dueAt ?? null, values])
}

/** It keeps `dueAt`: the index still lists it, and the next write has to correct that. */
function emptied({ version, dueAt }: StoredRecord): StoredRecord {
  return { version, removableFrom: 0, ...(dueAt !== undefined && { dueAt }), fields: {} }
}

/** The fields that tokens and connections need during an upgrade. Failures and cool-downs of the earlier version are not read. */
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
