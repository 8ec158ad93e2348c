import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { AccessDeniedError } from './access-denied.ts'

/**
 * A direct request needs the consent of its connection's elements. The alias alone does not count: it stays for a while after the
 * operator has taken the attribute out.
 * @throws {AccessDeniedError}
 * @throws {TokenwellError} if the elements cannot be read
 */
export async function demandDirectInvocation(connections: ConnectionCache, name: string): Promise<void> {
  const { connection } = await connections.get(name)
  if (connection.directInvocation) return
  throw new AccessDeniedError(
    `The connection ${name} takes no direct requests. To allow them, the operator sets directInvocation to true in endpointConnection/${name}.`,
  )
}
