import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2'
import { Key } from 'aws-cdk-lib/aws-kms'
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api'
import { Tokenwell, type TokenwellProps } from '../../../infra/stack/tokenwell.ts'

/** A stack of the stage `test`. What its properties need that isn't Tokenwell's stands in another. */
export interface TestStack {
  readonly app: App
  readonly stack: Stack
  readonly tokenwell: Tokenwell
}

export interface Resource {
  readonly Type: string
  readonly Properties: Readonly<Record<string, unknown>>
  readonly DependsOn?: readonly string[]
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
  readonly Metadata?: Readonly<Record<string, unknown>>
}

type Props = Partial<TokenwellProps>

export const theUrl = 'https://tokens.example'

/** CDK's own look at each template takes most of the time. `npm run synth` has it, and checkers.test.ts has those of others. */
process.env['CDK_VALIDATION'] = 'false'

/** Its functions' code is only bundled where a test looks at it: that takes most of the time. */
export function createTestStack(
  t: TestContext,
  props: Props | ((elsewhere: Stack) => Props) = {},
  { isBundled = false } = {},
): TestStack {
  const outdir = mkdtempSync(join(tmpdir(), 'tokenwell-stack-'))
  t.after(() => rmSync(outdir, { recursive: true, force: true }))
  const context = isBundled ? {} : { [BUNDLING_STACKS]: [] }
  const app = new App({ outdir, context, analyticsReporting: false })
  const stack = new Stack(app, 'Test')
  const given = typeof props === 'function' ? props(new Stack(app, 'Elsewhere')) : props
  const tokenwell = new Tokenwell(stack, 'Tokens', { stage: 'test', publicUrl: theUrl, ...given })
  return { app, stack, tokenwell }
}

/** Everything that a deployment may have beside the defaults. */
export function everyProperty(elsewhere: Stack): Props {
  return {
    authorization: { issuer: 'https://issuer.example', audience: ['tokenwell'], connectionsClaim: 'connections' },
    cache: { valkeyUrl: 'valkeys://cache.example:6380' },
    network: { vpc: new Vpc(elsewhere, 'Vpc') as IVpc },
    encryptionKey: new Key(elsewhere, 'Key'),
    throttleByFunction: { 'call-api': { requestsPerSecond: 100, burst: 200 } },
    reservedConcurrency: { 'call-api': 400, 'refresh-token': 10 },
    readRecordsOf: '0.1',
  }
}

/** Its resources of one type by logical id, with sample values for what only the deployment knows. */
export function resourcesOf(stack: Stack, type: string): Readonly<Record<string, Resource>> {
  const template = Template.fromStack(stack)
  // What stands for a queue is its URL.
  const queues = Object.keys(template.findResources('AWS::SQS::Queue'))
  const samples = { ...theSamples, ...Object.fromEntries(queues.map((id) => [id, queueUrl(withoutHash(id))])) }
  const found = Object.entries(template.findResources(type))
  return Object.fromEntries(found.map(([id, each]) => [withoutHash(id), withSamples(each, samples) as Resource]))
}

/** That of a queue of the test stack. */
export function queueUrl(id: string): string {
  return `https://sqs.eu-central-1.amazonaws.com/111122223333/${id}`
}

/** The functions of the table. The CDK has one of its own beside them, by which a deployment invokes `refresh-token`. */
export function functionsOf(stack: Stack): Readonly<Record<string, Resource>> {
  const all = Object.entries(resourcesOf(stack, 'AWS::Lambda::Function'))
  return Object.fromEntries(all.filter(([id]) => !id.startsWith('AWSCDKTrigger')))
}

/** The one of that logical id. */
export function resourceNamed(stack: Stack, type: string, id: string): Resource {
  const resources = resourcesOf(stack, type)
  const resource = resources[id]
  if (!resource) throw new Error(`No ${type} is ${id}: there are ${Object.keys(resources).join(', ')}`)
  return resource
}

/** The only one. */
export function resourceOf(stack: Stack, type: string): Resource {
  const [resource, ...more] = Object.values(resourcesOf(stack, type))
  if (!resource || more.length > 0) throw new Error(`${more.length + (resource ? 1 : 0)} resources are of ${type}`)
  return resource
}

const theSamples: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-central-1',
  'AWS::AccountId': '111122223333',
}

function withSamples(value: unknown, samples: Readonly<Record<string, string>>): unknown {
  const inside = (each: unknown) => withSamples(each, samples)
  if (Array.isArray(value)) return value.map(inside)
  if (typeof value !== 'object' || value === null) return value
  if ('Ref' in value) return samples[String(value.Ref)] ?? withoutHash(String(value.Ref))
  if ('Fn::GetAtt' in value) return (value['Fn::GetAtt'] as string[]).map(withoutHash).join('.')
  if ('Fn::ImportValue' in value) return String(value['Fn::ImportValue']).replace(/[0-9A-F]{8}/g, '')
  if ('Fn::Join' in value) {
    const [separator, parts] = value['Fn::Join'] as [string, unknown[]]
    return parts.map(inside).join(separator)
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inside(member)]))
}

/** CDK ends a logical id in eight digits of a hash. */
function withoutHash(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, '')
}
