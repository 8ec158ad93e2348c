import { parseJson } from '../base/decoding.ts'
import { disabledFingerprint, type Warming } from '../configuration/connection.ts'
import { isFingerprintOf } from '../configuration/connection-cache.ts'
import { pastTime, wholeNumberWithin } from './believable.ts'
import type { RecordFields, StoredRecord } from './record-store.ts'

/** What the fleet knows of a connection as a whole. */
export interface ConnectionRecord extends ConnectionState {
  readonly version: string
  /** An earlier version has written it: it is to be written again. */
  readonly isEarlier?: true
}

export interface ConnectionState {
  /**
   * Under which elements its tokens were issued: a token of another generation answers for nothing. Rises with each change
   * of the fingerprint; never comes again, even where the record was lost.
   */
  readonly generation: number
  /** Of all in the elements that can change which token is issued. */
  readonly fingerprint: string
  /** Absent where none of its tokens is kept warm. */
  readonly warming?: WarmingPlan
  /** Those to be kept warm, the last used first. */
  readonly variants: readonly Variant[]
  /** Other elements, and the generation that they will be: tokens are obtained under them before they become active. */
  readonly staged?: StagedGeneration
  /** When an operator last ended all its tokens. Milliseconds since the epoch. */
  readonly clearedAt?: number
  /** The one with which the record began. Absent from records of 0.1. */
  readonly firstGeneration?: number
}

export interface StagedGeneration {
  readonly generation: number
  readonly fingerprint: string
}

/** By which tokens are renewed before they go stale, without a look at the elements. */
export interface WarmingPlan extends Warming {
  readonly authorizationServer: string
  readonly maximumConcurrency: number
}

/** One combination of what can be asked for under a connection. */
export interface Variant {
  /** The `id` of its token's record. */
  readonly id: string
  /** Not the last time to the minute: it is written when it is a quarter of the idle time old. */
  readonly lastUsedAt: number
  /** A digest of who has used it last; `own` for the connection's own token. */
  readonly caller?: string
  /** From its last use to its last renewal, where that is less than for the connection as a whole. */
  readonly idleMilliseconds?: number
}

/** In place of a caller: the connection's own token, which its operator wants warm. */
export const own = 'own'

/** Somebody uses a token. */
export interface Use {
  /** The `id` of its token's record. */
  readonly id: string
  /** A digest of who uses it; `own` for the connection's own token. */
  readonly caller: string
  /** Of the token when it was new. */
  readonly lifetimeMilliseconds: number
}

/** The elements of a connection as they are now. */
export interface ElementsRevision {
  readonly fingerprint: string
  /** The same elements as other versions write them. */
  readonly otherFingerprints?: readonly string[]
  readonly warming?: WarmingPlan
}

/** There is no connection of that name any more. */
export const noElements: ElementsRevision = { fingerprint: 'gone' }

/** Its operator has stopped it: there is no token of this generation, and nothing to be kept warm. */
export const disabledElements: ElementsRevision = { fingerprint: disabledFingerprint }

const yearMilliseconds = 365 * 86_400_000
/** Of the idle time: from the note of a use to the next one. */
const usesNotedShare = 0.25
/** Of the idle time: what was not used for so long gives its place to whoever asks. A use that is not noted yet may be younger. */
const placeKeptShare = 0.5

/** These elements are active: as a new generation where they would issue other tokens, as the staged one where they were staged. */
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

/** When something of the connection was last changed or cleared, in milliseconds since the epoch. The first generation changes nothing. */
export function mendedAt({ generation, firstGeneration }: ConnectionState): number | undefined {
  return generation === firstGeneration ? undefined : generation
}

/** Elements under which tokens are obtained in advance. The active ones end what was staged before. */
export function withStaged<State extends ConnectionState>(
  before: State,
  elements: ElementsRevision,
  now: number,
): State {
  if (isFingerprintOf(elements, (before.staged ?? before).fingerprint)) return before
  return { ...before, staged: { fingerprint: elements.fingerprint, generation: newGeneration(before, now) } }
}

/** All its tokens answer for nothing any more, nor do those that were obtained in advance. */
export function cleared(before: ConnectionState, now: number): ConnectionState {
  const { staged: _staged, ...kept } = before
  return { ...kept, generation: newGeneration(before, now), clearedAt: now }
}

/** A whole number that never comes twice, even if the elements that it was staged for never became active. */
function newGeneration(before: ConnectionState | undefined, now: number): number {
  return Math.max((before?.generation ?? 0) + 1, (before?.staged?.generation ?? 0) + 1, Math.ceil(now))
}

/**
 * With a token just used. Unchanged where that is known already, or where there is no place for it: those in use don't drive each
 * other out, but a caller with many places gives one to a caller with fewer.
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

/** A single use keeps no caller's variant warm for long: a token of a minute would be renewed 1,440 times a day. */
function idleFor({ idleMilliseconds, idleLifetimes = Infinity }: Warming, lifetimeMilliseconds: number): number {
  return Math.min(idleMilliseconds, Math.ceil(lifetimeMilliseconds * idleLifetimes))
}

function endOf({ lastUsedAt, idleMilliseconds = Infinity }: Variant, warming: Warming): number {
  return lastUsedAt + Math.min(idleMilliseconds, warming.idleMilliseconds)
}

function isUsedWithin(share: number, variant: Variant, warming: Warming, now: number): boolean {
  return now < variant.lastUsedAt + (endOf(variant, warming) - variant.lastUsedAt) * share
}

/** Those that stay beside one more; undefined where all do. The last used first. */
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

/** Until when a token is renewed although nobody asks for it; undefined where it isn't kept warm at all. */
export function warmUntil(
  { warming, variants }: Pick<ConnectionState, 'warming' | 'variants'>,
  id: string,
): number | undefined {
  const variant = warming && variants.find((each) => each.id === id)
  return variant && endOf(variant, warming)
}

/** Those that are renewed although nobody asks for them. */
export function warmVariants(state: Pick<ConnectionState, 'warming' | 'variants'>, now: number): readonly Variant[] {
  return state.variants.filter(({ id }) => (warmUntil(state, id) ?? now) > now)
}

export function isSameState(a: ConnectionState | undefined, b: ConnectionState): boolean {
  return a !== undefined && JSON.stringify(fieldsOf(a)) === JSON.stringify(fieldsOf(b))
}

export function writeConnectionRecord(state: ConnectionState, version: string, now: number): StoredRecord {
  return { version, removableFrom: now + yearMilliseconds, fields: fieldsOf(state) }
}

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

/** A generation is a time, or a few more than one: none is further ahead of any clock that is of use. */
const aheadMilliseconds = 86_400_000

/** Undefined for what can't be a generation, so that one can always be followed by a higher one. */
export function readGeneration(value: unknown, now: number): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= now + aheadMilliseconds
    ? Number(value)
    : undefined
}

/** A record that says nothing of the connection: its generation is that of no token, its fingerprint that of no elements. */
const nothingKnown = { generation: 0, fingerprint: '', variants: [] } as const

/** Somebody else may have written it, by another clock: what can't be is left out, and without a generation all of it. */
export function readConnectionRecord({ version, fields, isEarlier }: StoredRecord, now: number): ConnectionRecord {
  const generation = readGeneration(fields['generation'], now)
  const { fingerprint } = fields
  if (generation === undefined || typeof fingerprint !== 'string') return { version, ...nothingKnown }
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
  }
}

function readStaged(fields: RecordFields, now: number): StagedGeneration | undefined {
  const generation = readGeneration(fields['nextGeneration'], now)
  const { nextFingerprint: fingerprint } = fields
  return generation !== undefined && typeof fingerprint === 'string' ? { generation, fingerprint } : undefined
}

/** As the schema of elements has them. */
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

/** What isn't a list of uses is none. */
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
