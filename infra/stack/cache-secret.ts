import { RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

export interface CacheSecretProps {
  readonly stage: string
  readonly encryptionKey?: IKey
  readonly removalPolicy?: RemovalPolicy
}

const rotatedByHand =
  'Its keys rotate by a second key beside the first (lib/README.md, "What a fleet shares"), so that no token in use is lost.'

/** The keys of the cache, as a seed that nobody has seen. A later deployment never overwrites what an operator adds. */
export class CacheSecret extends Secret {
  constructor(scope: Construct, id: string, { stage, encryptionKey, removalPolicy }: CacheSecretProps) {
    super(scope, id, {
      secretName: `${secretPrefix({ stage })}cache`,
      description: `Keys of the tokens that Tokenwell keeps for the stage ${stage}`,
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'seed',
        passwordLength: 64,
        excludePunctuation: true,
      },
      removalPolicy: removalPolicy ?? RemovalPolicy.RETAIN,
      ...(encryptionKey && { encryptionKey }),
    })
    suppressNag(this, { 'AwsSolutions-SMG4': rotatedByHand })
    suppressCheckov(this, {
      CKV_AWS_149: 'Secrets Manager encrypts; a key of your own is a property (encryptionKey).',
    })
  }
}
