import { type Connection, type TokenConnection, takesPassword } from '../configuration/connection.ts'
import { tokenExchange } from '../configuration/grant-type.ts'
import { admitAuthentication } from './admit-authentication.ts'
import { allowedValues } from './admit-request.ts'
import { demandNoSubject } from './claims-from-request.ts'

/** What a client can do at the token endpoint of a connection. */
export interface OfferedRequests {
  readonly grantTypes: readonly string[]
  /** Absent if a request may ask for any scope, or for none. */
  readonly scopes?: readonly string[]
}

/**
 * The grant type that a client names in its request for the main token, and the scopes that it may ask for.
 * @throws {InvalidRequestError} if the connection has no token, or if the path of each request names a user
 */
export function offeredRequests(connection: Connection): OfferedRequests {
  const token = admitAuthentication(connection, {})
  demandNoSubject(token)
  const scopes = allowedValues(token, 'scope', token.parameters.scope)
  return { grantTypes: [grantTypeOf(token)], ...(scopes !== 'any' && scopes.length > 0 && { scopes }) }
}

function grantTypeOf({ grant }: TokenConnection): string {
  if (takesPassword(grant)) return 'password'
  return grant.type === tokenExchange && !grant.subject.assertion ? tokenExchange : 'client_credentials'
}
