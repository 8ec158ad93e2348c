import type { TestContext } from 'node:test'
import type { AwsAccount } from './aws-account.ts'
import type { PolicyStatement } from './iam-policy.ts'
import { type StrictKms, startStrictKms } from './strict-kms.ts'

export interface StageKeys {
  readonly kms: StrictKms
  /** For a function of the stage: its credentials, the endpoint of KMS, and the key for publications. */
  readonly environment: Readonly<Record<string, string>>
  /** Replaces the function's permissions on other keys than the one for publications. */
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
  t: Pick<TestContext, 'after'>,
  { stage = 'local', names = ['partner'], account }: StageKeysOptions = {},
): Promise<StageKeys> {
  const kms = await startStrictKms(t, account && { account })
  const { accountId, region } = kms.account
  // The key before a changed one has the second alias.
  const aliases = names.flatMap((each) => ['', '/previous'].map((end) => `alias/tokenwell/${stage}/${each}${end}`))
  const name = `tokenwell-${stage}-signs`
  const publicationKey = kms.createKey('ECC_NIST_P256')
  const actions = ['kms:Sign', 'kms:GetPublicKey']
  const publishes: PolicyStatement = { Effect: 'Allow', Action: actions, Resource: publicationKey.arn }
  const allow = (statements: readonly PolicyStatement[]) =>
    kms.account.addRole({ name, statements: [...statements, publishes] })
  const roleArn = allow([
    {
      Effect: 'Allow',
      Action: actions,
      Resource: `arn:aws:kms:${region}:${accountId}:key/*`,
      Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': aliases } },
    },
  ])
  const { credentials } = kms.account.openSession(roleArn, 'issue-token')
  return {
    kms,
    environment: {
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      TOKENWELL_PUBLICATION_KEY: `kms:${publicationKey.arn}`,
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
