import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLazy } from '../../../lib/base/single-flight.ts'

test('a value is loaded at its first use, and only once', async () => {
  let loads = 0
  const lazy = createLazy(async () => ++loads)
  assert.equal(loads, 0)
  assert.deepEqual(await Promise.all([lazy.get(), lazy.get()]), [1, 1])
  assert.equal(await lazy.get(), 1)
})

test('all waiting callers get a failure, and the failure is not kept', async () => {
  let loads = 0
  const lazy = createLazy(async () => {
    if (++loads === 1) throw new Error('not yet')
    return loads
  })
  const all = [lazy.get(), lazy.get()]
  for (const each of all) await assert.rejects(each, /not yet/)
  assert.equal(loads, 1)
  assert.equal(await lazy.get(), 2)
  assert.equal(await lazy.get(), 2)
})
