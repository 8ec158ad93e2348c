import { hasJwtId, lifetimeOf } from '../access-token/lifetime.ts'
import type { Token } from '../access-token/token.ts'
import type { LocalConnection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import { signAssertion } from '../signing/assertion.ts'
import type { SecretUse } from '../signing/secret-use.ts'
import type { SignerCache } from '../signing/signer-cache.ts'
import type { GrantParameters } from '../token-endpoint/grants/grant-form.ts'

/** The tokens that Tokenwell signs itself (`authTokenLocal`): no server issues them, and the API checks the signature. */
export type LocalTokens = ReturnType<typeof createLocalTokens>

export function createLocalTokens(dependencies: {
  readonly signers: SignerCache
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
  readonly log: Log
}) {
  const { signers, now, random, randomId } = dependencies

  return {
    /**
     * Signs a token for the API.
     * @throws {SecretError}
     * @throws {KeyStoreError}
     */
    async sign(connection: LocalConnection, { claims = {} }: GrantParameters): Promise<Token> {
      const { grant, lifetime, name } = connection
      const { key, algorithm } = grant.assertion
      const signer = await signers.current(key, algorithm, useOfKey(connection))
      const signedAt = now()
      const configuration = { ...grant.assertion, claims: { ...grant.assertion.claims, ...claims } }
      const { assertion, validity } = await signAssertion(configuration, signer, { now: signedAt, jwtId: randomId() })
      const issued = { accessToken: assertion, expiresInSeconds: (validity.until - signedAt) / 1000 }
      const isForOneRequest = grant.reuse === 'without_jti' && hasJwtId(assertion) && (true as const)
      return {
        id: randomId(),
        connection: name,
        accessToken: assertion,
        ...(isForOneRequest && { isForOneRequest }),
        ...lifetimeOf(issued, lifetime, signedAt, random()),
      }
    },
  }
}

/** The API gets the token. Without a host, callers take it to an API that the elements don't name. */
export function useOfKey({ name, api }: LocalConnection): SecretUse {
  const element = `endpointConnection/${name}`
  return api?.origin === undefined ? { element } : { element, host: new URL(api.origin).hostname }
}
