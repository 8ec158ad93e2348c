import { type AssertionConfiguration, isInKms, isSignedByTokenwell } from '../configuration/assertion-configuration.ts'
import { type AssertionMaker, createSignedAssertions } from './assertion.ts'
import type { KmsSigners } from './kms-signers.ts'
import type { SecretUse } from './secret-use.ts'
import type { SignerCache } from './signer-cache.ts'
import { prepareWebIdentity, type WebIdentity } from './web-identity.ts'

/** What an assertion is made for. */
export interface AssertionPurpose {
  readonly connection: string
  /** Where it is sent. */
  readonly use: SecretUse
}

/** Finds the key of an assertion, or the role that AWS vouches for. */
export type AssertionMakers = ReturnType<typeof createAssertionMakers>

export function createAssertionMakers(signers: SignerCache, kmsSigners: KmsSigners, webIdentity: WebIdentity) {
  return {
    /**
     * @throws {SecretError} when the secret of the key can't be read
     * @throws {KeyStoreError} when it holds no key that fits, or is not for that use
     * @throws {KeyServiceError}
     * @throws {WebIdentityError}
     */
    async current(assertion: AssertionConfiguration, { connection, use }: AssertionPurpose): Promise<AssertionMaker> {
      if (!isSignedByTokenwell(assertion)) return await prepareWebIdentity(webIdentity, { ...assertion, connection })
      const { key, algorithm } = assertion
      const signer = isInKms(key)
        ? await kmsSigners.current(key, algorithm)
        : await signers.current(key, algorithm, use)
      return createSignedAssertions(assertion, signer)
    },

    /** With the key before the current one. Undefined if no other key signed before. Throws as `current`. */
    async previous(assertion: AssertionConfiguration, { use }: AssertionPurpose): Promise<AssertionMaker | undefined> {
      if (!isSignedByTokenwell(assertion)) return undefined
      const { key, algorithm } = assertion
      const signer = isInKms(key)
        ? await kmsSigners.previous(key, algorithm)
        : await signers.previous(key, algorithm, use)
      return signer && createSignedAssertions(assertion, signer)
    },
  }
}
