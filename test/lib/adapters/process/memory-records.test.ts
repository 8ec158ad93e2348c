import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../../lib/adapters/process/memory-records.ts'
import { testDueContract } from '../../../contract/due-records.ts'
import { type OpenStores, someRecord, someRecordName, testRecordStoreContract } from '../../../contract/record-store.ts'

const openStores: OpenStores = async () => {
  const store = memoryRecords({ maximumRecords: 1_000 })
  return () => store
}
testRecordStoreContract('memory', openStores)
testDueContract('memory', openStores)

test('memory is bounded: the least recently used record goes first', async () => {
  const store = memoryRecords({ maximumRecords: 2 })
  const [a, b, c] = [someRecordName(), someRecordName(), someRecordName()]
  const [recordA, recordC] = [someRecord(), someRecord()]
  await store.write(a, recordA, undefined)
  await store.write(b, someRecord(), undefined)
  await store.read([a])
  await store.write(c, recordC, undefined)
  assert.deepEqual(await store.read([a, b, c]), [recordA, undefined, recordC])
})

test('a refused write is no use of a record', async () => {
  const store = memoryRecords({ maximumRecords: 2 })
  const [a, b, c] = [someRecordName(), someRecordName(), someRecordName()]
  const recordB = someRecord()
  await store.write(a, someRecord(), undefined)
  await store.write(b, recordB, undefined)
  assert.equal(await store.write(a, someRecord(), undefined), false)
  await store.write(c, someRecord(), undefined)
  assert.deepEqual(await store.read([a, b]), [undefined, recordB])
})

test('a look at what is due is no use of a record, and what was dropped is not due', async () => {
  const store = memoryRecords({ maximumRecords: 2 })
  const [a, b, c] = [someRecordName(), someRecordName(), someRecordName()]
  await store.write(a, { ...someRecord(), dueAt: 1 }, undefined)
  await store.write(b, { ...someRecord(), dueAt: 2 }, undefined)
  assert.deepEqual(await store.due(1, 1), [a])
  await store.write(c, { ...someRecord(), dueAt: 3 }, undefined)
  assert.deepEqual(await store.due(3, 10), [b, c])
})

test('a day of looks at a thousand records takes no time to speak of', async () => {
  const store = memoryRecords({ maximumRecords: 10_000 })
  for (let index = 0; index < 1_000; index++)
    await store.write(someRecordName(), { ...someRecord(), dueAt: index }, undefined)
  const startedAt = performance.now()
  for (let minute = 0; minute < 1_440; minute++) assert.equal((await store.due(9, 100)).length, 10)
  const milliseconds = performance.now() - startedAt
  assert.ok(milliseconds < 5_000, `${milliseconds} ms`)
})
