import type { TestContext } from 'node:test'
import type { PolicyStatement } from './iam-policy.ts'
import { type StrictSts, type StrictStsOptions, startStrictSts } from './strict-sts.ts'

export interface StageIdentity {
  readonly sts: StrictSts
  /** The ARN of the role whose identity the tokens assert. */
  readonly roleArn: string
  /** For a function of the stage: its credentials, STS's endpoint, and the role. */
  readonly environment: Readonly<Record<string, string>>
  /** Replaces the role's permissions. */
  allow(statements: readonly PolicyStatement[]): void
}

export interface StageIdentityOptions extends StrictStsOptions {
  readonly stage?: string
  /** The audiences that the role may ask for. */
  readonly audiences?: readonly string[]
  readonly longestSeconds?: number
  readonly tagKeys?: readonly string[]
}

/** AWS's identity for a stage: a function's role, and the role that it assumes, as the construct makes them. */
export async function startStageIdentity(
  t: TestContext,
  {
    stage = 'local',
    audiences = ['https://as.example'],
    longestSeconds = 3300,
    tagKeys = ['tokenwell:stage', 'tokenwell:connection'],
    ...options
  }: StageIdentityOptions = {},
): Promise<StageIdentity> {
  const sts = await startStrictSts(t, options)
  const { account } = sts
  const name = `tokenwell-${stage}-identity`
  const functionArn = account.addRole({
    name: `tokenwell-${stage}-issue-token`,
    statements: [
      { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: `arn:aws:iam::${account.accountId}:role/${name}` },
    ],
  })
  const allow = (statements: readonly PolicyStatement[]) => account.addRole({ name, trusts: [functionArn], statements })
  const roleArn = allow(identityStatements(audiences, longestSeconds, tagKeys))
  const { credentials } = account.openSession(functionArn, 'issue-token')
  return {
    sts,
    roleArn,
    environment: {
      AWS_ENDPOINT_URL_STS: sts.endpoint,
      AWS_REGION: account.region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      TOKENWELL_IDENTITY_ROLE: roleArn,
    },
    allow,
  }
}

/** `ForAllValues` alone is true without an audience, and `ForAnyValue` allows a foreign audience beside an allowed one. */
export function identityStatements(
  audiences: readonly string[],
  longestSeconds: number,
  tagKeys: readonly string[],
): PolicyStatement[] {
  const audience = { 'sts:IdentityTokenAudience': audiences }
  const present = { Null: { 'sts:IdentityTokenAudience': 'false' } }
  return [
    {
      Effect: 'Allow',
      Action: 'sts:GetWebIdentityToken',
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': audience,
        ...present,
        NumericLessThanEquals: { 'sts:DurationSeconds': longestSeconds },
        StringEquals: { 'sts:SigningAlgorithm': ['RS256', 'ES384'] },
      },
    },
    {
      Effect: 'Allow',
      Action: 'sts:TagGetWebIdentityToken',
      Resource: '*',
      Condition: { 'ForAllValues:StringEquals': { ...audience, 'aws:TagKeys': tagKeys }, ...present },
    },
  ]
}
