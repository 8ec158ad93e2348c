import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { logChannel, publishedLog } from '../../../../lib/adapters/log/powertools.ts'
import type { LogEvent } from '../../../../lib/log/log-event.ts'

test('an event is taken down, and published to whoever listens', (t) => {
  const [taken, heard]: [LogEvent[], unknown[]] = [[], []]
  const listener = (event: unknown) => heard.push(event)
  channel('tokenwell:log').subscribe(listener)
  t.after(() => channel('tokenwell:log').unsubscribe(listener))

  const event: LogEvent = { event: 'connection_resolved', connection: 'conn', milliseconds: 1 }
  publishedLog((each) => taken.push(each))(event)
  assert.equal(logChannel, 'tokenwell:log')
  assert.deepEqual(taken, [event])
  assert.deepEqual(heard, [event])
})
