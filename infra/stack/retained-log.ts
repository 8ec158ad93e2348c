import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { unlessRolledBack } from './removal.ts'
import { suppressCheckov } from './suppressions.ts'

export interface LogSettings {
  /**
   * Your KMS key for table, secrets and logs. The policy of a key from another stack must allow CloudWatch Logs to use it.
   * @default - keys of AWS
   */
  readonly encryptionKey?: IKey
  /**
   * What happens to table, secrets, logs and publication key when the stack is deleted.
   * @default - the table and the publication key are deleted; secrets and logs stay
   */
  readonly removalPolicy?: RemovalPolicy
  /**
   * How long logs are kept.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays
}

interface RetainedLogProps extends LogSettings {
  /** By default the name is made by CloudFormation, so that a log that stays is in the way of no later deployment. */
  readonly logGroupName?: string
}

/** A log group that deletes its lines after the retention time, even if the stack no longer exists. */
export class RetainedLog extends LogGroup {
  constructor(scope: Construct, id: string, props: RetainedLogProps) {
    const { encryptionKey, removalPolicy, logRetention, logGroupName } = props
    super(scope, id, {
      retention: logRetention ?? RetentionDays.THREE_MONTHS,
      removalPolicy: unlessRolledBack(removalPolicy ?? RemovalPolicy.RETAIN),
      ...(logGroupName && { logGroupName }),
      ...(encryptionKey && { encryptionKey }),
    })
    suppressCheckov(this, {
      CKV_AWS_338: 'Logs are kept for three months. The property logRetention changes that.',
      ...(!encryptionKey && {
        CKV_AWS_158: 'CloudWatch Logs encrypts it. The property encryptionKey sets a key of your own.',
      }),
    })
    if (encryptionKey) letLogsUse(encryptionKey, Stack.of(this))
  }
}

/** CloudWatch Logs uses the key under its own name. The policy of a key from another stack must already allow this. */
function letLogsUse(key: IKey, stack: Stack): void {
  const logGroups = stack.formatArn({ service: 'logs', resource: 'log-group:*' })
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'LogsOfTokenwell',
      principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
      actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    }),
  )
}
