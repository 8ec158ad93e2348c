import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { readEnvironment } from '../../../lib/application/environment.ts'
import {
  createTestStack,
  everyProperty,
  queueUrl,
  type Resource,
  resourceNamed,
  resourceOf,
  resourcesOf,
  theUrl,
} from './test-stack.ts'

const functionIds = ['IssueToken', 'CallApi', 'WarmTokens', 'RefreshToken', 'PublishKeys', 'RotateKey'] as const
type FunctionId = (typeof functionIds)[number]

const publicationKeyArn = 'arn:aws:kms:eu-west-1:111122223333:key/0d0e2ba9-3a5b-4c6d-8e7f-9a0b1c2d3e4f'

/** These functions neither sign nor serve publications. */
function issuesTokens(id: FunctionId): boolean {
  return id === 'IssueToken' || id === 'CallApi'
}

for (const id of functionIds) {
  test(`${id} accepts its variables for parameters, secrets, table and bus of the stack`, (t) => {
    const { stack } = createTestStack(t)
    const { deadLetters: _read, ...environment } = readOnLambda(stack, id)
    assert.deepEqual(environment, {
      deployment: { stage: 'test', publicUrl: theUrl, isLambda: true },
      elements: { kind: 'parameter_store' },
      secrets: { kind: 'secrets_manager' },
      cache: {
        place: { kind: 'dynamodb', tableName: 'TokensTable' },
        secretName: secretOf(stack).Properties['Name'],
        budgetMilliseconds: 250,
      },
      memoryMaximumSeconds: 30,
      events: { kind: 'eventbridge', busName: 'TokensEvents' },
      earlierRecords: 'none',
      logDetail: { level: 'info', metricsByConnection: true },
      publicationKey: issuesTokens(id) ? { kind: 'none' } : { kind: 'kms', keyId: publicationKeyArn },
    })
  })

  test(`with Valkey ${id} gets the URL of the server`, (t) => {
    const { cache } = readOnLambda(createTestStack(t, everyProperty).stack, id)
    assert.deepEqual(cache.place, { kind: 'valkey', url: 'valkeys://cache.example:6380' })
  })

  test(`every variable that is set for ${id} is read`, (t) => {
    for (const props of [{}, everyProperty]) {
      const read = new Set<string>()
      const variables = new Proxy(variablesOf(createTestStack(t, props).stack, id), {
        get(target, name) {
          read.add(String(name))
          return Reflect.get(target, name)
        },
      })
      readEnvironment(variables)
      const unread = Object.keys(variables).filter((name) => !read.has(name))
      assert.deepEqual(unread, [])
    }
  })
}

test('with a JWT authorizer only issue-token and call-api get the name of its claim', (t) => {
  const { stack } = createTestStack(t, everyProperty)
  const claims = functionIds.map((id) => variablesOf(stack, id)['TOKENWELL_CONNECTIONS_CLAIM'])
  assert.deepEqual(claims, ['connections', 'connections', undefined, undefined, undefined, undefined])
})

test('functions get the variable for records of an earlier version only during an upgrade', (t) => {
  const upgraded = createTestStack(t, { readRecordsOf: '0.1' }).stack
  const { stack } = createTestStack(t)
  for (const id of functionIds) {
    assert.equal(readEnvironment(variablesOf(upgraded, id)).earlierRecords, '0.1')
    assert.equal(variablesOf(stack, id)['TOKENWELL_READ_RECORDS_OF'], undefined)
  }
})

test('only refresh-token gets the URL of the dead-letter queue', (t) => {
  const { stack } = createTestStack(t)
  const { deadLetters } = readEnvironment(variablesOf(stack, 'RefreshToken'))
  assert.deepEqual(deadLetters, { kind: 'sqs', queueUrl: queueUrl('TokensRefreshesDeadLetters') })
  for (const id of functionIds.filter((each) => each !== 'RefreshToken'))
    assert.equal(variablesOf(stack, id)['TOKENWELL_DEAD_LETTERS'], undefined)
})

test('each function runs on Node.js 24 on arm64, is traced, and ends before the time-out of its invoker', (t) => {
  const { stack } = createTestStack(t)
  const timeouts = { IssueToken: 29, CallApi: 29, WarmTokens: 55, RefreshToken: 60, PublishKeys: 10, RotateKey: 60 }
  for (const id of functionIds) {
    const { Environment, Code, Description, Role, ...properties } = functionOf(stack, id).Properties
    assert.deepEqual(properties, {
      Architectures: ['arm64'],
      Handler: 'index.handler',
      LoggingConfig: { LogFormat: 'JSON', LogGroup: `Tokens${id}Log`, SystemLogLevel: 'WARN' },
      MemorySize: 512,
      Runtime: 'nodejs24.x',
      Timeout: timeouts[id],
      TracingConfig: { Mode: 'Active' },
    })
    assert.equal(Role, `Tokens${id}Role.Arn`)
  }
})

test('the operator can have fewer metrics, traces and lines of the functions, and all lines of Lambda', (t) => {
  const { stack } = createTestStack(t, everyProperty)
  for (const id of functionIds) {
    const { LoggingConfig, TracingConfig } = functionOf(stack, id).Properties
    assert.deepEqual(LoggingConfig, { LogFormat: 'JSON', LogGroup: `Tokens${id}Log`, SystemLogLevel: 'INFO' })
    assert.equal(TracingConfig, undefined)
    assert.deepEqual(readOnLambda(stack, id).logDetail, { level: 'warn', metricsByConnection: false })
  }
  assert.ok(!JSON.stringify(resourcesOf(stack, 'AWS::IAM::Policy')).includes('xray:'), 'nobody may write traces')
})

test('the code of each function is its bundle, with everything that its entry loads', (t) => {
  const { app, stack } = createTestStack(t, {}, { isBundled: true })
  const folders = functionIds.map((id) => {
    const { S3Key: key } = functionOf(stack, id).Properties['Code'] as { S3Key: string }
    const folder = join(app.outdir, `asset.${key.replace('.zip', '')}`)
    assert.ok(existsSync(join(folder, 'index.mjs')), folder)
    return folder
  })
  assert.equal(new Set(folders).size, functionIds.length)
})

function variablesOf(stack: Stack, id: FunctionId): Record<string, string> {
  const { Variables } = functionOf(stack, id).Properties['Environment'] as { Variables: Record<string, string> }
  // A reference of the stack is a name in this test, and an ARN after a deployment.
  const deployed = Object.entries(Variables).map(([name, value]) => [
    name,
    value === 'kms:TokensPublicationKey.Arn' ? `kms:${publicationKeyArn}` : value,
  ])
  return Object.fromEntries(deployed)
}

function readOnLambda(stack: Stack, id: FunctionId) {
  return readEnvironment({ ...variablesOf(stack, id), AWS_LAMBDA_FUNCTION_NAME: id })
}

function functionOf(stack: Stack, id: FunctionId): Resource {
  return resourceNamed(stack, 'AWS::Lambda::Function', `Tokens${id}Function`)
}

function secretOf(stack: Stack): Resource {
  return resourceOf(stack, 'AWS::SecretsManager::Secret')
}
