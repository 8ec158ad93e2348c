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

test('memory is limited, and the least recently used record is dropped first', async () => {
  const store = memoryRecords({ maximumRecords: 2 })
  const [a, b, c] = [someRecordName(), someRecordName(), someRecordName()]
  const [recordA, recordC] = [someRecord(), someRecord()]
  await store.write(a, recordA, undefined)
  await store.write(b, someRecord(), undefined)
  await store.read([a])
  await store.write(c, recordC, undefined)
  assert.deepEqual(await store.read([a, b, c]), [recordA, undefined, recordC])
})

test('a rejected write does not count as a use of the record', async () => {
  const store = memoryRecords({ maximumRecords: 2 })
  const [a, b, c] = [someRecordName(), someRecordName(), someRecordName()]
  const recordB = someRecord()
  await store.write(a, someRecord(), undefined)
  await store.write(b, recordB, undefined)
  assert.equal(await store.write(a, someRecord(), undefined), false)
  await store.write(c, someRecord(), undefined)
  assert.deepEqual(await store.read([a, b]), [undefined, recordB])
})

test('finding due records does not count as a use of them, and dropped records are not due', async () => {
  const store = memoryRecords({ maximumRecords: 2 })
  const [a, b, c] = [someRecordName(), someRecordName(), someRecordName()]
  await store.write(a, { ...someRecord(), dueAt: 1 }, undefined)
  await store.write(b, { ...someRecord(), dueAt: 2 }, undefined)
  assert.deepEqual(await store.due(1, 1), [a])
  await store.write(c, { ...someRecord(), dueAt: 3 }, undefined)
  assert.deepEqual(await store.due(3, 10), [b, c])
})

test('finding due records among a thousand all day takes little time', async () => {
  const store = memoryRecords({ maximumRecords: 10_000 })
  for (let index = 0; index < 1_000; index++)
    await store.write(someRecordName(), { ...someRecord(), dueAt: index }, undefined)
  const startedAt = performance.now()
  for (let minute = 0; minute < 1_440; minute++) assert.equal((await store.due(9, 100)).length, 10)
  const milliseconds = performance.now() - startedAt
  assert.ok(milliseconds < 5_000, `${milliseconds} ms`)
})
