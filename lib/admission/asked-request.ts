import { type TokenRequest, tokenKey } from '../access-token/token.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import {
  authorizationDetails,
  detailsMessage,
  readDetails,
  writeDetails,
} from '../configuration/authorization-details.ts'
import { type TokenConnection, tokenNamed } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { takesCallersClaims, withUserClaims } from './claims-from-request.ts'
import { InvalidRequestError } from './invalid-request.ts'
import type { AskedRequest } from './unknown-parameters.ts'

/** Far below the limit of a DynamoDB record, which is 400 KB for the request and its token. */
const maximumBytes = 8 * 1024

/**
 * Removes the ignored parameters of a request, and writes authorization_details in one form, before any token is looked for. The
 * elements are read only where they decide about a parameter. Where they can't be read, nothing is ignored: memory or the shared cache
 * may still have the token.
 * @throws {InvalidRequestError}
 */
export async function readAskedRequest<R extends TokenRequest>(
  connections: ConnectionCache,
  sent: R,
): Promise<AskedRequest<R>> {
  const asked = withCanonicalDetails(sent)
  const isPlain = Object.keys(asked.further).length === 0 && asked.inQuery === undefined
  const isWithClaims = asked.claims !== undefined || mayTakeCallersClaims(connections, asked)
  const connection = isPlain && !isWithClaims ? undefined : await readConnection(connections, asked)
  const request = connection ? withUserClaims(connection, asked) : asked
  // Few requests have such parameters. The first one loads the module that checks them, which keeps a cold start short.
  const read =
    connection && !isPlain
      ? (await import('./unknown-parameters.ts')).withoutIgnored(connection, request)
      : { request, ignored: [] }
  demandSize(read.request)
  return read
}

/** @throws {InvalidRequestError} */
function withCanonicalDetails<R extends TokenRequest>(asked: R): R {
  const text = asked.further[authorizationDetails]
  if (text === undefined) return asked
  const details = readDetails(text)
  if (!details) throw new InvalidRequestError(authorizationDetails, `must be ${detailsMessage}.`)
  return { ...asked, further: { ...asked.further, [authorizationDetails]: writeDetails(details) } }
}

/** Elements that are cached, of any age, answer it in most cases: under the token key without claims there is no token of a user. */
function mayTakeCallersClaims(
  connections: ConnectionCache,
  { connection, authentication, callersClaims }: TokenRequest,
): boolean {
  if (callersClaims === undefined) return false
  const cached = connections.peek(connection)
  const token = cached && tokenNamed(cached, authentication)
  return token === undefined || takesCallersClaims(token)
}

/** Undefined where the elements can't be read. But without them, nobody knows which claims are a part of the token key. */
async function readConnection(
  connections: ConnectionCache,
  { connection, authentication, claims }: TokenRequest,
): Promise<TokenConnection | undefined> {
  try {
    return tokenNamed((await connections.get(connection)).connection, authentication)
  } catch (error) {
    if (error instanceof TokenwellError && claims === undefined) return undefined
    throw error
  }
}

/** Measures the request as it would be stored, with its escapes. */
function demandSize(request: TokenRequest): void {
  const bytes = Buffer.byteLength(tokenKey(request))
  if (bytes > maximumBytes)
    throw new InvalidRequestError(
      'The request',
      `takes ${bytes} bytes as JSON. All its parameters together can take at most ${maximumBytes} bytes.`,
    )
}
