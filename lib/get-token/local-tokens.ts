import { hasJwtId, lifetimeOf, secondsLeft } from '../access-token/lifetime.ts'
import { leastSecondsLeft, type Token } from '../access-token/token.ts'
import type { LocalConnection } from '../configuration/connection.ts'
import { type ElementReference, keyOf } from '../configuration/element.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import type { Log } from '../log/log-event.ts'
import type { AssertionMakers } from '../signing/assertion-makers.ts'
import type { SecretUse } from '../signing/secret-use.ts'
import type { GrantParameters } from '../token-endpoint/grants/grant-form.ts'

/** The tokens that Tokenwell signs itself (`authTokenLocal`): no server issues them, and the API checks the signature. */
export type LocalTokens = ReturnType<typeof createLocalTokens>

export function createLocalTokens(dependencies: {
  readonly makers: AssertionMakers
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
  readonly log: Log
}) {
  const { makers, now, random, randomId, log } = dependencies

  return {
    /**
     * Signs a token for the API.
     * @throws {SecretError}
     * @throws {KeyStoreError}
     * @throws {ConfigurationError} if the token would have expired already
     */
    async sign(connection: LocalConnection, { claims = {} }: GrantParameters): Promise<Token> {
      const { grant, lifetime, name } = connection
      const startedAt = now()
      const maker = await makers.current(grant.assertion, { connection: name, use: useOfKey(connection) })
      const signedAt = now()
      const { assertion, validity, header } = await maker.make({ now: signedAt, jwtId: randomId() }, claims)
      const issued = { accessToken: assertion, expiresInSeconds: (validity.until - signedAt) / 1000 }
      const times = lifetimeOf(issued, lifetime, signedAt, random())
      if (secondsLeft(times, signedAt) < leastSecondsLeft) throw expiredAtOnce(connection)
      log({
        event: 'token_signed',
        connection: name,
        element: keyOf(connection.authentication),
        kid: header.kid,
        milliseconds: now() - startedAt,
      })
      const isForOneRequest = grant.reuse === 'without_jti' && hasJwtId(assertion) && (true as const)
      return {
        id: randomId(),
        connection: name,
        accessToken: assertion,
        ...(isForOneRequest && { isForOneRequest }),
        ...times,
      }
    },
  }
}

function expiredAtOnce({ authentication: element, grant }: LocalConnection): ConfigurationError {
  const { claims, key } = grant.assertion
  if ('exp' in claims) {
    const sentence = 'The fixed exp has passed, so that each token would have expired already. Take exp out of claims.'
    return new ConfigurationError([{ severity: 'mistake', element, attribute: 'claims', sentence }])
  }
  const builder: ElementReference = { kind: 'jwtBuilder', id: key.jwtBuilder }
  const sentence = 'The token is valid for less than a second once it is signed. Make it at least 10 seconds.'
  return new ConfigurationError([{ severity: 'mistake', element: builder, attribute: 'expiresInSeconds', sentence }])
}

/** The API gets the token. Without a host, callers take it to an API that the elements don't name. */
export function useOfKey({ name, api }: LocalConnection): SecretUse {
  const element = `endpointConnection/${name}`
  return api?.origin === undefined ? { element } : { element, host: new URL(api.origin).hostname }
}
