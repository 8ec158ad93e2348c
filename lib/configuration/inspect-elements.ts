import type { Connection } from './connection.ts'
import { checkSecretNames, type Deployment } from './deployment.ts'
import { checkNumberOfAliases } from './direct-invocation.ts'
import { type ElementReference, kinds } from './element.ts'
import { collectElements } from './element-graph.ts'
import { type ElementStore, ElementStoreError } from './element-store.ts'
import { ConfigurationError, describeFinding, type Finding } from './finding.ts'
import { type InspectedConnection, inspectConnection } from './resolve-connection.ts'
import { checkSharedBuilders } from './shared-builders.ts'

/** A configured connection, even if it can't be used. */
export interface ListedConnection extends InspectedConnection {
  readonly name: string
}

/** Which connections a caller may see. */
export interface ConnectionFilter {
  allows(connection: string): boolean
  /** Whether an allowed connection is shown, by its elements. With it, a connection that has a mistake is not shown. */
  shows?(connection: Connection): boolean
}

const everyConnection: ConnectionFilter = { allows: () => true }

/** The allowed connections, sorted by name. Reads only the elements that they refer to. For operators, not for token requests. */
export async function listConnections(
  elements: ElementStore,
  deployment: Deployment,
  filter = everyConnection,
): Promise<readonly ListedConnection[]> {
  const names = (await elements.ids('endpointConnection')).filter((name) => filter.allows(name)).sort()
  const listed = await Promise.all(
    names.map(async (name) => ({ name, ...(await inspectConnection(elements, deployment, name)) })),
  )
  const { shows } = filter
  return shows ? listed.filter(({ connection }) => connection !== undefined && shows(connection)) : listed
}

/** All mistakes and warnings on all elements, including elements that no connection uses. Each finding is listed once. */
export async function validateElements(elements: ElementStore, deployment: Deployment): Promise<Finding[]> {
  const everything = await collectElements(elements, await allReferences(elements))
  const connections = await listConnections(elements, deployment)
  const findings = [
    ...(await elements.findings()),
    ...everything.findings,
    ...checkSecretNames(everything.readings, deployment),
    ...checkNumberOfAliases(everything.readings),
    ...checkSharedBuilders(everything.readings),
    ...connections.flatMap((connection) => connection.findings),
  ]
  return [...new Map(findings.map((finding) => [describeFinding(finding), finding])).values()]
}

/** The findings. If the elements cannot be read at all, each reason is a mistake, too. */
export async function withUnreadable(find: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await find()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.findings
    if (error instanceof ElementStoreError) return [{ severity: 'mistake', sentence: error.message }]
    throw error
  }
}

async function allReferences(store: ElementStore): Promise<ElementReference[]> {
  const perKind = await Promise.all(kinds.map(async (kind) => (await store.ids(kind)).map((id) => ({ kind, id }))))
  return perKind.flat()
}
