import assert from 'node:assert/strict'
import { test } from 'node:test'
import { App, Duration, Stack } from 'aws-cdk-lib'
import { Alarm, type Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { Tokenwell } from '../../../infra/stack/tokenwell.ts'
import type { ITokenwell, TokenwellAttributes } from '../../../infra/stack/tokenwell-stage.ts'
import { metricUnits } from '../../../lib/log/metric.ts'
import { createTestStack, requestsOfToken, resourcesOf } from './test-stack.ts'

/* A stage as other stacks see it: created by this app or imported. */

const here = '111122223333'
const elsewhere = '444455556666'

test('an imported stage grants the same rights as the stage itself', (t) => {
  const own = createTestStack(t)
  const { stack, imported } = importedStage({ httpApiId: 'TokensHttpApi' })
  const statements = [own, { stack, tokenwell: imported }].map(({ stack: of, tokenwell }) => {
    const caller = new Role(of, 'Caller', { assumedBy: new AccountPrincipal(here) })
    tokenwell.grantToken(caller, 'orders')
    tokenwell.grantCall(caller, 'orders')
    tokenwell.grantEvents(caller)
    return statementsOfCaller(of)
  })
  const [granted, importedGranted] = statements.map((each) => JSON.stringify(each))
  const bus = `arn:aws:events:eu-central-1:${here}:event-bus/tokenwell-test`
  assert.equal(importedGranted, granted?.replace('TokensEvents.Arn', bus))
})

test('an imported stage whose public URL has a path grants the description at that path, as the stage itself does', (t) => {
  const publicUrl = 'https://tokens.example.com/base'
  const own = createTestStack(t, { publicUrl })
  const { stack, imported } = importedStage({ httpApiId: 'TokensHttpApi', publicUrl })
  const [granted, importedGranted] = [own, { stack, tokenwell: imported }].map(({ stack: of, tokenwell }) => {
    tokenwell.grantToken(new Role(of, 'Caller', { assumedBy: new AccountPrincipal(here) }), 'orders')
    return JSON.stringify(statementsOfCaller(of))
  })
  assert.equal(importedGranted, granted)
  assert.match(String(granted), /oauth-authorization-server\/base\/connections\/orders/)
})

test('an imported stage names the API and the bus of its own region', () => {
  const { stack, imported } = importedStage({ region: 'eu-west-1' })
  assert.equal(imported.apiUrl, `https://abc123.execute-api.eu-west-1.${stack.urlSuffix}`)
  const caller = new Role(stack, 'Caller', { assumedBy: new AccountPrincipal(here) })
  imported.grantToken(caller, 'orders')
  imported.grantEvents(caller)
  assert.deepEqual(
    statementsOfCaller(stack).map(({ Resource }) => Resource),
    [
      requestsOfToken('orders').map((request) => `arn:aws:execute-api:eu-west-1:${here}:abc123/$default/${request}`),
      `arn:aws:events:eu-west-1:${here}:event-bus/tokenwell-test`,
    ],
  )
})

test('a stage of another account grants no principal of this stack, and makes its roles at home', () => {
  const { stack, imported } = importedStage({ account: elsewhere })
  const caller = new Role(stack, 'Caller', { assumedBy: new AccountPrincipal(here) })
  assert.throws(
    () => imported.grantToken(caller, 'orders'),
    /is in the account 111122223333, and the stage is in 444455556666\. HTTP APIs have no resource policy\./,
  )
  assert.throws(
    () => imported.callerRole('Billing', { trusted: caller, connections: { orders: ['token'] } }),
    /^Error: callerRole Billing: The role must be in the account of the stage, 444455556666, but this stack is in 111122223333\./,
  )
})

test('a caller role of an imported stage is in the stack that imports it', () => {
  const { stack, imported } = importedStage()
  imported.callerRole('Billing', {
    trusted: new AccountPrincipal(elsewhere),
    connections: { orders: ['token'] },
  })
  assert.deepEqual(
    statementsOfCaller(stack).map(({ Resource }) => Resource),
    [requestsOfToken('orders').map((request) => `arn:aws:execute-api:eu-central-1:${here}:abc123/$default/${request}`)],
  )
})

test('each metric has a method with the default of its kind, and options replace what they name', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const { imported } = importedStage({ httpApiId: 'TokensHttpApi' })
  const expected = {
    metricTokensFromMemory: 'Sum Tokenwell TokensFromMemory',
    metricTokensFromCache: 'Sum Tokenwell TokensFromCache',
    metricTokensFromServer: 'Sum Tokenwell TokensFromServer',
    metricTokenRequests: 'SampleCount Tokenwell TokenRequestDuration',
    metricTokenRequestDuration: 'Average Tokenwell TokenRequestDuration',
    metricTokenRequestsRefused: 'Sum Tokenwell TokenRequestsRefused',
    metricTokenRequestsFailed: 'Sum Tokenwell TokenRequestsFailed',
    metricRequestsFailed: 'Sum Tokenwell RequestsFailed',
    metricApiCalls: 'SampleCount Tokenwell ApiCallDuration',
    metricApiCallDuration: 'Average Tokenwell ApiCallDuration',
    metricApiCallsFailed: 'Sum Tokenwell ApiCallsFailed',
    metricRequests: 'Sum AWS/ApiGateway Count',
    metricClientErrors: 'Sum AWS/ApiGateway 4xx',
    metricServerErrors: 'Sum AWS/ApiGateway 5xx',
    metricLatency: 'Average AWS/ApiGateway Latency',
  } as const
  for (const [method, name] of Object.entries(expected) as [keyof typeof expected, string][]) {
    for (const stage of [tokenwell, imported] satisfies ITokenwell[]) {
      const dimensions = name.includes('ApiGateway') ? { ApiId: stage.httpApiId } : { service: 'tokenwell-test' }
      assert.deepEqual(described(stage[method]()), [name, dimensions, 300], method)
    }
    const { statistic, period, label } = tokenwell[method]({
      statistic: 'p99',
      period: Duration.minutes(1),
      label: 'mine',
    })
    assert.deepEqual([statistic, period.toSeconds(), label], ['p99', 60, 'mine'], method)
  }
  for (const name of Object.keys(metricUnits) as (keyof typeof metricUnits)[])
    assert.equal(tokenwell.metric(name).metricName, name)
  assert.deepEqual(described(tokenwell.metricTokensFromServer({ dimensionsMap: { connection: 'orders' } }))[1], {
    service: 'tokenwell-test',
    connection: 'orders',
  })
  new Alarm(stack, 'Mine', { metric: tokenwell.metricRequestsFailed(), threshold: 1, evaluationPeriods: 1 })
})

test('metrics of an imported stage are of its account and region', () => {
  const { imported } = importedStage({ account: elsewhere, region: 'eu-west-1' })
  for (const metric of [imported.metricTokenRequests(), imported.metricServerErrors()])
    assert.deepEqual([metric.account, metric.region], [elsewhere, 'eu-west-1'])
  const { account, region } = importedStage().imported.metricTokenRequests()
  assert.deepEqual([account, region], [here, 'eu-central-1'])
})

function described({ statistic, namespace, metricName, dimensions, period }: Metric) {
  return [`${statistic} ${namespace} ${metricName}`, dimensions, period.toSeconds()]
}

function importedStage(attributes: Partial<TokenwellAttributes> = {}): { stack: Stack; imported: ITokenwell } {
  const stack = new Stack(new App(), 'Workload', { env: { account: here, region: 'eu-central-1' } })
  const imported = Tokenwell.fromAttributes(stack, 'Tokens', { stage: 'test', httpApiId: 'abc123', ...attributes })
  return { stack, imported }
}

function statementsOfCaller(stack: Stack): { Resource: unknown }[] {
  const policies = Object.entries(resourcesOf(stack, 'AWS::IAM::Policy'))
  const own = policies.filter(([id]) => /^Caller|^TokensCallers/.test(id))
  return own.flatMap(
    ([, { Properties }]) => (Properties['PolicyDocument'] as { Statement: { Resource: unknown }[] }).Statement,
  )
}
