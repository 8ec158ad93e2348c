import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createSemaphore, forEachAtMost, type Semaphore } from '../../../lib/base/semaphore.ts'

/** Work that ends when the test says so. */
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

test('at most the given number run at a time, in order, and the call ends when the last has ended', async () => {
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

test('an empty list ends immediately', async () => {
  await forEachAtMost(3, [], () => assert.fail())
})

test('after a failure no further work begins, and the call waits for all work that has begun', async () => {
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

test('work waits while the maximum runs, and begins when other work ends or fails', async () => {
  const work = someWork()
  const semaphore = createSemaphore(2)
  const results = [1, 2, 3, 4, 5].map((item) =>
    semaphore
      .run(() => work.run(item))
      .then(
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
  const later = semaphore.run(() => work.run(6))
  const last = semaphore.run(() => work.run(7))
  const waiting = semaphore.run(() => work.run(8))
  await turn()
  assert.deepEqual(work.begun.slice(5), [6, 7], 'places that nobody waits for are free again')
  for (const item of [6, 7, 8]) await work.end(item)
  await Promise.all([later, last, waiting])
})

/** Takes a place and returns a function that frees it. */
async function occupy(semaphore: Semaphore, giveUp?: AbortSignal): Promise<() => void> {
  const begun = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const running = semaphore.run(() => {
    begun.resolve()
    return over.promise
  }, giveUp)
  await Promise.race([begun.promise, running])
  return over.resolve
}

test('at most the given number run at a time, and the others run in the order of their calls', async () => {
  const semaphore = createSemaphore(2)
  const begun: number[] = []
  const take = async (number: number) => {
    const giveBack = await occupy(semaphore)
    begun.push(number)
    return giveBack
  }
  const all = [take(0), take(1), take(2), take(3)] as const
  const [first, second] = await Promise.all([all[0], all[1]])
  assert.deepEqual(begun, [0, 1])
  first()
  await all[2]
  assert.deepEqual(begun, [0, 1, 2])
  second()
  await all[3]
  assert.deepEqual(begun, [0, 1, 2, 3])
})

test('a caller that gives up waiting gets an error, and its turn goes to the next caller', async () => {
  const semaphore = createSemaphore(1)
  const first = await occupy(semaphore)
  const hurried = occupy(semaphore, AbortSignal.timeout(1))
  const patient = occupy(semaphore, AbortSignal.timeout(60_000))
  await assert.rejects(hurried, { name: 'TimeoutError' })
  first()
  const second = await patient
  second()
  await occupy(semaphore)
  await assert.rejects(
    occupy(semaphore, AbortSignal.timeout(1)),
    { name: 'TimeoutError' },
    'there is one again, not two',
  )
  await assert.rejects(occupy(semaphore, AbortSignal.abort(new Error('too late'))), /too late/)
})

test('giving up does not end work that has begun, and leaves no listener behind', async () => {
  const semaphore = createSemaphore(1)
  const timeUp = new AbortController()
  const first = await occupy(semaphore, timeUp.signal)
  const second = occupy(semaphore, timeUp.signal)
  assert.equal(getEventListeners(timeUp.signal, 'abort').length, 1)
  first()
  await second
  assert.equal(getEventListeners(timeUp.signal, 'abort').length, 0)
  timeUp.abort()
  const third = occupy(semaphore)
  ;(await second)()
  await third
})
