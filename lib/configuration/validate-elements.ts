import { checkSecretNames } from './check-secret-names.ts'
import { collectElements } from './collect-elements.ts'
import { type ElementReference, kinds } from './element.ts'
import type { ElementStore } from './element-store.ts'
import { describeFinding, type Finding } from './finding.ts'
import { listConnections } from './list-connections.ts'
import type { Surroundings } from './surroundings.ts'

/** Every mistake and warning of all elements at once, those that no connection uses included; each once. */
export async function validateElements(elements: ElementStore, surroundings: Surroundings): Promise<Finding[]> {
  const everything = await collectElements(elements, await allReferences(elements))
  const connections = await listConnections(elements, surroundings)
  const findings = [
    ...(await elements.findings()),
    ...everything.findings,
    ...checkSecretNames(everything.readings, surroundings),
    ...connections.flatMap((connection) => connection.findings),
  ]
  return [...new Map(findings.map((finding) => [describeFinding(finding), finding])).values()]
}

async function allReferences(store: ElementStore): Promise<ElementReference[]> {
  const perKind = await Promise.all(kinds.map(async (kind) => (await store.ids(kind)).map((id) => ({ kind, id }))))
  return perKind.flat()
}
