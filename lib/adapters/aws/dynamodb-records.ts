import {
  type AttributeValue,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb'
import {
  dueShardOf,
  dueShards,
  type RecordFields,
  type RecordName,
  type RecordStore,
  RecordStoreError,
  readRecordName,
  recordNameText,
  type StoredRecord,
} from '../../fleet/record-store.ts'
import { awsTls, withinTime } from './aws-client.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

interface DynamodbRecordsOptions {
  readonly tableName: string
  /** The time limit of each call, which includes connecting. */
  readonly attemptMilliseconds: number
}

type SendOptions = { readonly abortSignal: AbortSignal }

/**
 * Keeps records as items of one table. The partition key `name` is `<group>/<id>`. DynamoDB deletes an item by `ttl`, in whole
 * seconds. `version`, `removableFrom` and each field are separate attributes. The index `due` with the partition key `dueShard` and
 * the sort key `dueAt` finds the records that are due.
 */
export function dynamodbRecords({ tableName, attemptMilliseconds }: DynamodbRecordsOptions): RecordStore {
  let client: DynamoDBClient | undefined

  async function attempt<Answer>(
    call: (client: DynamoDBClient, options: SendOptions) => Promise<Answer>,
    of: FailedCall['of'] = 'records',
  ): Promise<Answer> {
    // The SDK does not retry, because a repeated write whose first answer was lost would fail its own condition.
    client ??= new DynamoDBClient({ maxAttempts: 1, requestHandler: awsTls })
    const opened = client
    try {
      return await withinTime(attemptMilliseconds, (options) => call(opened, options))
    } catch (error) {
      throw describeDynamodbFailure(error, { tableName, of })
    }
  }

  return {
    async read(names) {
      const keys = names.map(recordNameText)
      // DynamoDB rejects a request that names an item twice, and one that names no item.
      const distinct = [...new Set(keys)]
      if (distinct.length === 0) return []

      const items = await attempt((of, options) =>
        againAfterReset(() => readItems(of, { tableName, names: distinct }, options)),
      )
      const records = new Map(items.map((item) => [item['name']?.S, readRecord(item)]))
      return keys.map((key) => records.get(key))
    },
    async write(name, record, expected) {
      const command = new PutItemCommand({
        TableName: tableName,
        Item: createItem(name, record),
        ...(expected === undefined ? ifAbsent : ifVersion(expected)),
      })
      return await attempt(
        (of, options) => of.send(command, options).then(() => true, falseIfConditionFailed),
        `record of ${name.group}`,
      )
    },
    async due(until, limit) {
      const due = await attempt((of, options) => {
        const queries = dueShards.map((shard) => ({ tableName, shard, until, limit }))
        return Promise.all(queries.map((query) => againAfterReset(() => queryDue(of, query, options))))
      }, 'index')
      const first = due
        .flat()
        .sort((a, b) => a.dueAt - b.dueAt)
        .slice(0, limit)
      return first.map(({ name }) => name)
    },
  }
}

interface ReadQuery {
  readonly tableName: string
  readonly names: readonly string[]
}

async function readItems(
  client: DynamoDBClient,
  { tableName, names }: ReadQuery,
  options: SendOptions,
): Promise<Item[]> {
  const keys = names.map((name) => ({ name: { S: name } }))
  if (keys.length === 1) {
    const command = new GetItemCommand({ TableName: tableName, Key: keys[0], ConsistentRead: true })
    const { Item: item } = await client.send(command, options)
    return item ? [item] : []
  }
  const command = new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys: keys, ConsistentRead: true } } })
  const { Responses: items, UnprocessedKeys: unread } = await client.send(command, options)
  if (unread?.[tableName]) throw throttledError(tableName)
  return items?.[tableName] ?? []
}

/** Repeats a read once. DynamoDB may have closed an idle connection while the function was frozen, and reading twice does no harm. */
async function againAfterReset<Answer>(read: () => Promise<Answer>): Promise<Answer> {
  try {
    return await read()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error
    return await read()
  }
}

// An item without a version is not a record of Tokenwell. It may be overwritten, because otherwise it would block its name for ever.
const ifAbsent = {
  ConditionExpression: 'attribute_not_exists(#version) OR NOT attribute_type(#version, :string)',
  ExpressionAttributeNames: { '#version': 'version' },
  ExpressionAttributeValues: { ':string': { S: 'S' } },
}

function ifVersion(expected: string) {
  return {
    ConditionExpression: '#version = :expected',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':expected': { S: expected } },
  }
}

function falseIfConditionFailed(error: unknown): false {
  if (error instanceof ConditionalCheckFailedException) return false
  throw error
}

/** A record that is due according to the index. */
export interface DueRecord {
  readonly name: RecordName
  readonly dueAt: number
}

export interface DueQuery {
  readonly tableName: string
  readonly shard: string
  readonly until: number
  readonly limit: number
}

/** The due records of one shard, the earliest first. */
export async function queryDue(client: DynamoDBClient, query: DueQuery, options: SendOptions): Promise<DueRecord[]> {
  const due: DueRecord[] = []
  let start: Item | undefined
  while (due.length < query.limit) {
    const command = createCommand(query, query.limit - due.length, start)
    const { Items: items = [], LastEvaluatedKey: last } = await client.send(command, options)
    due.push(...items.flatMap(readDueRecord))
    if (!last) break
    start = last
  }
  return due
}

function createCommand({ tableName, shard, until }: DueQuery, limit: number, start: Item | undefined): QueryCommand {
  return new QueryCommand({
    TableName: tableName,
    IndexName: 'due',
    KeyConditionExpression: '#shard = :shard AND #dueAt <= :until',
    ExpressionAttributeNames: { '#shard': 'dueShard', '#dueAt': 'dueAt' },
    ExpressionAttributeValues: { ':shard': { S: shard }, ':until': { N: String(until) } },
    Limit: limit,
    ...(start && { ExclusiveStartKey: start }),
  })
}

/** Empty if the name is not a record name of Tokenwell. */
function readDueRecord({ name: text, dueAt }: Item): DueRecord[] {
  const name = readRecordName(text?.S ?? '')
  return name ? [{ name, dueAt: Number(dueAt?.N) }] : []
}

export type Item = Record<string, AttributeValue>

export function createItem(name: RecordName, { version, removableFrom, dueAt, fields }: StoredRecord): Item {
  const text = recordNameText(name)
  // The index contains only items that have both of its attributes.
  const due = dueAt === undefined ? {} : { dueAt, dueShard: dueShardOf(text) }
  const attributes = Object.entries({ removableFrom, ttl: Math.ceil(removableFrom / 1000), ...due, ...fields }).map(
    ([attribute, value]) => [attribute, typeof value === 'number' ? { N: String(value) } : { S: value }],
  )
  return { ...Object.fromEntries(attributes), name: { S: text }, version: { S: version } }
}

/** Reads a record. If its fields are not Tokenwell's, it has none and can be replaced. Returns undefined if it has no version. */
export function readRecord({
  name: _name,
  ttl: _ttl,
  dueShard: _dueShard,
  version,
  removableFrom,
  dueAt,
  ...attributes
}: Item): StoredRecord | undefined {
  if (version?.S === undefined) return undefined
  const foreign = { version: version.S, removableFrom: 0, fields: {} }
  if (removableFrom?.N === undefined || (dueAt && dueAt.N === undefined)) return foreign

  const fields: Record<string, RecordFields[string]> = {}
  for (const [field, { S: text, N: number }] of Object.entries(attributes)) {
    if (text === undefined && number === undefined) return foreign
    fields[field] = text ?? Number(number)
  }
  return {
    version: version.S,
    removableFrom: Number(removableFrom.N),
    ...(dueAt && { dueAt: Number(dueAt.N) }),
    fields,
  }
}

/** Throttling errors that only DynamoDB has. None of these requests has changed anything. */
const contended = ['ReplicatedWriteConflictException', 'ThrottlingError', 'TransactionConflictException']

/** The errors of DynamoDB for an item that it cannot store. They do not mean wrong keys of the table, because a read succeeded before. */
const notTaken = ['RequestEntityTooLargeException', 'SerializationException', 'ValidationException']

export interface FailedCall {
  readonly tableName: string
  /** What was read, or the record that was written. */
  readonly of: 'records' | 'index' | `record of ${string}`
}

/** Translates what the SDK throws. Only the name of the original is kept, because the original may hold the item. */
export function describeDynamodbFailure(error: unknown, { tableName, of }: FailedCall): RecordStoreError {
  if (error instanceof RecordStoreError) return error
  const [failure, reason] = [classifyAwsFailure(error), reasonOfAwsFailure(error)]
  if (failure === 'throttled' || contended.includes(reason)) return throttledError(tableName)
  const isWrite = of !== 'index' && of !== 'records'
  if (isWrite && failure === undefined && notTaken.includes(reason))
    return new RecordStoreError(
      `The DynamoDB table ${tableName} rejected a ${of} (${reason}). Check that it is not larger than 400 KB.`,
      { isNotTaken: true },
    )
  switch (failure) {
    case 'missing':
      return new RecordStoreError(
        `The DynamoDB table ${tableName} does not exist in this account and region. Create it with the partition key name (S) and an index due with the keys dueShard (S) and dueAt (N).`,
      )
    case 'denied':
      return new RecordStoreError(
        of === 'index'
          ? `Access to the index due of the DynamoDB table ${tableName} was denied (${reason}). Allow dynamodb:Query on the index, and the use of the table's KMS key.`
          : `Access to the DynamoDB table ${tableName} was denied (${reason}). Allow dynamodb:GetItem, dynamodb:BatchGetItem and dynamodb:PutItem on it, and the use of its KMS key.`,
      )
    case 'unreachable':
      return new RecordStoreError(
        `The DynamoDB table ${tableName} did not answer in time or cannot be reached (${reason}). Check that DynamoDB can be reached from this network.`,
      )
    case undefined:
      return new RecordStoreError(
        of === 'index'
          ? `The DynamoDB table ${tableName} rejected the query (${reason}). Check that it has an index due with the keys dueShard (S) and dueAt (N), and that the index is filled.`
          : `The DynamoDB table ${tableName} rejected the request (${reason}). Check that its only key is the partition key name (S).`,
      )
  }
}

export function throttledError(tableName: string): RecordStoreError {
  return new RecordStoreError(`The DynamoDB table ${tableName} throttles requests. Check that its capacity suffices.`, {
    isThrottled: true,
  })
}
