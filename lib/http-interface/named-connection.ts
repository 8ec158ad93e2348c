import { isElementId } from '../configuration/element.ts'
import { InvalidRequestError } from '../token/invalid-request-error.ts'

/**
 * The connection that a request names.
 * @throws {InvalidRequestError}
 */
export function namedConnection(connection: string | undefined): string {
  if (connection === undefined) throw new InvalidRequestError('connection', 'is missing: name the connection.')
  if (!isElementId(connection))
    throw new InvalidRequestError('connection', 'must be the name of a connection: letters, digits, _ . and -.')
  return connection
}
