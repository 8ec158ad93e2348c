import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { suppressCheckov } from './suppressions.ts'

export interface LogSettings {
  readonly encryptionKey?: IKey
  readonly removalPolicy?: RemovalPolicy
  readonly logRetention?: RetentionDays
}

/** A log whose lines are deleted after their time, whether the stack still exists or not. */
export class RetainedLog extends LogGroup {
  constructor(scope: Construct, id: string, { encryptionKey, removalPolicy, logRetention }: LogSettings) {
    super(scope, id, {
      retention: logRetention ?? RetentionDays.THREE_MONTHS,
      removalPolicy: removalPolicy ?? RemovalPolicy.RETAIN,
      ...(encryptionKey && { encryptionKey }),
    })
    suppressCheckov(this, {
      CKV_AWS_338: 'What callers did stays for three months unless the operator says otherwise (logRetention).',
      ...(!encryptionKey && {
        CKV_AWS_158: 'CloudWatch Logs encrypts; a key of your own is a property (encryptionKey).',
      }),
    })
    if (encryptionKey) letLogsUse(encryptionKey, Stack.of(this))
  }
}

/** CloudWatch Logs uses the key in its own name. A key that another stack made must allow this itself. */
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
