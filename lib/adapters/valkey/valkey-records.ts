import type { Valkey } from 'iovalkey'
import { isJsonObject, parseJson } from '../../base/decoding.ts'
import type { RecordFields, RecordName, RecordStore, StoredRecord } from '../../fleet/record-store.ts'
import {
  describeValkeyFailure,
  isConnectionLost,
  openConnection,
  timedOutError,
  type ValkeyConnection,
  type ValkeyCredentialSource,
  type ValkeyServer,
} from './valkey-connection.ts'
import { findDue, writeHint } from './valkey-due.ts'

export { credentialsInSecret } from './valkey-connection.ts'

interface ValkeyRecordsOptions {
  /** `valkey://host:port`, or `valkeys://host:port` for TLS. */
  readonly url: string
  readonly stage: string
  /** The time limit of each call, which includes reading credentials and connecting. */
  readonly attemptMilliseconds: number
  readonly credentials: ValkeyCredentialSource
}

/**
 * Keeps records as strings: the version, a line feed, and the rest as JSON. Their keys are `tokenwell:<stage>:{<group>}:<id>`, so
 * that a group shares a slot. Sorted sets `tokenwell:<stage>:{due:<shard>}` find the records that are due. There is one connection.
 * The first call opens it, and so does the next call after it was lost. It needs Valkey, or Redis 6.2 or later, and a user with
 * `+mget +eval +evalsha +set +time +zadd +zrange +zrem ~tokenwell:<stage>:*`.
 * @throws {Error} at once if the URL is not valid
 */
export function valkeyRecords({ url, stage, attemptMilliseconds, credentials }: ValkeyRecordsOptions): RecordStore {
  const server = readServerUrl(url)
  let connection: ValkeyConnection | undefined

  function connect(): ValkeyConnection {
    const current = openConnection(server, credentials, () => forget(current))
    return current
  }

  function forget(lost: ValkeyConnection): void {
    lost.close()
    if (connection === lost) connection = undefined
  }

  async function call<Answer>(
    command: (client: Valkey) => Promise<Answer>,
    { timeUp, mayRepeat = false }: { readonly timeUp: Promise<never>; readonly mayRepeat?: boolean },
  ): Promise<Answer> {
    connection ??= connect()
    const current = connection
    const wasOpen = current.isOpen
    try {
      return await Promise.race([current.opened.then(command), timeUp])
    } catch (error) {
      const failure = describeValkeyFailure(error, server)
      if (!(failure.isThrottled || failure.isNotTaken) || !current.isOpen) forget(current)
      // The server may have closed an idle connection while the function was frozen.
      if (mayRepeat && wasOpen && isConnectionLost(error)) return call(command, { timeUp })
      throw failure
    }
  }

  const inTime = <Answer>(work: (timeUp: Promise<never>) => Promise<Answer>) =>
    withTimer(attemptMilliseconds, timedOutError(server, attemptMilliseconds), work)
  const keyOf = ({ group, id }: RecordName) => `tokenwell:${stage}:{${group}}:${id}`

  async function readAll(client: Valkey, names: readonly RecordName[]): Promise<(StoredRecord | undefined)[]> {
    // One command for each slot, all sent at once, because a cluster rejects a command that spans two slots.
    const slots = [...Map.groupBy(names, ({ group }) => group).values()].map((group) => group.map(keyOf))
    const values = await Promise.all(slots.map((keys) => client.mget(keys)))
    const keys = slots.flat()
    const records = new Map(values.flat().map((value, index) => [keys[index], readRecord(value)]))
    return names.map((name) => records.get(keyOf(name)))
  }

  return {
    read(names) {
      return inTime((timeUp) => call((client) => readAll(client, names), { timeUp, mayRepeat: true }))
    },
    async write(name, record, expected) {
      const { dueAt } = record
      const [value, removableFrom] = [createValue(record), Math.ceil(record.removableFrom)]
      return await inTime((timeUp) =>
        call(
          async function writeWithHint(client) {
            const hint = dueAt === undefined ? undefined : writeHint(client, stage, { name, dueAt })
            const written = client.compareAndSet(keyOf(name), expected ?? '', value, removableFrom)
            return (await Promise.all([written, hint]))[0] === 1
          },
          { timeUp },
        ),
      )
    },
    due(until, limit) {
      return inTime((timeUp) =>
        call((client) => findDue({ client, stage, read: (names) => readAll(client, names) }, until, limit), {
          timeUp,
          mayRepeat: true,
        }),
      )
    },
  }
}

/** @throws {Error} without the URL, which may contain a password by mistake */
function readServerUrl(url: string): ValkeyServer {
  if (!URL.canParse(url))
    throw new Error(
      'The URL of the Valkey server cannot be parsed. It must be valkey://host:port, or valkeys://host:port for TLS.',
    )
  const { protocol, username, password, hostname, port, pathname, search, hash } = new URL(url)
  if (username || password)
    throw new Error(
      'The URL of the Valkey server contains a user name or password. Remove them: they belong in the secret of the cache.',
    )
  if (!/^(valkey|redis)s?:$/.test(protocol) || !hostname || pathname.length > 1 || search || hash)
    throw new Error(
      'The URL of the Valkey server must be valkey://host:port, or valkeys://host:port for TLS, with nothing after the port.',
    )
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(port || 6379), isTls: protocol.endsWith('s:') }
}

async function withTimer<Answer>(
  milliseconds: number,
  error: Error,
  work: (timeUp: Promise<never>) => Promise<Answer>,
): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(error), milliseconds)
  })
  try {
    return await work(timeUp)
  } finally {
    clearTimeout(timer)
  }
}

/** The version, a line feed, and the rest as JSON. */
export function createValue({ version, removableFrom, dueAt, fields }: StoredRecord): string {
  return `${version}\n${JSON.stringify({ removableFrom, dueAt, fields })}`
}

/**
 * Reads a record. If its fields cannot be read, it has none and can be replaced. Returns undefined if there is no version, as
 * `compareAndSet` does.
 */
export function readRecord(value: string | null): StoredRecord | undefined {
  const [, version, json] = /^([A-Za-z0-9_-]+)\n(.*)$/s.exec(value ?? '') ?? []
  if (version === undefined || json === undefined) return undefined
  return { version, ...(readContent(json) ?? { removableFrom: 0, fields: {} }) }
}

function readContent(json: string): Omit<StoredRecord, 'version'> | undefined {
  const content = parseJson(json)
  if (!isJsonObject(content)) return undefined
  const { removableFrom, dueAt, fields } = content
  if (typeof removableFrom !== 'number' || !areFields(fields)) return undefined
  if (dueAt === undefined) return { removableFrom, fields }
  return typeof dueAt === 'number' ? { removableFrom, dueAt, fields } : undefined
}

function areFields(value: unknown): value is RecordFields {
  if (!isJsonObject(value)) return false
  return Object.values(value).every((each) => typeof each === 'string' || typeof each === 'number')
}
