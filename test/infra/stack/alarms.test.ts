import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Topic } from 'aws-cdk-lib/aws-sns'
import type { AlarmSettings } from '../../../infra/stack/alarms.ts'
import { type MetricName, metricNamespace, metricUnits } from '../../../lib/log/metric.ts'
import { createTestStack, resourceOf, resourcesOf } from './test-stack.ts'

const own = (name: MetricName) => `Sum ${metricNamespace} ${name} service=tokenwell-test`
const numberOf = (name: MetricName) => own(name).replace('Sum', 'SampleCount')
const ofFunction = (id: string, name: string) => `Sum AWS/Lambda ${name} FunctionName=Tokens${id}Function`
const ofQueue = (id: string, name: string) => `Maximum AWS/SQS ${name} QueueName=TokensRefreshes${id}.QueueName`
const ofApi = (name: string) => `Sum AWS/ApiGateway ${name} ApiId=TokensHttpApi`
const ofRequests = [own('TokenRequestsRefused'), own('TokenRequestsFailed'), numberOf('TokenRequestDuration')]
const expected = {
  TokensAlarmsTokenRequestsRefused: [...ofRequests, '>= 1 % and at least 1 in 1'],
  TokensAlarmsTokenRequestsFailed: [ofRequests[1], ofRequests[0], ofRequests[2], '>= 1 % and at least 5 in 1'],
  TokensAlarmsApiCallsFailed: [own('ApiCallsFailed'), numberOf('ApiCallDuration'), '>= 1 % and at least 5 in 1'],
  TokensAlarmsApiHostsRefused: [own('ApiHostsRefused'), '>= 1 in 1'],
  TokensAlarmsTokenEndpointsRefused: [own('TokenEndpointsRefused'), '>= 1 in 1'],
  TokensAlarmsCacheBudgetExceeded: [
    own('CacheBudgetExceeded'),
    own('TokensFromCache'),
    own('TokensFromServer'),
    '>= 1 % and at least 3 in 2',
  ],
  TokensAlarmsRecordsNotAuthentic: [own('RecordsNotAuthentic'), '>= 1 in 1'],
  TokensAlarmsRecordsNotTaken: [own('RecordsNotTaken'), '>= 1 in 1'],
  TokensAlarmsReloadsFailed: [own('ReloadsFailed'), '>= 1 in 2'],
  TokensAlarmsWarmRunsMissing: [numberOf('WarmRunDuration'), '< 1 in 1, and silence'],
  TokensAlarmsWarmRenewalsFailing: [own('WarmFailed'), '>= 1 in 3'],
  TokensAlarmsWarmWorkLeft: [own('WarmLeft'), '>= 1 in 3'],
  TokensAlarmsDeadLetters: [ofQueue('DeadLetters', 'ApproximateNumberOfMessagesVisible'), '>= 1 in 1'],
  TokensAlarmsEventsWaiting: [ofQueue('Queue', 'ApproximateAgeOfOldestMessage'), '>= 900 in 1'],
  TokensAlarmsSigningKeyOverdue: [own('SigningKeyOverdue').replace('Sum', 'Maximum'), '>= 1 in 1 of 7200 s'],
  TokensAlarmsRotationsFailed: [own('RotationsFailed'), '>= 1 in 1'],
  TokensAlarmsSecretExpiresSoon: [
    own('SecretExpiresInDays').replace('Sum', 'Minimum'),
    '< 30 in 1 of 7200 s, if there is a value',
  ],
  TokensAlarmsSecretExpired: [
    own('SecretExpiresInDays').replace('Sum', 'Minimum'),
    '< 0 in 1 of 7200 s, if there is a value',
  ],
  TokensAlarmsPublicationsRefused: [own('PublicationsRefused'), '>= 1 in 1'],
  TokensAlarmsPublicationsNotSigned: [own('PublicationAge').replace('Sum', 'Maximum'), '>= 10800 in 1 of 7200 s'],
  TokensAlarmsReconciliationsMissing: [own('Reconciliations'), '< 1 in 1 of 10800 s, and silence'],
  ...shareOfRuns('IssueToken'),
  ...shareOfRuns('CallApi'),
  TokensAlarmsWarmTokensErrors: [ofFunction('WarmTokens', 'Errors'), '>= 1 in 1'],
  TokensAlarmsWarmTokensThrottles: [ofFunction('WarmTokens', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsRefreshTokenErrors: [ofFunction('RefreshToken', 'Errors'), '>= 1 in 1'],
  TokensAlarmsRefreshTokenThrottles: [ofFunction('RefreshToken', 'Throttles'), '>= 1 in 1'],
  ...shareOfRuns('PublishKeys'),
  TokensAlarmsRotateKeyErrors: [ofFunction('RotateKey', 'Errors'), '>= 1 in 1'],
  TokensAlarmsRotateKeyThrottles: [ofFunction('RotateKey', 'Throttles'), '>= 1 in 1'],
  TokensAlarmsApiServerErrors: [ofApi('5xx'), ofApi('Count'), '>= 1 % and at least 5 in 1'],
}

function shareOfRuns(id: string) {
  const [errors, throttles, runs] = ['Errors', 'Throttles', 'Invocations'].map((name) => ofFunction(id, name))
  return {
    [`TokensAlarms${id}Errors`]: [errors, runs, '>= 1 % and at least 1 in 1'],
    [`TokensAlarms${id}Throttles`]: [throttles, runs, '>= 1 % and at least 1 in 1'],
  }
}

const comparisons: Readonly<Record<string, string>> = {
  'GreaterThanOrEqualToThreshold notBreaching': '>=',
  'LessThanThreshold breaching': '<',
  'LessThanThreshold notBreaching': '<',
}
const silences: Readonly<Record<string, string>> = {
  'LessThanThreshold breaching': ', and silence',
  'LessThanThreshold notBreaching': ', if there is a value',
}

test('there is an alarm for each condition that needs an operator, on the metrics that the functions write', (t) => {
  assert.deepEqual(Object.fromEntries(alarmsOf(t).map(({ id, metrics, when }) => [id, [...metrics, when]])), expected)
})

test('an alarm of a share goes off at one percent, but never because of fewer failures than its minimum', (t) => {
  const alarms = new Map(alarmsOf(t).map(({ id, share }) => [id.replace('TokensAlarms', ''), share]))
  const percent = (name: string, ...values: (number | undefined)[]) => alarms.get(name)?.(values)
  // Refused or failed token requests, the other ones, and those that brought a token.
  assert.equal(percent('TokenRequestsRefused', 1, 0, 99), 1)
  assert.equal(percent('TokenRequestsRefused', 1, undefined, undefined), 100, 'nothing but refusals')
  assert.equal(percent('TokenRequestsRefused', undefined, 3, 40), 0)
  assert.equal(percent('TokenRequestsFailed', 4, undefined, undefined), 0)
  assert.equal(percent('TokenRequestsFailed', 5, 5, 990), 0.5)
  assert.equal(percent('ApiCallsFailed', 5, undefined), 100)
  assert.equal(percent('ApiCallsFailed', 5, 495), 1)
  assert.equal(percent('CacheBudgetExceeded', 3, 100, 197), 1)
  assert.equal(percent('ApiServerErrors', 5, 10_000), 0.05)
  assert.equal(percent('IssueTokenErrors', 1, 4), 25)
  assert.equal(percent('IssueTokenThrottles', 7, undefined), 100, 'all runs are rejected')
  assert.equal(percent('CallApiThrottles', 1, 999), 0.1)
})

test('each alarm notifies the topic when it goes off and when it is over', (t) => {
  const { stack } = createTestStack(t, (elsewhere) => ({ alarms: new Topic(elsewhere, 'Topic') }))
  const alarms = Object.values(resourcesOf(stack, 'AWS::CloudWatch::Alarm'))
  assert.equal(alarms.length, Object.keys(expected).length)
  for (const { Properties } of alarms)
    for (const actions of ['AlarmActions', 'OKActions'])
      assert.deepEqual(Properties[actions], ['Elsewhere:ExportsOutputRefTopic'])
})

test('each alarm can be reached by its name, for an action of its own', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const names = Object.keys(tokenwell.alarms)
  assert.deepEqual(
    names.map((name) => `TokensAlarms${name.charAt(0).toUpperCase()}${name.slice(1)}`),
    Object.keys(expected),
  )
  tokenwell.alarms.deadLetters?.addAlarmAction({ bind: () => ({ alarmActionArn: 'arn:aws:sns:::pager' }) })
  const acting = Object.entries(resourcesOf(stack, 'AWS::CloudWatch::Alarm')).flatMap(([id, { Properties }]) =>
    Properties['AlarmActions'] === undefined ? [] : [[id, Properties['AlarmActions']]],
  )
  assert.deepEqual(acting, [['TokensAlarmsDeadLetters', ['arn:aws:sns:::pager']]])
})

test('a threshold, periods and a minimum are changed by the name of their alarm, and false leaves an alarm out', (t) => {
  const alarmSettings = {
    tokenRequestsFailed: { threshold: 5, minimum: 20 },
    issueTokenErrors: { periods: 3 },
    eventsWaiting: { threshold: 900, periods: 2 },
    publicationsNotSigned: { periods: 84 },
    secretExpiresSoon: { threshold: 60 },
    reloadsFailed: false,
  } as const
  const changed = new Map<string, string>(alarmsOf(t, { alarmSettings }).map(({ id, when }) => [id, when]))
  const others = Object.entries(expected).map(([id, [...line]]): [string, string] => [id, line.at(-1) ?? ''])
  const wanted = new Map(others)
    .set('TokensAlarmsTokenRequestsFailed', '>= 5 % and at least 20 in 1')
    .set('TokensAlarmsIssueTokenErrors', '>= 1 % and at least 1 in 3')
    .set('TokensAlarmsEventsWaiting', '>= 900 in 2')
    .set('TokensAlarmsPublicationsNotSigned', '>= 10800 in 84 of 7200 s')
    .set('TokensAlarmsSecretExpiresSoon', '< 60 in 1 of 7200 s, if there is a value')
  wanted.delete('TokensAlarmsReloadsFailed')
  assert.deepEqual(changed, wanted)
  assert.equal(createTestStack(t, { alarmSettings }).tokenwell.alarms.reloadsFailed, undefined)
})

test('a setting of an alarm that would have no effect is an error', (t) => {
  const refused = (alarmSettings: object, message: string) =>
    assert.throws(() => createTestStack(t, { alarmSettings }), { message })
  refused({ deadLetter: false }, 'alarmSettings: The alarm "deadLetter" does not exist. Did you mean deadLetters?')
  assert.throws(
    () => createTestStack(t, { alarmSettings: { all: false } as AlarmSettings }),
    /^Error: alarmSettings: The alarm "all" does not exist\. The alarms are tokenRequestsRefused, tokenRequestsFailed, /,
  )
  const ofDeadLetters = (settings: object, complaint: string) =>
    refused({ deadLetters: settings }, `alarmSettings.deadLetters: ${complaint}`)
  ofDeadLetters({ treshold: 2 }, 'The setting "treshold" does not exist. The settings are threshold, periods.')
  ofDeadLetters({ minimum: 2 }, 'The setting "minimum" does not exist. The settings are threshold, periods.')
  for (const threshold of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    ofDeadLetters({ threshold }, 'threshold must be a number above 0.')
  for (const periods of [0, 1.5, 289])
    ofDeadLetters({ periods }, 'periods must be an integer from 1 to 288, because CloudWatch looks back no further.')
  for (const threshold of [-1, Number.NaN])
    refused({ secretExpired: { threshold } }, 'alarmSettings.secretExpired: threshold must be 0 or a number above 0.')
  const ofShare = 'alarmSettings.apiServerErrors: '
  refused({ apiServerErrors: { threshold: 101 } }, `${ofShare}threshold is a percentage, so it must be at most 100.`)
  refused({ apiServerErrors: { minimum: 0 } }, `${ofShare}minimum must be an integer of at least 1.`)
  assert.throws(() => createTestStack(t, { alarms: false, alarmSettings: { deadLetters: false } }), {
    message: 'alarmSettings has no effect, because alarms is false. Leave out one of them.',
  })
})

test('alarms can be left out, and the dashboard is still created', (t) => {
  const { stack, tokenwell } = createTestStack(t, { alarms: false })
  assert.deepEqual(resourcesOf(stack, 'AWS::CloudWatch::Alarm'), {})
  assert.deepEqual(tokenwell.alarms, {})
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

interface FoundAlarm {
  readonly id: string
  /** Of a share: first the counted one. */
  readonly metrics: readonly string[]
  readonly when: string
  /** The percentage for values of these metrics, of an alarm of a share. */
  share(values: readonly (number | undefined)[]): number
}

function alarmsOf(t: TestContext, props: Parameters<typeof createTestStack>[1] = {}): FoundAlarm[] {
  const alarms = resourcesOf(createTestStack(t, props).stack, 'AWS::CloudWatch::Alarm')
  return Object.entries(alarms).map(([id, { Properties }]) => {
    const { Metrics = [], Threshold, EvaluationPeriods, Period = 300 } = Properties
    const [formula, ...queries] = Metrics as [Formula, ...MetricQuery[]]
    const parts = /^IF\(counted >= (\d+), (.+), 0\)$/.exec(formula?.Expression ?? '')
    // A lack of calls causes no alarm. A lack of runs does only if something should always run.
    const way = `${Properties['ComparisonOperator']} ${Properties['TreatMissingData']}`
    const periods = `${EvaluationPeriods}${Period === 300 ? '' : ` of ${Period} s`}`
    const least = parts ? ` % and at least ${parts[1]}` : ''
    return {
      id,
      metrics: parts ? queries.map(({ MetricStat }) => nameOf(MetricStat)) : [nameOf(Properties)],
      when: `${comparisons[way]} ${Threshold}${least} in ${periods}${silences[way] ?? ''}`,
      share(values) {
        // CloudWatch takes a missing value for 0.
        const known = queries.map(({ Id }, place) => [Id, values[place] ?? 0] as const)
        const { counted = 0 } = Object.fromEntries(known)
        const evaluate = new Function(...known.map(([name]) => name), `return ${parts?.[2]}`)
        return counted >= Number(parts?.[1]) ? evaluate(...known.map(([, value]) => value)) : 0
      },
    }
  })
}

interface Formula {
  readonly Expression?: string
}
interface MetricQuery {
  readonly Id: string
  readonly MetricStat: object
}

/** The statistic, the metric and its dimensions, of an alarm or of a query. */
function nameOf(described: object): string {
  const { Metric: query, Stat, Statistic = Stat } = described as Record<string, object>
  const { Namespace, MetricName, Dimensions } = (query ?? described) as Record<string, unknown>
  const dimensions = (Dimensions as { Name: string; Value: string }[]).map(({ Name, Value }) => `${Name}=${Value}`)
  return `${Statistic} ${Namespace} ${MetricName} ${dimensions}`
}
