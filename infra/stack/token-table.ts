import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { suppressCheckov, suppressNag } from './suppressions.ts'

export interface TokenTableProps {
  readonly encryptionKey?: IKey
  readonly removalPolicy?: RemovalPolicy
}

const noBackup =
  'It holds tokens and leases only: what is lost is asked for again, and what was restored would long have ended.'

/** Where a fleet keeps its tokens: lib/fleet/README.md. */
export class TokenTable extends Table {
  constructor(scope: Construct, id: string, { encryptionKey, removalPolicy }: TokenTableProps) {
    super(scope, id, {
      partitionKey: { name: 'name', type: AttributeType.STRING },
      timeToLiveAttribute: 'ttl',
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy: removalPolicy ?? RemovalPolicy.DESTROY,
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
        CKV_AWS_119: 'Tokens are encrypted before they get here; a key of your own is a property (encryptionKey).',
      }),
    })
  }
}
