import type { Token, TokenRequest } from '../access-token/token.ts'
import { isSignedForEachRequest } from '../configuration/auth-token.ts'
import { tokenNamed } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'

/**
 * Which tokens are for one request only, as far as this process knows. They need no lease: its holder would have no token to share, and all
 * callers of the fleet would wait for each other.
 */
export function createOneRequestTokens(connections: Pick<ConnectionCache, 'peek'>) {
  /** What the last token of each showed. Only an answer tells what its server issues. */
  const issued = new Set<string>()
  const nameOf = ({ connection, authentication }: TokenRequest) => JSON.stringify([connection, authentication])

  return {
    has(request: TokenRequest): boolean {
      const connection = connections.peek(request.connection)
      const grant = connection && tokenNamed(connection, request.authentication)?.grant
      return issued.has(nameOf(request)) || (grant?.type === 'authTokenLocal' && isSignedForEachRequest(grant))
    },
    note(request: TokenRequest, { isForOneRequest }: Token): void {
      if (isForOneRequest) issued.add(nameOf(request))
      else issued.delete(nameOf(request))
    },
  }
}
