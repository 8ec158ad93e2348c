import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { setEnvironment, startMoto } from '../../support/moto.ts'
import { startIfThere } from '../../support/real-server.ts'
import { createTestStack, resourceNamed, resourceOf, resourcesOf } from '../../support/stack.ts'

/*
 * The rules of the template in an EventBridge that applies them, with events as AWS's services and our functions send them.
 * moto takes from anybody the sources that EventBridge takes from AWS alone.
 */

interface Event {
  readonly source: string
  readonly 'detail-type': string
  readonly detail: object
  readonly resources?: readonly string[]
}

const onDefaultBus = 'default'
const onOwnBus = 'tokenwell-test'

test('a change of an element of this stage reaches the queue, whatever was done to it', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  for (const operation of ['Create', 'Update', 'Delete'])
    await ground.assertHeard(onDefaultBus, parameterChange('/tokenwell/test/jwtBuilder/b', operation))
})

test('a change of what is no element of this stage does not', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  for (const name of ['/tokenwell/other/jwtBuilder/b', '/tokenwell/test2/jwtBuilder/b', '/test/jwtBuilder/b', 'b'])
    await ground.assertUnheard(onDefaultBus, parameterChange(name, 'Update'))
  await ground.assertUnheard(onDefaultBus, parameterChange('/tokenwell/test/jwtBuilder/b', 'LabelParameterVersion'))
  await ground.assertUnheard(onDefaultBus, {
    ...parameterChange('/tokenwell/test/jwtBuilder/b', 'Update'),
    'detail-type': 'Parameter Store Policy Action',
  })
})

test('a new current version of a secret of this stage reaches the queue', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  await ground.assertHeard(onDefaultBus, labelChange('tokenwell/test/k', 'AWSCURRENT'))
  await ground.assertHeard(onDefaultBus, labelChange('tokenwell/test/cache', 'AWSCURRENT'))
})

test('another label, another prefix, and what is told of secrets otherwise do not', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  await ground.assertUnheard(onDefaultBus, labelChange('tokenwell/test/k', 'mine'))
  for (const name of ['tokenwell/other/k', 'tokenwell/test2/k', 'other/tokenwell/test/k', 'k'])
    await ground.assertUnheard(onDefaultBus, labelChange(name, 'AWSCURRENT'))
  await ground.assertUnheard(onDefaultBus, {
    ...labelChange('tokenwell/test/k', 'AWSCURRENT'),
    'detail-type': 'AWS API Call via CloudTrail',
  })
})

test('of what is said on the own bus, that which asks for something reaches the queue, whoever says it', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  for (const event of [
    { 'detail-type': 'TokenRefreshRequested', detail: { connection: 'orders', tokenId: 'the-id' } },
    { 'detail-type': 'TokenRejected', detail: { connection: 'orders', tokenId: 'the-id' } },
    { 'detail-type': 'ConnectionChanged', detail: { connection: 'orders' } },
    { 'detail-type': 'ClearTokenCache', detail: { connection: 'orders' } },
    { 'detail-type': 'ClearTokenCache', detail: {} },
    { 'detail-type': 'ReconcileElements', detail: {} },
  ])
    for (const source of ['tokenwell-test', 'operator']) await ground.assertHeard(onOwnBus, { source, ...event })
})

test('what is said for others, unknown, or on the wrong bus does not', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const source = 'tokenwell-test'
  for (const type of ['TokenRefreshed', 'TokenRefreshFailed', 'ConnectionRefused', 'Unknown', 'tokenrejected'])
    await ground.assertUnheard(onOwnBus, { source, 'detail-type': type, detail: { connection: 'orders' } })
  await ground.assertUnheard(onDefaultBus, { source, 'detail-type': 'ClearTokenCache', detail: {} })
  await ground.assertUnheard(onOwnBus, parameterChange('/tokenwell/test/jwtBuilder/b', 'Update'))
  await ground.assertUnheard(onOwnBus, labelChange('tokenwell/test/k', 'AWSCURRENT'))
})

test('once an hour the queue gets the same that an operator may ask for', (t) => {
  const { stack } = createTestStack(t)
  const { Properties } = resourceNamed(stack, 'AWS::Events::Rule', 'TokensRulesReconciliation')
  const { Targets: targets, Description, ...rule } = Properties as { Targets: Target[]; Description: string }
  assert.deepEqual(rule, { ScheduleExpression: 'rate(1 hour)', State: 'ENABLED' })
  assert.deepEqual(
    targets.map(({ Input }) => JSON.parse(String(Input))),
    [{ source: 'tokenwell-test', 'detail-type': 'ReconcileElements', detail: {} }],
  )
})

test('every rule brings it to the queue for an hour, and then to the dead letters', (t) => {
  const rules = Object.values(resourcesOf(createTestStack(t).stack, 'AWS::Events::Rule'))
  assert.equal(rules.length, 4)
  for (const { Properties } of rules) {
    assert.equal(Properties['State'], 'ENABLED')
    const [{ Id, Input, ...target }, ...more] = Properties['Targets'] as [Target, ...Target[]]
    assert.deepEqual(more, [])
    assert.ok('EventPattern' in Properties ? Input === undefined : Input, 'the event as it is')
    assert.deepEqual(target, {
      Arn: 'TokensRefreshesQueue.Arn',
      DeadLetterConfig: { Arn: 'TokensRefreshesDeadLetters.Arn' },
      RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 185 },
    })
  }
})

function parameterChange(name: string, operation: string): Event {
  return {
    source: 'aws.ssm',
    'detail-type': 'Parameter Store Change',
    resources: [`arn:aws:ssm:eu-central-1:123456789012:parameter${name}`],
    detail: { operation, name, type: 'String' },
  }
}

function labelChange(name: string, labelUpdated: string): Event {
  return {
    source: 'aws.secretsmanager',
    'detail-type': 'Secret Label Updated',
    resources: [`arn:aws:secretsmanager:eu-central-1:123456789012:secret:${name}-a1b2c3`],
    detail: { name, labelUpdated, versionId: 'a1b2c3d4-5678-90ab-cdef-EXAMPLE11111' },
  }
}

interface Target {
  readonly Id: string
  readonly Arn: string
  readonly Input?: string
}

async function startGround(t: TestContext) {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  setEnvironment(t, moto.environment)
  const [eventBridge, sqs] = [new EventBridgeClient(), new SQSClient()]
  t.after(() => {
    eventBridge.destroy()
    sqs.destroy()
  })
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'refresh-token' }))
  const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] })
  const { Attributes } = await sqs.send(asked)
  await createRules(t, eventBridge, Attributes?.['QueueArn'] ?? '')

  async function whatComesOf(bus: string, { source, detail, resources = [], ...event }: Event): Promise<unknown[]> {
    const Detail = JSON.stringify(detail)
    const entry = { EventBusName: bus, Source: source, DetailType: event['detail-type'], Detail }
    const put = new PutEventsCommand({ Entries: [{ ...entry, Resources: [...resources] }] })
    const { FailedEntryCount } = await eventBridge.send(put)
    assert.equal(FailedEntryCount, 0)
    return takeAll(sqs, QueueUrl)
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
    },
    async assertUnheard(bus: string, event: Event) {
      assert.deepEqual(await whatComesOf(bus, event), [])
    },
  }
}

/** Those that have a pattern: moto lets every event pass a rule that has none. */
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

async function takeAll(sqs: SQSClient, QueueUrl: string): Promise<unknown[]> {
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
  for (const { ReceiptHandle } of Messages) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
  return Messages.map(({ Body = '' }) => JSON.parse(Body))
}
