import { App, Stack } from 'aws-cdk-lib'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { nearestName } from '../lib/configuration/nearest-name.ts'
import type { EarlierVersion } from './stack/stage-resources.ts'
import { Tokenwell } from './stack/tokenwell.ts'

/*
 * The stack of one stage. Its settings come from the CDK's context (`-c stage=prod`) or from the environment:
 *   stage / TOKENWELL_STAGE · publicUrl / TOKENWELL_PUBLIC_URL · elements / TOKENWELL_ELEMENTS (a folder or file) ·
 *   alarmTopicArn / TOKENWELL_ALARM_TOPIC_ARN · reservedConcurrency / TOKENWELL_RESERVED_CONCURRENCY (call-api=400,issue-token=100) ·
 *   signingKeysInStack / TOKENWELL_SIGNING_KEYS_IN_STACK (["first","second"]) ·
 *   readRecordsOf / TOKENWELL_READ_RECORDS_OF (0.1, only during the upgrade from it)
 */
export const app = new App({ outdir: process.env['CDK_OUTDIR'] ?? 'cdk.out', analyticsReporting: false })
const settings = new Set<string>()
const stage = demandSetting('stage', 'TOKENWELL_STAGE')
export const publicUrl = readSetting('publicUrl', 'TOKENWELL_PUBLIC_URL')
const elements = readSetting('elements', 'TOKENWELL_ELEMENTS')
const alarmTopicArn = readSetting('alarmTopicArn', 'TOKENWELL_ALARM_TOPIC_ARN')
const reservedConcurrency = readNumbers(readSetting('reservedConcurrency', 'TOKENWELL_RESERVED_CONCURRENCY') ?? '')
const signingKeysInStack = readNames(readSetting('signingKeysInStack', 'TOKENWELL_SIGNING_KEYS_IN_STACK'))
const readRecordsOf = readVersion(readSetting('readRecordsOf', 'TOKENWELL_READ_RECORDS_OF'))
rejectUnknownSettings()

demandStackName(stage)
export const stack = new Stack(app, `Tokenwell-${stage}`, { description: `Tokenwell, stage ${stage}` })
const tokenwell = new Tokenwell(stack, 'Tokens', {
  stage,
  ...(publicUrl && { publicUrl }),
  reservedConcurrency,
  ...(elements && { elements }),
  ...(signingKeysInStack && { signingKeysInStack }),
  ...(alarmTopicArn && { alarms: Topic.fromTopicArn(stack, 'AlarmTopic', alarmTopicArn) }),
  ...(readRecordsOf && { readRecordsOf }),
})
tokenwell.addOutputs()
app.synth()

function readSetting(name: string, variable: string): string | undefined {
  settings.add(name)
  const value: unknown = app.node.tryGetContext(name) ?? process.env[variable]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Reads `call-api=400,issue-token=100`. The construct rejects what is not a number or not the name of a function. */
function readNumbers(setting: string): Record<string, number> {
  const pairs = setting.split(',').filter((pair) => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map((pair) => pair.split('=').map((part) => part.trim())).map(([name = '', value]) => [name, Number(value)]),
  )
}

/** Reads a JSON list, because an empty list says something else than no list. */
function readNames(setting: string | undefined): string[] | undefined {
  if (setting === undefined) return undefined
  try {
    const names: unknown = JSON.parse(setting)
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names
  } catch {}
  return stop(
    `The setting signingKeysInStack is ${setting}. Write the names of jwtBuilders as a JSON list, such as ["first","second"], or [].`,
  )
}

function readVersion(setting: string | undefined): EarlierVersion | undefined {
  if (setting === undefined || setting === '0.1') return setting
  return stop(
    `The setting readRecordsOf is ${setting}. Set it to 0.1 during the upgrade from that version, or remove it.`,
  )
}

/** A misspelt setting would have no effect. The CDK's own settings have a colon or a slash in their names. */
function rejectUnknownSettings(): void {
  const known = [...settings]
  const unknown = Object.keys(app.node.getAllContext() as object).find(
    (name) => /^\w+$/.test(name) && !settings.has(name),
  )
  if (unknown === undefined) return
  const nearest = nearestName(unknown, known)
  const advice = nearest === undefined ? `The settings are ${known.join(', ')}.` : `Did you mean ${nearest}?`
  stop(`There is no setting ${unknown}. ${advice}`)
}

function demandSetting(name: string, variable: string): string {
  const value = readSetting(name, variable)
  if (value !== undefined) return value
  return stop(`The setting ${name} is missing. Add -c ${name}=..., or set the environment variable ${variable}.`)
}

/** A name with `-` for each `_` could be the name of another stage's stack, which would then be replaced. */
function demandStackName(name: string): void {
  if (!name.includes('_')) return
  stop(
    `The stage ${name} has a _, which the name of a CloudFormation stack cannot have. Write - instead, or create the construct in a stack of your own app.`,
  )
}

function stop(sentence: string): never {
  console.error(sentence)
  process.exit(1)
}
