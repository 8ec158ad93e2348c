import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { type RecordName, recordNameText } from '../token-cache/record-name.ts'
import type { RecordFields, StoredRecord } from '../token-cache/record-store.ts'
import { dueShardOf } from './due-shard.ts'

export type Item = Record<string, AttributeValue>

export function createItem(name: RecordName, { version, removableFrom, dueAt, fields }: StoredRecord): Item {
  const text = recordNameText(name)
  // The index holds what has both of its attributes, and nothing else.
  const due = dueAt === undefined ? {} : { dueAt, dueShard: dueShardOf(text) }
  const attributes = Object.entries({ removableFrom, ttl: Math.ceil(removableFrom / 1000), ...due, ...fields }).map(
    ([attribute, value]) => [attribute, typeof value === 'number' ? { N: String(value) } : { S: value }],
  )
  return { ...Object.fromEntries(attributes), name: { S: text }, version: { S: version } }
}

/** Without fields where they aren't ours, so that it can be replaced; undefined where not even the version is. */
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
