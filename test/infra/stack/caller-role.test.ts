import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import {
  AccountPrincipal,
  AnyPrincipal,
  ArnPrincipal,
  type IPrincipal,
  OrganizationPrincipal,
  PrincipalWithConditions,
  StarPrincipal,
} from 'aws-cdk-lib/aws-iam'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { CallerRoleOptions } from '../../../infra/stack/caller-role.ts'
import { createTestStack, everyProperty, requestsOfToken, resourcesOf } from './test-stack.ts'

const api = 'arn:aws:execute-api:eu-central-1:111122223333:TokensHttpApi'
const billing = new ArnPrincipal('arn:aws:iam::444455556666:role/billing')

test('a caller role has exactly the routes of its connections, and only the trusted principal may assume it', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const role = tokenwell.callerRole('Billing', {
    trusted: billing,
    connections: { orders: ['token'], reports: ['call'] },
    roleName: 'tokenwell-test-billing',
  })
  assert.equal(role.node.path, 'Test/Tokens/Callers/Billing')
  const { Properties } = found(stack, 'AWS::IAM::Role', 'TokensCallersBilling')
  assert.deepEqual(Properties, {
    RoleName: 'tokenwell-test-billing',
    Description: 'Tokenwell: orders, reports',
    AssumeRolePolicyDocument: trustOf({ Principal: { AWS: 'arn:aws:iam::444455556666:role/billing' } }),
  })
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  const { PolicyDocument } = found(stack, 'AWS::IAM::Policy', 'TokensCallersBillingDefaultPolicy').Properties
  assert.deepEqual(PolicyDocument, {
    Version: '2012-10-17',
    Statement: [
      {
        Action: 'execute-api:Invoke',
        Effect: 'Allow',
        Resource: requestsOfToken('orders').map((request) => `${api}/$default/${request}`),
      },
      {
        Action: 'execute-api:Invoke',
        Effect: 'Allow',
        Resource: methods.map((method) => `${api}/$default/${method}/connections/reports/api/*`),
      },
    ],
  })
})

test('an account or an organization can be trusted, with an external id and with conditions', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const connections = { orders: ['token'] } as const
  tokenwell.callerRole('Account', {
    trusted: new AccountPrincipal('444455556666'),
    connections,
    externalIds: ['of-billing'],
  })
  tokenwell.callerRole('Company', { trusted: new OrganizationPrincipal('o-1234567890'), connections })
  const fromVpc = { StringEquals: { 'aws:SourceVpc': 'vpc-1' } }
  tokenwell.callerRole('Narrow', { trusted: billing.withConditions(fromVpc), connections })
  const trust = (id: string) =>
    found(stack, 'AWS::IAM::Role', `TokensCallers${id}`).Properties['AssumeRolePolicyDocument']
  assert.deepEqual(
    trust('Account'),
    trustOf({
      Principal: { AWS: 'arn:aws:iam::444455556666:root' },
      Condition: { StringEquals: { 'sts:ExternalId': 'of-billing' } },
    }),
  )
  assert.deepEqual(
    trust('Company'),
    trustOf({ Principal: { AWS: '*' }, Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1234567890' } } }),
  )
  assert.deepEqual(
    trust('Narrow'),
    trustOf({ Principal: { AWS: 'arn:aws:iam::444455556666:role/billing' }, Condition: fromVpc }),
  )
})

test('a role that every AWS account could assume is an error', (t) => {
  const connections = { orders: ['token'] } as const
  const refused = (trusted: IPrincipal, more: Partial<CallerRoleOptions> = {}) =>
    assert.throws(
      () => createTestStack(t).tokenwell.callerRole('All', { trusted, connections, ...more }),
      /^Error: callerRole All: Every AWS account could assume the role\./,
    )
  refused(new AnyPrincipal())
  refused(new StarPrincipal())
  refused(new ArnPrincipal('*'))
  refused(new AnyPrincipal(), { externalIds: ['known-to-many'] })
  const limited = new PrincipalWithConditions(new AnyPrincipal(), { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } })
  createTestStack(t).tokenwell.callerRole('Limited', { trusted: limited, connections })
})

test('a caller role without rights, or with unknown ones, is an error', (t) => {
  const refused = (connections: object, message: string) =>
    assert.throws(
      () =>
        createTestStack(t).tokenwell.callerRole('Billing', {
          trusted: billing,
          connections: connections as CallerRoleOptions['connections'],
        }),
      { message },
    )
  refused({}, 'callerRole Billing: Name at least one connection.')
  const uses = "callerRole Billing: The list of orders must contain 'token', 'call' or both."
  refused({ orders: [] }, uses)
  refused({ orders: ['tokens'] }, uses)
  refused({ '*': ['token'] }, '"*" cannot be the name of a connection.')
  const { tokenwell } = createTestStack(t, everyProperty)
  assert.throws(
    () => tokenwell.callerRole('Billing', { trusted: billing, connections: { orders: ['token'] } }),
    /The claim in the JWT decides/,
  )
})

test('a role for many connections is split into policies that IAM accepts', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const names = Array.from({ length: 400 }, (_, place) => [`connection-number-${place}`, ['token']] as const)
  tokenwell.callerRole('Many', { trusted: billing, connections: Object.fromEntries(names) })
  const all = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) =>
    Object.entries(resourcesOf(stack, type)).filter(([id]) => id.startsWith('TokensCallersMany')),
  )
  const documents = all.map(([, { Properties }]) => Properties['PolicyDocument'])
  const routes = JSON.stringify(documents).match(/connection-number-\d+\/token/g) ?? []
  assert.equal(new Set(routes).size, 400)
  for (const document of documents) assert.ok(JSON.stringify(document).length < 10_240)
})

test('each wildcard of a caller role has a reason for cdk-nag', (t) => {
  const { app, stack, tokenwell } = createTestStack(t)
  tokenwell.callerRole('Billing', { trusted: billing, connections: { orders: ['token', 'call'] } })
  const { violations } = new AwsSolutionsChecks(app).validateScope(stack)
  assert.deepEqual(
    violations.flatMap(({ violatingResources }) => violatingResources.map(({ constructPath }) => constructPath)),
    [],
  )
})

function found(stack: Stack, type: string, id: string) {
  const resource = resourcesOf(stack, type)[id]
  assert.ok(resource, `${id} is not among ${Object.keys(resourcesOf(stack, type))}`)
  return resource
}

function trustOf(statement: object): object {
  return { Version: '2012-10-17', Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow', ...statement }] }
}
