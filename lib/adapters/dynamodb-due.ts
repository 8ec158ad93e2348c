import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import { type RecordName, readRecordName } from '../token-cache/record-name.ts'
import type { Item } from './dynamodb-item.ts'

/** A record that is due, as the index tells it. */
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

type SendOptions = { readonly abortSignal: AbortSignal }

/** Of one shard, the earliest first. */
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

/** None where the name isn't one of ours. */
function readDueRecord({ name: text, dueAt }: Item): DueRecord[] {
  const name = readRecordName(text?.S ?? '')
  return name ? [{ name, dueAt: Number(dueAt?.N) }] : []
}
