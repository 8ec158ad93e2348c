import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/memory-records.ts'
import { someRecord, someRecordName, testRecordStoreContract } from '../../contract/record-store.ts'

testRecordStoreContract('memory', async () => {
  const store = memoryRecords({ maximumRecords: 100 })
  return () => store
})

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
