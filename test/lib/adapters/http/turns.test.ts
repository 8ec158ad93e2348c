import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from '../../../../lib/adapters/http/http-connections.ts'

const patient = 60_000

test('so many have a turn at a time, and the others get theirs in the order in which they came', async () => {
  const turns = createTurns(2)
  const begun: number[] = []
  const take = (number: number) => turns.take(patient).then(() => begun.push(number))
  const all = [take(0), take(1), take(2), take(3)]
  await Promise.all(all.slice(0, 2))
  assert.deepEqual(begun, [0, 1])
  turns.giveBack()
  await all[2]
  assert.deepEqual(begun, [0, 1, 2])
  turns.giveBack()
  await all[3]
  assert.deepEqual(begun, [0, 1, 2, 3])
})

test('a turn that does not come in time is an error, and goes to the next one', async () => {
  const turns = createTurns(1)
  await turns.take(patient)
  const hurried = turns.take(1)
  const next = turns.take(patient)
  await assert.rejects(hurried, { name: 'TimeoutError' })
  turns.giveBack()
  await next
  turns.giveBack()
  await turns.take(patient)
  await assert.rejects(turns.take(1), { name: 'TimeoutError' }, 'there is one again, not two')
})
