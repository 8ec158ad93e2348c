import { type TokenRequest, tokenKey } from '../access-token/token.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Connection } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { InvalidRequestError } from './admit-request.ts'
import { judgeUnknownParameter } from './parameter-names.ts'

/** What counts of a request, and what doesn't. */
export interface AskedRequest<R extends TokenRequest> {
  /** Without the parameters that are ignored: no part of the token key, and never sent. */
  readonly request: R
  readonly ignored: readonly string[]
}

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
  const read = connection ? withoutIgnored(connection, asked) : { request: asked, ignored: [] }
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

/**
 * By default a request may leave out and repeat what the element sets, and a parameter of which nobody here knows is
 * ignored; where `requestMay` is given, what it doesn't list is left to `admitRequest`, which refuses it.
 * @throws {InvalidRequestError} where to ignore a parameter would give another token than was asked for
 */
export function withoutIgnored<R extends TokenRequest>(connection: Connection, asked: R): AskedRequest<R> {
  const { inQuery = [] } = asked
  const configured = configuredNames(connection)
  const unknown = Object.keys(asked.further).filter((name) => !configured.includes(name))
  for (const name of inQuery)
    if (configured.includes(name)) throw new InvalidRequestError(name, 'belongs in the body, not in the query.')
  for (const name of [...unknown, ...inQuery]) demandIgnorable(name, configured)

  const ignored = connection.requestMay ? [] : unknown
  const further = Object.fromEntries(Object.entries(asked.further).filter(([name]) => !ignored.includes(name)))
  return { request: { ...asked, further }, ignored: [...ignored, ...inQuery] }
}

function configuredNames({ parameters, requestMay = {} }: Connection): readonly string[] {
  return [...Object.keys(parameters.further), ...Object.keys(requestMay)]
}

function demandIgnorable(name: string, configured: readonly string[]): void {
  const judged = judgeUnknownParameter(name, configured)
  if (judged.kind === 'near_miss')
    throw new InvalidRequestError(name, `is no parameter of this connection. Did you mean ${judged.nearest}?`)
  if (judged.kind === 'narrowing')
    throw new InvalidRequestError(
      name,
      "can't be set by a request for this connection, and without it the token could allow more than you ask for; leave it out, or have it listed in requestMay.",
    )
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
