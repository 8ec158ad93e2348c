import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { root } from '../../support/process/local-run.ts'
import { createTestStack, everyProperty, type Resource, resourceOf, resourcesOf } from './test-stack.ts'

/* The order of a deployment: publications are signed before the new publish-keys, which serves only signed ones, is deployed. */

const withElements = { stage: 'local', elements: join(root, 'infra', 'local', 'elements.json') }
const publishers = ['RefreshToken', 'WarmTokens', 'RotateKey']

for (const [variant, props] of Object.entries({ 'by default': {}, 'with every property': everyProperty, withElements }))
  test(`refresh-token signs after all functions that publish and before publish-keys, ${variant}`, (t) => {
    const { stack } = createTestStack(t, props)
    const trigger = resourceOf(stack, 'Custom::Trigger')
    const before = namesOf(trigger)
    for (const id of publishers)
      for (const needed of [`Tokens${id}Function`, `Tokens${id}Role`, `Tokens${id}RoleDefaultPolicy`])
        assert.ok(before.includes(needed), needed)
    assert.equal(before.includes('TokensElementsWritten'), variant === 'withElements')
    assert.ok(!before.some((each) => each.startsWith('TokensPublishKeys')))

    const functions = resourcesOf(stack, 'AWS::Lambda::Function')
    const waiting = Object.entries(functions).filter(([, each]) =>
      namesOf(each).includes('TokensSignedBeforeShownTrigger'),
    )
    assert.deepEqual(
      waiting.map(([id]) => id),
      ['TokensPublishKeysFunction'],
    )
  })

test('each deployment that changes refresh-token signs again, waits for it and fails with it', (t) => {
  const { stack } = createTestStack(t)
  const { HandlerArn, InvocationType, Timeout } = resourceOf(stack, 'Custom::Trigger').Properties
  // Each change of the function makes a new version.
  const versions = Object.keys(resourcesOf(stack, 'AWS::Lambda::Version'))
  assert.ok(versions.includes(String(HandlerArn)))
  assert.match(String(HandlerArn), /^TokensRefreshTokenFunctionCurrentVersion/)
  assert.equal(InvocationType, 'RequestResponse')
  assert.ok(Number(Timeout) > 60_000, 'longer than the function takes')
})

test('the function of the CDK for the trigger may invoke only refresh-token', (t) => {
  const { stack } = createTestStack(t)
  const { Policies } = theirRole(stack).Properties
  const statements = (Policies as { PolicyDocument: { Statement: object[] } }[]).flatMap(
    ({ PolicyDocument }) => PolicyDocument.Statement,
  )
  assert.deepEqual(statements, [
    { Effect: 'Allow', Action: ['lambda:InvokeFunction'], Resource: ['TokensRefreshTokenFunction.Arn:*'] },
  ])
})

function theirRole(stack: Stack): Resource {
  const roles = Object.entries(resourcesOf(stack, 'AWS::IAM::Role'))
  const [, role] = roles.find(([id]) => id.startsWith('AWSCDKTrigger')) ?? assert.fail()
  return role
}

/** Logical ids without the digits of their hash. */
function namesOf({ DependsOn = [] }: Resource): string[] {
  return [DependsOn].flat().map((id) => id.replace(/[0-9A-F]{8}$/, ''))
}
