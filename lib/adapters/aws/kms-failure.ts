import { type AwsFailure, classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

/** The kind of failure of a call to KMS. */
export type KmsFailure =
  | AwsFailure
  /** The key is disabled, or its deletion is scheduled. */
  | 'unusable'
  /** The key is for something else than signatures of that algorithm. */
  | 'wrong_kind'

/** Error names that only KMS has (API reference of AWS KMS, Sign and GetPublicKey). */
const kinds: Readonly<Record<string, KmsFailure>> = {
  NotFoundException: 'missing',
  DisabledException: 'unusable',
  KMSInvalidStateException: 'unusable',
  InvalidKeyUsageException: 'wrong_kind',
  UnsupportedOperationException: 'wrong_kind',
  KMSInternalException: 'unreachable',
  DependencyTimeoutException: 'unreachable',
  KeyUnavailableException: 'unreachable',
}

/** Undefined for an error that no operator can fix. Throw it on. */
export function classifyKmsFailure(error: unknown): KmsFailure | undefined {
  const failure = error instanceof Error ? kinds[reasonOfAwsFailure(error)] : undefined
  return failure ?? classifyAwsFailure(error)
}
