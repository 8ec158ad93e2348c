import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { type MetricName, metricNamespace, metricUnits } from '../../../lib/log/metric.ts'
import { createTestStack, resourceOf, resourcesOf } from '../../support/stack.ts'

const own = (name: MetricName) => `${metricNamespace} ${name} service=tokenwell-test`
const expected = {
  TokensAlarmsTokenRequestsRefused: [own('TokenRequestsRefused'), '>= 1 in 1'],
  TokensAlarmsTokenRequestsFailed: [own('TokenRequestsFailed'), '>= 5 in 1'],
  TokensAlarmsCacheBudgetExceeded: [own('CacheBudgetExceeded'), '>= 3 in 2'],
  TokensAlarmsReloadsFailed: [own('ReloadsFailed'), '>= 1 in 2'],
  TokensAlarmsFunctionErrors: ['AWS/Lambda Errors FunctionName=TokensIssueTokenFunction', '>= 1 in 1'],
  TokensAlarmsFunctionThrottles: ['AWS/Lambda Throttles FunctionName=TokensIssueTokenFunction', '>= 1 in 1'],
  TokensAlarmsApiServerErrors: ['AWS/ApiGateway 5xx ApiId=TokensHttpApi', '>= 5 in 1'],
}

test('there is an alarm for what somebody should look at, by the names under which the functions count', (t) => {
  const alarms = resourcesOf(createTestStack(t).stack, 'AWS::CloudWatch::Alarm')
  const found = Object.entries(alarms).map(([id, { Properties }]) => {
    const { Namespace, MetricName, Dimensions, ComparisonOperator, Threshold, EvaluationPeriods } = Properties
    assert.equal(ComparisonOperator, 'GreaterThanOrEqualToThreshold')
    assert.deepEqual([Properties['Statistic'], Properties['Period']], ['Sum', 300])
    assert.equal(Properties['TreatMissingData'], 'notBreaching', 'nobody calling is no alarm')
    const dimensions = (Dimensions as { Name: string; Value: string }[]).map(({ Name, Value }) => `${Name}=${Value}`)
    return [id, [`${Namespace} ${MetricName} ${dimensions}`, `>= ${Threshold} in ${EvaluationPeriods}`]]
  })
  assert.deepEqual(Object.fromEntries(found), expected)
})

test('a topic is told of each alarm', (t) => {
  const { stack } = createTestStack(t, (elsewhere) => ({ alarms: new Topic(elsewhere, 'Topic') }))
  const alarms = Object.values(resourcesOf(stack, 'AWS::CloudWatch::Alarm'))
  assert.equal(alarms.length, Object.keys(expected).length)
  for (const { Properties } of alarms) assert.deepEqual(Properties['AlarmActions'], ['Elsewhere:ExportsOutputRefTopic'])
})

test('alarms can be left out, and the dashboard stays', (t) => {
  const { stack } = createTestStack(t, { alarms: false })
  assert.deepEqual(resourcesOf(stack, 'AWS::CloudWatch::Alarm'), {})
  assert.ok(resourceOf(stack, 'AWS::CloudWatch::Dashboard'))
})

test('the dashboard shows everything that the functions count, and nothing that they do not', (t) => {
  const { Properties } = resourceOf(createTestStack(t).stack, 'AWS::CloudWatch::Dashboard')
  assert.equal(Properties['DashboardName'], 'tokenwell-test-eu-central-1')
  const { widgets } = JSON.parse(String(Properties['DashboardBody'])) as {
    widgets: { properties: { metrics: [string, string, ...unknown[]][] } }[]
  }
  const shown = widgets.flatMap(({ properties }) => properties.metrics).filter(([space]) => space === metricNamespace)
  assert.deepEqual(new Set(shown.map(([, name]) => name)), new Set(Object.keys(metricUnits)))
  for (const [, , ...dimensions] of shown) assert.deepEqual(dimensions.slice(0, 2), ['service', 'tokenwell-test'])
})
