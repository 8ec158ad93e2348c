import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { createTestStack, everyProperty, queueUrl, resourceNamed, resourceOf, resourcesOf } from './test-stack.ts'

/* The exact list of all rights. A right that is added, widened or removed must be changed in this file too. */

const here = 'eu-central-1:111122223333'
const readElements = `ssm:GetParameters on arn:aws:ssm:${here}:parameter/tokenwell/test/*`
const listElements = `ssm:GetParametersByPath on arn:aws:ssm:${here}:parameter/tokenwell/test, arn:aws:ssm:${here}:parameter/tokenwell/test/*`
const readSecrets = `secretsmanager:GetSecretValue on arn:aws:secretsmanager:${here}:secret:tokenwell/test/*`
const readCacheSecret = 'secretsmanager:GetSecretValue on TokensCacheSecret'
const rotateKeys = `secretsmanager:DescribeSecret, secretsmanager:GetSecretValue, secretsmanager:PutSecretValue, secretsmanager:UpdateSecretVersionStage on arn:aws:secretsmanager:${here}:secret:tokenwell/test/jwk/*`
const publishedKeys = { 'dynamodb:LeadingKeys': ['keys/jwks#*'] }
const ifNamed = { Null: { 'dynamodb:LeadingKeys': 'false' } }
const ofPublishedKeys = `if ${JSON.stringify({ 'ForAllValues:StringLike': publishedKeys, ...ifNamed })}`
const ofAllOthers = `if ${JSON.stringify({ 'ForAllValues:StringNotLike': publishedKeys, ...ifNamed })}`
const readKeys = `dynamodb:GetItem on TokensTable.Arn ${ofPublishedKeys}`
const changeKeys = `dynamodb:GetItem, dynamodb:PutItem on TokensTable.Arn ${ofPublishedKeys}`
const ofRevokedKeys = `if ${JSON.stringify({ 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['secrets/secrets#mark'] }, ...ifNamed })}`
const readRevoked = `dynamodb:GetItem on TokensTable.Arn ${ofRevokedKeys}`
const useTable = 'dynamodb:GetItem, dynamodb:BatchGetItem, dynamodb:PutItem on TokensTable.Arn'
const useTokens = `${useTable} ${ofAllOthers}`
const sign = 'kms:Sign, kms:GetPublicKey on TokensPublicationKey.Arn'
const verify = 'kms:GetPublicKey on TokensPublicationKey.Arn'
const signWithKms = `kms:Sign, kms:GetPublicKey on arn:aws:kms:${here}:key/* if ${JSON.stringify({ 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': ['alias/tokenwell/test/orders', 'alias/tokenwell/test/orders/previous'] } })}`
const assumeIdentity =
  'sts:AssumeRole on arn:aws:iam::111122223333:role/tokenwell-test-identity, arn:aws:iam::111122223333:role/tokenwell-test-identity-reports'
const findDue = 'dynamodb:Query on TokensTable.Arn/index/due'
const decrypt = 'kms:Decrypt on Elsewhere:ExportsOutputFnGetAttKeyArn'
const encrypt = 'kms:GenerateDataKey on Elsewhere:ExportsOutputFnGetAttKeyArn'
const putEvents = 'events:PutEvents on TokensEvents.Arn'
const takeMessages = 'sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes on TokensRefreshesQueue.Arn'
const addDeadLetters = 'sqs:SendMessage on TokensRefreshesDeadLetters.Arn'
const writeTraces = 'xray:PutTraceSegments, xray:PutTelemetryRecords on *'

const functions = ['IssueToken', 'CallApi', 'WarmTokens', 'RefreshToken', 'PublishKeys', 'RotateKey'] as const
type FunctionId = (typeof functions)[number]
const writeLog = (id: FunctionId) => `logs:CreateLogStream, logs:PutLogEvents on Tokens${id}Log.Arn`

test('each function may do its own work with resources of its stage, and nothing else', (t) => {
  const { stack } = createTestStack(t)
  const expected: Record<FunctionId, string[]> = {
    IssueToken: [useTokens, readElements, listElements, readSecrets, putEvents],
    CallApi: [useTokens, readElements, listElements, readSecrets, putEvents],
    WarmTokens: [useTable, sign, readElements, listElements, readSecrets, putEvents, findDue],
    RefreshToken: [useTable, sign, readElements, listElements, readSecrets, putEvents, takeMessages, addDeadLetters],
    PublishKeys: [readKeys, verify],
    RotateKey: [readElements, rotateKeys, changeKeys, readRevoked, sign],
  }
  for (const id of functions)
    assert.deepEqual(grantsOf(stack, `Tokens${id}Role`), [...expected[id], writeLog(id), writeTraces])
})

test('with Valkey, a VPC and a key, functions may decrypt, and only Lambda itself may create network interfaces', (t) => {
  const { stack } = createTestStack(t, everyProperty)
  const getTokens = [readElements, listElements, readSecrets, decrypt, signWithKms, assumeIdentity, putEvents]
  const interfaces = [
    'ec2:CreateNetworkInterface, ec2:DeleteNetworkInterface, ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses',
    'ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets',
  ] as const
  const expected: Record<FunctionId, string[]> = {
    IssueToken: [verify, ...getTokens],
    CallApi: [verify, ...getTokens],
    WarmTokens: [sign, ...getTokens],
    RefreshToken: [sign, ...getTokens, takeMessages, addDeadLetters],
    PublishKeys: [readCacheSecret, verify, decrypt],
    RotateKey: [readElements, rotateKeys, readCacheSecret, sign, decrypt, encrypt],
  }
  for (const id of functions)
    assert.deepEqual(grantsOf(stack, `Tokens${id}Role`), [
      ...expected[id],
      writeLog(id),
      `${interfaces[0]} on arn:aws:ec2:${here}:*/*`,
      `${interfaces[1]} on *`,
      `not ${interfaces.join(', ')} on * if {"ArnEquals":{"lambda:SourceFunctionArn":"Tokens${id}Function.Arn"}}`,
    ])
})

test('functions that sign with KMS keys read the publication that says which key signs, and all others have the same rights as before', (t) => {
  const [before, after] = [createTestStack(t).stack, createTestStack(t, { kmsKeys: ['orders'] }).stack]
  for (const id of functions) {
    const [plain, signing] = [grantsOf(before, `Tokens${id}Role`), grantsOf(after, `Tokens${id}Role`)]
    const added = {
      IssueToken: [readKeys, verify, signWithKms],
      CallApi: [readKeys, verify, signWithKms],
      WarmTokens: [signWithKms],
      RefreshToken: [signWithKms],
      PublishKeys: [],
      RotateKey: [],
    }[id]
    assert.deepEqual(
      signing.filter((right) => !plain.includes(right)),
      added,
      id,
    )
    assert.deepEqual(
      plain.filter((right) => !signing.includes(right)),
      [],
      id,
    )
  }
})

test('no function may make, change or delete a KMS key or an alias, whatever the properties are', (t) => {
  const uses = ['kms:Sign', 'kms:GetPublicKey', 'kms:Decrypt', 'kms:GenerateDataKey']
  for (const props of [{}, everyProperty]) {
    const policies = Object.values(resourcesOf(createTestStack(t, props).stack, 'AWS::IAM::Policy'))
    const actions = policies.flatMap(({ Properties }) =>
      (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement.flatMap(({ Action }) => Action),
    )
    const ofKeys = actions.filter((action) => action.includes('*') || action.startsWith('kms:'))
    assert.ok(ofKeys.length > 0)
    for (const action of ofKeys) assert.ok(uses.includes(action), action)
  }
})

test('only functions that publish may write the records of published keys, and publish-keys may read nothing else', (t) => {
  const { stack } = createTestStack(t)
  const names = {
    keys: 'keys/jwks#theBuilder',
    token: 'conn/token#abc',
    odd: 'keys/token#abc',
    mark: 'secrets/secrets#mark',
  }
  const may = (id: FunctionId, action: string) =>
    Object.entries(names).flatMap(([what, name]) => (isAllowed(stack, `Tokens${id}Role`, action, name) ? [what] : []))
  const all = Object.keys(names)
  const others = all.filter((what) => what !== 'keys')
  for (const action of ['dynamodb:GetItem', 'dynamodb:PutItem'])
    assert.deepEqual(Object.fromEntries(functions.map((id) => [id, may(id, action)])), {
      IssueToken: others,
      CallApi: others,
      WarmTokens: all,
      RefreshToken: all,
      PublishKeys: action === 'dynamodb:GetItem' ? ['keys'] : [],
      RotateKey: action === 'dynamodb:GetItem' ? ['keys', 'mark'] : ['keys'],
    })
})

test('only functions that publish may sign, with an elliptic curve key that has no other use', (t) => {
  const { stack } = createTestStack(t)
  const signing = functions.filter((id) => grantsOf(stack, `Tokens${id}Role`).some((line) => line.includes('kms:Sign')))
  assert.deepEqual(signing, ['WarmTokens', 'RefreshToken', 'RotateKey'])
  const { KeySpec, KeyUsage, KeyPolicy } = resourceOf(stack, 'AWS::KMS::Key').Properties
  assert.deepEqual([KeySpec, KeyUsage], ['ECC_NIST_P256', 'SIGN_VERIFY'])
  const { Statement: statements } = KeyPolicy as { Statement: Statement[] }
  assert.deepEqual(statements.map(lineOf), ['kms:* on * for {"AWS":"arn:aws:iam::111122223333:root"}'])
})

test('the schedule may invoke only warm-tokens, which may search an index that exists', (t) => {
  const { stack } = createTestStack(t)
  assert.deepEqual(grantsOf(stack, 'TokensWarmScheduleRole'), ['lambda:InvokeFunction on TokensWarmTokensLive'])
  const indexes = resourceOf(stack, 'AWS::DynamoDB::Table').Properties['GlobalSecondaryIndexes'] as object[]
  assert.deepEqual(
    indexes.map((index) => `dynamodb:Query on TokensTable.Arn/index/${Reflect.get(index, 'IndexName')}`),
    [findDue],
  )
})

test('only Lambda, the schedule of this stage and, for identity tokens, the functions that get tokens assume the roles, and no role has a managed policy', (t) => {
  for (const props of [{}, everyProperty]) {
    const roles = resourcesOf(createTestStack(t, props).stack, 'AWS::IAM::Role')
    const lambda = assumedBy('lambda.amazonaws.com')
    const scheduler = assumedBy('scheduler.amazonaws.com', {
      Condition: {
        StringEquals: { 'aws:SourceAccount': '111122223333', 'aws:SourceArn': 'TokensWarmScheduleGroup.Arn' },
      },
    })
    // The role of the CDK's function that invokes refresh-token: see signed-before-shown.test.ts.
    // Those of CodeDeploy have a policy of AWS: see gradual-deployment.test.ts.
    // The roles for identity tokens: see identity-roles.test.ts.
    const others = /^(AWSCDKTrigger|TokensGradualDeployment|TokensIdentity)/
    const ours = Object.entries(roles).filter(([id]) => !others.test(id))
    const found = ours.map(([id, { Properties }]) => [id, Properties])
    assert.deepEqual(Object.fromEntries(found), {
      TokensIssueTokenRole: lambda,
      TokensCallApiRole: lambda,
      TokensWarmTokensRole: lambda,
      TokensRefreshTokenRole: lambda,
      TokensPublishKeysRole: lambda,
      TokensRotateKeyRole: lambda,
      TokensWarmScheduleRole: scheduler,
    })
  }
})

test('every policy belongs to one of these roles', (t) => {
  for (const props of [{}, everyProperty]) {
    const policies = Object.values(resourcesOf(createTestStack(t, props).stack, 'AWS::IAM::Policy'))
    const holders = new Set(policies.map(({ Properties }) => String(Properties['Roles'])))
    assert.deepEqual(holders, new Set([...functions.map((id) => `Tokens${id}Role`), 'TokensWarmScheduleRole']))
  }
})

test('only the routes of the API may invoke a function, each its own, and Secrets Manager of this account', (t) => {
  const { stack } = createTestStack(t)
  const invokers = Object.values(resourcesOf(stack, 'AWS::Lambda::Permission')).map(({ Properties }) => Properties)
  const api = `arn:aws:execute-api:${here}:TokensHttpApi`
  const routes = [
    ['IssueToken', 'connections/{connection}/token'],
    ['IssueToken', 'connections/{connection}/token'],
    ['IssueToken', 'connections/{connection}/as/{subject}/token'],
    ['IssueToken', 'connections'],
    ['IssueToken', '.well-known/oauth-authorization-server/connections/{connection}'],
    ['IssueToken', 'connections/{connection}/.well-known/openid-configuration'],
    ['IssueToken', 'connections/{connection}/.well-known/jwks.json'],
    ['CallApi', 'connections/{connection}/api/{path+}'],
    ['PublishKeys', 'jwt/{jwtBuilder}/jwk'],
  ]
  const expected = [
    ...routes.map(([id, path]) => ({
      Action: 'lambda:InvokeFunction',
      FunctionName: `Tokens${id}Live`,
      Principal: 'apigateway.amazonaws.com',
      SourceArn: `${api}/*/*/${path}`,
    })),
    {
      Action: 'lambda:InvokeFunction',
      FunctionName: 'TokensRotateKeyLive',
      Principal: 'secretsmanager.amazonaws.com',
      SourceAccount: '111122223333',
    },
  ]
  assert.deepEqual(inOrder(invokers), inOrder(expected))
  assert.deepEqual(resourcesOf(stack, 'AWS::Lambda::Url'), {})
})

test('only the rules of this stage may send messages to the queues, and only with TLS', (t) => {
  const { stack } = createTestStack(t)
  const rules = ['ElementChanges', 'SecretChanges', 'Requests', 'Reconciliation']
  for (const [queue, actions] of [
    ['TokensRefreshesQueue', 'sqs:SendMessage, sqs:GetQueueAttributes, sqs:GetQueueUrl'],
    ['TokensRefreshesDeadLetters', 'sqs:SendMessage'],
  ] as const) {
    const { Properties } = resourceNamed(stack, 'AWS::SQS::QueuePolicy', `${queue}Policy`)
    assert.deepEqual(Properties['Queues'], [queueUrl(queue)])
    const { Statement: statements } = Properties['PolicyDocument'] as { Statement: Statement[] }
    assert.deepEqual(statements.map(lineOf), [
      `not sqs:* on ${queue}.Arn if {"Bool":{"aws:SecureTransport":"false"}} for {"AWS":"*"}`,
      ...rules.map(
        (rule) =>
          `${actions} on ${queue}.Arn if {"ArnEquals":{"aws:SourceArn":"TokensRules${rule}.Arn"}} for {"Service":"events.amazonaws.com"}`,
      ),
    ])
  }
  assert.equal(Object.keys(resourcesOf(stack, 'AWS::SQS::QueuePolicy')).length, 2)
})

test('the bus allows no one by default: putting events on it needs a right of its own', (t) => {
  const { stack } = createTestStack(t)
  assert.deepEqual(resourceOf(stack, 'AWS::Events::EventBus').Properties, { Name: 'tokenwell-test' })
  assert.deepEqual(resourcesOf(stack, 'AWS::Events::EventBusPolicy'), {})
})

interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
  readonly Condition?: object
  readonly Principal?: object
}

/** The decision of IAM for a request that names one item of the table. */
function isAllowed(stack: Stack, role: string, action: string, item: string): boolean {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy'))
  const own = policies.filter(({ Properties }) => String(Properties['Roles']) === role)
  const statements = own.flatMap(
    ({ Properties }) => (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement,
  )
  return statements.some(({ Effect, Action, Resource, Condition = {} }) => {
    if (Effect !== 'Allow' || ![Action].flat().includes(action) || Resource !== 'TokensTable.Arn') return false
    return Object.entries(Condition as Record<string, Record<string, string | string[]>>).every(([operator, test]) => {
      const values = [test['dynamodb:LeadingKeys'] ?? []].flat()
      const isLike = values.some((value) => new RegExp(`^${value.replaceAll('*', '.*')}$`).test(item))
      if (operator === 'ForAllValues:StringLike') return isLike
      return operator === 'ForAllValues:StringNotLike' ? !isLike : operator === 'Null' && values.join() === 'false'
    })
  })
}

function inOrder(values: readonly object[]): string[] {
  return values.map((value) => JSON.stringify(Object.entries(value).toSorted())).toSorted()
}

/** One line for each statement. */
function grantsOf(stack: Stack, role: string): string[] {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy'))
  const own = policies.filter(({ Properties }) => String(Properties['Roles']) === role)
  return own.flatMap(({ Properties }) =>
    (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement.map(lineOf),
  )
}

function lineOf({ Effect, Action, Resource, Condition, Principal }: Statement): string {
  const right = `${[Action].flat().join(', ')} on ${[Resource].flat().join(', ')}`
  const limits = [
    Condition ? ` if ${JSON.stringify(Condition)}` : '',
    Principal ? ` for ${JSON.stringify(Principal)}` : '',
  ]
  return `${Effect === 'Allow' ? '' : 'not '}${right}${limits.join('')}`
}

function assumedBy(service: string, limits: object = {}): object {
  const statement = { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: service }, ...limits }
  return { AssumeRolePolicyDocument: { Statement: [statement], Version: '2012-10-17' } }
}
