import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { createTestStack, everyProperty, resourceOf, resourcesOf } from '../../support/stack.ts'

/* Every right there is, exactly: one that is added, widened or dropped has to be so here, too. */

const here = 'eu-central-1:111122223333'
const elementsAndSecrets = [
  `ssm:GetParameters on arn:aws:ssm:${here}:parameter/tokenwell/test/*`,
  `ssm:GetParametersByPath on arn:aws:ssm:${here}:parameter/tokenwell/test, arn:aws:ssm:${here}:parameter/tokenwell/test/*`,
  `secretsmanager:GetSecretValue on arn:aws:secretsmanager:${here}:secret:tokenwell/test/*`,
]
const logAndTraces = [
  'logs:CreateLogStream, logs:PutLogEvents on TokensIssueTokenLog.Arn',
  'xray:PutTraceSegments, xray:PutTelemetryRecords on *',
]

test('the function may read elements and secrets of its stage, use its table, write its log and its traces', (t) => {
  const { stack } = createTestStack(t)
  assert.deepEqual(grantsOf(stack), [
    ...elementsAndSecrets,
    'dynamodb:GetItem, dynamodb:BatchGetItem, dynamodb:PutItem on TokensTable.Arn',
    ...logAndTraces,
  ])
})

test('with Valkey in a VPC and a key of its own it may decrypt, and Lambda may make network interfaces that code may not', (t) => {
  const { stack } = createTestStack(t, everyProperty)
  const interfaces = [
    'ec2:CreateNetworkInterface, ec2:DeleteNetworkInterface, ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses',
    'ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets',
  ] as const
  assert.deepEqual(grantsOf(stack), [
    ...elementsAndSecrets,
    'kms:Decrypt on Elsewhere:ExportsOutputFnGetAttKeyArn',
    logAndTraces[0],
    `${interfaces[0]} on arn:aws:ec2:${here}:*/*`,
    `${interfaces[1]} on *`,
    logAndTraces[1],
    `not ${interfaces.join(', ')} on * if {"ArnEquals":{"lambda:SourceFunctionArn":"TokensIssueTokenFunction.Arn"}}`,
  ])
})

test('its role is only for Lambda and has no policy of AWS or anybody else', (t) => {
  for (const props of [{}, everyProperty]) {
    const { Properties: role } = resourceOf(createTestStack(t, props).stack, 'AWS::IAM::Role')
    assert.deepEqual(role, {
      AssumeRolePolicyDocument: {
        Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } }],
        Version: '2012-10-17',
      },
    })
  }
})

test('nobody may invoke the function but the routes of the API', (t) => {
  const { stack } = createTestStack(t)
  const invokers = Object.values(resourcesOf(stack, 'AWS::Lambda::Permission')).map(({ Properties }) => Properties)
  const api = `arn:aws:execute-api:${here}:TokensHttpApi`
  const paths = ['connections/{connection}/token', 'connections/{connection}/token', 'connections']
  assert.deepEqual(
    invokers,
    paths.map((path) => ({
      Action: 'lambda:InvokeFunction',
      FunctionName: 'TokensIssueTokenFunction.Arn',
      Principal: 'apigateway.amazonaws.com',
      SourceArn: `${api}/*/*/${path}`,
    })),
  )
  assert.deepEqual(resourcesOf(stack, 'AWS::Lambda::Url'), {})
})

interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
  readonly Condition?: object
}

/** A line each. */
function grantsOf(stack: Stack): string[] {
  return Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).flatMap(({ Properties }) => {
    assert.deepEqual(Properties['Roles'], ['TokensIssueTokenRole'])
    const { Statement: statements } = Properties['PolicyDocument'] as { Statement: Statement[] }
    return statements.map(({ Effect, Action, Resource, Condition }) => {
      const right = `${[Action].flat().join(', ')} on ${[Resource].flat().join(', ')}`
      return `${Effect === 'Allow' ? '' : 'not '}${right}${Condition ? ` if ${JSON.stringify(Condition)}` : ''}`
    })
  })
}
