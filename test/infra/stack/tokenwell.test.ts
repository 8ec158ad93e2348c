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
  assert.equal(Object.keys(resourcesOf(stack, 'AWS::Lambda::Function')).length, 2)
})

test('with Valkey there is no table, and the function gets out to it and to HTTPS only', (t) => {
  const { stack } = createTestStack(t, everyProperty)
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
  const { VpcConfig: place } = resourceOf(stack, 'AWS::Lambda::Function').Properties as {
    VpcConfig: Record<string, string[]>
  }
  assert.deepEqual(place['SecurityGroupIds'], ['TokensIssueTokenSecurityGroup.GroupId'])
  assert.equal(place['SubnetIds']?.length, 2)
  assert.match(place['SubnetIds']?.join() ?? '', /^(Elsewhere:ExportsOutputRefVpcPrivateSubnet\d\w*,?)+$/)
})

function someRole(stack: Stack): Role {
  return new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('111122223333') })
}

function statementsOfCaller(stack: Stack): unknown[] {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) => Properties)
  const own = policies.filter(({ Roles }) => JSON.stringify(Roles) === '["Caller"]')
  return own.flatMap(({ PolicyDocument }) => (PolicyDocument as { Statement: unknown[] }).Statement)
}
