import { RemovalPolicy } from 'aws-cdk-lib'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { unlessRolledBack } from './removal.ts'

export interface PublicationKeyProps {
  readonly stage: string
  readonly removalPolicy?: RemovalPolicy
}

/**
 * The key that signs publications (P-256). It never leaves KMS. Only a deployment can replace it, and that deployment has all
 * publications signed again.
 */
export class PublicationKey extends Key {
  constructor(scope: Construct, id: string, { stage, removalPolicy }: PublicationKeyProps) {
    super(scope, id, {
      description: `Signs the published keys of Tokenwell's stage ${stage}`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      // The publications that it has signed are deleted with the stack, too.
      removalPolicy: unlessRolledBack(removalPolicy ?? RemovalPolicy.DESTROY),
    })
  }
}
