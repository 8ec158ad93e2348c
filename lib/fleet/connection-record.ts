import { parseJson } from '../base/decoding.ts'
import { disabledFingerprint, type Warming } from '../configuration/connection.ts'
import { isFingerprintOf } from '../configuration/connection-cache.ts'
import { pastTime, wholeNumberWithin } from './believable.ts'
import { type WithLaterFields, withLaterFields } from './later-fields.ts'
import type { RecordFields, StoredRecord } from './record-store.ts'

/** What the fleet knows about a connection as a whole. */
export interface ConnectionRecord extends ConnectionState, WithLaterFields {
  readonly version: string
  /** Present where an earlier version of Tokenwell has written it: it has to be written again. */
  readonly isEarlier?: true
}

export interface ConnectionState {
  /**
   * The number of the elements that its tokens were issued for. A token of another generation is never handed out. The number rises with
   * each change of the fingerprint, and is never used again, even where the record was lost.
   */
  readonly generation: number
  /** The fingerprint of everything in the elements that can change the token. */
  readonly fingerprint: string
  /** Absent where none of its tokens is kept warm. */
  readonly warming?: WarmingPlan
  /** The tokens that are kept warm, the last used first. */
  readonly variants: readonly Variant[]
  /** Changed elements and their future generation: tokens are obtained for them before they become active. */
  readonly staged?: StagedGeneration
  /** When an operator last cleared the connection. Milliseconds since the epoch. */
  readonly clearedAt?: number
  /** The generation with which the record began. Absent from records of version 0.1. */
  readonly firstGeneration?: number
}

export interface StagedGeneration {
  readonly generation: number
  readonly fingerprint: string
}

/** What a warm run needs to renew tokens before they get stale, without reading the elements. */
export interface WarmingPlan extends Warming {
  readonly authorizationServer: string
  readonly maximumConcurrency: number
}

/** One token of a connection: one combination of caller parameters. */
export interface Variant {
  /** The `id` of its token's record. */
  readonly id: string
  /** Not exact: a use is only noted when the noted one is older than a quarter of the idle time. */
  readonly lastUsedAt: number
  /** A digest of the caller that used it last, or `own` for the connection's own token. */
  readonly caller?: string
  /** The time from its last use to its last renewal, where that is shorter than the connection's idle time. */
  readonly idleMilliseconds?: number
}

/** Takes the place of a caller for the connection's own token, which the operator wants to keep warm. */
export const own = 'own'

/** One use of a token by a caller. */
export interface Use {
  /** The `id` of its token's record. */
  readonly id: string
  /** A digest of the caller, or `own` for the connection's own token. */
  readonly caller: string
  /** The lifetime of the token from its issue. */
  readonly lifetimeMilliseconds: number
}

/** The elements of a connection as they are now. */
export interface ElementsRevision {
  readonly fingerprint: string
  /** Fingerprints of the same elements in the forms of other versions. */
  readonly otherFingerprints?: readonly string[]
  readonly warming?: WarmingPlan
}

/** The state of a connection that no longer exists. */
export const noElements: ElementsRevision = { fingerprint: 'gone' }

/** The state of a connection that its operator has disabled: it has no tokens, and none is kept warm. */
export const disabledElements: ElementsRevision = { fingerprint: disabledFingerprint }

const yearMilliseconds = 365 * 86_400_000
/** The share of the idle time in which a noted use is not noted again. */
const usesNotedShare = 0.25
/**
 * The share of the idle time after which an unused token gives its place to another one. It is larger than the share above, since the
 * last use may not be noted yet.
 */
const placeKeptShare = 0.5

/** Makes elements the active ones: in a new generation where their fingerprint is new, or in the staged one where they were staged. */
export function activated(
  before: ConnectionState | undefined,
  elements: ElementsRevision,
  now: number,
): ConnectionState {
  const { fingerprint, warming } = elements
  const { variants = [], staged, clearedAt, firstGeneration } = before ?? { firstGeneration: now }
  const common = {
    ...{ fingerprint, variants },
    ...(warming && { warming }),
    ...(clearedAt !== undefined && { clearedAt }),
    ...(firstGeneration !== undefined && { firstGeneration }),
  }
  if (before && isFingerprintOf(elements, before.fingerprint))
    return { ...common, generation: before.generation, ...(staged && { staged }) }
  const wasStaged = staged && isFingerprintOf(elements, staged.fingerprint)
  return { ...common, generation: wasStaged ? staged.generation : newGeneration(before, now) }
}

/** When the connection was last changed or cleared, in milliseconds since the epoch. Undefined in its first generation. */
export function mendedAt({ generation, firstGeneration }: ConnectionState): number | undefined {
  return generation === firstGeneration ? undefined : generation
}

/** Stages elements, so that tokens can be obtained for them in advance. To stage the active elements ends an earlier staging. */
export function withStaged<State extends ConnectionState>(
  before: State,
  elements: ElementsRevision,
  now: number,
): State {
  if (isFingerprintOf(elements, (before.staged ?? before).fingerprint)) return before
  return { ...before, staged: { fingerprint: elements.fingerprint, generation: newGeneration(before, now) } }
}

/** Makes all tokens of the connection invalid, including the staged ones. */
export function cleared(before: ConnectionState, now: number): ConnectionState {
  const { staged: _staged, ...kept } = before
  return { ...kept, generation: newGeneration(before, now), clearedAt: now }
}

/** A whole number that was never used before, not even for staged elements that never became active. */
function newGeneration(before: ConnectionState | undefined, now: number): number {
  return Math.max((before?.generation ?? 0) + 1, (before?.staged?.generation ?? 0) + 1, Math.ceil(now))
}

/**
 * Notes the use of a token. The state is unchanged where the use is noted already, or where there is no place for it. Tokens in use don't
 * replace each other, but a caller with many places gives one to a caller with fewer.
 */
export function withUse<State extends ConnectionState>(state: State, use: Use, now: number): State {
  const { warming, variants } = state
  if (!warming) return state
  const { id, caller, lifetimeMilliseconds } = use
  const idleMilliseconds = caller === own ? warming.idleMilliseconds : idleFor(warming, lifetimeMilliseconds)
  const used = { id, lastUsedAt: now, caller, ...(idleMilliseconds < warming.idleMilliseconds && { idleMilliseconds }) }
  const known = variants.find((each) => each.id === id)
  if (known && isUsedWithin(usesNotedShare, known, warming, now)) return state
  const others = variants.filter((each) => each.id !== id && endOf(each, warming) > now)
  const kept = withPlaceFor(caller, others.slice(0, warming.maximumVariants), warming, now)
  return kept ? { ...state, variants: [used, ...kept] } : state
}

/** A single use must not keep a short token warm for long: a token that lives one minute would be renewed 1,440 times a day. */
function idleFor({ idleMilliseconds, idleLifetimes = Infinity }: Warming, lifetimeMilliseconds: number): number {
  return Math.min(idleMilliseconds, Math.ceil(lifetimeMilliseconds * idleLifetimes))
}

function endOf({ lastUsedAt, idleMilliseconds = Infinity }: Variant, warming: Warming): number {
  return lastUsedAt + Math.min(idleMilliseconds, warming.idleMilliseconds)
}

function isUsedWithin(share: number, variant: Variant, warming: Warming, now: number): boolean {
  return now < variant.lastUsedAt + (endOf(variant, warming) - variant.lastUsedAt) * share
}

/** The variants that stay when one more is added, the last used first. Undefined where none gives up its place. */
function withPlaceFor(
  caller: string,
  others: readonly Variant[],
  warming: Warming,
  now: number,
): readonly Variant[] | undefined {
  if (others.length < warming.maximumVariants) return others
  const unused = others.findLastIndex((each) => !isUsedWithin(placeKeptShare, each, warming, now))
  if (unused >= 0) return others.toSpliced(unused, 1)
  const placesOf = (holder: string | undefined) => others.filter((each) => each.caller === holder).length
  const last = others.findLastIndex(({ caller: holder }) => placesOf(holder) > placesOf(caller) + 1)
  return last < 0 ? undefined : others.toSpliced(last, 1)
}

export function withoutUse<State extends ConnectionState>(state: State, id: string): State {
  return { ...state, variants: state.variants.filter((each) => each.id !== id) }
}

/** Until when a token is renewed without a request. Undefined where it isn't kept warm. */
export function warmUntil(
  { warming, variants }: Pick<ConnectionState, 'warming' | 'variants'>,
  id: string,
): number | undefined {
  const variant = warming && variants.find((each) => each.id === id)
  return variant && endOf(variant, warming)
}

/** The variants that are renewed without a request. */
export function warmVariants(state: Pick<ConnectionState, 'warming' | 'variants'>, now: number): readonly Variant[] {
  return state.variants.filter(({ id }) => (warmUntil(state, id) ?? now) > now)
}

export function isSameState(a: ConnectionState | undefined, b: ConnectionState): boolean {
  return a !== undefined && JSON.stringify(fieldsOf(a)) === JSON.stringify(fieldsOf(b))
}

/** @param laterFields those of the record that this one replaces */
export function writeConnectionRecord(
  state: ConnectionState,
  version: string,
  now: number,
  laterFields: RecordFields = {},
): StoredRecord {
  return { version, removableFrom: now + yearMilliseconds, fields: { ...laterFields, ...fieldsOf(state) } }
}

/** The names of all fields. Others are of later versions. */
const connectionFields: ReadonlySet<string> = new Set([
  ...['generation', 'fingerprint', 'firstGeneration', 'nextGeneration', 'nextFingerprint', 'clearedAt', 'variants'],
  ...['idleMilliseconds', 'idleLifetimes', 'maximumVariants', 'authorizationServer', 'maximumConcurrency'],
])

function fieldsOf(state: ConnectionState): RecordFields {
  const { generation, fingerprint, warming, variants, staged, clearedAt, firstGeneration } = state
  const used = variants.map(writeVariant)
  const { idleMilliseconds, idleLifetimes, maximumVariants, authorizationServer, maximumConcurrency } = warming ?? {}
  const plan = { idleMilliseconds, idleLifetimes, maximumVariants, authorizationServer, maximumConcurrency }
  const coming = {
    nextGeneration: staged?.generation,
    nextFingerprint: staged?.fingerprint,
    clearedAt,
    firstGeneration,
  }
  const known = Object.entries({ ...plan, ...coming }).filter(
    (entry): entry is [string, string | number] => entry[1] !== undefined,
  )
  return { generation, fingerprint, ...Object.fromEntries(known), variants: JSON.stringify(used) }
}

function writeVariant({ id, lastUsedAt, caller, idleMilliseconds }: Variant): readonly (string | number)[] {
  if (caller === undefined) return [id, lastUsedAt]
  return idleMilliseconds === undefined ? [id, lastUsedAt, caller] : [id, lastUsedAt, caller, idleMilliseconds]
}

/** A generation is a time in milliseconds, or slightly more. None is further ahead than this of a usable clock. */
const aheadMilliseconds = 86_400_000

/** Undefined where the value can't be a generation, so that a higher one always remains possible. */
export function readGeneration(value: unknown, now: number): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= now + aheadMilliseconds
    ? Number(value)
    : undefined
}

/** The state of an empty record: no token has its generation, and no elements have its fingerprint. */
const nothingKnown = { generation: 0, fingerprint: '', variants: [] } as const

/** Reads a record that another clock may have written: impossible values are left out. Without a generation the record counts as empty. */
export function readConnectionRecord({ version, fields, isEarlier }: StoredRecord, now: number): ConnectionRecord {
  const generation = readGeneration(fields['generation'], now)
  const { fingerprint } = fields
  const later = withLaterFields(fields, connectionFields)
  if (generation === undefined || typeof fingerprint !== 'string') return { version, ...nothingKnown, ...later }
  const warming = readPlan(fields)
  const staged = readStaged(fields, now)
  const clearedAt = pastTime(fields['clearedAt'], now)
  const firstGeneration = readGeneration(fields['firstGeneration'], now)
  return {
    ...{ version, generation, fingerprint },
    variants: readVariants(fields['variants'], warming?.maximumVariants ?? mostVariants, now),
    ...(warming && { warming }),
    ...(staged && { staged }),
    ...(clearedAt !== undefined && { clearedAt }),
    ...(firstGeneration !== undefined && { firstGeneration }),
    ...(isEarlier && { isEarlier }),
    ...later,
  }
}

function readStaged(fields: RecordFields, now: number): StagedGeneration | undefined {
  const generation = readGeneration(fields['nextGeneration'], now)
  const { nextFingerprint: fingerprint } = fields
  return generation !== undefined && typeof fingerprint === 'string' ? { generation, fingerprint } : undefined
}

/** The bounds of the schema of elements. */
const [leastIdleMilliseconds, mostIdleMilliseconds] = [60_000, 720 * 3_600_000]
const mostVariants = 100
const mostIdleLifetimes = 100
const mostConcurrency = 1_000

function readPlan(fields: RecordFields): WarmingPlan | undefined {
  const { authorizationServer } = fields
  const idleMilliseconds = wholeNumberWithin(fields['idleMilliseconds'], leastIdleMilliseconds, mostIdleMilliseconds)
  const maximumVariants = wholeNumberWithin(fields['maximumVariants'], 1, mostVariants)
  const maximumConcurrency = wholeNumberWithin(fields['maximumConcurrency'], 1, mostConcurrency)
  if (idleMilliseconds === undefined || maximumVariants === undefined || maximumConcurrency === undefined)
    return undefined
  if (typeof authorizationServer !== 'string') return undefined
  const idleLifetimes = wholeNumberWithin(fields['idleLifetimes'], 1, mostIdleLifetimes)
  const limit = idleLifetimes !== undefined && { idleLifetimes }
  return { idleMilliseconds, ...limit, maximumVariants, authorizationServer, maximumConcurrency }
}

/** Anything but a list of uses is read as an empty list. */
function readVariants(text: RecordFields[string] | undefined, most: number, now: number): Variant[] {
  const pairs: unknown = parseJson(String(text))
  if (!Array.isArray(pairs)) return []
  return pairs.flatMap((each: unknown) => readVariant(each, now)).slice(0, most)
}

function readVariant(value: unknown, now: number): Variant[] {
  const [id, at, caller, idle] = Array.isArray(value) ? (value as unknown[]) : []
  const lastUsedAt = pastTime(at, now)
  if (typeof id !== 'string' || lastUsedAt === undefined) return []
  const idleMilliseconds = wholeNumberWithin(idle, 1, mostIdleMilliseconds)
  const label = typeof caller === 'string' && { caller }
  return [{ id, lastUsedAt, ...label, ...(idleMilliseconds !== undefined && { idleMilliseconds }) }]
}
