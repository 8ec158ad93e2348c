import { batchesOf } from '../base/semaphore.ts'
import { type Budget, CacheUnavailableError } from './circuit-breaker.ts'
import {
  type ConnectionRecord,
  type ConnectionState,
  isSameState,
  readConnectionRecord,
  writeConnectionRecord,
} from './connection-record.ts'
import { connectionRecordName, type RecordName, type RecordStore, type StoredRecord } from './record-store.ts'
import { dueAt, inForce, readTokenRecord, removableFrom, type TokenRecord } from './token-record.ts'

/** A token's record as it was read, together with that of its connection. */
export interface ReadRecord {
  readonly name: RecordName
  /** Undefined where there is none. */
  readonly version: string | undefined
  readonly record: TokenRecord
  /** From when on it is listed as due. */
  readonly dueAt?: number
  readonly connection?: ConnectionRecord
}

/** The records of tokens and connections, read and written within the budget. Throws `CacheUnavailableError`. */
export interface TokenRecords {
  read(name: RecordName, waitUntil: number): Promise<ReadRecord>
  /** Names of tokens that are due until then, the earliest first. */
  due(until: number, limit: number, waitUntil: number): Promise<readonly RecordName[]>
  /** However many there are, in the order of their names. */
  readConnections(names: readonly string[], waitUntil: number): Promise<readonly (ConnectionRecord | undefined)[]>
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
  /** @returns what is there now, or undefined where somebody else came first */
  writeConnection(
    name: string,
    before: ConnectionRecord | undefined,
    state: ConnectionState,
    waitUntil: number,
  ): Promise<ConnectionRecord | undefined>
  /**
   * The same of a connection. Nothing is written where nothing changes.
   * @param known what was read a moment ago: it saves a read
   * @returns what is there now
   */
  amendConnection(
    name: string,
    known: ConnectionRecord | undefined,
    change: (before: ConnectionRecord | undefined) => ConnectionState | undefined,
    waitUntil: number,
  ): Promise<ConnectionRecord | undefined>
}

export interface TokenRecordsParts {
  readonly store: RecordStore
  readonly budget: Budget
  readonly now: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
}

/** A store need not take more, as DynamoDB doesn't. */
const recordsInOneRead = 100
/** Who loses the race that often gives up: every time somebody else has won it. */
const mostTries = 20

export function createTokenRecords({ store, budget, now, randomId }: TokenRecordsParts): TokenRecords {
  const readAll = (names: readonly RecordName[], waitUntil: number) =>
    budget.spend('records', () => store.read(names), waitUntil)
  const writeOne = (name: RecordName, record: StoredRecord, expected: string | undefined, waitUntil: number) =>
    budget.spend('records', () => store.write(name, record, expected), waitUntil)

  async function read(name: RecordName, waitUntil: number): Promise<ReadRecord> {
    const [stored, storedConnection] = await readAll([name, connectionRecordName(name.group)], waitUntil)
    const connection = storedConnection && readConnectionRecord(storedConnection)
    return {
      name,
      version: stored?.version,
      record: inForce(readTokenRecord(stored?.fields ?? {}), connection?.generation),
      ...(stored?.dueAt !== undefined && { dueAt: stored.dueAt }),
      ...(connection && { connection }),
    }
  }

  async function readConnections(names: readonly string[], waitUntil: number) {
    const found: (ConnectionRecord | undefined)[] = []
    for (const some of batchesOf(names.map(connectionRecordName), recordsInOneRead))
      for (const stored of await readAll(some, waitUntil)) found.push(stored && readConnectionRecord(stored))
    return found
  }

  async function write(before: ReadRecord, record: TokenRecord, waitUntil: number): Promise<ReadRecord | undefined> {
    const { name, connection, dueAt: _dueBefore, ...rest } = before
    const due = dueAt(record, connection, name.id)
    const stored: StoredRecord = {
      version: randomId(),
      removableFrom: removableFrom(record, connection, name.id, now()),
      ...(due !== undefined && { dueAt: due }),
      fields: { ...record },
    }
    if (!(await writeOne(name, stored, before.version, waitUntil))) return undefined
    const { version } = stored
    return {
      ...rest,
      name,
      record,
      version,
      ...(connection && { connection }),
      ...(due !== undefined && { dueAt: due }),
    }
  }

  const writeConnection: TokenRecords['writeConnection'] = async (name, before, state, waitUntil) => {
    const next = writeConnectionRecord(state, randomId(), now())
    const isWritten = await writeOne(connectionRecordName(name), next, before?.version, waitUntil)
    return isWritten ? readConnectionRecord(next) : undefined
  }

  return {
    read,
    due: (until, limit, waitUntil) => budget.spend('records', () => store.due(until, limit), waitUntil),
    readConnections,
    write,
    writeConnection,
    async amend(name, change, waitUntil) {
      for (let tries = 0; tries < mostTries; tries++) {
        const before = await read(name, waitUntil)
        const record = await change(before)
        if (!record) return undefined
        const after = await write(before, record, waitUntil)
        if (after) return after
      }
      throw lostEachTime()
    },
    async amendConnection(name, known, change, waitUntil) {
      let before = known
      for (let tries = 0; tries < mostTries; tries++) {
        const state = change(before)
        if (!state || isSameState(before, state)) return before
        const after = await writeConnection(name, before, state, waitUntil)
        if (after) return after
        before = (await readConnections([name], waitUntil))[0]
      }
      throw lostEachTime()
    },
  }
}

function lostEachTime(): CacheUnavailableError {
  return new CacheUnavailableError('somebody else came first each time')
}
