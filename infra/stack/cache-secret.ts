import { RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { unlessRolledBack } from './removal.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

export interface CacheSecretProps {
  readonly stage: string
  readonly encryptionKey?: IKey
  readonly removalPolicy?: RemovalPolicy
}

const rotatedByHand =
  'An operator rotates its keys by adding a second key beside the first, so that no token in use is lost.'

/** The secret of the cache. AWS generates its seed. A later deployment never overwrites what an operator adds to it. */
export class CacheSecret extends Secret {
  constructor(scope: Construct, id: string, { stage, encryptionKey, removalPolicy }: CacheSecretProps) {
    super(scope, id, {
      secretName: `${secretPrefix({ stage })}cache`,
      description: `Keys of the shared cache of Tokenwell, stage ${stage}`,
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'seed',
        passwordLength: 64,
        excludePunctuation: true,
      },
      removalPolicy: unlessRolledBack(removalPolicy ?? RemovalPolicy.RETAIN),
      ...(encryptionKey && { encryptionKey }),
    })
    suppressNag(this, { 'AwsSolutions-SMG4': rotatedByHand })
    suppressCheckov(this, {
      CKV_AWS_149: 'Secrets Manager encrypts it. The property encryptionKey sets a key of your own.',
    })
  }
}
