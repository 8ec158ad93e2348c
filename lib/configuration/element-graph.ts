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
import { createFindingList, type Finding, type FindingList } from './finding.ts'
import { nearestName } from './nearest-name.ts'
import { defaultSignatureAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'

/** The elements that some root elements refer to, directly or indirectly, with the findings on them and on their references. */
export interface ElementGraph {
  get<K extends Kind>(kind: K, id: string | undefined): Elements[K] | undefined
  /** Whether the element exists, even if it can't be read. */
  has(kind: Kind, id: string): boolean
  /** The elements in use, without a default element that another element replaces. */
  readonly readings: readonly ElementReading[]
  readonly findings: readonly Finding[]
}

type Readings = ReadonlyMap<string, ElementReading>

/** An attribute of an element, and an element that it may name. For one id there is a reference for each kind that the attribute allows. */
interface NamedReference {
  readonly attribute: string
  readonly to: ElementReference
}

/** A link from an element to an element that it uses. */
interface Link {
  readonly to: ElementReference
  /** Absent if no attribute names the element. Then it is a default element, which may be missing. */
  readonly attribute?: string
}

/** Reads only the elements that the roots refer to, level by level, with one round trip for each level. */
export async function collectElements(store: ElementStore, roots: readonly ElementReference[]): Promise<ElementGraph> {
  const readings = await loadElements(store, roots)
  const used = usedReadings(readings, roots)
  const dangling = used.flatMap((reading) => danglingOf(reading, linksOf(reading, readings), readings))
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

/** @param readings all readings, once they are known; without them, every default element that may be needed is linked */
function linksOf(reading: ElementReading, readings?: Readings): Link[] {
  const {
    reference: { kind },
    attributes,
  } = reading
  if (kind === 'jwtBuilder' && needsNoKeyStore(attributes as Partial<JwtBuilder>)) return []
  const named = readings ? meantReferences(reading, readings) : namedReferences(reading)
  if (opensConnections(reading) && !('sslCertsRef' in attributes)) return [...named, ...defaultSslLinks(readings)]
  if (kind === 'jwtBuilder' && !('keyStoreRef' in attributes))
    return [...named, { to: { kind: 'keyStore', id: defaultElementIds.keyStore } }]
  return named
}

/** An `authData` may have the id of a token's element, which uses it. Then the token is meant. */
function meantReferences(reading: ElementReading, readings: Readings): NamedReference[] {
  const named = namedReferences(reading)
  const isThere = ({ to }: NamedReference) => readings.has(keyOf(to))
  return named.filter(
    ({ attribute, to: { kind, id } }) =>
      kind !== 'authData' ||
      !named.some(
        (each) => each.to.kind !== kind && each.attribute === attribute && each.to.id === id && isThere(each),
      ),
  )
}

/** A connection makes calls only if its endpointConnection has `host`, or its oAuthConfig `hostFrom`. */
function opensConnections({ reference: { kind }, attributes }: ElementReading): boolean {
  if (kind === 'oAuthConfig') return 'hostFrom' in attributes
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

/** True if Tokenwell makes the key itself, or the key is a shared key. */
function needsNoKeyStore({ jwkEnabled, signatureAlgorithm = defaultSignatureAlgorithm }: Partial<JwtBuilder>): boolean {
  return jwkEnabled === true || isSharedKeyAlgorithm(signatureAlgorithm)
}

interface DanglingReference {
  readonly from: ElementReference
  readonly attribute: string
  readonly kinds: readonly Kind[]
  readonly id: string
}

/** The ids that no element has, of any kind that the attribute allows. */
function danglingOf({ reference }: ElementReading, links: readonly Link[], readings: Readings): DanglingReference[] {
  const named = links.filter(({ attribute }) => attribute !== undefined)
  const byId = Map.groupBy(named, ({ attribute = '', to }) => JSON.stringify([attribute, to.id]))
  return [...byId.values()].flatMap((candidates) => {
    const [
      {
        attribute = '',
        to: { id },
      } = { to: reference },
    ] = candidates
    const isThere = candidates.some(({ to }) => readings.has(keyOf(to)))
    return isThere ? [] : [{ from: reference, attribute, kinds: candidates.map(({ to }) => to.kind), id }]
  })
}

async function describeDangling(
  store: ElementStore,
  { from, attribute, kinds, id }: DanglingReference,
): Promise<Finding> {
  const ids = await Promise.all(kinds.map((kind) => store.ids(kind)))
  if (from.kind === 'authTokenLocal' && (await store.ids('awsWebIdentity')).includes(id))
    return {
      severity: 'mistake',
      element: from,
      attribute,
      sentence: `It names awsWebIdentity/${id}, but callers never get a JWT of AWS: with it, they could ask other servers in the name of the role. Name a jwtBuilder.`,
    }
  const nearest = nearestName(id, ids.flat())
  const [last = '', ...others] = kinds.toReversed()
  const either = others.length === 0 ? last : `${others.toReversed().join(', ')} or ${last}`
  return {
    severity: 'mistake',
    element: from,
    attribute,
    sentence: `There is no ${either} element with the id ${JSON.stringify(id)}.`,
    hint: nearest
      ? `Did you mean ${JSON.stringify(nearest)}? Ids are case-sensitive.`
      : 'Add the element, or name one that exists.',
  }
}

/** The references of an element whose attributes can be read, without default elements. */
export function namedReferences({ reference: { kind }, attributes }: ElementReading): NamedReference[] {
  return Object.entries<Kind | readonly Kind[]>(referenceAttributes[kind]).flatMap(([attribute, to]) => {
    const ids = (attributes as Readonly<Record<string, string | readonly string[] | undefined>>)[attribute] ?? []
    return [ids].flat().flatMap((id) => [to].flat().map((each) => ({ attribute, to: { kind: each, id } })))
  })
}

/** Everything that is needed to resolve one connection or one jwtBuilder. */
export interface Resolution {
  readonly graph: ElementGraph
  readonly deployment: Deployment
  /** The findings on the elements. Resolving adds more. */
  readonly findings: FindingList
  /** Present only if warnings are wanted. */
  readonly advice?: Advice
}

/** The module `advice.ts`. Token requests do not load it. */
export type Advisor = typeof import('./advice.ts')

/**
 * Reads only the elements that the root refers to.
 * @param advisor given only if warnings are wanted
 * @returns undefined if the root does not exist
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
