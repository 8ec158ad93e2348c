import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maximumDeliveries } from '../../../lib/events/dead-letters.ts'
import { createTestStack, everyProperty, resourceNamed, resourceOf, resourcesOf } from './test-stack.ts'

const day = 86_400

test('events are kept for four days and redelivered after six minutes, dead letters are kept for two weeks, and both are encrypted', (t) => {
  const queues = resourcesOf(createTestStack(t, everyProperty).stack, 'AWS::SQS::Queue')
  const found = Object.entries(queues).map(([id, { Properties }]) => [id, Properties])
  assert.deepEqual(Object.fromEntries(found), {
    TokensRefreshesQueue: {
      MessageRetentionPeriod: 4 * day,
      VisibilityTimeout: 360,
      RedrivePolicy: { deadLetterTargetArn: 'TokensRefreshesDeadLetters.Arn', maxReceiveCount: 5 },
      SqsManagedSseEnabled: true,
    },
    TokensRefreshesDeadLetters: { MessageRetentionPeriod: 14 * day, SqsManagedSseEnabled: true },
  })
})

test('the function moves a message to the dead-letter queue with its reason before SQS would move it without one', (t) => {
  const { Properties } = resourceNamed(createTestStack(t).stack, 'AWS::SQS::Queue', 'TokensRefreshesQueue')
  const { maxReceiveCount } = Properties['RedrivePolicy'] as { maxReceiveCount: number }
  assert.ok(maxReceiveCount > maximumDeliveries)
})

test('a message is redelivered after six times the time-out of the function, as AWS recommends for runs that Lambda throttles', (t) => {
  const { stack } = createTestStack(t)
  const { Timeout } = resourceNamed(stack, 'AWS::Lambda::Function', 'TokensRefreshTokenFunction').Properties
  const queue = resourceNamed(stack, 'AWS::SQS::Queue', 'TokensRefreshesQueue').Properties
  assert.equal(queue['VisibilityTimeout'], 6 * Number(Timeout))
})

test('refresh-token gets batches of ten, at most ten at a time, and reports the failed messages', (t) => {
  assert.deepEqual(resourceOf(createTestStack(t).stack, 'AWS::Lambda::EventSourceMapping').Properties, {
    BatchSize: 10,
    EventSourceArn: 'TokensRefreshesQueue.Arn',
    FunctionName: 'TokensRefreshTokenLive:_live',
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    ScalingConfig: { MaximumConcurrency: 10 },
  })
})
