import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { eventChannel, publishedBus } from '../../../../lib/adapters/process/published-bus.ts'
import type { TokenwellEvent } from '../../../../lib/events/event-bus.ts'
import { EventBusError } from '../../../../lib/events/event-bus.ts'

const events: TokenwellEvent[] = [
  { type: 'ConnectionChanged', connection: 'one' },
  { type: 'ConnectionChanged', connection: 'two' },
]

test('each event is told to whoever listens in this process, in its turn', async (t) => {
  const heard: unknown[] = []
  const listener = (event: unknown) => heard.push(event)
  channel('tokenwell:event').subscribe(listener)
  t.after(() => channel('tokenwell:event').unsubscribe(listener))

  await publishedBus().raise(events)
  assert.equal(eventChannel, 'tokenwell:event')
  assert.deepEqual(heard, events)
})

test('where nobody listens the event is not taken, and whoever raised it knows', async () => {
  await assert.rejects(publishedBus().raise(events), (error) => error instanceof EventBusError)
  await publishedBus().raise([])
})
