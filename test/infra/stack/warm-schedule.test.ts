import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestStack, resourceNamed, resourceOf } from './test-stack.ts'

test('warm-tokens runs every minute, and a failed run is not repeated', (t) => {
  const { stack } = createTestStack(t)
  const { Description, ...schedule } = resourceOf(stack, 'AWS::Scheduler::Schedule').Properties
  const once = { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 }
  assert.deepEqual(schedule, {
    FlexibleTimeWindow: { Mode: 'OFF' },
    GroupName: 'tokenwell-test',
    ScheduleExpression: 'rate(1 minute)',
    ScheduleExpressionTimezone: 'Etc/UTC',
    State: 'ENABLED',
    Target: {
      Arn: 'TokensWarmTokensLive',
      RetryPolicy: once,
      RoleArn: 'TokensWarmScheduleRole.Arn',
    },
  })
  assert.deepEqual(resourceOf(stack, 'AWS::Lambda::EventInvokeConfig').Properties, {
    FunctionName: 'TokensWarmTokensFunction',
    Qualifier: 'TokensWarmTokensLive',
    ...once,
  })
})

test('a run ends before the next one begins', (t) => {
  const { Properties } = resourceNamed(createTestStack(t).stack, 'AWS::Lambda::Function', 'TokensWarmTokensFunction')
  assert.ok(Number(Properties['Timeout']) < 60)
})

test("the schedule's group is deleted with the stack, so that the same stage can be deployed again", (t) => {
  const { Properties, DeletionPolicy } = resourceOf(createTestStack(t).stack, 'AWS::Scheduler::ScheduleGroup')
  assert.deepEqual([Properties, DeletionPolicy], [{ Name: 'tokenwell-test' }, 'Delete'])
})
