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

test('listeners in this process get each event in order', async (t) => {
  const heard: unknown[] = []
  const listener = (event: unknown) => heard.push(event)
  channel('tokenwell:event').subscribe(listener)
  t.after(() => channel('tokenwell:event').unsubscribe(listener))

  await publishedBus().raise(events)
  assert.equal(eventChannel, 'tokenwell:event')
  assert.deepEqual(heard, events)
})

test('without a listener, raising an event is an error', async () => {
  await assert.rejects(publishedBus().raise(events), (error) => error instanceof EventBusError)
  await publishedBus().raise([])
})
