import { isJsonArray, parseJson } from '../base/decoding.ts'
import type { RecordFields } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/*
 * What one record of a cool-down says, and what each happening makes of it. Times are milliseconds since the epoch.
 */

/** What a fleet knows of one thing that a token request depends on. */
export interface CoolDownState {
  /** Absent where nothing cools down. */
  readonly coolDown?: CoolDown
  /** Somebody's own addition to a request has failed: until then it isn't known whether the fault is the server's. */
  readonly suspectedUntil?: number
  /** When the last control request was made. */
  readonly controlAt?: number
  /** When a cool-down was last lifted because of something that was mended or cleared. */
  readonly liftedAt?: number
  /** What was counted within the last minute: failures, or guesses of a password. */
  readonly counted: readonly number[]
}

/** A time in which something must not be asked for. At its end one request may probe; the others wait for what that one finds. */
export interface CoolDown {
  readonly beganAt: number
  readonly until: number
  /** What it began with, as its owner writes it down. */
  readonly failure: string
  /** In a row. */
  readonly failures: number
  /** Somebody probes already. */
  readonly probe?: Probe
}

interface Probe {
  readonly until: number
  readonly isOwn: boolean
}

export interface CoolDownDuration {
  /** Of the first; each further one in a row is twice as long. */
  readonly baseSeconds: number
  /** As the server asked, instead. */
  readonly retryAfterSeconds?: number | undefined
}

/** Who wants to make a token request. */
export interface Asker {
  /** Whether the request is the connection's own: it never waits for what somebody else's addition may find out. */
  readonly isOwn: boolean
  /** When something of the connection was last mended or cleared. A cool-down that began before says nothing any more. */
  readonly mendedAt?: number | undefined
}

export type CoolDownVerdict =
  | { readonly kind: 'clear' | 'may_probe' }
  | { readonly kind: 'cooling_down'; readonly failure: string; readonly retryAfterSeconds: number }

export const nothingKnown: CoolDownState = { counted: [] }

/** Longest cool-down, however often something failed and whatever a server asks for. */
const maximumCoolDownMilliseconds = 5 * 60_000
/** A probe that hasn't come back by then never will: Lambda may have frozen it. */
const probeMilliseconds = 30_000
const suspicionMilliseconds = 30_000
/** Between two control requests, and between two cool-downs that end by mending. */
export const leastPauseMilliseconds = 30_000
/** For quotas of so many a minute. */
export const quotaMilliseconds = 60_000
/** More failures make no cool-down longer. */
const mostFailures = 16
/** More than any quota allows. */
const mostCounted = 100

/** @param letsOthersGoFirst how many milliseconds after its end this asker may probe */
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
  // Before its end a cool-down is probed only where it was lifted.
  const lifted = now < coolDown.until && { liftedAt: now }
  return { ...state, ...lifted, coolDown: { ...coolDown, probe: { until: now + probeMilliseconds, isOwn } } }
}

export function withoutProbe(state: CoolDownState): CoolDownState {
  if (!state.coolDown?.probe) return state
  const { probe: _probe, ...coolDown } = state.coolDown
  return { ...state, coolDown }
}

/** After one more failure. */
export function withFailure(
  state: CoolDownState,
  failure: string,
  { baseSeconds, retryAfterSeconds }: CoolDownDuration,
  now: number,
): CoolDownState {
  const { failures: failedBefore = 0, until: already = -Infinity, beganAt = now } = state.coolDown ?? {}
  // Requests that were under way together fail together: that is one failure.
  const failures = now < already ? failedBefore : Math.min(failedBefore + 1, mostFailures)
  const milliseconds = (retryAfterSeconds ?? baseSeconds * 2 ** (failures - 1)) * 1000
  const until = Math.max(already, now + Math.min(milliseconds, maximumCoolDownMilliseconds))
  return { ...withoutSuspicion(state), coolDown: { beganAt: now < already ? beganAt : now, until, failure, failures } }
}

/** After a token. What keeps control requests and quotas within their limits stays. */
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

/** What still counts. */
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

/** Another clock may have written these times: none of them lasts longer than it could have by ours. */
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
