import { type TokenRequest, tokenKey } from '../access-token/token.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Connection } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { InvalidRequestError } from './admit-request.ts'
import type { AskedRequest } from './unknown-parameters.ts'

/** What is shared of a request stays far below what a record of DynamoDB holds, 400 KB with its token. */
const maximumBytes = 8 * 1024

/**
 * Takes out of a request what is ignored, before anything is looked for by it. Elements are read only where a request has
 * parameters that they decide about. Where they can't be read, nothing is ignored: a token that is in reach may still answer.
 * @throws {InvalidRequestError}
 */
export async function readAskedRequest<R extends TokenRequest>(
  connections: ConnectionCache,
  asked: R,
): Promise<AskedRequest<R>> {
  const isPlain = Object.keys(asked.further).length === 0 && asked.inQuery === undefined
  const connection = isPlain ? undefined : await unlessUnreadable(connections, asked.connection)
  // Few requests have any: what judges them is loaded by the first.
  const read = connection
    ? (await import('./unknown-parameters.ts')).withoutIgnored(connection, asked)
    : { request: asked, ignored: [] }
  demandSize(read.request)
  return read
}

async function unlessUnreadable(connections: ConnectionCache, name: string): Promise<Connection | undefined> {
  try {
    return (await connections.get(name)).connection
  } catch (error) {
    if (error instanceof TokenwellError) return undefined
    throw error
  }
}

/** As it would be kept: with what escapes add. */
function demandSize(request: TokenRequest): void {
  const bytes = Buffer.byteLength(tokenKey(request))
  if (bytes > maximumBytes)
    throw new InvalidRequestError(
      'request',
      `takes ${bytes} bytes as JSON; all its parameters together can take ${maximumBytes} at most.`,
    )
}
