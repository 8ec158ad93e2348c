import { type ElementReference, type Elements, type Kind, kinds, references } from './element.ts'
import type { ElementReading, ElementStore } from './element-store.ts'
import type { Finding } from './finding.ts'
import { nearestName } from './nearest-name.ts'

/** The elements that a root refers to, directly or not, and what is wrong with them and with their references. */
export interface ElementGraph {
  get<K extends Kind>(kind: K, id: string | undefined): Elements[K] | undefined
  /** Whether there is such an element, even one that can't be read. */
  has(kind: Kind, id: string): boolean
  readonly readings: readonly ElementReading[]
  readonly findings: readonly Finding[]
}

/** The elements that stand in where a reference is left out. */
export const standIns = {
  keyStore: 'defaultKeyStore',
  ssl: 'defaultSSLConfig',
  sslDefault: 'default',
} as const

interface Wanted {
  readonly reference: ElementReference
  /** Who refers to it; absent for a root and for a stand-in, which may be missing. */
  readonly from?: { readonly element: ElementReference; readonly attribute: string }
}

/** Reads level by level, one round trip each, only what the roots lead to. */
export async function collectElements(store: ElementStore, roots: readonly ElementReference[]): Promise<ElementGraph> {
  const readings = new Map<string, ElementReading>()
  const asked = new Set<string>()
  const missing: Wanted[] = []

  let level: Wanted[] = roots.map((reference) => ({ reference }))
  while (level.length > 0) {
    const unread = level.filter(({ reference }) => !asked.has(keyOf(reference)))
    const batch = [...new Map(unread.map(({ reference }) => [keyOf(reference), reference])).values()]
    for (const reference of batch) asked.add(keyOf(reference))

    const found = batch.length > 0 ? await store.get(batch) : []
    for (const reading of found) if (reading) readings.set(keyOf(reading.reference), reading)

    missing.push(...level.filter(({ reference, from }) => from && !readings.has(keyOf(reference))))
    level = found.flatMap((reading) => (reading ? wantedBy(reading) : []))
  }

  const own = [...readings.values()].flatMap(({ findings }) => findings)
  const dangling = await Promise.all(missing.map((wanted) => describeDangling(store, wanted)))
  return {
    get: <K extends Kind>(kind: K, id: string | undefined) =>
      id === undefined ? undefined : (readings.get(keyOf({ kind, id }))?.element as Elements[K] | undefined),
    readings: [...readings.values()],
    has: (kind, id) => readings.has(keyOf({ kind, id })),
    findings: [...own, ...dangling],
  }
}

function keyOf({ kind, id }: ElementReference): string {
  return `${kind}/${id}`
}

function wantedBy({ reference, element }: ElementReading): Wanted[] {
  if (!element) return []
  const attributes = Object.entries<Kind>(references[reference.kind])
  const named = attributes.flatMap(([attribute, kind]) => {
    const id = (element as unknown as Record<string, string | undefined>)[attribute]
    return id === undefined ? [] : [{ reference: { kind, id }, from: { element: reference, attribute } }]
  })
  return [...named, ...standInsFor(reference, element)]
}

function standInsFor({ kind }: ElementReference, element: Elements[Kind]): Wanted[] {
  if (kind === 'authorizationServer' && !('sslCertsRef' in element))
    return [
      { reference: { kind: 'sslDefault', id: standIns.sslDefault } },
      { reference: { kind: 'ssl', id: standIns.ssl } },
    ]
  if (kind === 'jwtBuilder' && !('keyStoreRef' in element))
    return [{ reference: { kind: 'keyStore', id: standIns.keyStore } }]
  return []
}

async function describeDangling(store: ElementStore, { reference, from }: Wanted): Promise<Finding> {
  const nearest = nearestName(reference.id, await store.ids(reference.kind))
  const advice = nearest
    ? `Did you mean ${JSON.stringify(nearest)}? Ids are case-sensitive.`
    : `Add the element, or name one that exists.`
  return {
    severity: 'mistake',
    ...(from && { element: from.element, attribute: from.attribute }),
    sentence: `there is no ${reference.kind} with the id ${JSON.stringify(reference.id)}. ${advice}`,
  }
}

/** Every element there is, for a check of the whole configuration. */
export async function allReferences(store: ElementStore): Promise<ElementReference[]> {
  const perKind = await Promise.all(kinds.map(async (kind) => (await store.ids(kind)).map((id) => ({ kind, id }))))
  return perKind.flat()
}
