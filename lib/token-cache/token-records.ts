import type { Budget } from './budget.ts'
import { CacheUnavailableError } from './cache-unavailable-error.ts'
import { type Generation, generationRecord, readGeneration } from './generation.ts'
import { generationRecordName, type RecordName } from './record-name.ts'
import type { RecordStore, StoredRecord } from './record-store.ts'
import { readTokenRecord, removableFrom, type TokenRecord } from './token-record.ts'

/** A token's record as it was read, together with the generation of its connection. */
export interface ReadRecord {
  readonly name: RecordName
  /** Undefined where there is none. */
  readonly version: string | undefined
  readonly record: TokenRecord
  readonly generation?: Generation
}

/** The records of tokens, read and written within the budget. Throws `CacheUnavailableError`. */
export interface TokenRecords {
  read(name: RecordName, waitUntil: number): Promise<ReadRecord>
  /** @returns what is there now, or undefined where somebody else came first */
  write(read: ReadRecord, record: TokenRecord, waitUntil: number): Promise<ReadRecord | undefined>
  /**
   * Changes what is there, however often somebody else comes between.
   * @param change of what is there; undefined leaves it as it is
   * @returns what is there now, or undefined where nothing was changed
   */
  amend(
    name: RecordName,
    change: (read: ReadRecord) => TokenRecord | undefined | Promise<TokenRecord | undefined>,
    waitUntil: number,
  ): Promise<ReadRecord | undefined>
  /** Makes this fingerprint the connection's: a new generation, unless it is the current one already. */
  settle(read: ReadRecord, fingerprint: string, waitUntil: number): Promise<Generation>
}

export interface TokenRecordsParts {
  readonly store: RecordStore
  readonly budget: Budget
  readonly now: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
}

/** Who loses the race that often gives up: every time somebody else has won it. */
const mostTries = 20

export function createTokenRecords({ store, budget, now, randomId }: TokenRecordsParts): TokenRecords {
  async function read(name: RecordName, waitUntil: number): Promise<ReadRecord> {
    const [record, generation] = await budget.spend(
      'records',
      () => store.read([name, generationRecordName(name.group)]),
      waitUntil,
    )
    return {
      name,
      version: record?.version,
      record: readTokenRecord(record?.fields ?? {}),
      ...(generation && { generation: readGeneration(generation) }),
    }
  }

  async function write(before: ReadRecord, record: TokenRecord, waitUntil: number): Promise<ReadRecord | undefined> {
    const stored: StoredRecord = {
      version: randomId(),
      removableFrom: removableFrom(record, now()),
      fields: { ...record },
    }
    const isWritten = await budget.spend('records', () => store.write(before.name, stored, before.version), waitUntil)
    return isWritten ? { ...before, record, version: stored.version } : undefined
  }

  return {
    read,
    write,
    async amend(name, change, waitUntil) {
      for (let tries = 0; tries < mostTries; tries++) {
        const before = await read(name, waitUntil)
        const record = await change(before)
        if (!record) return undefined
        const after = await write(before, record, waitUntil)
        if (after) return after
      }
      throw new CacheUnavailableError('somebody else came first each time')
    },
    async settle({ name, generation: known }, fingerprint, waitUntil) {
      let current = known
      for (let tries = 0; tries < mostTries; tries++) {
        if (current?.fingerprint === fingerprint) return current
        const next = generationRecord(current, { fingerprint, now: now(), version: randomId() })
        const recordName = generationRecordName(name.group)
        if (await budget.spend('records', () => store.write(recordName, next, current?.version), waitUntil))
          return readGeneration(next)
        current = (await read(name, waitUntil)).generation
      }
      throw new CacheUnavailableError('somebody else came first each time')
    },
  }
}
