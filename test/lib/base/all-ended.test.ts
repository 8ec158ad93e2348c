import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { allEnded } from '../../../lib/base/all-ended.ts'

test('when all promises have ended, the first failure in the order of the list is thrown', async () => {
  const ended: string[] = []
  const end = async (name: string, milliseconds: number, error?: Error) => {
    await setTimeout(milliseconds)
    ended.push(name)
    if (error) throw error
    return name
  }
  await assert.rejects(allEnded([end('a', 20, new Error('of a')), end('b', 1, new Error('of b')), end('c', 40)]), {
    message: 'of a',
  })
  assert.deepEqual(ended, ['b', 'a', 'c'])
  assert.deepEqual(await allEnded([end('d', 1), Promise.resolve(5)]), ['d', 5])
})
