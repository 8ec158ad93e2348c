import type { Connections, KnownConnection } from '../configuration/connections.ts'
import type { GrantParameters } from '../token-endpoint/token-request-form.ts'
import { admitRequest } from './admit-request.ts'
import type { TokenRequest } from './token-request.ts'

/** A request held against its connection's elements. */
export interface Admission extends KnownConnection {
  readonly parameters: GrantParameters
}

/**
 * @param fingerprint of the elements by which the fleet goes
 * @throws {UnknownConnectionError}
 * @throws {ConfigurationError}
 * @throws {ElementStoreError}
 * @throws {InvalidRequestError}
 */
export async function admit(connections: Connections, request: TokenRequest, fingerprint?: string): Promise<Admission> {
  const known = await connections.get(request.connection, fingerprint)
  return { ...known, parameters: admitRequest(known.connection, request) }
}
