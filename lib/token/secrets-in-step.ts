import type { SecretCache } from '../secret/secret-cache.ts'
import type { SecretsMark } from '../token-cache/secrets-mark.ts'
import type { ObtainToken } from './obtain-token.ts'

export interface SecretsInStepParts {
  readonly mark: SecretsMark
  readonly secrets: SecretCache
}

/** The same, with the secrets as they are since the fleet was last told that one has changed. Tokens in hand stay good. */
export function withSecretsInStep(obtainToken: ObtainToken, { mark, secrets }: SecretsInStepParts): ObtainToken {
  let known: string | undefined
  let mayHoldOlder = false

  return async (errand) => {
    const current = await mark.read()
    if (current !== undefined && current !== known) {
      if (mayHoldOlder) secrets.readAllAgain()
      known = current
    }
    mayHoldOlder = true
    return obtainToken({ ...errand, ...(known !== undefined && { secretsMark: known }) })
  }
}
