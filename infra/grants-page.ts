import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2'
import { Key } from 'aws-cdk-lib/aws-kms'
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api'
import { functionNames } from './bundle.ts'
import { Tokenwell } from './stack/tokenwell.ts'
import type { TokenwellProps } from './stack/tokenwell-props.ts'

const [begin, end] = ['<!-- npm run grants -->\n', '<!-- end of npm run grants -->\n']
const stage = 'Stage'

/** The page with its tables of rights, rewritten from the synthesized stack. */
export function withGrants(page: string): string {
  const [before, rest = ''] = page.split(begin)
  const [, after] = rest.split(end)
  if (after === undefined) throw new Error(`The page has no place for its tables. Add the lines ${begin}and ${end}`)
  const plain = rightsOf(() => ({}))
  const signing = rightsOf(() => keyless)
  const more = new Map(
    [...signing].filter(([right, holders]) => !plain.has(right) || plain.get(right)?.size !== holders.size),
  )
  const tables = [
    '\nWith a DynamoDB table:\n\n',
    tableOf(plain),
    '\nWith the KMS key `orders` and identity tokens of the stage and of the connection `reports`, these rights are added:\n\n',
    tableOf(more),
    '\nWith Valkey, a VPC and a key of your own:\n\n',
    tableOf(rightsOf(everything)),
    '\n',
  ]
  return [before, begin, ...tables, end, after].join('')
}

const keyless: Partial<TokenwellProps> = {
  kmsKeys: ['orders'],
  webIdentities: [{ audience: 'https://as.example' }, { audience: 'https://as.example', connections: ['reports'] }],
}

function everything(app: App): Partial<TokenwellProps> {
  const elsewhere = new Stack(app, 'Elsewhere')
  return {
    cache: { valkeyUrl: 'valkeys://cache.example:6379' },
    network: { vpc: new Vpc(elsewhere, 'Vpc') as IVpc },
    encryptionKey: new Key(elsewhere, 'Key'),
  }
}

/** A right, and the functions that have it. */
type Rights = Map<string, Set<string>>

interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** The rights in every policy of the template: those of the functions and the one of the schedule. */
function rightsOf(props: (app: App) => Partial<TokenwellProps>): Rights {
  const rights: Rights = new Map()
  for (const { Roles: roles, PolicyDocument: document } of policiesOf(props)) {
    const [holder = ''] = (roles as unknown[]).map((role) => nameOf(role).replace(/Role$/, ''))
    for (const statement of (document as { Statement: Statement[] }).Statement) {
      const right = rightOf(statement).replaceAll(`\`${holder}`, '`<function>')
      rights.set(right, (rights.get(right) ?? new Set()).add(folderOf(holder)))
    }
  }
  return rights
}

function policiesOf(props: (app: App) => Partial<TokenwellProps>): Readonly<Record<string, unknown>>[] {
  const outdir = mkdtempSync(join(tmpdir(), 'tokenwell-grants-'))
  try {
    const app = new App({ outdir, context: { [BUNDLING_STACKS]: [] }, analyticsReporting: false })
    const stack = new Stack(app, 'Tokenwell')
    const publicUrl = 'https://tokens.example'
    const elements = join(outdir, 'elements.json')
    writeFileSync(elements, JSON.stringify({ keyStore: { key: { location: `tokenwell/${stage}/key` } } }))
    new Tokenwell(stack, 'Tokens', { stage, publicUrl, elements, ...props(app) })
    const { Resources: resources } = app.synth().getStackByName(stack.stackName).template
    return Object.values(resources as Record<string, { Type: string; Properties: Record<string, unknown> }>)
      .filter(({ Type }) => Type === 'AWS::IAM::Policy')
      .map(({ Properties }) => Properties)
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
}

function rightOf({ Effect, Action, Resource, Condition = {} }: Statement): string {
  const actions = [Action].flat().map((action) => `\`${action}\``)
  const resources = [Resource].flat().map((resource) => `\`${nameOf(resource)}\``)
  const effect = Effect === 'Allow' ? '' : "denied to the function's own code: "
  return `${effect}${actions.join(', ')} | ${resources.join(', ')}${recordsOf(Condition)}${aliasesOf(Condition)}`
}

/** The records of the table that a condition limits the right to. */
function recordsOf(conditions: NonNullable<Statement['Condition']>): string {
  const listed = Object.entries(conditions).flatMap(([operator, { 'dynamodb:LeadingKeys': names }]) =>
    Array.isArray(names)
      ? [`${operator.endsWith('NotLike') ? ', all records except' : ', records'} \`${names.join()}\``]
      : [],
  )
  return listed.join('')
}

/** The aliases of the KMS keys that a condition limits the right to. */
function aliasesOf(conditions: NonNullable<Statement['Condition']>): string {
  return Object.values(conditions)
    .flatMap(({ 'kms:ResourceAliases': aliases = [] }) => aliases)
    .map((alias, index) => `${index === 0 ? ', keys with the alias ' : ' or '}\`${nameOf(alias)}\``)
    .join('')
}

/** The end of a resource's ARN, or its name in the construct. */
function nameOf(value: unknown): string {
  return (
    textOf(value)
      .replace(/^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, '')
      // The function for deployments is within another construct.
      .replace(/^ElementsPutElements/, 'PutElements')
      .replaceAll(`tokenwell/${stage}`, 'tokenwell/<stage>')
  )
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  // Partition, region and account.
  if ('Ref' in value) return String(value.Ref).startsWith('AWS::') ? '' : constructOf(String(value.Ref))
  if ('Fn::GetAtt' in value) return constructOf((value['Fn::GetAtt'] as string[])[0] ?? '')
  if ('Fn::ImportValue' in value) return 'encryptionKey'
  // The name of the bucket that the CDK's bootstrapping made.
  if ('Fn::Sub' in value) return "the CDK's bucket of assets"
  const [separator, parts] = (value as { 'Fn::Join': [string, unknown[]] })['Fn::Join']
  return parts.map(textOf).join(separator)
}

/** A logical id ends in eight digits of a hash. */
function constructOf(logicalId: string): string {
  return logicalId.replace(/^Tokens/, '').replace(/[0-9A-F]{8}$/, '')
}

function folderOf(holder: string): string {
  return holder.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
}

function tableOf(rights: Rights): string {
  const all = [...new Set([...rights.values()].flatMap((holders) => [...holders]))]
  const holders = all.sort((a, b) => rankOf(a) - rankOf(b))
  const rows = [...rights].map(([right, having]) =>
    [right, ...holders.map((holder) => (having.has(holder) ? 'x' : ' '))].join(' | '),
  )
  const head = ['actions', 'resources', ...holders.map((holder) => `\`${holder}\``)]
  return ['', head.join(' | '), head.map(() => '---').join(' | '), ...rows]
    .slice(1)
    .map((row) => `| ${row} |\n`)
    .join('')
}

/** Sorts the functions first, then the schedule. */
function rankOf(holder: string): number {
  const rank = functionNames.indexOf(holder)
  return rank < 0 ? functionNames.length : rank
}
