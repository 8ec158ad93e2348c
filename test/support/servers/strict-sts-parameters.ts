import { AwsRefusal } from './aws-refusal.ts'
import type { WebIdentityAlgorithm } from './strict-sts-issuer.ts'

/* The parameters of STS's Query protocol, with AWS's limits. What is not documented is refused. */

export interface WebIdentityRequest {
  readonly audiences: readonly string[]
  readonly durationSeconds: number
  readonly signingAlgorithm: WebIdentityAlgorithm
  readonly tags: Readonly<Record<string, string>>
}

export interface AssumeRoleRequest {
  readonly roleArn: string
  readonly sessionName: string
  readonly durationSeconds: number
}

type Parameters = ReadonlyMap<string, string>

export function readParameters(body: string): Parameters {
  return new Map(new URLSearchParams(body))
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html */
export function readWebIdentityToken(parameters: Parameters): WebIdentityRequest {
  demandKnown(
    parameters,
    /^(DurationSeconds|SigningAlgorithm|Tags|Audience\.member\.\d+|Tags\.member\.\d+\.(Key|Value))$/,
  )
  const audiences = members(parameters, 'Audience.member.')
  demand(audiences.length >= 1 && audiences.length <= 10, 'audience', 'Member must have length between 1 and 10')
  demand(
    audiences.every(({ length }) => length >= 1 && length <= 1000),
    'audience',
    'Member must have length less than or equal to 1000 and greater than or equal to 1',
  )
  const signingAlgorithm = parameters.get('SigningAlgorithm')
  if (signingAlgorithm !== 'RS256' && signingAlgorithm !== 'ES384')
    throw invalid('signingAlgorithm', 'Member must satisfy enum value set: [RS256, ES384]')
  return {
    audiences,
    signingAlgorithm,
    durationSeconds: readDuration(parameters, { least: 60, most: 3600, usual: 300 }),
    tags: readTags(parameters),
  }
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
export function readAssumeRole(parameters: Parameters): AssumeRoleRequest {
  demandKnown(parameters, /^(RoleArn|RoleSessionName|DurationSeconds)$/)
  const roleArn = parameters.get('RoleArn') ?? ''
  demand(/^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]{1,2000}$/.test(roleArn), 'roleArn', 'Member must be the ARN of a role')
  const sessionName = parameters.get('RoleSessionName') ?? ''
  demand(/^[\w+=,.@-]{2,64}$/.test(sessionName), 'roleSessionName', 'Member must satisfy [\\w+=,.@-]{2,64}')
  return { roleArn, sessionName, durationSeconds: readDuration(parameters, { least: 900, most: 43_200, usual: 3600 }) }
}

function readDuration(parameters: Parameters, limits: { least: number; most: number; usual: number }): number {
  const given = parameters.get('DurationSeconds')
  const seconds = given === undefined ? limits.usual : Number(given)
  demand(
    Number.isInteger(seconds) && seconds >= limits.least && seconds <= limits.most,
    'durationSeconds',
    `Member must have value between ${limits.least} and ${limits.most}`,
  )
  return seconds
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html */
function readTags(parameters: Parameters): Record<string, string> {
  // The protocol writes an empty list as an empty value.
  demand(!parameters.get('Tags'), 'tags', 'Member must be a list')
  const keys = members(parameters, 'Tags.member.', '.Key')
  const values = members(parameters, 'Tags.member.', '.Value')
  demand(keys.length <= 50, 'tags', 'Member must have length less than or equal to 50')
  demand(keys.length === values.length, 'tags', 'Each member must have a key and a value')
  demand(
    keys.every((key) => /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) && !key.toLowerCase().startsWith('aws:')),
    'tags.key',
    'Member must satisfy [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]{1,128}',
  )
  demand(
    values.every((value) => /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)),
    'tags.value',
    'Member must satisfy [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]{0,256}',
  )
  if (new Set(keys.map((key) => key.toLowerCase())).size < keys.length)
    throw new AwsRefusal('InvalidParameterValue', 'Tag keys must be unique ignoring case.')
  return Object.fromEntries(keys.map((key, index) => [key, values[index] ?? '']))
}

/** The members of a list, in the order of their numbers, which begin with 1 and have no gap. */
function members(parameters: Parameters, prefix: string, suffix = ''): string[] {
  const found: string[] = []
  for (let number = 1; ; number++) {
    const value = parameters.get(`${prefix}${number}${suffix}`)
    if (value === undefined) return found
    found.push(value)
  }
}

function demandKnown(parameters: Parameters, known: RegExp): void {
  if (parameters.get('Version') !== '2011-06-15')
    throw new AwsRefusal('InvalidAction', 'Could not find operation for this version.')
  const unknown = [...parameters.keys()].filter((name) => !/^(Action|Version)$/.test(name) && !known.test(name))
  if (unknown.length > 0) throw new AwsRefusal('ValidationError', `The parameters ${unknown.join()} are not known.`)
}

function demand(isRight: boolean, parameter: string, constraint: string): void {
  if (!isRight) throw invalid(parameter, constraint)
}

function invalid(parameter: string, constraint: string): AwsRefusal {
  return new AwsRefusal(
    'ValidationError',
    `1 validation error detected: Value at '${parameter}' failed to satisfy constraint: ${constraint}`,
  )
}
