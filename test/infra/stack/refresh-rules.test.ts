import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deployedDescription } from '../../../lib/configuration/deployment.ts'
import { type Event, onDefaultBus, onOwnBus, startEventRules, type Target } from './event-rules.ts'
import { createTestStack, resourceNamed, resourcesOf } from './test-stack.ts'

/*
 * The rules of the template in an EventBridge that applies them, with events as AWS services and Tokenwell's functions send them.
 * moto accepts the sources of AWS from each sender; EventBridge accepts them from AWS alone.
 */

test('each change of an element of this stage reaches the queue', async (t) => {
  const ground = await startEventRules(t)
  if (!ground) return
  for (const operation of ['Create', 'Update', 'Delete'])
    await ground.assertHeard(onDefaultBus, parameterChange('/tokenwell/test/jwtBuilder/b', operation))
})

test('the elements that a deployment writes do not reach the queue one by one, and changes by hand do', async (t) => {
  const ground = await startEventRules(t)
  if (!ground) return
  const change = (description: string): Event => {
    const event = parameterChange('/tokenwell/test/jwtBuilder/b', 'Update')
    return { ...event, detail: { ...event.detail, description } }
  }
  await ground.assertUnheard(onDefaultBus, change(deployedDescription))
  await ground.assertHeard(onDefaultBus, change('by hand'))
})

test('a change of a parameter of another stage, or of a label or policy, does not reach the queue', async (t) => {
  const ground = await startEventRules(t)
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
  const ground = await startEventRules(t)
  if (!ground) return
  await ground.assertHeard(onDefaultBus, labelChange('tokenwell/test/k', 'AWSCURRENT'))
  await ground.assertHeard(onDefaultBus, labelChange('tokenwell/test/cache', 'AWSCURRENT'))
})

test('another label, another prefix and another event of a secret do not reach the queue', async (t) => {
  const ground = await startEventRules(t)
  if (!ground) return
  await ground.assertUnheard(onDefaultBus, labelChange('tokenwell/test/k', 'mine'))
  for (const name of ['tokenwell/other/k', 'tokenwell/test2/k', 'other/tokenwell/test/k', 'k'])
    await ground.assertUnheard(onDefaultBus, labelChange(name, 'AWSCURRENT'))
  await ground.assertUnheard(onDefaultBus, {
    ...labelChange('tokenwell/test/k', 'AWSCURRENT'),
    'detail-type': 'AWS API Call via CloudTrail',
  })
})

test("each request on the stage's bus reaches the queue, from functions and from operators", async (t) => {
  const ground = await startEventRules(t)
  if (!ground) return
  for (const event of [
    { 'detail-type': 'TokenRefreshRequested', detail: { connection: 'orders', tokenId: 'x'.repeat(22) } },
    { 'detail-type': 'TokenRejected', detail: { connection: 'orders', tokenId: 'x'.repeat(22) } },
    { 'detail-type': 'ConnectionChanged', detail: { connection: 'orders' } },
    { 'detail-type': 'ClearTokenCache', detail: { connection: 'orders' } },
    { 'detail-type': 'ClearTokenCache', detail: {} },
    { 'detail-type': 'RevokeKey', detail: { jwtBuilder: 'myBuilder', kid: 'theKey' } },
    { 'detail-type': 'ReconcileElements', detail: {} },
  ])
    for (const source of ['tokenwell-test', 'operator']) await ground.assertHeard(onOwnBus, { source, ...event })
})

test('each event that infra/operations.md tells operators to put on the bus reaches the queue', async (t) => {
  const ground = await startEventRules(t)
  if (!ground) return
  const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'infra', 'operations.md'), 'utf8')
  const commands = [...page.matchAll(/^aws events put-events --entries '(.*)'$/gm)].map(([, entries = '']) => entries)
  assert.equal(commands.length, 4)
  for (const command of commands) {
    const [{ EventBusName, Source, DetailType, Detail }] = JSON.parse(command)
    assert.equal(EventBusName, 'tokenwell-prod')
    await ground.assertHeard(onOwnBus, { source: Source, 'detail-type': DetailType, detail: JSON.parse(Detail) })
  }
})

test('reports, unknown events and events on the wrong bus do not reach the queue', async (t) => {
  const ground = await startEventRules(t)
  if (!ground) return
  const source = 'tokenwell-test'
  for (const type of ['TokenRefreshed', 'TokenRefreshFailed', 'ConnectionRefused', 'Unknown', 'tokenrejected'])
    await ground.assertUnheard(onOwnBus, { source, 'detail-type': type, detail: { connection: 'orders' } })
  await ground.assertUnheard(onDefaultBus, { source, 'detail-type': 'ClearTokenCache', detail: {} })
  await ground.assertUnheard(onOwnBus, parameterChange('/tokenwell/test/jwtBuilder/b', 'Update'))
  await ground.assertUnheard(onOwnBus, labelChange('tokenwell/test/k', 'AWSCURRENT'))
})

test("once an hour the queue gets the event ReconcileElements in the form of an operator's event", (t) => {
  const { stack } = createTestStack(t)
  const { Properties } = resourceNamed(stack, 'AWS::Events::Rule', 'TokensRulesReconciliation')
  const { Targets: targets, Description, ...rule } = Properties as { Targets: Target[]; Description: string }
  assert.deepEqual(rule, { ScheduleExpression: 'rate(1 hour)', State: 'ENABLED' })
  assert.deepEqual(
    targets.map(({ Input }) => JSON.parse(String(Input))),
    [{ source: 'tokenwell-test', 'detail-type': 'ReconcileElements', detail: {} }],
  )
})

test('each rule tries for an hour to deliver an event, and then sends it to the dead-letter queue', (t) => {
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
