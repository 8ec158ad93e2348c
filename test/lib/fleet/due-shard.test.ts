import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dueShardOf, dueShards, recordNameText } from '../../../lib/fleet/record-store.ts'
import { someRecordName } from '../../contract/record-store.ts'

test('names are spread evenly over the shards, those of one connection and those of many', () => {
  for (const group of [{ group: 'conn' }, {}]) {
    const counts = new Map<string, number>()
    for (let index = 0; index < 8_000; index++) {
      const shard = dueShardOf(recordNameText(someRecordName(group)))
      counts.set(shard, (counts.get(shard) ?? 0) + 1)
    }
    assert.deepEqual([...counts.keys()].sort(), dueShards)
    for (const [shard, count] of counts) assert.ok(count > 800 && count < 1_200, `${count} in shard ${shard}`)
  }
})

test('a name has the same shard in every version of Tokenwell', () => {
  const names = ['my.conn-1_a/token#abc', 'conn/generation', '']
  assert.deepEqual(names.map(dueShardOf), ['4', '2', '4'])
})
