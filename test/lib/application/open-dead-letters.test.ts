import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDeadLetters } from '../../../lib/application/open-dead-letters.ts'
import { DeadLettersError } from '../../../lib/events/dead-letters.ts'
import { setEnvironment } from '../../support/process/this-process.ts'
import { startMoto } from '../../support/servers/moto.ts'
import { createQueue } from '../../support/servers/moto-queue.ts'
import { startIfThere } from '../../support/servers/real-server.ts'

const letter = { body: 'some body', reason: 'some reason', code: 'some_code' }

test('without a dead-letter queue a letter is refused, so that the message stays in its own queue', async () => {
  await assert.rejects(openDeadLetters({ kind: 'none' }).add(letter), (error) => {
    assert.ok(error instanceof DeadLettersError)
    assert.equal(
      error.message,
      'No dead-letter queue is configured, so the message stays in its queue. Set TOKENWELL_DEAD_LETTERS.',
    )
    return true
  })
})

test('a letter is sent to the queue with that URL', async (t) => {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return
  setEnvironment(t, moto.environment)
  const queue = await createQueue(t, moto)
  await openDeadLetters({ kind: 'sqs', queueUrl: queue.url }).add(letter)
  const { body, ...attributes } = letter
  assert.deepEqual(await queue.receive(), [{ body, attributes }])
})
