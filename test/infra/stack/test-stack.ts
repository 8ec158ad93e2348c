import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2'
import { Key } from 'aws-cdk-lib/aws-kms'
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api'
import { Tokenwell } from '../../../infra/stack/tokenwell.ts'
import type { TokenwellProps } from '../../../infra/stack/tokenwell-props.ts'

/** A stack of the stage `test`. Resources of others that its properties need are in a second stack. */
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

/** An undefined `publicUrl` leaves it out. */
type Props = Partial<Omit<TokenwellProps, 'publicUrl'>> & { readonly publicUrl?: string | undefined }

export const theUrl = 'https://tokens.example'

/** The CDK's own check of each template takes most of the time, so it is off. `npm run synth` and checkers.test.ts check templates. */
process.env['CDK_VALIDATION'] = 'false'

/** The code of the functions is bundled only for tests that read it, because bundling takes most of the time. */
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
  const { publicUrl, ...others } = { publicUrl: theUrl, ...given }
  const tokenwell = new Tokenwell(stack, 'Tokens', {
    stage: 'test',
    ...(publicUrl !== undefined && { publicUrl }),
    ...others,
  })
  return { app, stack, tokenwell }
}

/** All optional properties of a deployment. */
export function everyProperty(elsewhere: Stack): Props {
  return {
    authorization: { issuer: 'https://issuer.example', audience: ['tokenwell'], connectionsClaim: 'connections' },
    cache: { valkeyUrl: 'valkeys://cache.example:6380' },
    network: { vpc: new Vpc(elsewhere, 'Vpc') as IVpc },
    encryptionKey: new Key(elsewhere, 'Key'),
    throttleByFunction: { 'call-api': { requestsPerSecond: 100, burst: 200 } },
    reservedConcurrency: { 'call-api': 400, 'refresh-token': 10 },
    gradualDeployment: {},
    readRecordsOf: '0.1',
    kmsKeys: ['orders'],
    webIdentities: [
      { audience: 'https://as.example' },
      { audience: 'https://other.example', signingAlgorithm: 'RS256', connections: ['reports'] },
    ],
    signingKeyReplicas: ['eu-north-1'],
    metricsByConnection: false,
    tracing: false,
    logLevel: 'warn',
    platformLogLevel: 'info',
  }
}

/** The resources of one type by logical id, with sample values for everything that only the deployment knows. */
export function resourcesOf(stack: Stack, type: string): Readonly<Record<string, Resource>> {
  const template = Template.fromStack(stack)
  // A reference to a queue is its URL.
  const queues = Object.keys(template.findResources('AWS::SQS::Queue'))
  const samples = { ...theSamples, ...Object.fromEntries(queues.map((id) => [id, queueUrl(withoutHash(id))])) }
  const found = Object.entries(template.findResources(type))
  return Object.fromEntries(found.map(([id, each]) => [withoutHash(id), withSamples(each, samples) as Resource]))
}

/** What CloudFormation accepts at most, and the emulators of AWS do not check. */
export function assertWithinLimits(stack: Stack): void {
  const template = Template.fromStack(stack).toJSON()
  const resources = Object.keys(template['Resources']).length
  assert.ok(resources <= 500, `${stack.node.path} has ${resources} resources`)
  // The CDK writes templates with an indentation of one blank.
  const bytes = Buffer.byteLength(JSON.stringify(template, undefined, 1))
  assert.ok(bytes <= 1_000_000, `the template of ${stack.node.path} has ${bytes} bytes`)
}

/** The requests that a right to the token of a connection allows, as IAM writes them. */
export function requestsOfToken(connection: string): readonly string[] {
  return [
    `POST/connections/${connection}/token`,
    `GET/.well-known/oauth-authorization-server/connections/${connection}`,
    `GET/connections/${connection}/.well-known/openid-configuration`,
    `GET/connections/${connection}/.well-known/jwks.json`,
  ]
}

/** The URL of a queue of the test stack. */
export function queueUrl(id: string): string {
  return `https://sqs.eu-central-1.amazonaws.com/111122223333/${id}`
}

/** The functions of the table, without the CDK's own function that invokes `refresh-token` during a deployment. */
export function functionsOf(stack: Stack): Readonly<Record<string, Resource>> {
  const all = Object.entries(resourcesOf(stack, 'AWS::Lambda::Function'))
  return Object.fromEntries(all.filter(([id]) => !id.startsWith('AWSCDKTrigger')))
}

/** The resource with this logical id. */
export function resourceNamed(stack: Stack, type: string, id: string): Resource {
  const resources = resourcesOf(stack, type)
  const resource = resources[id]
  if (!resource) throw new Error(`No ${type} is ${id}: there are ${Object.keys(resources).join(', ')}`)
  return resource
}

/** The only resource of a type. */
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
  // The CDK takes the name of a function out of the ARN of its alias.
  if ('Fn::Select' in value) return withSamples((value['Fn::Select'] as [string, unknown])[1], samples)
  if ('Fn::Split' in value) return withSamples((value['Fn::Split'] as [string, unknown])[1], samples)
  if ('Fn::ImportValue' in value) return String(value['Fn::ImportValue']).replace(/[0-9A-F]{8}/g, '')
  if ('Fn::Join' in value) {
    const [separator, parts] = value['Fn::Join'] as [string, unknown[]]
    return parts.map(inside).join(separator)
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inside(member)]))
}

/** The CDK appends eight digits of a hash to a logical id. */
function withoutHash(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, '')
}
