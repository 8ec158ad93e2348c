import type { SecretsVersion } from '../fleet/secrets-version.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { KmsSigners } from '../signing/kms-signers.ts'
import type { SignerCache } from '../signing/signer-cache.ts'

/** Keeps the secrets of this process in step with those of the fleet. */
export type SecretsInStep = ReturnType<typeof createSecretsInStep>

export function createSecretsInStep(dependencies: {
  readonly secretsVersion: SecretsVersion
  readonly secrets: SecretCache
  readonly signers: SignerCache
  readonly kmsSigners: KmsSigners
}) {
  const { secretsVersion, secrets, signers, kmsSigners } = dependencies
  let knownVersion: string | undefined
  let mayHoldOlder = false

  return {
    /**
     * Makes this process read its secrets again where one has changed, and stops revoked keys from signing. Tokens that were issued before
     * stay valid.
     */
    async refresh(): Promise<void> {
      const state = await secretsVersion.read()
      if (state) {
        signers.revoke(state.revocations)
        kmsSigners.revoke(state.revocations)
      }
      if (state && state.version !== knownVersion) {
        if (mayHoldOlder) {
          secrets.readAllAgain()
          kmsSigners.readAllAgain()
        }
        knownVersion = state.version
      }
      mayHoldOlder = true
    },
  }
}
