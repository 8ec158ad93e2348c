import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  App,
  Aws,
  CfnCondition,
  CfnParameter,
  DefaultStackSynthesizer,
  Fn,
  type IStackSynthesizer,
  Stack,
} from 'aws-cdk-lib'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api'
import packageJson from '../../package.json' with { type: 'json' }
import { functionIds, functionTable } from '../stack/function-table.ts'
import { Tokenwell } from '../stack/tokenwell.ts'

/** The construct wants both values at synthesis. In the template each is replaced by its parameter. */
const placeholders = [
  { text: 'StageParameter', parameter: 'Stage' },
  { text: 'https://publicurlparameter.example', parameter: 'PublicUrl' },
] as const
const [stage, publicUrl] = placeholders
/** Lists. In the template each is replaced by its parameter as a whole. */
const lists = [
  { text: 'alias/tokenwell/StageParameter/*', parameter: 'KmsAliases' },
  { text: 'IdentityAudiencesParameter', parameter: 'IdentityAudiences' },
] as const
const [kmsAliases, audiences] = lists
/** The default of both lists. No alias and no role is allowed by it. */
const none = 'none'
const withIdentity = 'HasIdentity'
const codeFolder = 'functions'

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

interface TemplateResource {
  readonly Type: string
  readonly Properties: {
    Code: string | { readonly S3Key: string }
    readonly Environment?: { readonly Variables: Record<string, Json> }
    readonly PolicyDocument?: { Statement: Json[] }
    readonly RoleName?: string
  }
  Condition?: string
}

type Template = Json & { readonly Resources: Readonly<Record<string, TemplateResource>> }

/**
 * Writes a CloudFormation template of one stage, with parameters in place of the properties of the construct, and the code of its
 * functions in folders beside it. `aws cloudformation package` zips and uploads these folders.
 * @param builtFunctions the functions of the built package
 */
export function writeTemplate(builtFunctions: string, folder: string): void {
  const outdir = mkdtempSync(join(tmpdir(), 'tokenwell-template-'))
  try {
    const { stack, builtNames } = createStack(outdir)
    const template = JSON.parse(readFileSync(join(outdir, stack.templateFile), 'utf8')) as Template
    rmSync(folder, { recursive: true, force: true })
    for (const name of builtNames.values())
      cpSync(join(builtFunctions, name), join(folder, codeFolder, name), { recursive: true })
    for (const [id, resource] of Object.entries(template.Resources)) {
      onlyWithIdentity(resource)
      const { Code: code } = resource.Properties ?? {}
      if (resource.Type !== 'AWS::Lambda::Function' || typeof code !== 'object') continue
      const name = builtNames.get(id) ?? 'of-the-cdk'
      const asset = `asset.${code.S3Key.replace(/\.zip$/, '')}`
      if (!builtNames.has(id)) cpSync(join(outdir, asset), join(folder, codeFolder, name), { recursive: true })
      resource.Properties.Code = `${codeFolder}/${name}`
    }
    writeFileSync(join(folder, 'template.json'), `${JSON.stringify(withParameters(template), undefined, 1)}\n`)
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

function createStack(outdir: string) {
  // The functions of the package are built already.
  const app = new App({ outdir, context: { [BUNDLING_STACKS]: [] }, analyticsReporting: false })
  const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }) as IStackSynthesizer
  const description = `Tokenwell ${packageJson.version}: OAuth 2.0 access tokens for the workloads of an account`
  const stack = new Stack(app, 'Tokenwell', { synthesizer, description })
  addParameters(stack)
  const topicArn = Fn.conditionIf('HasAlarmTopic', Fn.ref('AlarmTopicArn'), Aws.NO_VALUE).toString()
  const tokenwell = new Tokenwell(stack, 'Tokens', {
    stage: stage.text,
    publicUrl: publicUrl.text,
    alarms: Topic.fromTopicArn(stack, 'AlarmTopic', topicArn),
    kmsKeys: ['*'],
    webIdentities: [
      { audience: audiences.text, signingAlgorithm: 'ES384', durationSeconds: 3600 },
      { audience: audiences.text, signingAlgorithm: 'RS256', durationSeconds: 3600 },
    ],
  })
  tokenwell.addOutputs()
  const { functions } = tokenwell
  const builtNames = new Map(
    functionIds.map((id) => [
      Stack.of(stack).resolve(functions[id].lambda.functionName).Ref as string,
      functionTable[id].name,
    ]),
  )
  app.synth()
  return { stack, builtNames }
}

function addParameters(stack: Stack): void {
  new CfnParameter(stack, stage.parameter, {
    description: 'The name of the stage, in the names of all that the stack creates',
    allowedPattern: '[A-Za-z0-9_-]{1,32}',
  })
  new CfnParameter(stack, publicUrl.parameter, {
    description: 'The https:// URL at which callers reach the stage, without a slash at the end',
    allowedPattern: 'https://.*[^/]',
  })
  const topic = new CfnParameter(stack, 'AlarmTopicArn', {
    description: 'The SNS topic that alarms notify',
    default: '',
  })
  new CfnParameter(stack, kmsAliases.parameter, {
    type: 'CommaDelimitedList',
    description: 'The aliases of the KMS keys that may sign: alias/tokenwell/<stage>/<name>, or with * at the end',
    default: none,
    allowedPattern: `(${none}|alias/tokenwell/[A-Za-z0-9_-]+/[A-Za-z0-9_/-]*\\*?)`,
  })
  const identity = new CfnParameter(stack, audiences.parameter, {
    type: 'CommaDelimitedList',
    description: 'The audiences of the awsWebIdentity elements',
    default: none,
  })
  const isNone = Fn.conditionEquals(Fn.join(',', identity.valueAsList), none)
  new CfnCondition(stack, withIdentity, { expression: Fn.conditionNot(isNone) })
  new CfnCondition(stack, 'HasAlarmTopic', { expression: Fn.conditionNot(Fn.conditionEquals(topic.valueAsString, '')) })
}

/** The role for identity tokens has a fixed name. So a stage without identity tokens has neither the role nor the right to assume it. */
function onlyWithIdentity(resource: TemplateResource): void {
  const { RoleName: name, PolicyDocument: document, Environment: environment } = resource.Properties ?? {}
  if (name !== undefined) resource.Condition = withIdentity
  const role = environment?.Variables[roleVariable]
  if (environment && role !== undefined) environment.Variables[roleVariable] = ifIdentity(role)
  if (document) document.Statement = document.Statement.map((each) => (isAssuming(each) ? ifIdentity(each) : each))
}

const roleVariable = 'TOKENWELL_IDENTITY_ROLE'

function isAssuming(statement: Json): boolean {
  return typeof statement === 'object' && statement !== null && Reflect.get(statement, 'Action') === 'sts:AssumeRole'
}

function ifIdentity(value: Json): Json {
  return { 'Fn::If': [withIdentity, value, { Ref: 'AWS::NoValue' }] }
}

/** Each text with a placeholder becomes an `Fn::Sub`. */
function withParameters(value: Json): Json {
  const list = lists.find(({ text }) => value === text || (Array.isArray(value) && value[0] === text))
  if (list) return { Ref: list.parameter }
  if (typeof value === 'string') return substituted(value)
  if (Array.isArray(value)) return value.map(withParameters)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withParameters(member)]))
}

function substituted(text: string): Json {
  const found = placeholders.filter((placeholder) => text.includes(placeholder.text))
  if (found.length === 0) return text
  // `${!` is how Fn::Sub writes a `${` of the text itself.
  const escaped = text.replaceAll('${', '${!')
  return {
    'Fn::Sub': found.reduce((sub, { text: from, parameter }) => sub.replaceAll(from, `\${${parameter}}`), escaped),
  }
}
