import type { TestContext } from 'node:test'
import type { AwsAccount } from './aws-account.ts'
import type { PolicyStatement } from './iam-policy.ts'
import { type StrictKms, startStrictKms } from './strict-kms.ts'

export interface StageKeys {
  readonly kms: StrictKms
  /** For a function of the stage: its credentials and the endpoint of KMS. */
  readonly environment: Readonly<Record<string, string>>
  /** Replaces the function's permissions. */
  allow(statements: readonly PolicyStatement[]): void
}

export interface StageKeysOptions {
  readonly stage?: string
  /** What follows `alias/tokenwell/<stage>/`. */
  readonly names?: readonly string[]
  readonly account?: AwsAccount
}

/** KMS for a stage: a function's role that may sign with the keys of these aliases, as the construct grants it. */
export async function startStageKeys(
  t: TestContext,
  { stage = 'local', names = ['partner'], account }: StageKeysOptions = {},
): Promise<StageKeys> {
  const kms = await startStrictKms(t, account && { account })
  const { accountId, region } = kms.account
  const aliases = names.map((each) => `alias/tokenwell/${stage}/${each}`)
  const name = `tokenwell-${stage}-signs`
  const allow = (statements: readonly PolicyStatement[]) => kms.account.addRole({ name, statements })
  const roleArn = allow([
    {
      Effect: 'Allow',
      Action: ['kms:Sign', 'kms:GetPublicKey'],
      Resource: `arn:aws:kms:${region}:${accountId}:key/*`,
      Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': aliases } },
    },
  ])
  const { credentials } = kms.account.openSession(roleArn, 'issue-token')
  return {
    kms,
    environment: {
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    allow,
  }
}
