import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { type MetricName, metricNamespace, metricUnits } from '../../../lib/log/metric.ts'
import { createTestStack, resourceOf, resourcesOf } from './test-stack.ts'

const own = (name: MetricName) => `Sum ${metricNamespace} ${name} service=tokenwell-test`
const ofFunction = (id: string, name: string) => `Sum AWS/Lambda ${name} FunctionName=Tokens${id}Function`
const ofQueue = (id: string, name: string) => `Maximum AWS/SQS ${name} QueueName=TokensRefreshes${id}.QueueName`
const expected = {
  TokensAlarmsTokenRequestsRefused: [own('TokenRequestsRefused'), '>= 1 in 1'],
  TokensAlarmsTokenRequestsFailed: [own('TokenRequestsFailed'), '>= 5 in 1'],
  TokensAlarmsApiCallsFailed: [own('ApiCallsFailed'), '>= 5 in 1'],
  TokensAlarmsCacheBudgetExceeded: [own('CacheBudgetExceeded'), '>= 3 in 2'],
  TokensAlarmsRecordsNotAuthentic: [own('RecordsNotAuthentic'), '>= 1 in 1'],
  TokensAlarmsRecordsNotTaken: [own('RecordsNotTaken'), '>= 1 in 1'],
  TokensAlarmsReloadsFailed: [own('ReloadsFailed'), '>= 1 in 2'],
  TokensAlarmsWarmRunsMissing: [own('WarmRunDuration').replace('Sum', 'SampleCount'), '< 1 in 1, and silence'],
  TokensAlarmsWarmRenewalsFailing: [own('WarmFailed'), '>= 1 in 3'],
  TokensAlarmsWarmWorkLeft: [own('WarmLeft'), '>= 1 in 3'],
  TokensAlarmsDeadLetters: [ofQueue('DeadLetters', 'ApproximateNumberOfMessagesVisible'), '>= 1 in 1'],
  TokensAlarmsEventsWaiting: [ofQueue('Queue', 'ApproximateAgeOfOldestMessage'), '>= 300 in 1'],
  TokensAlarmsSigningKeyOverdue: [own('SigningKeyOverdue').replace('Sum', 'Maximum'), '>= 1 in 1 of 7200 s'],
  TokensAlarmsRotationsFailed: [own('RotationsFailed'), '>= 1 in 1'],
  TokensAlarmsPublicationsRefused: [own('PublicationsRefused'), '>= 1 in 1'],
  TokensAlarmsPublicationsNotSigned: [own('PublicationAge').replace('Sum', 'Maximum'), '>= 10800 in 1 of 7200 s'],
  TokensAlarmsReconciliationsMissing: [own('Reconciliations'), '< 1 in 1 of 10800 s, and silence'],
  TokensAlarmsIssueTokenErrors: [ofFunction('IssueToken', 'Errors'), '>= 1 in 1'],
  TokensAlarmsIssueTokenThrottles: [ofFunction('IssueToken', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsCallApiErrors: [ofFunction('CallApi', 'Errors'), '>= 1 in 1'],
  TokensAlarmsCallApiThrottles: [ofFunction('CallApi', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsWarmTokensErrors: [ofFunction('WarmTokens', 'Errors'), '>= 1 in 1'],
  TokensAlarmsWarmTokensThrottles: [ofFunction('WarmTokens', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsRefreshTokenErrors: [ofFunction('RefreshToken', 'Errors'), '>= 1 in 1'],
  TokensAlarmsRefreshTokenThrottles: [ofFunction('RefreshToken', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsPublishKeysErrors: [ofFunction('PublishKeys', 'Errors'), '>= 1 in 1'],
  TokensAlarmsPublishKeysThrottles: [ofFunction('PublishKeys', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsRotateKeyErrors: [ofFunction('RotateKey', 'Errors'), '>= 1 in 1'],
  TokensAlarmsRotateKeyThrottles: [ofFunction('RotateKey', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsApiServerErrors: ['Sum AWS/ApiGateway 5xx ApiId=TokensHttpApi', '>= 5 in 1'],
}
const comparisons: Readonly<Record<string, string>> = {
  'GreaterThanOrEqualToThreshold notBreaching': '>=',
  'LessThanThreshold breaching': '<',
}

test('there is an alarm for each condition that needs an operator, on the metrics that the functions write', (t) => {
  const alarms = resourcesOf(createTestStack(t).stack, 'AWS::CloudWatch::Alarm')
  const found = Object.entries(alarms).map(([id, { Properties }]) => {
    const { Namespace, MetricName, Dimensions, Threshold, EvaluationPeriods, Statistic, Period } = Properties
    // A lack of calls causes no alarm. A lack of runs does only if something should always run.
    const comparison = comparisons[`${Properties['ComparisonOperator']} ${Properties['TreatMissingData']}`]
    const dimensions = (Dimensions as { Name: string; Value: string }[]).map(({ Name, Value }) => `${Name}=${Value}`)
    const periods = `${EvaluationPeriods}${Period === 300 ? '' : ` of ${Period} s`}`
    const when = `${comparison} ${Threshold} in ${periods}${comparison === '<' ? ', and silence' : ''}`
    return [id, [`${Statistic} ${Namespace} ${MetricName} ${dimensions}`, when]]
  })
  assert.deepEqual(Object.fromEntries(found), expected)
})

test('each alarm notifies the topic', (t) => {
  const { stack } = createTestStack(t, (elsewhere) => ({ alarms: new Topic(elsewhere, 'Topic') }))
  const alarms = Object.values(resourcesOf(stack, 'AWS::CloudWatch::Alarm'))
  assert.equal(alarms.length, Object.keys(expected).length)
  for (const { Properties } of alarms) assert.deepEqual(Properties['AlarmActions'], ['Elsewhere:ExportsOutputRefTopic'])
})

test('alarms can be left out, and the dashboard is still created', (t) => {
  const { stack } = createTestStack(t, { alarms: false })
  assert.deepEqual(resourcesOf(stack, 'AWS::CloudWatch::Alarm'), {})
  assert.ok(resourceOf(stack, 'AWS::CloudWatch::Dashboard'))
})

test('the dashboard shows exactly the metrics that the functions write', (t) => {
  const { Properties } = resourceOf(createTestStack(t).stack, 'AWS::CloudWatch::Dashboard')
  assert.equal(Properties['DashboardName'], 'tokenwell-test-eu-central-1')
  const { widgets } = JSON.parse(String(Properties['DashboardBody'])) as {
    widgets: { properties: { metrics: [string, string, ...unknown[]][] } }[]
  }
  const shown = widgets.flatMap(({ properties }) => properties.metrics).filter(([space]) => space === metricNamespace)
  assert.deepEqual(new Set(shown.map(([, name]) => name)), new Set(Object.keys(metricUnits)))
  for (const [, , ...dimensions] of shown) assert.deepEqual(dimensions.slice(0, 2), ['service', 'tokenwell-test'])
})
