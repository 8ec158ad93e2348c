import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { unlessRolledBack } from './removal.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

export interface TokenTableProps {
  readonly encryptionKey?: IKey
  readonly removalPolicy?: RemovalPolicy
}

const noBackup =
  'It contains only what Tokenwell can request or write again. Restored tokens would have expired long ago.'

/** The table of the shared cache. `lib/fleet/README.md` describes its records. */
export class TokenTable extends Table {
  constructor(scope: Construct, id: string, { encryptionKey, removalPolicy }: TokenTableProps) {
    super(scope, id, {
      partitionKey: { name: 'name', type: AttributeType.STRING },
      timeToLiveAttribute: 'ttl',
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy: unlessRolledBack(removalPolicy ?? RemovalPolicy.DESTROY),
      ...(encryptionKey && { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey }),
    })
    this.addGlobalSecondaryIndex({
      indexName: 'due',
      partitionKey: { name: 'dueShard', type: AttributeType.STRING },
      sortKey: { name: 'dueAt', type: AttributeType.NUMBER },
      projectionType: ProjectionType.KEYS_ONLY,
    })
    suppressNag(this, { 'AwsSolutions-DDB3': noBackup })
    suppressCheckov(this, {
      CKV_AWS_28: noBackup,
      ...(!encryptionKey && {
        CKV_AWS_119: 'Tokens are encrypted before they are written. The property encryptionKey sets a key of your own.',
      }),
    })
  }
}
