import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { assertWithinLimits, createTestStack, everyProperty, type Resource, resourcesOf } from './test-stack.ts'

const aliasType = 'AWS::Lambda::Alias'
const functions = ['IssueToken', 'CallApi', 'WarmTokens', 'RefreshToken', 'PublishKeys', 'RotateKey']

test('each function of the table has the alias _live, of its current version', (t) => {
  const { stack } = createTestStack(t)
  const found = Object.values(resourcesOf(stack, aliasType)).map(({ Properties }) => [
    Properties['FunctionName'],
    Properties['Name'],
    ofVersion(Properties),
  ])
  assert.deepEqual(
    found,
    functions.map((id) => [`Tokens${id}Function`, '_live', `Tokens${id}FunctionCurrentVersion`]),
  )
})

test('CloudFormation deletes a version that no alias has any more', (t) => {
  for (const props of [{}, everyProperty])
    for (const version of Object.values(resourcesOf(createTestStack(t, props).stack, 'AWS::Lambda::Version')))
      assert.deepEqual([version.DeletionPolicy, version.UpdateReplacePolicy], [undefined, undefined])
})

test('a connection with directInvocation has an alias of issue-token and of call-api, of the same versions as _live', async (t) => {
  const elements = await elementsFileOf(t, elementsWith('true'))
  const aliases = aliasesOf(createTestStack(t, { elements }).stack)
  const live = Object.values(resourcesOf(createTestStack(t, { elements }).stack, aliasType))
  const ofLive = (id: string) => live.find(({ Properties }) => Properties['FunctionName'] === id)?.Properties
  for (const id of ['TokensIssueTokenFunction', 'TokensCallApiFunction'])
    assert.ok(aliases.some(([name, of]) => name === 'c-conn' && of === id))
  assert.equal(aliases.length, 2)
  const versions = Object.values(resourcesOf(createTestStack(t, { elements }).stack, aliasType))
  for (const { Properties } of versions)
    assert.deepEqual(Properties['FunctionVersion'], ofLive(String(Properties['FunctionName']))?.['FunctionVersion'])
})

test('a connection without directInvocation has no alias', async (t) => {
  for (const directInvocation of [undefined, false, 'false']) {
    const elements = await elementsFileOf(t, elementsWith(directInvocation))
    assert.deepEqual(aliasesOf(createTestStack(t, { elements }).stack), [])
  }
})

test('without elements a property names the connections that have an alias', (t) => {
  const directConnections = ['orders', 'stock-2_b']
  assert.deepEqual(aliasesOf(createTestStack(t, { directConnections }).stack), [
    ['c-orders', 'TokensIssueTokenFunction'],
    ['c-stock-2_b', 'TokensIssueTokenFunction'],
    ['c-orders', 'TokensCallApiFunction'],
    ['c-stock-2_b', 'TokensCallApiFunction'],
  ])
})

test('a grant names the alias of one connection and of one function, and nothing else', (t) => {
  const props = { directConnections: ['orders', 'stock'] }
  const forToken = createTestStack(t, props)
  forToken.tokenwell.grantDirectToken(callerIn(forToken.stack), 'orders')
  assert.deepEqual(statementsOfCaller(forToken.stack), [
    { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: 'TokensAliasesIssueTokenorders' },
  ])
  const forCall = createTestStack(t, props)
  forCall.tokenwell.grantDirectCall(callerIn(forCall.stack), 'stock')
  assert.deepEqual(statementsOfCaller(forCall.stack), [
    { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: 'TokensAliasesCallApistock' },
  ])
})

test('a grant of direct requests works with a JWT authorizer too', (t) => {
  const { stack, tokenwell } = createTestStack(t, (elsewhere) => ({
    ...everyProperty(elsewhere),
    directConnections: ['orders'],
  }))
  tokenwell.grantDirectToken(callerIn(stack), 'orders')
  assert.equal(statementsOfCaller(stack).length, 1)
})

test('a grant for a connection without an alias is an error that names the nearest one, or what to set', (t) => {
  const { stack, tokenwell } = createTestStack(t, { directConnections: ['orders'] })
  const caller = callerIn(stack)
  assert.throws(
    () => tokenwell.grantDirectToken(caller, 'order'),
    /"order" takes no direct requests\. Did you mean orders\?/,
  )
  assert.throws(() => tokenwell.grantDirectCall(caller, 'people'), /Set directInvocation to true in its element/)
  assert.throws(() => tokenwell.grantDirectCall(caller, '*'), /takes no direct requests/)
})

test('names that no alias can have, and more than 50 connections, are errors of the synthesis', (t) => {
  const deploy = (directConnections: string[]) => createTestStack(t, { directConnections })
  for (const name of ['a.b', '', 'a'.repeat(127), 'a b', '*', 'ä'])
    assert.throws(() => deploy(['orders', name]), /cannot be the name of an alias/, name)
  const many = Array.from({ length: 51 }, (_, index) => `conn${index}`)
  assert.throws(() => deploy(many), /at most 50 connections that take direct requests, but 51 have directInvocation/)
  assertWithinLimits(deploy(many.slice(1)).stack)
})

test('the property adds to the connections of the elements, and a name counts once', async (t) => {
  const elements = await elementsFileOf(t, elementsWith(true))
  const { stack } = createTestStack(t, { elements, directConnections: ['conn', 'orders'] })
  assert.deepEqual(
    aliasesOf(stack).map(([name]) => name),
    ['c-conn', 'c-orders', 'c-conn', 'c-orders'],
  )
})

test('provisioned instances belong to _live of their function alone', (t) => {
  const props = { directConnections: ['orders'], provisionedConcurrency: { 'issue-token': 5 } }
  const all = Object.values(resourcesOf(createTestStack(t, props).stack, aliasType)).map(({ Properties }) => Properties)
  const provisioned = all.filter(({ ProvisionedConcurrencyConfig: config }) => config !== undefined)
  assert.deepEqual(
    provisioned.map(({ FunctionName, Name, ProvisionedConcurrencyConfig: config }) => [FunctionName, Name, config]),
    [['TokensIssueTokenFunction', '_live', { ProvisionedConcurrentExecutions: 5 }]],
  )
})

test('a number of provisioned instances that Lambda refuses is an error of the synthesis', (t) => {
  const provision = (instances: number, reserved?: number) =>
    createTestStack(t, {
      provisionedConcurrency: { 'issue-token': instances },
      ...(reserved !== undefined && { reservedConcurrency: { 'issue-token': reserved } }),
    })
  for (const instances of [0, -1, 1.5, Number.NaN])
    assert.throws(() => provision(instances), /provisionedConcurrency of issue-token must be an integer of at least 1/)
  assert.throws(() => provision(6, 5), /at most its reservedConcurrency/)
  provision(5, 5)
})

function elementsWith(directInvocation: unknown): RawElements {
  const keyStore = { theTrust: { location: 'tokenwell/test/ca' } }
  return { ...exampleElements(exampleIssuer, { endpoint: { directInvocation } }), keyStore }
}

/** Name and function of each alias of a connection. */
function aliasesOf(stack: Stack): (readonly [unknown, unknown])[] {
  const all = Object.values(resourcesOf(stack, aliasType)).map(({ Properties }) => Properties)
  const ofConnections = all.filter(({ Name }) => Name !== '_live')
  return ofConnections.map(({ Name, FunctionName }) => [Name, FunctionName] as const)
}

/** The logical id of the version without its hashes. */
function ofVersion({ FunctionVersion }: Resource['Properties']): string {
  return String(FunctionVersion).replace(/[0-9A-F]{8}[0-9a-f]{32}\.Version$/, '')
}

function callerIn(stack: Stack): Role {
  return new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('111122223333') })
}

function statementsOfCaller(stack: Stack): object[] {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) => Properties)
  const own = policies.filter(({ Roles }) => JSON.stringify(Roles) === '["Caller"]')
  return own.flatMap(({ PolicyDocument }) => (PolicyDocument as { Statement: object[] }).Statement)
}
