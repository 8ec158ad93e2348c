import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { recordNameText } from '../token-cache/record-name.ts'
import type { RecordStore } from '../token-cache/record-store.ts'
import { withinTime } from './aws-client-settings.ts'
import { dueShards } from './due-shard.ts'
import { type DueQuery, type DueRecord, queryDue } from './dynamodb-due.ts'
import { describeFailure, throttledError } from './dynamodb-failure.ts'
import { createItem, type Item, readRecord } from './dynamodb-item.ts'

interface DynamodbRecordsOptions {
  readonly tableName: string
  /** Bounds each call in all, connecting included. */
  readonly attemptMilliseconds: number
}

type Call<Answer> = (client: DynamoDBClient, options: { readonly abortSignal: AbortSignal }) => Promise<Answer>

/**
 * Records as items of one table: `name`, the partition key, is `<group>/<id>`; `ttl`, in whole seconds, is what DynamoDB
 * deletes by; `version`, `removableFrom` and the fields are attributes of their own. What is due is found by the index `due`:
 * partition key `dueShard`, sort key `dueAt`.
 */
export function dynamodbRecords({ tableName, attemptMilliseconds }: DynamodbRecordsOptions): RecordStore {
  let client: DynamoDBClient | undefined

  async function attempt<Answer>(call: Call<Answer>, of: 'records' | 'index' = 'records'): Promise<Answer> {
    // The SDK repeats nothing: a write whose first answer was lost would fail its own condition.
    client ??= new DynamoDBClient({ maxAttempts: 1 })
    const current = client
    try {
      return await withinTime(attemptMilliseconds, (options) => call(current, options))
    } catch (error) {
      throw describeFailure(error, { tableName, of })
    }
  }

  return {
    async read(names) {
      const keys = names.map(recordNameText)
      // DynamoDB refuses a request that names an item twice, and one that names none.
      const distinct = [...new Set(keys)]
      if (distinct.length === 0) return []

      const readAll = distinct.length === 1 ? readOne(tableName, distinct) : readSeveral(tableName, distinct)
      const items = await attempt(repeatedAfterReset(readAll))
      const records = new Map(items.map((item) => [item['name']?.S, readRecord(item)]))
      return keys.map((key) => records.get(key))
    },
    write(name, record, expected) {
      const command = new PutItemCommand({
        TableName: tableName,
        Item: createItem(name, record),
        ...(expected === undefined ? ifAbsent : ifVersion(expected)),
      })
      return attempt((of, options) => of.send(command, options).then(() => true, falseIfConditionFailed))
    },
    async due(until, limit) {
      const queries = dueShards.map((shard) => queryShard({ tableName, shard, until, limit }))
      const queryAll: Call<DueRecord[][]> = (of, options) => Promise.all(queries.map((query) => query(of, options)))
      const due = (await attempt(queryAll, 'index')).flat()
      const first = due.sort((a, b) => a.dueAt - b.dueAt).slice(0, limit)
      return first.map(({ name }) => name)
    },
  }
}

function readOne(tableName: string, [name = '']: readonly string[]): Call<Item[]> {
  const command = new GetItemCommand({ TableName: tableName, Key: { name: { S: name } }, ConsistentRead: true })
  return async (client, options) => {
    const { Item: item } = await client.send(command, options)
    return item ? [item] : []
  }
}

function readSeveral(tableName: string, names: readonly string[]): Call<Item[]> {
  const keys = names.map((name) => ({ name: { S: name } }))
  const command = new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys: keys, ConsistentRead: true } } })
  return async (client, options) => {
    const { Responses: items, UnprocessedKeys: unread } = await client.send(command, options)
    if (unread?.[tableName]) throw throttledError(tableName)
    return items?.[tableName] ?? []
  }
}

function queryShard(query: DueQuery): Call<DueRecord[]> {
  return repeatedAfterReset((client, options) => queryDue(client, query, options))
}

/** For reads: the far end may have closed an idle connection while the function was frozen, and reading twice does no harm. */
function repeatedAfterReset<Answer>(call: Call<Answer>): Call<Answer> {
  return (client, options) =>
    call(client, options).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') throw error
      return call(client, options)
    })
}

// What has no version of ours in it is nobody's record, and would block its name for ever.
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
