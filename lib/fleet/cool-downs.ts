import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import {
  type Asker,
  type CoolDownDuration,
  type CoolDownState,
  coolDownFields,
  countedAt,
  fieldsOf,
  leastPauseMilliseconds,
  nothingKnown,
  quotaMilliseconds,
  readCoolDownState,
  removableFrom,
  secondsUntil,
  verdictOn,
  withCount,
  withFailure,
  withoutCoolDown,
  withoutCount,
  withoutProbe,
  withProbe,
  withSuspicion,
} from './cool-down.ts'
import { type WithLaterFields, withLaterFields } from './later-fields.ts'
import { coolDownRecordName, type RecordName, type RecordStore } from './record-store.ts'
import type { Sealing } from './sealing.ts'

/** More than any process needs at a time. The oldest are dropped first. */
const maximumEntries = 10_000
/** A process that loses the race this often leaves the record to the winners. */
const mostTries = 5

/** Whether a token request may be made now. `Kind` names the things that a request depends on. */
export type CoolDownCheck<Kind extends string> =
  | { readonly kind: 'clear'; readonly pass: CoolDownPass<Kind> }
  | {
      readonly kind: 'cooling_down'
      readonly of: Kind
      readonly failure: string
      readonly retryAfterSeconds: number
    }

/** The right to make a token request. Its holder reports the result. */
export interface CoolDownPass<Kind extends string> {
  /** Whether a request failed within the last 30 s, and it isn't known yet if the server is the reason. */
  readonly isSuspected: boolean
  /** @returns for how many seconds every request gets this failure */
  begin(kind: Kind, failure: string, duration: CoolDownDuration): Promise<number>
  /** Ends the cool-downs of things that work: after a token, all of them. @returns the kinds that were cooling down */
  end(kinds?: readonly Kind[]): Promise<readonly Kind[]>
  /** Reports no result: the next request may probe. */
  release(): Promise<void>
  /** Reports a failed request that will be retried. Until its result is known, other requests are made without retries. */
  suspect(kind: Kind): Promise<void>
  /** Claims the right to one control request in 30 s. Until its result is known, the server is suspected. */
  claimControl(kind: Kind): Promise<boolean>
  /**
   * Counts a failure. With `most` failures within a minute a cool-down begins. It ends when the first of them is a minute old.
   * @returns the seconds of that cool-down. Undefined where there were fewer failures
   */
  count(kind: Kind, most: number, failure: string): Promise<number | undefined>
}

/** One place in a quota for a minute. */
export type Reservation =
  | { readonly kind: 'reserved'; giveBack(): Promise<void> }
  | { readonly kind: 'exceeded'; readonly retryAfterSeconds: number }

export interface CoolDownRegistryDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly sealing: Sealing
  readonly now: () => number
  readonly randomId: () => string
}

/** The state under one name. The version of its record is absent where the shared cache is unavailable. */
interface ReadState extends WithLaterFields {
  readonly state: CoolDownState
  readonly version?: string | undefined
}

/**
 * The cool-downs of a fleet, by name. What one process finds out, the whole fleet knows. While the shared cache is unavailable, each
 * process uses its own knowledge.
 */
export type CoolDownRegistry = ReturnType<typeof createCoolDownRegistry>

export function createCoolDownRegistry(dependencies: CoolDownRegistryDependencies) {
  const { store, breaker, sealing, now, randomId } = dependencies
  const local = createLocalStates()

  async function recordNames(names: readonly string[]): Promise<RecordName[]> {
    const digests = await breaker.call('keys', () => Promise.all(names.map((name) => sealing.digest(name))), now())
    return digests.map(coolDownRecordName)
  }

  /** One round trip. */
  async function readShared(names: readonly string[]): Promise<ReadState[]> {
    const records = await recordNames(names)
    const found = await breaker.call('records', () => store.read(records), now())
    return found.map((stored) => {
      const { fields } = stored ?? { fields: {} }
      const later = withLaterFields(fields, coolDownFields)
      return { version: stored?.version, state: readCoolDownState(fields, now()), ...later }
    })
  }

  async function writeShared(name: string, state: CoolDownState, before: Omit<ReadState, 'state'>): Promise<boolean> {
    const [record] = await recordNames([name])
    if (!record) return false
    const fields = { ...before.laterFields, ...fieldsOf(state) }
    const next = { version: randomId(), removableFrom: removableFrom(state, now()), fields }
    return await breaker.call('records', () => store.write(record, next, before.version), now())
  }

  async function read(names: readonly string[]): Promise<readonly ReadState[]> {
    const shared = await unlessUnavailable(() => readShared(names), undefined)
    if (!shared) return names.map((name) => ({ state: local.get(name) }))
    for (const [index, { state }] of shared.entries()) local.set(names[index] ?? '', state)
    return shared
  }

  /**
   * Changes the state in this process and in the fleet.
   * @param change where it returns the same state, nothing is written
   * @returns the state after the change
   */
  async function amend(name: string, change: (state: CoolDownState) => CoolDownState): Promise<CoolDownState> {
    const amended = await tryToAmend(name, change)
    if (amended !== lostRace) return amended
    const state = change(local.get(name))
    local.set(name, state)
    return state
  }

  /** Does the same, or returns `lostRace` where other processes were faster each time. */
  async function tryToAmend(
    name: string,
    change: (state: CoolDownState) => CoolDownState,
  ): Promise<CoolDownState | typeof lostRace> {
    const amended = await unlessUnavailable(
      () =>
        compareAndSet(mostTries, async () => {
          const [found = { state: nothingKnown }] = await readShared([name])
          const after = change(found.state)
          if (after === found.state) return after
          return (await writeShared(name, after, found)) ? after : lostRace
        }),
      undefined,
    )
    if (amended === lostRace) return lostRace
    const state = amended ?? change(local.get(name))
    local.set(name, state)
    return state
  }

  /** Notes that this process probes. @returns false where another process was faster */
  async function probe(name: string, { state, ...before }: ReadState, asker: Asker): Promise<boolean> {
    const after = withProbe(state, asker, now())
    const isWritten = await unlessUnavailable(() => writeShared(name, after, before), true)
    if (isWritten) local.set(name, after)
    return isWritten
  }

  function passFor<Kind extends string>(
    names: Readonly<Record<Kind, string>>,
    found: ReadonlyMap<Kind, ReadState>,
    probed: readonly Kind[],
  ): CoolDownPass<Kind> {
    const isSuspect = ({ suspectedUntil = -Infinity }: CoolDownState) => now() < suspectedUntil
    const concerned = new Set(probed)
    const begun = new Set<Kind>()
    for (const [kind, { state }] of found) if (state.coolDown || state.suspectedUntil) concerned.add(kind)

    return {
      isSuspected: [...found.values()].some(({ state }) => isSuspect(state)),
      async begin(kind, failure, duration) {
        const { coolDown } = await amend(names[kind], (state) => withFailure(state, failure, duration, now()))
        begun.add(kind)
        return coolDown ? secondsUntil(coolDown.until, now()) : 0
      },
      async end(kinds = [...concerned, ...begun]) {
        const ended: Kind[] = []
        for (const kind of kinds) {
          const isKnown = [concerned.delete(kind), begun.delete(kind)].includes(true)
          if (!isKnown) continue
          await amend(names[kind], (state) => {
            if (state.coolDown) ended.push(kind)
            return withoutCoolDown(state)
          })
        }
        return [...new Set(ended)]
      },
      async release() {
        for (const kind of probed)
          if (concerned.has(kind) && !begun.has(kind)) await amend(names[kind], (state) => withoutProbe(state))
      },
      async suspect(kind) {
        concerned.add(kind)
        await amend(names[kind], (state) => withSuspicion(state, now()))
      },
      async claimControl(kind) {
        let isMine = false
        concerned.add(kind)
        await amend(names[kind], (state) => {
          isMine = now() >= (state.controlAt ?? -Infinity) + leastPauseMilliseconds
          const suspected = withSuspicion(state, now())
          return isMine ? { ...suspected, controlAt: now() } : suspected
        })
        return isMine
      },
      async count(kind, most, failure) {
        let seconds: number | undefined
        await amend(names[kind], (state) => {
          const counted = withCount(state, now())
          const [first = now()] = countedAt(counted, now()).slice(-most)
          seconds = counted.counted.length < most ? undefined : secondsUntil(first + quotaMilliseconds, now())
          if (seconds === undefined) return counted
          return withFailure(withoutCoolDown(counted), failure, { baseSeconds: seconds }, now())
        })
        return seconds
      },
    }
  }

  return {
    /**
     * Must be called before each token request.
     * @param letsOthersGoFirst for how many milliseconds after the end of each kind of cool-down this request still waits
     */
    async check<Kind extends string>(
      names: Readonly<Record<Kind, string>>,
      asker: Asker,
      letsOthersGoFirst?: Readonly<Partial<Record<Kind, number>>>,
    ): Promise<CoolDownCheck<Kind>> {
      const kinds = Object.keys(names) as Kind[]
      const states = await read(kinds.map((kind) => names[kind]))
      const found = new Map(kinds.map((kind, index) => [kind, states[index] ?? { state: nothingKnown }]))
      const toProbe: Kind[] = []
      for (const [kind, { state }] of found) {
        const verdict = verdictOn(state, asker, now(), letsOthersGoFirst?.[kind])
        if (verdict.kind === 'cooling_down') return { ...verdict, of: kind }
        if (verdict.kind === 'may_probe') toProbe.push(kind)
      }
      const probed: Kind[] = []
      for (const kind of toProbe) {
        const read = found.get(kind)
        if (read && (await probe(names[kind], read, asker))) probed.push(kind)
        else {
          for (const each of probed) await amend(names[each], (state) => withoutProbe(state))
          const failure = read?.state.coolDown?.failure ?? ''
          return { kind: 'cooling_down', of: kind, failure, retryAfterSeconds: 1 }
        }
      }
      return { kind: 'clear', pass: passFor(names, found, probed) }
    },

    /** Takes one of `most` places within a minute. */
    async reserve(name: string, most: number): Promise<Reservation> {
      let retryAt: number | undefined
      const at = now()
      const amended = await tryToAmend(name, (state) => {
        const counted = countedAt(state, at)
        retryAt = counted.length < most ? undefined : (counted.at(-most) ?? at) + quotaMilliseconds
        return retryAt === undefined ? withCount(state, at) : state
      })
      if (retryAt !== undefined) return { kind: 'exceeded', retryAfterSeconds: secondsUntil(retryAt, at) }
      // Many callers guess passwords at once: a guess without a place in the fleet's record would pass the quota.
      if (amended === lostRace) return { kind: 'exceeded', retryAfterSeconds: 1 }
      return {
        kind: 'reserved',
        giveBack: async () => void (await amend(name, (state) => withoutCount(state, at))),
      }
    },
  }
}

/** The states that one process knows. A name may hold caller parameters, so that only its digest is kept. */
function createLocalStates() {
  const states = new LRUCache<string, CoolDownState>({ max: maximumEntries })
  const keyOf = (name: string) => createHash('sha256').update(name).digest('base64url')
  return {
    get(name: string): CoolDownState {
      return states.get(keyOf(name)) ?? nothingKnown
    },
    set(name: string, state: CoolDownState): void {
      const isNothing = Object.keys(state).length === 1 && state.counted.length === 0
      if (isNothing) states.delete(keyOf(name))
      else states.set(keyOf(name), state)
    },
  }
}
