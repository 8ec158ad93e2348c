import type { TokenRequest } from '../access-token/token.ts'
import { type Connection, type TokenConnection, tokenNamed, tokensOf } from '../configuration/connection.ts'
import { InvalidRequestError } from './invalid-request.ts'

/** The connection has no such token, or none at all. */
export class UnknownTokenError extends InvalidRequestError {
  override readonly name = 'UnknownTokenError'
}

/**
 * The token of a connection that a request asks for.
 * @throws {UnknownTokenError}
 */
export function admitAuthentication(
  connection: Connection,
  { authentication }: Pick<TokenRequest, 'authentication'>,
): TokenConnection {
  const token = tokenNamed(connection, authentication)
  if (token) return token
  const ids = tokensOf(connection).map(({ authentication: { id } }) => id)
  throw ids.length === 0
    ? new UnknownTokenError(
        'connection',
        `has no token: the calls of ${connection.name} have basic authentication. Send POST /connections/${connection.name}/api/... to call the API.`,
      )
    : new UnknownTokenError('authentication', `must be the id of a token of this connection: ${ids.join(' or ')}.`)
}
