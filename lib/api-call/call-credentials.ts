import { type CallerRequest, isYoung, type Token } from '../access-token/token.ts'
import type { BasicAuthentication, TokenCarrier } from '../configuration/api.ts'
import { type Connection, tokensOf } from '../configuration/connection.ts'
import { Secret } from '../secret/secret.ts'
import type { ApiAnswer } from './api-endpoint.ts'
import { isTokenRejected, saysInvalidToken } from './rejected-token.ts'

/** A token of a connection, how its calls carry it, and the request that gets it. */
export interface WantedToken {
  readonly carrier: TokenCarrier
  readonly request: CallerRequest
}

/** A token that a call carries. */
export interface CarriedToken extends WantedToken {
  readonly token: Token
}

/** The tokens that the connection's calls carry, the main one first. */
export function wantedTokens(connection: Connection, request: CallerRequest): readonly WantedToken[] {
  return tokensOf(connection).map(({ carrier, isFurther, authentication }) => ({
    carrier,
    request: { ...request, ...(isFurther && { authentication: authentication.id }) },
  }))
}

/** The headers that authenticate a call, by their names. */
export function credentialsOf(
  tokens: readonly CarriedToken[],
  basic: { readonly user: BasicAuthentication['user']; readonly password: Secret } | undefined,
): Readonly<Record<string, Secret>> {
  const carried = tokens.map(({ carrier: { header, isBearer }, token: { accessToken } }) => [
    header,
    isBearer ? new Secret(`Bearer ${accessToken.reveal()}`) : accessToken,
  ])
  return { ...(basic && { authorization: basicCredentials(basic) }), ...Object.fromEntries(carried) }
}

/** RFC 7617 section 2. */
function basicCredentials({ user, password }: { readonly user: string; readonly password: Secret }): Secret {
  return new Secret(`Basic ${Buffer.from(`${user}:${password.reveal()}`).toString('base64')}`)
}

/**
 * The tokens that may be the reason of a 401. A challenge that says `invalid_token` is about the bearer token of the header `Authorization`
 * alone (RFC 6750 section 3). Another 401 may be about each token whose element says so. A young token stays.
 */
export function rejectedTokens(
  answer: ApiAnswer,
  tokens: readonly CarriedToken[],
  now: number,
): readonly CarriedToken[] {
  const bearer = tokens.filter(({ carrier }) => carrier.header === 'authorization' && carrier.isBearer)
  const possible = bearer.length > 0 && saysInvalidToken(answer) ? bearer : tokens
  return possible.filter(({ carrier, token }) => isTokenRejected(answer, carrier.rejection) && !isYoung(token, now))
}
