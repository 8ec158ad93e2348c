import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CfnParameter, Stack } from 'aws-cdk-lib'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { createTestStack, everyProperty, resourceOf, resourcesOf, theUrl } from '../../support/stack.ts'

const api = 'arn:aws:execute-api:eu-central-1:111122223333:TokensHttpApi'

test('a caller is granted the token of one connection, and that alone', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.grantToken(someRole(stack), 'orders')
  assert.deepEqual(statementsOfCaller(stack), [
    { Action: 'execute-api:Invoke', Effect: 'Allow', Resource: `${api}/$default/POST/connections/orders/token` },
  ])
})

test("what can't be a connection's name is not granted: a wildcard would be all of them", (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const caller = someRole(stack)
  for (const name of ['*', '', 'a/b', 'a?', '../x'])
    assert.throws(() => tokenwell.grantToken(caller, name), /can't be a connection's name/)
})

test('behind a JWT authorizer there is nothing to grant to a role', (t) => {
  const { stack, tokenwell } = createTestStack(t, everyProperty)
  assert.throws(() => tokenwell.grantToken(someRole(stack), 'orders'), /a claim says who may use which connection/)
})

test('who is granted direct invocation may invoke the function', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.grantInvoke(someRole(stack))
  assert.deepEqual(statementsOfCaller(stack), [
    {
      Action: 'lambda:InvokeFunction',
      Effect: 'Allow',
      Resource: ['TokensIssueTokenFunction.Arn', 'TokensIssueTokenFunction.Arn:*'],
    },
  ])
})

test('who is granted events may put them on the bus of this stage', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.grantEvents(someRole(stack))
  assert.deepEqual(statementsOfCaller(stack), [
    { Action: 'events:PutEvents', Effect: 'Allow', Resource: 'TokensEvents.Arn' },
  ])
})

test('names and addresses that are none fail before anything is deployed under them', (t) => {
  const late = new CfnParameter(new Stack(), 'Late').valueAsString
  for (const stage of ['', 'a/b', 'a*', 'x'.repeat(33), late])
    assert.throws(() => createTestStack(t, { stage }), /^Error: stage must be a name/)
  for (const publicUrl of ['', 'tokens.example', 'http://tokens.example', 'https://', late])
    assert.throws(() => createTestStack(t, { publicUrl }), /^Error: publicUrl must be the https:\/\/ address/)
  for (const valkeyUrl of ['', 'cache.example:6379', 'https://cache.example'])
    assert.throws(() => createTestStack(t, { cache: { valkeyUrl } }), /^Error: valkeyUrl must be valkeys:/)
})

test('two stages stand side by side in one stack', async (t) => {
  const { Tokenwell } = await import('../../../infra/stack/tokenwell.ts')
  const { stack } = createTestStack(t)
  new Tokenwell(stack, 'Others', { stage: 'other', publicUrl: theUrl })
  assert.equal(Object.keys(resourcesOf(stack, 'AWS::Lambda::Function')).length, 12)
})

test('with Valkey there is no table, and the functions get out to it and to HTTPS only', (t) => {
  const { stack, tokenwell } = createTestStack(t, everyProperty)
  assert.deepEqual(resourcesOf(stack, 'AWS::DynamoDB::Table'), {})
  const { Properties } = resourceOf(stack, 'AWS::EC2::SecurityGroup')
  const ports = (Properties['SecurityGroupEgress'] as { FromPort: number; ToPort: number; CidrIp: string }[]).map(
    ({ FromPort, ToPort, CidrIp }) => [FromPort, ToPort, CidrIp],
  )
  assert.deepEqual(ports, [
    [443, 443, '0.0.0.0/0'],
    [6380, 6380, 'Elsewhere:ExportsOutputFnGetAttVpcCidrBlock'],
  ])
  assert.equal(Properties['SecurityGroupIngress'], undefined)
  for (const { Properties } of Object.values(resourcesOf(stack, 'AWS::Lambda::Function'))) {
    const place = Properties['VpcConfig'] as Record<string, string[]>
    assert.deepEqual(place['SecurityGroupIds'], ['TokensSecurityGroup.GroupId'])
    assert.equal(place['SubnetIds']?.length, 2)
    assert.match(place['SubnetIds']?.join() ?? '', /^(Elsewhere:ExportsOutputRefVpcPrivateSubnet\d\w*,?)+$/)
  }
  assert.deepEqual(
    tokenwell.connections.securityGroups.map(({ node }) => node.path),
    ['Test/Tokens/SecurityGroup'],
  )
})

test('memory is given function by function', (t) => {
  const { stack } = createTestStack(t, {
    memoryMegabytes: { 'issue-token': 1024, 'call-api': 2048, 'refresh-token': 256 },
  })
  const functions = Object.entries(resourcesOf(stack, 'AWS::Lambda::Function'))
  assert.deepEqual(Object.fromEntries(functions.map(([id, { Properties }]) => [id, Properties['MemorySize']])), {
    TokensIssueTokenFunction: 1024,
    TokensCallApiFunction: 2048,
    TokensWarmTokensFunction: 512,
    TokensRefreshTokenFunction: 256,
    TokensPublishKeysFunction: 512,
    TokensRotateKeyFunction: 512,
  })
})

function someRole(stack: Stack): Role {
  return new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('111122223333') })
}

function statementsOfCaller(stack: Stack): unknown[] {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) => Properties)
  const own = policies.filter(({ Roles }) => JSON.stringify(Roles) === '["Caller"]')
  return own.flatMap(({ PolicyDocument }) => (PolicyDocument as { Statement: unknown[] }).Statement)
}
