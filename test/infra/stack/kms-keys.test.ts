import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kmsAliasesOf, signingAliases } from '../../../infra/stack/kms-keys.ts'
import { createTestStack, type Resource, resourcesOf } from './test-stack.ts'

const prefix = 'alias/tokenwell/test/'

test('each keyStore in KMS has its alias, and no secret and no other kind has one', () => {
  const elements = new Map<string, unknown>([
    ['keyStore/orders', { location: `kms:${prefix}orders`, kid: 'first' }],
    ['keyStore/secret', { location: 'tokenwell/test/kms' }],
    ['jwtBuilder/orders', { location: `kms:${prefix}other` }],
    ['keyStore/broken', { location: 7 }],
  ])
  assert.deepEqual(kmsAliasesOf(elements), [`${prefix}orders`])
})

test('each alias has a second one for the key before it, and an alias counts once', () => {
  assert.deepEqual(signingAliases('test', [`${prefix}b`, `${prefix}a`], ['a', 'partner/c']), [
    `${prefix}a`,
    `${prefix}a/previous`,
    `${prefix}b`,
    `${prefix}b/previous`,
    `${prefix}partner/c`,
    `${prefix}partner/c/previous`,
  ])
  assert.deepEqual(signingAliases('test', [], []), [])
})

test('a name that no alias of the stage can have is an error, and a * is every key of the stage alone', () => {
  for (const name of ['', 'a b', 'a*', '**', '/a', 'a/', 'a//b', '../prod/a', 'a.b', 'ä', 'x'.repeat(256)])
    assert.throws(
      () => signingAliases('test', [], ['fine', name]),
      /^Error: kmsKeys: .* cannot follow alias\/tokenwell\/test\//,
    )
  assert.deepEqual(signingAliases('test', [`${prefix}a`], ['*', 'b']), [`${prefix}*`])
})

test('the condition of the right is the only list of keys: the aliases as they are, or a pattern for *', (t) => {
  for (const [kmsKeys, condition] of [
    [
      ['orders'],
      { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': [`${prefix}orders`, `${prefix}orders/previous`] } },
    ],
    [['*'], { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': [`${prefix}*`] } }],
  ] as const)
    assert.deepEqual(
      statementsOf(policiesOf(t, kmsKeys), 'TokensIssueTokenRole').map(({ Condition }) => Condition),
      [condition],
    )
})

test('hundreds of aliases fit into the policies of each function, and no alias is lost', (t) => {
  const kmsKeys = Array.from({ length: 300 }, (_, index) => `connection-number-${index}`)
  const policies = policiesOf(t, kmsKeys)
  const statements = statementsOf(policies, 'TokensIssueTokenRole')
  const named = statements.flatMap(
    ({ Condition }) => Condition['ForAnyValue:StringEquals']?.['kms:ResourceAliases'] ?? [],
  )
  assert.equal(new Set(named).size, 2 * kmsKeys.length)
  for (const { Type, Properties } of policies) {
    const { length } = JSON.stringify(Properties['PolicyDocument'])
    assert.ok(length <= (Type === 'AWS::IAM::Policy' ? 10_240 : 6_144), `${Type} ${length}`)
  }
  const ofFunction = policies.filter(({ Properties }) => String(Properties['Roles']) === 'TokensIssueTokenRole')
  assert.ok(ofFunction.length <= 1 + 10, 'AWS allows ten managed policies for each role')
})

test('more aliases than a role has room for are an error that says what to set', () => {
  const many = Array.from({ length: 600 }, (_, index) => `connection-number-${index}`)
  assert.throws(
    () => signingAliases('test', [], many),
    /^Error: kmsKeys: the aliases of 600 KMS keys are too long for the policies of a role\. Set kmsKeys: \['\*'\]/,
  )
})

interface Statement {
  readonly Action: string | readonly string[]
  readonly Condition: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
}

function policiesOf(t: Parameters<typeof createTestStack>[0], kmsKeys: readonly string[]): Resource[] {
  const { stack } = createTestStack(t, { kmsKeys })
  const types = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']
  return types.flatMap((type) => Object.values(resourcesOf(stack, type)))
}

function statementsOf(policies: readonly Resource[], role: string): Statement[] {
  const own = policies.filter(({ Properties }) => String(Properties['Roles']) === role)
  return own
    .flatMap(({ Properties }) => (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement)
    .filter(({ Action, Condition }) => Action.includes('kms:Sign') && Condition)
}
