import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { functionNames } from '../../infra/bundle.ts'
import { complaintsOfVariables } from '../../lib/application/unsafe-variables.ts'
import { elementsFileOf } from '../support/elements/element-store.ts'
import { root } from '../support/process/local-run.ts'
import { createTestStack, everyProperty, functionsOf, resourceNamed } from './stack/test-stack.ts'

/* infra/README.md against the construct, the stack and the functions that it describes. */

const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')

test('the policy for a role without an app of your own is the one that grantToken gives', (t) => {
  const [policy] = policiesOfPage()
  const { stack, tokenwell } = createTestStack(t)
  const caller = new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('111122223333') })
  tokenwell.grantToken(caller, 'orders')
  const { Properties } = resourceNamed(stack, 'AWS::IAM::Policy', 'CallerDefaultPolicy')
  assert.deepEqual(policy, Properties['PolicyDocument'])
})

test('the policy in the account of a caller is for the role that callerRole makes in the example', (t) => {
  const [, policy, ...more] = policiesOfPage()
  assert.deepEqual(more, [])
  const { stack, tokenwell } = createTestStack(t)
  const [, roleName = ''] = /roleName: '([\w-]+)'/.exec(page.split('### Callers of other accounts')[1] ?? '') ?? []
  const trusted = new AccountPrincipal('444455556666')
  tokenwell.callerRole('Billing', { trusted, connections: { orders: ['token'] }, roleName })
  const { Properties } = resourceNamed(stack, 'AWS::IAM::Role', 'TokensCallersBilling')
  const Resource = `arn:aws:iam::111122223333:role/${Properties['RoleName']}`
  assert.deepEqual(policy?.Statement, [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource }])
})

test('the table of outputs has those that addOutputs adds, each with a description', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.addOutputs({ exportPrefix: 'tokenwell-test-' })
  tokenwell.addOutputs({ prefix: 'Again' })
  const outputs = Object.entries(Template.fromStack(stack).findOutputs('*'))
  // The CDK makes others for references from the second stack.
  const described = outputs.filter(([, { Description }]) => /^The .+/.test(Description ?? ''))
  const [exported, again] = [
    described.filter(([, { Export }]) => Export),
    described.filter(([, { Export }]) => !Export),
  ]
  const names = namesIn('### Outputs of the stack').filter((name) => name !== 'jwtBuilder')
  assert.deepEqual(exported.map(([name]) => name).toSorted(), names.toSorted())
  for (const [name, { Export }] of exported) assert.deepEqual(Export, { Name: `tokenwell-test-${name}` })
  assert.deepEqual(again.map(([name]) => name.replace('Again', '')).toSorted(), names.toSorted())
})

test('the tables of properties and of members are those of the construct', () => {
  const source = readStack('tokenwell.ts')
  const settings = readFileSync(join(root, 'infra', 'stack', 'retained-log.ts'), 'utf8')
  const properties = [...memberNames(bodyOf(stackSource('tokenwell-props.ts'), 'interface TokenwellProps'))]
  const inherited = [
    ...memberNames(bodyOf(settings, 'interface LogSettings')),
    ...memberNames(bodyOf(stackSource('telemetry.ts'), 'interface TelemetrySettings')),
    ...memberNames(bodyOf(stackSource('rotated-keys.ts'), 'interface SigningKeySettings')),
  ]
  assert.deepEqual(namesIn('### Properties').toSorted(), [...properties, ...inherited].toSorted())

  const sources = [
    bodyOf(source, 'class Tokenwell'),
    bodyOf(readStack('tokenwell-stage.ts'), 'interface ITokenwell'),
    bodyOf(readStack('measured-stage.ts'), 'interface IMeasuredStage'),
  ]
  const members = sources.join('').matchAll(/^ {2}(?:static |readonly |get )?(\w+)(?:: |\()/gm)
  const names = new Set([...members].map(([, name = '']) => name).filter((name) => name !== 'constructor'))
  assert.deepEqual(namesIn('### Methods and members').toSorted(), [...names].toSorted())
})

test('the table of properties calls those properties required that the construct requires', () => {
  const required = rowsOf('### Properties').filter(([, , otherwise]) => otherwise === 'required')
  const source = bodyOf(stackSource('tokenwell-props.ts'), 'interface TokenwellProps')
  const withoutMark = [...source.matchAll(/^ {2}readonly (\w+): /gm)].map(([, name]) => `\`${name}\``)
  assert.deepEqual(
    required.map(([name]) => name),
    withoutMark,
  )
})

test('the documentation of each optional property names its default, and the example on the page sets each property', () => {
  const [, example = ''] = /^```ts\n([\s\S]*?new Tokenwell\([\s\S]*?)^```$/m.exec(page) ?? []
  const sources = [
    bodyOf(stackSource('tokenwell-props.ts'), 'interface TokenwellProps'),
    bodyOf(readFileSync(join(root, 'infra', 'stack', 'retained-log.ts'), 'utf8'), 'interface LogSettings'),
    bodyOf(stackSource('telemetry.ts'), 'interface TelemetrySettings'),
    bodyOf(stackSource('rotated-keys.ts'), 'interface SigningKeySettings'),
  ]
  const properties = [...sources.join('').matchAll(/(?: {2}\/\*\*([\s\S]*?)\*\/\n)? {2}readonly (\w+)(\??): /g)]
  assert.ok(properties.length > 12)
  for (const [, documentation = '', name = '', optional] of properties) {
    assert.equal(documentation.includes('@default '), optional === '?', name)
    assert.match(example, new RegExp(`^ {2}${name}: `, 'm'))
  }
})

test('the page names each type of resource that the stack creates', (t) => {
  const kinds: Readonly<Record<string, RegExp>> = {
    'AWS::ApiGatewayV2::Api': /HTTP API/,
    'AWS::DynamoDB::Table': /DynamoDB table/,
    'AWS::SecretsManager::Secret': /secret of the cache/,
    'AWS::KMS::Key': /KMS key/,
    'AWS::Events::EventBus': /event bus/,
    'AWS::SQS::Queue': /two SQS queues/,
    'AWS::Events::Rule': /four EventBridge rules/,
    'AWS::Scheduler::Schedule': /schedule and its group/,
    'AWS::CloudWatch::Dashboard': /dashboard/,
    'AWS::CloudWatch::Alarm': /alarms/,
    'AWS::EC2::SecurityGroup': /security group/,
    'AWS::Lambda::Function': /Lambda function of the CDK/,
    'AWS::Logs::LogGroup': /log group for each function/,
    'AWS::IAM::Role': /IAM role/,
    'AWS::Lambda::Alias': /alias of each function/,
    'AWS::CodeDeploy::DeploymentGroup': /CodeDeploy/,
  }
  /** They only join or belong to the resources above. */
  const parts =
    /^AWS::(CodeDeploy::Application|ApiGatewayV2::(Authorizer|Integration|Route|Stage)|IAM::Policy|Lambda::(EventInvokeConfig|EventSourceMapping|Permission|Version)|SQS::QueuePolicy|Scheduler::ScheduleGroup)$|^Custom::Trigger$/
  const rows = rowsOf('## What the stack creates').map(([name = '']) => name)
  for (const { stack } of [createTestStack(t), createTestStack(t, everyProperty)]) {
    for (const type of new Set(typesOf(stack).filter((each) => !parts.test(each)))) {
      const kind = kinds[type]
      assert.ok(kind, `${type} is not in this list`)
      assert.ok(
        rows.some((row) => kind.test(row)),
        type,
      )
    }
    assert.equal(typesOf(stack).filter((type) => type === 'AWS::SQS::Queue').length, 2)
    assert.equal(typesOf(stack).filter((type) => type === 'AWS::Events::Rule').length, 4)
  }
  for (const name of functionNames) assert.ok(rows.includes(`Lambda function \`${name}\``), name)
})

test('the table of environment variables has each variable that functions read, and the functions for which the stack sets it', async (t) => {
  const source = readFileSync(join(root, 'lib', 'application', 'environment.ts'), 'utf8')
  const read = new Set(source.match(/TOKENWELL_\w+/g))
  const rows = rowsOf('## Environment variables')
  assert.deepEqual(rows.map(([name = '']) => name.replaceAll('`', '')).toSorted(), [...read].toSorted())

  const set = new Map<string, string[]>()
  const keyStore = { key: { location: 'tokenwell/test/key' } }
  const elements = await elementsFileOf(t, { keyStore })
  const functions = functionsOf(createTestStack(t, (elsewhere) => ({ ...everyProperty(elsewhere), elements })).stack)
  for (const [id, { Properties }] of Object.entries(functions)) {
    const { Variables } = Properties['Environment'] as { Variables: Readonly<Record<string, string>> }
    const name = functionNames.find(
      (each) => `${each.replaceAll('-', '')}function` === id.replace(/^Tokens(Elements(?=Put))?/, '').toLowerCase(),
    )
    for (const variable of Object.keys(Variables)) set.set(variable, [...(set.get(variable) ?? []), name ?? id])
  }
  for (const [name = '', , users = ''] of rows.slice(0, -4)) {
    const expected = users === 'all' ? functionNames : users.replaceAll('`', '').split(', ')
    assert.deepEqual(set.get(name.replaceAll('`', ''))?.toSorted(), [...expected].toSorted(), name)
  }
  assert.equal(set.size, rows.length - 4)
})

test('functions on Lambda refuse the variables of the table, except with the values that it allows', () => {
  const rows = rowsOf('### Variables that functions refuse')
  const names = rows.flatMap(([cell = '']) => cell.replaceAll('`', '').replace('<SERVICE>', 'DYNAMODB').split(', '))
  for (const name of names) assert.equal(complaintsOfVariables({ [name]: 'x' }).length, 1, name)

  const allowed: Readonly<Record<string, readonly string[]>> = {
    NODE_TLS_REJECT_UNAUTHORIZED: ['1'],
    NODE_USE_SYSTEM_CA: ['0'],
    NODE_USE_ENV_PROXY: ['0'],
    AWS_CONFIG_FILE: ['/dev/null'],
    AWS_SHARED_CREDENTIALS_FILE: ['/dev/null'],
    AWS_ENDPOINT_URL: ['https://vpce.example', 'http://127.0.0.1:5000'],
    AWS_ENDPOINT_URL_DYNAMODB: ['https://vpce.example', 'http://localhost:5000'],
    NODE_OPTIONS: [
      '--max-old-space-size=400 --enable-source-maps --no-warnings --stack-trace-limit=50 --dns-result-order=ipv4first --tls-min-v1.2 --tls-min-v1.3',
    ],
  }
  const paths = ['/etc/x', '/usr/x', '/var/runtime/x', '/var/lang/x']
  const harmless = names.flatMap((name) => {
    const values = /^(SSL_CERT|OPENSSL)_/.test(name) ? paths : (allowed[name] ?? [])
    return values.map((value) => [name, value] as const)
  })
  for (const [name, value] of harmless) assert.deepEqual(complaintsOfVariables({ [name]: value }), [], name)
  const never = rows.filter(([, values = '']) => values.startsWith('none')).flatMap(([cell = '']) => cell.split(', '))
  const accepted = new Set(harmless.map(([name]) => name))
  assert.deepEqual(
    names.filter((name) => !accepted.has(name)),
    never.map((name) => name.replaceAll('`', '')),
  )
})

function stackSource(name: string): string {
  return readFileSync(join(root, 'infra', 'stack', name), 'utf8')
}

/** The IAM policies of the page. */
function policiesOfPage() {
  return [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)]
    .map(([, text = '']): { Statement?: unknown } => JSON.parse(text.replaceAll('<api id>', 'TokensHttpApi')))
    .filter((each) => 'Statement' in each)
}

function readStack(file: string): string {
  return readFileSync(join(root, 'infra', 'stack', file), 'utf8')
}

function typesOf(stack: Parameters<typeof functionsOf>[0]): string[] {
  const { Resources: resources } = Template.fromStack(stack).toJSON() as { Resources: Record<string, { Type: string }> }
  return Object.values(resources).map(({ Type }) => Type)
}

/** The cells of the first table below a heading, without its head. */
function rowsOf(heading: string): string[][] {
  const [, below = ''] = page.split(`\n${heading}\n`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(below) ?? []
  const lines = table.trim().split('\n').slice(2)
  assert.ok(lines.length > 4, heading)
  return lines.map((line) => line.slice(2, -2).split(' | '))
}

/** The names in the first column; a method without its parameters. */
function namesIn(heading: string): string[] {
  return rowsOf(heading).flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name))
}

/** The text between the braces of a declaration that begins a line. */
function bodyOf(source: string, declaration: string): string {
  const [, body] = new RegExp(`^export ${declaration} [^{]*\\{\n([^]*?)^\\}$`, 'm').exec(source) ?? []
  if (body === undefined) throw new Error(`There is no ${declaration}.`)
  return body
}

function memberNames(body: string): string[] {
  return [...body.matchAll(/^ {2}readonly (\w+)\??: /gm)].map(([, name = '']) => name)
}
