import { type CallerRequest, isYoung, type Token } from '../access-token/token.ts'
import type { TokenCarrier } from '../configuration/api.ts'
import { type Connection, tokensOf } from '../configuration/connection.ts'
import type { ElementReference } from '../configuration/element.ts'
import { Secret } from '../secret/secret.ts'
import type { ApiAnswer, ApiRequest } from './api-endpoint.ts'
import { isTokenRejected, saysInvalidToken } from './rejected-token.ts'

/** A token of a connection, how its calls carry it, and the request that gets it. */
export interface WantedToken {
  readonly element: ElementReference
  readonly carrier: TokenCarrier
  readonly request: CallerRequest
}

/** A token that a call carries. */
export interface CarriedToken extends WantedToken {
  readonly token: Token
}

/** The tokens that the connection's calls carry, the main one first. */
export function wantedTokens(connection: Connection, request: CallerRequest): readonly WantedToken[] {
  return tokensOf(connection).map(({ carrier, isFurther, authentication: element }) => ({
    element,
    carrier,
    request: { ...request, ...(isFurther && { authentication: element.id }) },
  }))
}

/** The headers that authenticate a call, by their names. */
export function credentialHeaders(
  tokens: readonly CarriedToken[],
  basic: { readonly user: string; readonly password: Secret } | undefined,
): ApiRequest['credentials'] {
  const carried = tokens.map(({ carrier: { header, isBearer }, token: { accessToken } }) => [
    header,
    isBearer ? new Secret(`Bearer ${accessToken.reveal()}`) : accessToken,
  ])
  return { ...(basic && { authorization: basicCredentials(basic) }), ...Object.fromEntries(carried) }
}

/** RFC 7617 section 2, in UTF-8. */
function basicCredentials({ user, password }: { readonly user: string; readonly password: Secret }): Secret {
  return new Secret(`Basic ${Buffer.from(`${user}:${password.reveal()}`).toString('base64')}`)
}

/**
 * The tokens that may be the reason of a 401. A challenge that says `invalid_token` is about the bearer token of the header `Authorization`
 * (RFC 6750 section 3), unless that one is young. Any other 401 may be about each token whose element says so. A young token stays, and a
 * token for one request has just been made.
 */
export function rejectedTokens(
  answer: Pick<ApiAnswer, 'status' | 'headers'>,
  tokens: readonly CarriedToken[],
  now: number,
): readonly CarriedToken[] {
  const old = tokens.filter(({ token }) => !token.isForOneRequest && !isYoung(token, now))
  const bearer = old.filter(({ carrier }) => carrier.header === 'authorization' && carrier.isBearer)
  const possible = bearer.length > 0 && saysInvalidToken(answer) ? bearer : old
  return possible.filter(({ carrier }) => isTokenRejected(answer, carrier.rejection))
}
