import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityRolesOf } from '../../../infra/stack/identity-roles.ts'
import type { WebIdentity } from '../../../infra/stack/web-identities.ts'
import { webIdentitiesOf } from '../../../infra/stack/web-identities.ts'
import { evaluatePolicy, type PolicyStatement, type RequestContext } from '../../support/servers/iam-policy.ts'
import { assertWithinLimits, createTestStack, functionsOf, type Resource, resourcesOf } from './test-stack.ts'

const api = 'https://as.example'

test('the role of the stage has a fixed name, may get identity tokens of its elements and nothing else, and only functions that get tokens assume it', (t) => {
  const webIdentities: WebIdentity[] = [
    { audience: [api, 'https://second.example'] },
    { audience: 'https://third.example', durationSeconds: 300, tagNames: ['team'] },
    { audience: 'https://fourth.example', signingAlgorithm: 'RS256', durationSeconds: 60 },
  ]
  const { stack } = createTestStack(t, { webIdentities })
  const { Properties } = resourcesOf(stack, 'AWS::IAM::Role')['TokensIdentityStage'] ?? assert.fail()
  assert.equal(Properties['RoleName'], 'tokenwell-test-identity')
  assert.deepEqual(trustedBy(Properties), own)
  const anyAudience = { 'sts:IdentityTokenAudience': 'false' }
  assert.deepEqual(statementsOf(Properties), [
    {
      Action: 'sts:GetWebIdentityToken',
      Effect: 'Allow',
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': {
          'sts:IdentityTokenAudience': [api, 'https://second.example', 'https://third.example'],
        },
        Null: anyAudience,
        StringEquals: { 'sts:SigningAlgorithm': 'ES384' },
        NumericLessThanEquals: { 'sts:DurationSeconds': 300 },
      },
    },
    {
      Action: 'sts:GetWebIdentityToken',
      Effect: 'Allow',
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': ['https://fourth.example'] },
        Null: anyAudience,
        StringEquals: { 'sts:SigningAlgorithm': 'RS256' },
        NumericLessThanEquals: { 'sts:DurationSeconds': 60 },
      },
    },
    {
      Action: 'sts:TagGetWebIdentityToken',
      Effect: 'Allow',
      Resource: '*',
      Condition: {
        StringEquals: { 'aws:RequestTag/tokenwell:stage': 'test' },
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['tokenwell:stage', 'tokenwell:connection', 'team'] },
        Null: { 'aws:TagKeys': 'false' },
      },
    },
  ])
})

test('IAM allows exactly the audiences, the algorithm, the duration and the tags of the elements', (t) => {
  const webIdentities: WebIdentity[] = [
    { audience: [api, 'https://second.example'], durationSeconds: 120, tagNames: ['team'] },
  ]
  const { Properties } =
    resourcesOf(createTestStack(t, { webIdentities }).stack, 'AWS::IAM::Role')['TokensIdentityStage'] ?? assert.fail()
  const statements = statementsOf(Properties) as unknown as PolicyStatement[]
  const may = (action: string, context: RequestContext) =>
    evaluatePolicy(statements, `sts:${action}`, '*', context) === 'allowed'
  const right = {
    'sts:IdentityTokenAudience': [api],
    'sts:SigningAlgorithm': ['ES384'],
    'sts:DurationSeconds': ['120'],
  }
  const tokens: readonly (readonly [RequestContext, boolean])[] = [
    [{}, true],
    [{ 'sts:IdentityTokenAudience': [api, 'https://second.example'] }, true],
    [{ 'sts:IdentityTokenAudience': [api, 'https://evil.example'] }, false],
    [{ 'sts:IdentityTokenAudience': [] }, false],
    [{ 'sts:SigningAlgorithm': ['RS256'] }, false],
    [{ 'sts:DurationSeconds': ['60'] }, true],
    [{ 'sts:DurationSeconds': ['121'] }, false],
  ]
  for (const [change, allowed] of tokens)
    assert.equal(may('GetWebIdentityToken', { ...right, ...change }), allowed, JSON.stringify(change))
  assert.equal(may('AssumeRole', right), false)

  const tagged = (stage: string, ...names: string[]) =>
    may('TagGetWebIdentityToken', {
      'aws:RequestTag/tokenwell:stage': [stage],
      'aws:TagKeys': ['tokenwell:stage', ...names],
    })
  assert.deepEqual(
    [tagged('test', 'tokenwell:connection', 'team'), tagged('prod', 'team'), tagged('test', 'admin')],
    [true, false, false],
  )
})

test('a connection with a role of its own gets no audience of others, and no tag of another connection', (t) => {
  const webIdentities: WebIdentity[] = [
    { audience: api, connections: ['orders', 'reports'] },
    { audience: 'https://second.example', connections: ['orders'] },
  ]
  const roles = resourcesOf(createTestStack(t, { webIdentities }).stack, 'AWS::IAM::Role')
  assert.equal(roles['TokensIdentityStage'], undefined)
  const found = Object.fromEntries(
    ['orders', 'reports'].map((connection) => {
      const { Properties } = roles[`TokensIdentityConnection${connection}`] ?? assert.fail(connection)
      assert.deepEqual(trustedBy(Properties), own)
      const [tokens, tags, ...more] = statementsOf(Properties)
      assert.deepEqual(more, [])
      const audiences = tokens?.Condition['ForAllValues:StringEquals']?.['sts:IdentityTokenAudience']
      return [
        Properties['RoleName'],
        { audiences, tag: tags?.Condition['StringEquals']?.['aws:RequestTag/tokenwell:connection'] },
      ]
    }),
  )
  assert.deepEqual(found, {
    'tokenwell-test-identity-orders': { audiences: [api, 'https://second.example'], tag: 'orders' },
    'tokenwell-test-identity-reports': { audiences: [api], tag: 'reports' },
  })
})

test('the functions that get tokens know the role, and no other function does', (t) => {
  const variablesOf = (webIdentities: WebIdentity[]) =>
    Object.entries(functionsOf(createTestStack(t, { webIdentities }).stack)).flatMap(([id, { Properties }]) => {
      const { Variables } = Properties['Environment'] as { Variables: Readonly<Record<string, string>> }
      const { TOKENWELL_IDENTITY_ROLE: role } = Variables
      return role === undefined ? [] : [[id, role]]
    })
  const arn = 'arn:aws:iam::111122223333:role/tokenwell-test-identity'
  const expected = ['IssueToken', 'CallApi', 'WarmTokens', 'RefreshToken'].map((id) => [`Tokens${id}Function`, arn])
  assert.deepEqual(variablesOf([{ audience: api }]), expected)
  assert.deepEqual(variablesOf([{ audience: api, connections: ['orders'] }]), expected)
  assert.deepEqual(variablesOf([]), [])
})

test('an awsWebIdentity has the connections that refer to it over any number of references', () => {
  const element = (role?: string) => ({
    audience: api,
    tags: { team: 'a' },
    durationSeconds: '600',
    ...(role && { role }),
  })
  const elements = new Map<string, unknown>([
    ['endpointConnection/orders', { authenticationConfigRef: 'theConfig' }],
    ['endpointConnection/reports', { authenticationConfigRef: ['other', 'exchange'] }],
    ['endpointConnection/plain', { authenticationConfigRef: 'other' }],
    ['oAuthConfig/theConfig', { jwtAuthenticationTokenRef: 'jwt' }],
    ['oAuthConfig/exchange', { subjectTokenRef: 'jwt' }],
    ['oAuthConfig/other', { jwtAuthenticationTokenRef: 'signed' }],
    ['oAuthTokenConfig/jwt', { tokenGeneratorRef: 'aws' }],
    ['oAuthTokenConfig/signed', { tokenGeneratorRef: 'builder' }],
    ['awsWebIdentity/aws', element('connection')],
    ['awsWebIdentity/shared', element()],
  ])
  const common = { audience: api, tagNames: ['team'], durationSeconds: 600 }
  assert.deepEqual(webIdentitiesOf(elements), [{ ...common, connections: ['orders', 'reports'] }, common])
})

test('a name that IAM does not take, two names that are one for IAM, and too many roles are errors of the synthesis', () => {
  const rolesOf = (...connections: string[]) => identityRolesOf('test', [{ audience: api, connections }])
  const longest = 'x'.repeat(64 - 'tokenwell-test-identity-'.length)
  assert.equal(rolesOf(longest)[0]?.name.length, 64)
  assert.throws(
    () => rolesOf(`${longest}x`),
    /^Error: The identity role of the connection x+ would be tokenwell-test-identity-x+, with 65 characters\. IAM allows 64\. Give the connection a shorter id/,
  )
  assert.throws(() => rolesOf('orders', 'Orders'), /^Error: The connections Orders and orders cannot both have/)
  const many = Array.from({ length: 51 }, (_, index) => `conn${index}`)
  assert.throws(() => rolesOf(...many), /^Error: 51 connections have an identity role of their own/)
  assert.equal(rolesOf(...many.slice(1)).length, 50)
})

test('audiences that the policy of a role has no room for are an error, and 50 roles fit into the stack', (t) => {
  const long = Array.from({ length: 11 }, (_, index) => ({ audience: `https://${index}.example/${'x'.repeat(980)}` }))
  assert.throws(
    () => createTestStack(t, { webIdentities: long }),
    /^Error: The policy of the role tokenwell-test-identity would have \d+ characters, and IAM allows 10240/,
  )
  const connections = Array.from({ length: 50 }, (_, index) => `connection${index}`)
  const { stack } = createTestStack(t, { webIdentities: [{ audience: api, connections }] })
  assertWithinLimits(stack)
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy'))
  for (const { Properties } of policies) assert.ok(JSON.stringify(Properties['PolicyDocument']).length <= 10_240)
})

test('a second region makes no roles and names those of the first, which trusts the functions of both', (t) => {
  const webIdentities: WebIdentity[] = [{ audience: api }]
  const second = createTestStack(t, { webIdentities, makesIdentityRoles: false }).stack
  const rolesOfSecond = Object.keys(resourcesOf(second, 'AWS::IAM::Role'))
  assert.deepEqual(
    rolesOfSecond.filter((id) => id.includes('Identity')),
    [],
  )
  const ofFunction = Object.values(resourcesOf(second, 'AWS::IAM::Policy')).find(
    ({ Properties }) => String(Properties['Roles']) === 'TokensIssueTokenRole',
  )
  assert.match(JSON.stringify(ofFunction), /"sts:AssumeRole".*role\/tokenwell-test-identity"/)

  const identityRoleUsers = ['arn:aws:iam::111122223333:role/Tokenwell-test-IssueTokenRole-A1']
  const first = createTestStack(t, { webIdentities, identityRoleUsers }).stack
  const { Properties } = resourcesOf(first, 'AWS::IAM::Role')['TokensIdentityStage'] ?? assert.fail()
  assert.deepEqual(trustedBy(Properties), [...own, ...identityRoleUsers])
})

test('users of roles that the stack does not make, and ARNs of anything but a role, are errors', (t) => {
  const deploy = (identityRoleUsers: string[], makesIdentityRoles = true) =>
    createTestStack(t, { webIdentities: [{ audience: api }], identityRoleUsers, makesIdentityRoles })
  const arn = 'arn:aws:iam::111122223333:role/path/IssueToken'
  assert.throws(() => deploy([arn], false), /^Error: identityRoleUsers has no effect with makesIdentityRoles: false/)
  for (const wrong of ['*', 'arn:aws:iam::111122223333:root', 'arn:aws:iam::*:role/a', 'IssueToken'])
    assert.throws(() => deploy([arn, wrong]), /^Error: identityRoleUsers: .* is not the ARN of a role/)
})

const own = ['IssueToken', 'CallApi', 'WarmTokens', 'RefreshToken'].map((id) => `Tokens${id}Role.Arn`)

interface Statement {
  readonly Action: string
  readonly Principal?: { readonly AWS: string }
  readonly Condition: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

function statementsOf(properties: Resource['Properties']): Statement[] {
  const [policy, ...more] = properties['Policies'] as { PolicyDocument: { Statement: Statement[] } }[]
  assert.deepEqual([more, properties['ManagedPolicyArns']], [[], undefined])
  return policy?.PolicyDocument.Statement ?? []
}

function trustedBy(properties: Resource['Properties']): unknown[] {
  const { Statement: statements } = properties['AssumeRolePolicyDocument'] as { Statement: Statement[] }
  return statements.map(({ Action, Principal, ...more }) => {
    assert.deepEqual([Action, more], ['sts:AssumeRole', { Effect: 'Allow' }])
    return Principal?.AWS
  })
}
