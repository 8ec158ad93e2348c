import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { LambdaDeploymentConfig } from 'aws-cdk-lib/aws-codedeploy'
import { createTestStack, everyProperty, type Resource, resourcesOf } from './test-stack.ts'

const groupType = 'AWS::CodeDeploy::DeploymentGroup'

test('by default every update moves all calls at once', (t) => {
  const { stack } = createTestStack(t)
  assert.deepEqual(resourcesOf(stack, groupType), {})
  for (const { updatesGradually } of aliasesOf(stack)) assert.equal(updatesGradually, false)
})

test('with gradualDeployment, _live of the functions that callers use moves step by step, and nothing else does', (t) => {
  const { stack } = createTestStack(t, { gradualDeployment: {}, directConnections: ['orders'] })
  const gradual = aliasesOf(stack).filter(({ updatesGradually }) => updatesGradually)
  assert.deepEqual(
    gradual.map(({ name, of }) => [name, of]),
    [
      ['_live', 'TokensIssueTokenFunction'],
      ['_live', 'TokensCallApiFunction'],
    ],
  )
})

test('alarms of the function and of the HTTP API roll a version back', (t) => {
  const { stack } = createTestStack(t, { gradualDeployment: {} })
  const groups = Object.values(resourcesOf(stack, groupType)).map(({ Properties }) => [
    alarmsOf(Properties),
    Properties['DeploymentConfigName'],
    (Properties['AutoRollbackConfiguration'] as { Events: string[] }).Events.toSorted(),
  ])
  const rollback = ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM']
  const canary = 'CodeDeployDefault.LambdaCanary10Percent5Minutes'
  assert.deepEqual(groups, [
    [['TokensAlarmsIssueTokenErrors', 'TokensAlarmsApiServerErrors'], canary, rollback],
    [['TokensAlarmsCallApiErrors', 'TokensAlarmsApiServerErrors'], canary, rollback],
  ])
})

test("the roles of CodeDeploy have AWS's own policy for this use, and nothing else", (t) => {
  const { stack } = createTestStack(t, { gradualDeployment: {} })
  const roles = Object.entries(resourcesOf(stack, 'AWS::IAM::Role')).filter(([id]) => id.includes('GradualDeployment'))
  assert.equal(roles.length, 2)
  for (const [, { Properties }] of roles) {
    assert.match(JSON.stringify(Properties['AssumeRolePolicyDocument']), /"Service":"codedeploy\.amazonaws\.com"/)
    assert.match(
      JSON.stringify(Properties['ManagedPolicyArns']),
      /:iam::aws:policy\/service-role\/AWSCodeDeployRoleForLambdaLimited"/,
    )
    assert.equal(Properties['Policies'], undefined)
  }
})

test('the steps can be others', (t) => {
  const { stack } = createTestStack(t, { gradualDeployment: { config: LambdaDeploymentConfig.ALL_AT_ONCE } })
  for (const { Properties } of Object.values(resourcesOf(stack, groupType)))
    assert.equal(Properties['DeploymentConfigName'], 'CodeDeployDefault.LambdaAllAtOnce')
})

test('the aliases of connections move after _live of their function', (t) => {
  for (const props of [{}, { gradualDeployment: {} }]) {
    const { stack } = createTestStack(t, { ...props, directConnections: ['orders'] })
    const ofConnections = aliasesOf(stack).filter(({ name }) => name === 'c-orders')
    assert.equal(ofConnections.length, 2)
    for (const { of, dependsOn } of ofConnections)
      assert.ok(
        dependsOn.some((id) => id.startsWith(of.replace('Function', 'Live'))),
        `${of}: ${dependsOn.join()}`,
      )
  }
})

test('without an alarm that could roll a version back, gradualDeployment is refused', (t) => {
  assert.throws(() => createTestStack(t, { gradualDeployment: {}, alarms: false }), /gradualDeployment needs alarms/)
  const alarmSettings = { apiServerErrors: false, callApiErrors: false } as const
  assert.throws(
    () => createTestStack(t, { gradualDeployment: {}, alarmSettings }),
    /alarmSettings leaves out callApiErrors and apiServerErrors\. Keep one of them\./,
  )
  createTestStack(t, { gradualDeployment: {}, alarmSettings: { apiServerErrors: false } })
})

test('a stack with every property can be deployed step by step', (t) => {
  assert.equal(Object.keys(resourcesOf(createTestStack(t, everyProperty).stack, groupType)).length, 2)
})

function aliasesOf(stack: Stack) {
  return Object.values(resourcesOf(stack, 'AWS::Lambda::Alias')).map((alias) => ({
    name: String(alias.Properties['Name']),
    of: String(alias.Properties['FunctionName']),
    dependsOn: alias.DependsOn ?? [],
    updatesGradually: 'CodeDeployLambdaAliasUpdate' in (updatePolicyOf(alias) ?? {}),
  }))
}

function updatePolicyOf(resource: Resource): object | undefined {
  return (resource as { readonly UpdatePolicy?: object }).UpdatePolicy
}

function alarmsOf(properties: Resource['Properties']): string[] {
  const { Alarms } = properties['AlarmConfiguration'] as { readonly Alarms: readonly { readonly Name: string }[] }
  return Alarms.map(({ Name }) => Name)
}
