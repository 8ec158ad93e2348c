import { parseJson } from '../base/decoding.ts'
import type { Warming } from '../configuration/connection.ts'
import { pastTime, wholeNumberWithin } from './believable.ts'
import type { ConnectionState, StagedGeneration } from './connection-state.ts'
import type { Variant } from './kept-warm.ts'
import { type WithLaterFields, withLaterFields } from './later-fields.ts'
import type { RecordFields, StoredRecord } from './record-store.ts'

/** What the fleet knows about a connection as a whole. */
export interface ConnectionRecord extends ConnectionState, WithLaterFields {
  readonly version: string
  /** Present where an earlier version of Tokenwell has written it: it has to be written again. */
  readonly isEarlier?: true
}

const yearMilliseconds = 365 * 86_400_000

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

function readPlan(fields: RecordFields): Warming | undefined {
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
