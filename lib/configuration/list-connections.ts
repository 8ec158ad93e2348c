import type { Connection } from './connection.ts'
import type { ElementStore } from './element-store.ts'
import type { Finding } from './finding.ts'
import { inspectConnection } from './resolve-connection.ts'
import type { Surroundings } from './surroundings.ts'

/** A configured connection, whether it can be used or not. */
export interface ListedConnection {
  readonly name: string
  /** Absent where a finding is a mistake. */
  readonly connection?: Connection
  readonly findings: readonly Finding[]
}

/** All connections by name. Reads every element they refer to: for operators, not for token requests. */
export async function listConnections(
  elements: ElementStore,
  surroundings: Surroundings,
): Promise<readonly ListedConnection[]> {
  const names = [...(await elements.ids('endpointConnection'))].sort()
  return Promise.all(names.map(async (name) => ({ name, ...(await inspectConnection(elements, surroundings, name)) })))
}
