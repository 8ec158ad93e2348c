import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import { functionNames } from '../../../infra/bundle.ts'
import { writeTemplate } from '../../../infra/package/template.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { createTestStack } from '../stack/test-stack.ts'

/* The CloudFormation template for teams without the CDK. checkers.test.ts lets cfn-lint check it. */

interface Resource {
  readonly Type: string
  readonly Condition?: string
  readonly Properties: Readonly<Record<string, unknown>>
}

test('the template has the resources of the construct, with parameters in place of its properties', async (t) => {
  const { template } = await written(t)
  const { stack } = createTestStack(t, { webIdentities: [{ audience: 'https://as.example' }] })
  const { Resources: resources } = Template.fromStack(stack).toJSON()
  assert.deepEqual(typesOf(template.Resources), typesOf(resources))
  assert.doesNotMatch(JSON.stringify(template), /stageparameter|publicurlparameter|audiencesparameter/i)

  const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
  const [, section = ''] = page.split('\n## Without the CDK\n')
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? []
  const names = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name)
  assert.deepEqual(Object.keys(template.Parameters), names)

  const buses = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Events::EventBus')
  assert.deepEqual(
    buses.map(({ Properties }) => Properties['Name']),
    [{ 'Fn::Sub': `tokenwell-\${Stage}` }],
  )
})

test('the parameter KmsAliases is the only list of keys that functions may sign with', async (t) => {
  const { template } = await written(t)
  const signing = statementsOf(template).filter(({ Action }) => [Action].flat().includes('kms:Sign'))
  const conditions = signing.flatMap(({ Condition }) => (Condition ? [Condition] : []))
  assert.deepEqual(
    conditions,
    Array.from({ length: 4 }, () => ({ 'ForAnyValue:StringLike': { 'kms:ResourceAliases': { Ref: 'KmsAliases' } } })),
  )
  const { AllowedPattern: pattern, Default: none } = template.Parameters['KmsAliases'] ?? assert.fail()
  const isAllowed = (alias: string) => new RegExp(`^(?:${pattern})$`).test(alias)
  for (const alias of [
    none,
    'alias/tokenwell/prod/orders',
    'alias/tokenwell/prod/*',
    'alias/tokenwell/prod/orders/previous',
  ])
    assert.ok(isAllowed(String(alias)), String(alias))
  for (const alias of ['*', 'alias/*', 'alias/tokenwell/*', 'alias/tokenwell/*/orders', 'alias/other', ''])
    assert.equal(isAllowed(alias), false, alias)
})

test('without audiences the template has no identity role, no right to assume it, and no variable that names it', async (t) => {
  const { template } = await written(t)
  const isEmpty = { 'Fn::Equals': [{ 'Fn::Join': [',', { Ref: 'IdentityAudiences' }] }, 'none'] }
  assert.deepEqual(template.Conditions['HasIdentity'], { 'Fn::Not': [isEmpty] })
  const roles = Object.values(template.Resources).filter(({ Properties }) => 'RoleName' in Properties)
  assert.deepEqual(
    roles.map(({ Condition, Properties }) => [Condition, Properties['RoleName']]),
    [['HasIdentity', { 'Fn::Sub': `tokenwell-\${Stage}-identity` }]],
  )
  assert.deepEqual(JSON.stringify(roles).match(/"sts:IdentityTokenAudience":\{"Ref":"IdentityAudiences"\}/g)?.length, 2)
  assert.equal(statementsOf(template).filter(({ Action }) => Action === 'sts:AssumeRole').length, 0)
  const optional = statementsOf(template).flatMap(({ 'Fn::If': choice }) => (choice ? [choice] : []))
  assert.deepEqual(
    optional.map(([condition, { Action }, otherwise]) => [condition, Action, otherwise]),
    Array.from({ length: 4 }, () => ['HasIdentity', 'sts:AssumeRole', { Ref: 'AWS::NoValue' }]),
  )
  const variables = Object.values(template.Resources).flatMap(({ Properties }) =>
    Object.entries(Object(Properties['Environment'])['Variables'] ?? {}).filter(([name]) => name.includes('IDENTITY')),
  )
  assert.equal(variables.length, 4)
  for (const [, value] of variables) assert.deepEqual(Object(value)['Fn::If']?.[0], 'HasIdentity')
})

/** The template has no elements, so no function that deploys them. */
const functionsWithoutElements = functionNames.filter((name) => name !== 'put-elements')

test('the code of each function is a folder beside the template', async (t) => {
  const { folder, template } = await written(t)
  const functions = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')
  const folders = functions.map(({ Properties }) => String(Properties['Code']))
  assert.deepEqual(
    folders.toSorted(),
    [...functionsWithoutElements, 'of-the-cdk'].map((name) => `functions/${name}`).toSorted(),
  )
  for (const path of folders) {
    const entry = path.endsWith('of-the-cdk') ? 'index.js' : 'index.mjs'
    assert.ok(existsSync(join(folder, path, entry)), path)
  }
})

async function written(t: Parameters<typeof temporaryFolder>[0]) {
  const built = functionNames.map((name) => [`${name}/index.mjs`, 'export {}'] as const)
  const folder = join(await temporaryFolder(t), 'template')
  writeTemplate(await temporaryFolder(t, Object.fromEntries(built)), folder)
  const template = JSON.parse(readFileSync(join(folder, 'template.json'), 'utf8')) as {
    readonly Resources: Readonly<Record<string, Resource>>
    readonly Parameters: Readonly<Record<string, Readonly<Record<string, unknown>>>>
    readonly Conditions: Readonly<Record<string, unknown>>
  }
  return { folder, template }
}

interface Statement {
  readonly Action: string | readonly string[]
  readonly Condition?: object
  readonly 'Fn::If'?: readonly [condition: string, statement: Statement, otherwise: unknown]
}

function statementsOf({ Resources }: { readonly Resources: Readonly<Record<string, Resource>> }): Statement[] {
  const policies = Object.values(Resources).filter(({ Type }) => Type === 'AWS::IAM::Policy')
  return policies.flatMap(({ Properties }) => (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement)
}

function typesOf(resources: Readonly<Record<string, Resource>>): string[] {
  return Object.values(resources)
    .map(({ Type }) => Type)
    .toSorted()
}
