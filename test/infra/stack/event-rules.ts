import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import { serviceName } from '../../../lib/configuration/deployment.ts'
import { readIncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { setEnvironment } from '../../support/process/this-process.ts'
import { startMoto } from '../../support/servers/moto.ts'
import { createQueue } from '../../support/servers/moto-queue.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { createTestStack, resourceOf, resourcesOf } from './test-stack.ts'

export interface Event {
  readonly source: string
  readonly 'detail-type': string
  readonly detail: object
  readonly resources?: readonly string[]
}

export interface Target {
  readonly Id: string
  readonly Arn: string
  readonly Input?: string
}

const stage = 'test'
export const onDefaultBus = 'default'
export const onOwnBus = serviceName(stage)

/** The rules of the stack's template in moto's EventBridge, and the queue that they send events to. */
export async function startEventRules(t: TestContext) {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  setEnvironment(t, moto.environment)
  const eventBridge = new EventBridgeClient()
  t.after(() => eventBridge.destroy())
  const queue = await createQueue(t, moto)
  await createRules(t, eventBridge, queue.arn)

  async function whatComesOf(bus: string, { source, detail, resources = [], ...event }: Event): Promise<unknown[]> {
    const Detail = JSON.stringify(detail)
    const entry = { EventBusName: bus, Source: source, DetailType: event['detail-type'], Detail }
    const put = new PutEventsCommand({ Entries: [{ ...entry, Resources: [...resources] }] })
    const { FailedEntryCount } = await eventBridge.send(put)
    assert.equal(FailedEntryCount, 0)
    return (await queue.receive()).map(({ body }) => JSON.parse(body))
  }

  return {
    async assertHeard(bus: string, event: Event) {
      const [message, ...more] = await whatComesOf(bus, event)
      const { source, 'detail-type': type, detail } = (message ?? {}) as Partial<Event>
      assert.deepEqual(
        { source, type, detail },
        { source: event.source, type: event['detail-type'], detail: event.detail },
      )
      assert.deepEqual(more, [], 'once')
      assert.notEqual(readIncomingEvent(message, stage).type, 'Ignored', 'the function takes it for its own')
    },
    async assertUnheard(bus: string, event: Event) {
      assert.deepEqual(await whatComesOf(bus, event), [])
    },
  }
}

/** The rules that have a pattern. moto matches every event with a rule that has none. */
async function createRules(t: TestContext, eventBridge: EventBridgeClient, queueArn: string): Promise<void> {
  const { stack } = createTestStack(t)
  const busName = String(resourceOf(stack, 'AWS::Events::EventBus').Properties['Name'])
  assert.equal(busName, onOwnBus)
  await eventBridge.send(new CreateEventBusCommand({ Name: busName }))
  const rules = Object.entries(resourcesOf(stack, 'AWS::Events::Rule')).filter(([, { Properties }]) => {
    return 'EventPattern' in Properties
  })
  for (const [Name, { Properties }] of rules) {
    const { EventPattern, EventBusName, Targets } = Properties as {
      EventPattern: object
      EventBusName?: string
      Targets: Target[]
    }
    const bus = EventBusName === undefined ? {} : { EventBusName: busName }
    assert.ok(EventBusName === undefined || EventBusName === 'TokensEvents')
    await eventBridge.send(new PutRuleCommand({ Name, EventPattern: JSON.stringify(EventPattern), ...bus }))
    const targets = Targets.map(({ Id, Arn }) => {
      assert.equal(Arn, 'TokensRefreshesQueue.Arn')
      return { Id, Arn: queueArn }
    })
    await eventBridge.send(new PutTargetsCommand({ Rule: Name, Targets: targets, ...bus }))
  }
}
