import { RemovalPolicy } from 'aws-cdk-lib'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'

export interface PublicationKeyProps {
  readonly stage: string
  readonly removalPolicy?: RemovalPolicy
}

/**
 * The key that signs what the functions publish of signing keys (P-256). It never leaves KMS, and changes only with the stack: the
 * deployment that replaces it has everything signed anew.
 */
export class PublicationKey extends Key {
  constructor(scope: Construct, id: string, { stage, removalPolicy }: PublicationKeyProps) {
    super(scope, id, {
      description: `Signs the published keys of Tokenwell's stage ${stage}`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      // Whatever it has signed goes with the stack, too.
      removalPolicy: removalPolicy ?? RemovalPolicy.DESTROY,
    })
  }
}
