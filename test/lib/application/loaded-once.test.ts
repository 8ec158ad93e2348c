import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadedOnce } from '../../../lib/application/open-store.ts'

test('nothing is loaded before its first use, and then once for all', async () => {
  let loads = 0
  const load = loadedOnce(async () => ++loads)
  assert.equal(loads, 0)
  assert.deepEqual(await Promise.all([load(), load()]), [1, 1])
  assert.equal(await load(), 1)
})

test('a failure is told to all who wait, and not kept', async () => {
  let loads = 0
  const load = loadedOnce(async () => {
    if (++loads === 1) throw new Error('not yet')
    return loads
  })
  const all = [load(), load()]
  for (const each of all) await assert.rejects(each, /not yet/)
  assert.equal(loads, 1)
  assert.equal(await load(), 2)
  assert.equal(await load(), 2)
})
