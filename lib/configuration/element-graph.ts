import type { Advice } from './advice.ts'
import { checkSecretNames, type Deployment } from './deployment.ts'
import {
  defaultElementIds,
  type ElementReference,
  type Elements,
  type JwtBuilder,
  type Kind,
  keyOf,
  referenceAttributes,
} from './element.ts'
import type { ElementReading, ElementStore } from './element-store.ts'
import { createFindingList, type Finding, type FindingList, nearestName } from './finding.ts'
import { defaultSignatureAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'

/** The elements that some roots lead to, and what is wrong with them and with their references. */
export interface ElementGraph {
  get<K extends Kind>(kind: K, id: string | undefined): Elements[K] | undefined
  /** Whether there is such an element, even one that can't be read. */
  has(kind: Kind, id: string): boolean
  /** Of the elements in use: not of a default element that another one makes needless. */
  readonly readings: readonly ElementReading[]
  readonly findings: readonly Finding[]
}

type Readings = ReadonlyMap<string, ElementReading>

/** An attribute of an element, and which other element it names, whether that exists or not. */
interface NamedReference {
  readonly attribute: string
  readonly to: ElementReference
}

/** From an element to another that it uses. */
interface Link {
  readonly to: ElementReference
  /** Absent if no attribute names the other one: then it is a default element, which may be missing. */
  readonly attribute?: string
}

/** Reads level by level, one round trip each, only what the roots lead to. */
export async function collectElements(store: ElementStore, roots: readonly ElementReference[]): Promise<ElementGraph> {
  const readings = await loadElements(store, roots)
  const used = usedReadings(readings, roots)
  const dangling = used.flatMap((reading) =>
    linksOf(reading, readings).flatMap(({ to, attribute }) =>
      attribute !== undefined && !readings.has(keyOf(to)) ? [{ from: reading.reference, attribute, to }] : [],
    ),
  )
  const own = used.flatMap(({ findings }) => findings)
  return {
    get<K extends Kind>(kind: K, id: string | undefined) {
      return id === undefined ? undefined : (readings.get(keyOf({ kind, id }))?.element as Elements[K] | undefined)
    },
    has(kind, id) {
      return readings.has(keyOf({ kind, id }))
    },
    readings: used,
    findings: [...own, ...(await Promise.all(dangling.map((each) => describeDangling(store, each))))],
  }
}

async function loadElements(store: ElementStore, roots: readonly ElementReference[]): Promise<Readings> {
  const readings = new Map<string, ElementReading>()
  const requested = new Set<string>()
  for (let level = [...roots]; level.length > 0; ) {
    const unread = new Map(level.filter((each) => !requested.has(keyOf(each))).map((each) => [keyOf(each), each]))
    for (const key of unread.keys()) requested.add(key)
    const found = unread.size > 0 ? (await store.get([...unread.values()])).filter((each) => each !== undefined) : []
    for (const reading of found) readings.set(keyOf(reading.reference), reading)
    level = found.flatMap((reading) => linksOf(reading).map(({ to }) => to))
  }
  return readings
}

function usedReadings(readings: Readings, roots: readonly ElementReference[]): ElementReading[] {
  const used = new Map<string, ElementReading>()
  const visit = (reference: ElementReference) => {
    const reading = readings.get(keyOf(reference))
    if (!reading || used.has(keyOf(reference))) return
    used.set(keyOf(reference), reading)
    for (const { to } of linksOf(reading, readings)) visit(to)
  }
  for (const root of roots) visit(root)
  return [...used.values()]
}

/** @param readings once they are known: without them every default element that may be needed is linked */
function linksOf(reading: ElementReading, readings?: Readings): Link[] {
  const {
    reference: { kind },
    attributes,
  } = reading
  if (kind === 'jwtBuilder' && needsNoKeyStore(attributes as Partial<JwtBuilder>)) return []
  const named = namedReferences(reading)
  if (opensConnections(reading) && !('sslCertsRef' in attributes)) return [...named, ...defaultSslLinks(readings)]
  if (kind === 'jwtBuilder' && !('keyStoreRef' in attributes))
    return [...named, { to: { kind: 'keyStore', id: defaultElementIds.keyStore } }]
  return named
}

/** An endpointConnection without a host is never called. */
function opensConnections({ reference: { kind }, attributes }: ElementReading): boolean {
  return kind === 'authorizationServer' || (kind === 'endpointConnection' && 'host' in attributes)
}

function defaultSslLinks(readings: Readings | undefined): Link[] {
  const [named, fallback] = [
    { to: { kind: 'sslDefault', id: defaultElementIds.sslDefault } },
    { to: { kind: 'ssl', id: defaultElementIds.ssl } },
  ] as const
  if (!readings) return [named, fallback]
  return [readings.has(keyOf(named.to)) ? named : fallback]
}

/** Tokenwell makes the key itself, or it is a shared one. */
function needsNoKeyStore({ jwkEnabled, signatureAlgorithm = defaultSignatureAlgorithm }: Partial<JwtBuilder>): boolean {
  return jwkEnabled === true || isSharedKeyAlgorithm(signatureAlgorithm)
}

interface DanglingReference extends NamedReference {
  readonly from: ElementReference
}

async function describeDangling(store: ElementStore, { from, attribute, to }: DanglingReference): Promise<Finding> {
  const nearest = nearestName(to.id, await store.ids(to.kind))
  const id = JSON.stringify(to.id)
  return {
    severity: 'mistake',
    element: from,
    attribute,
    sentence: `There is no ${to.kind} element with the id ${id}.`,
    hint: nearest
      ? `Did you mean ${JSON.stringify(nearest)}? Ids are case-sensitive.`
      : 'Add the element, or name one that exists.',
  }
}

/** What an element names, as far as its attributes can be read; not the default elements that are used if it names none. */
export function namedReferences({ reference: { kind }, attributes }: ElementReading): NamedReference[] {
  return Object.entries<Kind>(referenceAttributes[kind]).flatMap(([attribute, to]) => {
    const id = (attributes as Readonly<Record<string, string | undefined>>)[attribute]
    return id === undefined ? [] : [{ attribute, to: { kind: to, id } }]
  })
}

/** What one connection, or one jwtBuilder, is resolved from. */
export interface Resolution {
  readonly graph: ElementGraph
  readonly deployment: Deployment
  /** What is wrong with the elements, and all that is found out later. */
  readonly findings: FindingList
  /** Absent where nobody reads warnings. */
  readonly advice?: Advice
}

/** The module `advice.ts`, which token requests don't load. */
export type Advisor = typeof import('./advice.ts')

/**
 * Reads the elements that the root leads to, and no others.
 * @param advisor only where somebody reads warnings
 * @returns undefined if there is no such root
 */
export async function startResolution(
  store: ElementStore,
  deployment: Deployment,
  root: ElementReference,
  advisor?: Advisor,
): Promise<Resolution | undefined> {
  const graph = await collectElements(store, [root])
  if (!graph.has(root.kind, root.id)) return undefined
  const findings = createFindingList([...graph.findings, ...checkSecretNames(graph.readings, deployment)])
  return { graph, deployment, findings, ...(advisor && { advice: advisor.createAdvice(findings) }) }
}
