import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { openEvents } from '../../../lib/application/open-adapters.ts'
import type { TokenwellEvent } from '../../../lib/events/event-bus.ts'
import { EventBusError } from '../../../lib/events/event-bus.ts'
import { setEnvironment } from '../../support/process/this-process.ts'
import { startAwsProxy } from '../../support/servers/aws-proxy.ts'

const event: TokenwellEvent = { type: 'ConnectionChanged', connection: 'conn' }

test('without a bus every event is refused, and an empty list does not fail', async () => {
  const bus = openEvents({ kind: 'none' }, 'test')
  await assert.rejects(bus.raise([event]), (error) => {
    assert.ok(error instanceof EventBusError)
    assert.equal(error.message, 'No event bus is configured, so the event was not sent. Set TOKENWELL_EVENTS.')
    return true
  })
  await bus.raise([])
})

test('an event on the bus of a process is received in that process', async (t) => {
  const heard: unknown[] = []
  const listener = (each: unknown) => heard.push(each)
  channel('tokenwell:event').subscribe(listener)
  t.after(() => channel('tokenwell:event').unsubscribe(listener))
  await openEvents({ kind: 'process' }, 'test').raise([event])
  assert.deepEqual(heard, [event])
})

test('events go to the EventBridge bus of that name, with the stage as their source', async (t) => {
  const proxy = await startAwsProxy(t, '')
  const [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY] = ['testing', 'testing']
  const environment = { AWS_ENDPOINT_URL: proxy.endpoint, AWS_REGION: 'eu-central-1' }
  setEnvironment(t, { ...environment, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY })
  proxy.answerAll({ status: 200, body: { FailedEntryCount: 0, Entries: [{ EventId: 'the-id' }] } })
  await openEvents({ kind: 'eventbridge', busName: 'the-bus' }, 'prod').raise([event])
  const detail = { Detail: '{"connection":"conn"}', DetailType: 'ConnectionChanged' }
  assert.deepEqual(
    proxy.requests.map(({ body }) => body),
    [{ Entries: [{ ...detail, EventBusName: 'the-bus', Source: 'tokenwell-prod' }] }],
  )
})
