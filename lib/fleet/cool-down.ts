import { isJsonArray, parseJson } from '../base/decoding.ts'
import type { RecordFields } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/*
 * The state in one cool-down record, and how each event changes it. Times are milliseconds since the epoch.
 */

/** What the fleet knows about one thing that a token request depends on. */
export interface CoolDownState {
  /** Absent where no cool-down is active. */
  readonly coolDown?: CoolDown
  /** A request has failed, and it isn't known yet whether the server is the reason. The doubt ends at this time. */
  readonly suspectedUntil?: number
  /** When the last control request was made. */
  readonly controlAt?: number
  /** When a cool-down last ended early, because the connection was changed or cleared. */
  readonly liftedAt?: number
  /** The times of the failures or password guesses within the last minute. */
  readonly counted: readonly number[]
}

/** A time in which no token request is made for a name. At its end one request may probe; the others wait for its result. */
export interface CoolDown {
  readonly beganAt: number
  readonly until: number
  /** The failure that it began with, as text of the caller of this module. */
  readonly failure: string
  /** The number of failures in a row. */
  readonly failures: number
  /** Present while a request probes. */
  readonly probe?: Probe
}

interface Probe {
  readonly until: number
  readonly isOwn: boolean
}

export interface CoolDownDuration {
  /** The length of the first cool-down. Each further one in a row is twice as long. */
  readonly baseSeconds: number
  /** The pause that the server asked for. It replaces `baseSeconds`. */
  readonly retryAfterSeconds?: number | undefined
}

/** The request that wants to go to the token endpoint. */
export interface Asker {
  /** Whether it is the connection's own request, which never waits for the probe of a request with caller parameters. */
  readonly isOwn: boolean
  /** When the connection was last changed or cleared. A cool-down that began before that time no longer applies. */
  readonly mendedAt?: number | undefined
}

export type CoolDownVerdict =
  | { readonly kind: 'clear' | 'may_probe' }
  | { readonly kind: 'cooling_down'; readonly failure: string; readonly retryAfterSeconds: number }

export const nothingKnown: CoolDownState = { counted: [] }

/** The longest cool-down, whatever the number of failures and the server's `Retry-After`. */
const maximumCoolDownMilliseconds = 5 * 60_000
/** A probe that takes longer is lost: Lambda may have frozen its instance. */
const probeMilliseconds = 30_000
const suspicionMilliseconds = 30_000
/** The least time between two control requests, and between two cool-downs that end early. */
export const leastPauseMilliseconds = 30_000
/** The time that quotas count over. */
export const quotaMilliseconds = 60_000
/** Further failures don't make a cool-down longer. */
const mostFailures = 16
/** More than any quota allows. */
const mostCounted = 100

/** @param letsOthersGoFirst for how many milliseconds after the end of the cool-down this request still waits */
export function verdictOn(
  { coolDown, liftedAt }: CoolDownState,
  asker: Asker,
  now: number,
  letsOthersGoFirst = 0,
): CoolDownVerdict {
  if (!coolDown) return { kind: 'clear' }
  const { beganAt, probe, failure } = coolDown
  const until = coolDown.until + letsOthersGoFirst
  const { isOwn, mendedAt = -Infinity } = asker
  const isLifted = mendedAt >= beganAt && now >= (liftedAt ?? -Infinity) + leastPauseMilliseconds
  if (now < until && !isLifted) return { kind: 'cooling_down', failure, retryAfterSeconds: secondsUntil(until, now) }
  const isProbed = probe !== undefined && now < probe.until && (probe.isOwn || !isOwn)
  return isProbed ? { kind: 'cooling_down', failure, retryAfterSeconds: 1 } : { kind: 'may_probe' }
}

export function secondsUntil(until: number, now: number): number {
  return Math.max(1, Math.ceil((until - now) / 1000))
}

export function withProbe(state: CoolDownState, { isOwn }: Asker, now: number): CoolDownState {
  const { coolDown } = state
  if (!coolDown) return state
  // A probe before the end of a cool-down means that the cool-down ended early.
  const lifted = now < coolDown.until && { liftedAt: now }
  return { ...state, ...lifted, coolDown: { ...coolDown, probe: { until: now + probeMilliseconds, isOwn } } }
}

export function withoutProbe(state: CoolDownState): CoolDownState {
  if (!state.coolDown?.probe) return state
  const { probe: _probe, ...coolDown } = state.coolDown
  return { ...state, coolDown }
}

/** The state after one more failure. */
export function withFailure(
  state: CoolDownState,
  failure: string,
  { baseSeconds, retryAfterSeconds }: CoolDownDuration,
  now: number,
): CoolDownState {
  const { failures: failedBefore = 0, until: already = -Infinity, beganAt = now } = state.coolDown ?? {}
  // Requests that were under way together fail together: they count as one failure.
  const failures = now < already ? failedBefore : Math.min(failedBefore + 1, mostFailures)
  const milliseconds = (retryAfterSeconds ?? baseSeconds * 2 ** (failures - 1)) * 1000
  const until = Math.max(already, now + Math.min(milliseconds, maximumCoolDownMilliseconds))
  return { ...withoutSuspicion(state), coolDown: { beganAt: now < already ? beganAt : now, until, failure, failures } }
}

/** The state after a token. The times that limit control requests and quotas stay. */
export function withoutCoolDown({ coolDown: _coolDown, ...state }: CoolDownState): CoolDownState {
  return withoutSuspicion(state)
}

export function withSuspicion(state: CoolDownState, now: number): CoolDownState {
  return { ...state, suspectedUntil: now + suspicionMilliseconds }
}

function withoutSuspicion({ suspectedUntil: _until, ...state }: CoolDownState): CoolDownState {
  return state
}

export function withCount(state: CoolDownState, now: number): CoolDownState {
  return { ...state, counted: [...countedAt(state, now), now] }
}

export function withoutCount(state: CoolDownState, at: number): CoolDownState {
  const index = state.counted.indexOf(at)
  return { ...state, counted: state.counted.filter((_at, place) => place !== index) }
}

/** The counts of the last minute. */
export function countedAt({ counted }: CoolDownState, now: number): readonly number[] {
  return counted.filter((at) => now < at + quotaMilliseconds)
}

export function removableFrom({ coolDown, counted }: CoolDownState, now: number): number {
  return Math.max(now, coolDown?.until ?? 0, ...counted) + spareMilliseconds
}

export function fieldsOf({ coolDown, suspectedUntil, controlAt, liftedAt, counted }: CoolDownState): RecordFields {
  const { until, beganAt, failures, failure, probe } = coolDown ?? {}
  const all = {
    ...{ until, beganAt, failures, failure, probeUntil: probe?.until, suspectedUntil, controlAt, liftedAt },
    ...(probe && { isOwnProbe: Number(probe.isOwn) }),
    ...(counted.length > 0 && { counted: JSON.stringify(counted) }),
  }
  const known = Object.entries(all).filter((entry): entry is [string, string | number] => entry[1] !== undefined)
  return Object.fromEntries(known)
}

/** The names of all fields. Others are of later versions. */
export const coolDownFields: ReadonlySet<string> = new Set([
  ...['until', 'beganAt', 'failures', 'failure', 'probeUntil', 'isOwnProbe'],
  ...['suspectedUntil', 'controlAt', 'liftedAt', 'counted'],
])

/** Another clock may have written these times: each is limited to the longest time that it can last by this clock. */
export function readCoolDownState(fields: RecordFields, now: number): CoolDownState {
  const { suspectedUntil, controlAt, liftedAt, counted } = fields
  const coolDown = readCoolDown(fields, now)
  return {
    ...(coolDown && { coolDown }),
    ...(isTime(suspectedUntil) && { suspectedUntil: Math.min(suspectedUntil, now + suspicionMilliseconds) }),
    ...(isTime(controlAt) && { controlAt: Math.min(controlAt, now) }),
    ...(isTime(liftedAt) && { liftedAt: Math.min(liftedAt, now) }),
    counted: readCounted(counted, now),
  }
}

function readCoolDown(fields: RecordFields, now: number): CoolDown | undefined {
  const { until, failures, failure, probeUntil, isOwnProbe } = fields
  if (!isTime(until) || !isTime(failures) || typeof failure !== 'string') return undefined
  const { beganAt = until - maximumCoolDownMilliseconds } = fields
  return {
    beganAt: isTime(beganAt) ? Math.min(beganAt, now) : now,
    until: Math.min(until, now + maximumCoolDownMilliseconds),
    failure,
    failures: Math.min(Math.max(1, Math.floor(failures)), mostFailures),
    ...(isTime(probeUntil) && {
      probe: { until: Math.min(probeUntil, now + probeMilliseconds), isOwn: isOwnProbe !== 0 },
    }),
  }
}

function readCounted(text: RecordFields[string] | undefined, now: number): readonly number[] {
  const counted = parseJson(String(text))
  if (!isJsonArray(counted)) return []
  return counted
    .filter(isTime)
    .map((at) => Math.min(at, now))
    .slice(-mostCounted)
}

function isTime(value: unknown): value is number {
  return Number.isFinite(value)
}
