import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { readIssueTokenEnvironment } from '../../../functions/issue-token/environment.ts'
import { createTestStack, everyProperty, type Resource, resourceOf, theUrl } from '../../support/stack.ts'

test('the function reads its variables without complaint: parameters, secrets, and the table of the stack', (t) => {
  const { stack } = createTestStack(t)
  const variables = variablesOf(stack)
  assert.deepEqual(readOnLambda(variables), {
    surroundings: { stage: 'test', publicUrl: theUrl, isLambda: true },
    elements: { kind: 'parameter_store' },
    secrets: { kind: 'secrets_manager' },
    cache: {
      place: { kind: 'dynamodb', tableName: 'TokensTable' },
      secretName: secretOf(stack).Properties['Name'],
      budgetMilliseconds: 250,
    },
    memoryMaximumSeconds: 30,
    events: { kind: 'none' },
  })
})

test('with Valkey and a JWT authorizer it is told of both', (t) => {
  const { stack } = createTestStack(t, everyProperty)
  const { cache, connectionsClaim } = readOnLambda(variablesOf(stack))
  assert.deepEqual(cache.place, { kind: 'valkey', url: 'valkeys://cache.example:6380' })
  assert.equal(connectionsClaim, 'connections')
})

test('every variable that is set is one that is read', (t) => {
  for (const props of [{}, everyProperty]) {
    const read = new Set<string>()
    const variables = new Proxy(variablesOf(createTestStack(t, props).stack), {
      get(target, name) {
        read.add(String(name))
        return Reflect.get(target, name)
      },
    })
    readIssueTokenEnvironment(variables)
    const unread = Object.keys(variables).filter((name) => !read.has(name))
    assert.deepEqual(unread, [])
  }
})

test("it runs on Lambda's Node.js 24 on arm64, ends before the API does, and is traced", (t) => {
  const { stack } = createTestStack(t)
  const { Environment, Code, Description, Role, ...properties } = functionOf(stack).Properties
  assert.deepEqual(properties, {
    Architectures: ['arm64'],
    Handler: 'index.handler',
    LoggingConfig: { LogFormat: 'Text', LogGroup: 'TokensIssueTokenLog' },
    MemorySize: 512,
    Runtime: 'nodejs24.x',
    Timeout: 29,
    TracingConfig: { Mode: 'Active' },
  })
})

test('its code is our bundle: the folder with everything that the entry loads', (t) => {
  const { app, stack } = createTestStack(t)
  const { S3Key: key } = functionOf(stack).Properties['Code'] as { S3Key: string }
  const folder = join(app.outdir, `asset.${key.replace('.zip', '')}`)
  assert.ok(existsSync(join(folder, 'index.mjs')), folder)
})

function variablesOf(stack: Stack): Record<string, string> {
  return (functionOf(stack).Properties['Environment'] as { Variables: Record<string, string> }).Variables
}

function readOnLambda(variables: Record<string, string>) {
  return readIssueTokenEnvironment({ ...variables, AWS_LAMBDA_FUNCTION_NAME: 'issue-token' })
}

function functionOf(stack: Stack): Resource {
  return resourceOf(stack, 'AWS::Lambda::Function')
}

function secretOf(stack: Stack): Resource {
  return resourceOf(stack, 'AWS::SecretsManager::Secret')
}
