import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { batchesOf } from '../base/semaphore.ts'
import { CacheUnavailableError, type CircuitBreaker } from './circuit-breaker.ts'
import { type ConnectionRecord, isSameState, readConnectionRecord, writeConnectionRecord } from './connection-record.ts'
import type { ConnectionState } from './connection-state.ts'
import { type WithLaterFields, withLaterFields } from './later-fields.ts'
import {
  connectionRecordName,
  type RecordName,
  type RecordStore,
  recordNameText,
  type StoredRecord,
} from './record-store.ts'
import { asOfGeneration, dueAt, readTokenRecord, removableFrom, type TokenRecord, tokenFields } from './token-record.ts'

/** The record of a token as it was read, with the record of its connection. */
export interface ReadRecord extends WithLaterFields {
  readonly name: RecordName
  /** Undefined where the store has no such record. */
  readonly version: string | undefined
  readonly record: TokenRecord
  /** The time from which the index lists it as due. */
  readonly dueAt?: number
  readonly connection?: ConnectionRecord
  /** Present where an earlier version of Tokenwell has written it: it has to be written again. */
  readonly isEarlier?: true
}

/**
 * The records of tokens and connections, read and written through the circuit breaker. Each function throws `CacheUnavailableError`.
 * `waitUntil` is the time, in milliseconds since the epoch, until which a call waits while the store is throttled.
 */
export type FleetRecords = ReturnType<typeof createFleetRecords>

export interface FleetRecordsDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
}

/** DynamoDB reads no more records in one call. */
const recordsInOneRead = 100
/** A process that loses the race this often gives up. */
const mostTries = 20

export function createFleetRecords({ store, breaker, now, randomId }: FleetRecordsDependencies) {
  async function readAll(names: readonly RecordName[], waitUntil: number) {
    return await breaker.call('records', () => store.read(names), waitUntil)
  }

  async function writeOne(name: RecordName, record: StoredRecord, expected: string | undefined, waitUntil: number) {
    return await breaker.call('records', () => store.write(name, record, expected), waitUntil)
  }

  async function read(name: RecordName, waitUntil: number): Promise<ReadRecord> {
    const [stored, storedConnection] = await readAll([name, connectionRecordName(name.group)], waitUntil)
    const connection = storedConnection && readConnectionRecord(storedConnection, now())
    return {
      name,
      version: stored?.version,
      record: asOfGeneration(readTokenRecord(stored?.fields ?? {}, now()), connection?.generation),
      ...(stored?.dueAt !== undefined && { dueAt: stored.dueAt }),
      ...(connection && { connection }),
      ...(stored?.isEarlier && { isEarlier: true }),
      ...withLaterFields(stored?.fields ?? {}, tokenFields),
    }
  }

  /** The names of the tokens that are due at `until` or earlier, the earliest first. */
  async function due(until: number, limit: number, waitUntil: number): Promise<readonly RecordName[]> {
    return await breaker.call('records', () => store.due(until, limit), waitUntil)
  }

  /** Reads any number of connection records, in the order of the names. */
  async function readConnections(
    names: readonly string[],
    waitUntil: number,
  ): Promise<readonly (ConnectionRecord | undefined)[]> {
    const found: (ConnectionRecord | undefined)[] = []
    for (const some of batchesOf(names.map(connectionRecordName), recordsInOneRead))
      for (const stored of await readAll(some, waitUntil)) found.push(stored && readConnectionRecord(stored, now()))
    return found
  }

  /** @returns the record after the write, or `lostRace` where another process was faster */
  async function write(
    before: ReadRecord,
    record: TokenRecord,
    waitUntil: number,
  ): Promise<ReadRecord | typeof lostRace> {
    const { name, connection, laterFields } = before
    const due = dueAt(record, connection, name.id)
    const listed = due !== undefined && { dueAt: due }
    const stored: StoredRecord = {
      version: randomId(),
      removableFrom: removableFrom(record, connection, name.id, now()),
      ...listed,
      fields: { ...laterFields, ...record },
    }
    if (!(await writeOne(name, stored, before.version, waitUntil))) return lostRace
    const kept = { ...(connection && { connection }), ...(laterFields && { laterFields }) }
    return { name, record, version: stored.version, ...kept, ...listed }
  }

  /**
   * Changes a record, also where other processes write it in between.
   * @param change returns the new record, or undefined to leave it unchanged
   * @returns the record after the change. Undefined where it was left unchanged
   */
  async function amend(
    name: RecordName,
    change: (read: ReadRecord) => TokenRecord | undefined | Promise<TokenRecord | undefined>,
    waitUntil: number,
  ): Promise<ReadRecord | undefined> {
    const amended = await compareAndSet(mostTries, async () => {
      const before = await read(name, waitUntil)
      const record = await change(before)
      return record && (await write(before, record, waitUntil))
    })
    if (amended === lostRace) throw lostEachTime(name)
    return amended
  }

  /** @returns the record after the write, or `lostRace` where another process was faster */
  async function writeConnection(
    name: string,
    before: ConnectionRecord | undefined,
    state: ConnectionState,
    waitUntil: number,
  ): Promise<ConnectionRecord | typeof lostRace> {
    const next = writeConnectionRecord(state, randomId(), now(), before?.laterFields)
    const isWritten = await writeOne(connectionRecordName(name), next, before?.version, waitUntil)
    return isWritten ? readConnectionRecord(next, now()) : lostRace
  }

  /**
   * Changes the record of a connection in the same way. Nothing is written where nothing changes.
   * @param known the record that the caller of this function has read: it saves a read
   * @param change returns the new state, or undefined to leave it unchanged
   * @returns the record after the change
   */
  async function amendConnection(
    name: string,
    known: ConnectionRecord | undefined,
    change: (before: ConnectionRecord | undefined) => ConnectionState | undefined,
    waitUntil: number,
  ): Promise<ConnectionRecord | undefined> {
    let before = known
    const amended = await compareAndSet(mostTries, async () => {
      const state = change(before)
      if (!state || (isSameState(before, state) && !before?.isEarlier)) return before
      const after = await writeConnection(name, before, state, waitUntil)
      if (after !== lostRace) return after
      before = (await readConnections([name], waitUntil))[0]
      return lostRace
    })
    if (amended === lostRace) throw lostEachTime(connectionRecordName(name))
    return amended
  }

  return { read, due, readConnections, write, amend, writeConnection, amendConnection }
}

function lostEachTime(name: RecordName): CacheUnavailableError {
  const record = recordNameText(name)
  return new CacheUnavailableError(
    `Other processes changed the record ${record} first, ${mostTries} times in a row. The next request or event tries again.`,
  )
}
