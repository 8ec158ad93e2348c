import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createSlots, forEachAtMost } from '../../../lib/base/semaphore.ts'

/** Work whose end the test decides. */
function someWork() {
  const begun: number[] = []
  const ends = new Map<number, PromiseWithResolvers<void>>()
  return {
    begun,
    run(item: number): Promise<void> {
      begun.push(item)
      const end = Promise.withResolvers<void>()
      ends.set(item, end)
      return end.promise
    },
    async end(item: number) {
      ends.get(item)?.resolve()
      await turn()
    },
    async fail(item: number, error: Error) {
      ends.get(item)?.reject(error)
      await turn()
    },
  }
}

test('so many run at a time, in their order, and it ends when the last has ended', async () => {
  const work = someWork()
  let isOver = false
  const all = forEachAtMost(2, [1, 2, 3, 4], work.run).then(() => {
    isOver = true
  })
  await turn()
  assert.deepEqual(work.begun, [1, 2])
  await work.end(2)
  assert.deepEqual(work.begun, [1, 2, 3])
  await work.end(3)
  await work.end(4)
  assert.equal(isOver, false)
  await work.end(1)
  await all
})

test('with nothing to do it ends at once', async () => {
  await forEachAtMost(3, [], () => assert.fail())
})

test('after a failure none is begun, and what was begun is waited for: nothing goes on behind the back of its caller', async () => {
  const work = someWork()
  let outcome: unknown
  const all = forEachAtMost(2, [1, 2, 3, 4], work.run).catch((error: unknown) => {
    outcome = error
  })
  await turn()
  const error = new Error('of the first')
  await work.fail(1, error)
  assert.equal(outcome, undefined)
  assert.deepEqual(work.begun, [1, 2])
  await work.fail(2, new Error('of the second'))
  await all
  assert.equal(outcome, error)
  assert.deepEqual(work.begun, [1, 2])
})

test('who finds no free slot waits for his turn, and gets it when another ends or fails', async () => {
  const work = someWork()
  const inSlot = createSlots(2)
  const results = [1, 2, 3, 4, 5].map((item) =>
    inSlot(() => work.run(item)).then(
      () => 'ended',
      () => 'failed',
    ),
  )
  await turn()
  assert.deepEqual(work.begun, [1, 2])
  await work.fail(1, new Error('of the first'))
  assert.deepEqual(work.begun, [1, 2, 3])
  for (const item of [2, 3, 4, 5]) await work.end(item)
  assert.deepEqual(await Promise.all(results), ['failed', 'ended', 'ended', 'ended', 'ended'])
  const later = inSlot(() => work.run(6))
  const last = inSlot(() => work.run(7))
  const waiting = inSlot(() => work.run(8))
  await turn()
  assert.deepEqual(work.begun.slice(5), [6, 7], 'slots that nobody waits for are free again')
  for (const item of [6, 7, 8]) await work.end(item)
  await Promise.all([later, last, waiting])
})
