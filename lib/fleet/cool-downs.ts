import { LRUCache } from 'lru-cache'
import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import { coolDownRecordName, type RecordName, type RecordStore, type StoredRecord } from './record-store.ts'
import type { Sealing } from './sealing.ts'
import { spareMilliseconds } from './token-record.ts'

/** Longest cool-down, however often something failed and whatever a server asks for. */
const maximumCoolDownSeconds = 5 * 60
/** A probe that hasn't come back by then never will: Lambda may have frozen it. */
const probeMilliseconds = 30_000
/** More than any process has at a time; the oldest are forgotten first. */
const maximumEntries = 10_000
/** A process that loses the race that often leaves the record to those that won it. */
const mostTries = 5

/** A time in which something must not be asked for again. At its end one may ask; the others wait for what that one finds. */
export interface CoolDown {
  /** Milliseconds since the epoch. */
  readonly until: number
  /** What it began with, as its owner writes it down. */
  readonly failure: string
  /** In a row. */
  readonly failures: number
  /** Somebody asks already. */
  readonly probeUntil?: number
}

export interface CoolDownDuration {
  /** Of the first; each further one in a row is twice as long. */
  readonly baseSeconds: number
  /** As the server asked, instead. */
  readonly retryAfterSeconds?: number
}

/** Whether one may ask now. */
export type CoolDownCheck =
  | { readonly kind: 'clear' }
  | { readonly kind: 'cooling_down'; readonly failure: string; readonly retryAfterSeconds: number }

/** What must not be asked for again for a while, by name. At the end of a cool-down one may ask; if that fails, the next is twice as long. */
export interface CoolDownRegistry {
  /** To be called before asking. Whoever may ask reports what was found by `begin`, `end` or `release`. */
  check(names: readonly string[]): Promise<CoolDownCheck>
  /** @returns for how many seconds everyone is told the failure */
  begin(name: string, failure: string, duration: CoolDownDuration): Promise<number>
  end(names: readonly string[]): Promise<void>
  /** Nothing was found out: the next one may ask. */
  release(names: readonly string[]): Promise<void>
}

export interface CoolDownRegistryDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly sealing: Sealing
  readonly now: () => number
  readonly randomId: () => string
}

/** Those that one process knows of. */
export function createLocalCoolDownRegistry(now: () => number): CoolDownRegistry {
  const entries = new LRUCache<string, CoolDown>({ max: maximumEntries })

  function update(name: string, change: (entry: CoolDown) => CoolDown): void {
    const entry = entries.peek(name)
    if (entry) entries.set(name, change(entry))
  }

  return {
    async check(names) {
      for (const name of names) {
        const checked = checkOne(entries.peek(name), now())
        if (checked.kind === 'cooling_down') return checked
      }
      for (const name of names) update(name, (entry) => probed(entry, now()))
      return { kind: 'clear' }
    },
    async begin(name, failure, duration) {
      const entry = begun(entries.peek(name), failure, duration, now())
      entries.set(name, entry)
      return secondsUntil(entry, now())
    },
    async end(names) {
      for (const name of names) entries.delete(name)
    },
    async release(names) {
      for (const name of names) update(name, (entry) => released(entry))
    },
  }
}

interface ReadCoolDown {
  readonly record: RecordName
  readonly version: string | undefined
  readonly coolDown: CoolDown | undefined
}

/** Those of a whole fleet: what one process found, all know. While the shared cache fails each goes by its own. */
export function createCoolDownRegistry({
  store,
  breaker,
  sealing,
  now,
  randomId,
}: CoolDownRegistryDependencies): CoolDownRegistry {
  const local = createLocalCoolDownRegistry(now)
  /** What this process asks for although it failed before: the fleet is to be told how it went. */
  const probing = new Set<string>()

  async function readAll(names: readonly string[]): Promise<ReadCoolDown[]> {
    const digests = await breaker.call('keys', () => Promise.all(names.map((name) => sealing.digest(name))), now())
    const records = digests.map(coolDownRecordName)
    const found = await breaker.call('records', () => store.read(records), now())
    return records.map((record, index) => ({
      record,
      version: found[index]?.version,
      coolDown: readCoolDown(found[index]),
    }))
  }

  async function write({ record, version }: ReadCoolDown, coolDown: CoolDown | undefined): Promise<boolean> {
    const next = { version: randomId(), removableFrom: (coolDown?.until ?? now()) + spareMilliseconds }
    const fields = coolDown ? fieldsOf(coolDown) : {}
    return await breaker.call('records', () => store.write(record, { ...next, fields }, version), now())
  }

  async function checkFleet(names: readonly string[]): Promise<CoolDownCheck> {
    const all = await readAll(names)
    for (const { coolDown } of all) {
      const checked = checkOne(coolDown, now())
      if (checked.kind === 'cooling_down') return checked
    }
    // Somebody has asked meanwhile, and it went well: nothing doubles any more.
    await local.end(names.filter((_name, index) => !all[index]?.coolDown))
    for (const [index, each] of all.entries()) {
      if (!each.coolDown) continue
      if (!(await write(each, probed(each.coolDown, now())))) return probedByAnother(each.coolDown)
      probing.add(names[index] ?? '')
    }
    return { kind: 'clear' }
  }

  /** Reports how it went with what was read before; whoever has written since knows better. */
  async function report(names: readonly string[], change: (coolDown: CoolDown) => CoolDown | undefined): Promise<void> {
    const probed = names.filter((name) => probing.delete(name))
    if (probed.length === 0) return
    await unlessUnavailable(async () => {
      for (const each of await readAll(probed)) if (each.coolDown) await write(each, change(each.coolDown))
    }, undefined)
  }

  /** @returns the cool-down as it is written now */
  async function beginInFleet(
    name: string,
    failure: string,
    duration: CoolDownDuration,
  ): Promise<CoolDown | undefined> {
    let latest: CoolDown | undefined
    await compareAndSet(mostTries, async () => {
      const [each] = await readAll([name])
      if (!each) return undefined
      latest = begun(each.coolDown, failure, duration, now())
      return (await write(each, latest)) ? undefined : lostRace
    })
    return latest
  }

  return {
    async check(names) {
      const checkedHere = await local.check(names)
      if (checkedHere.kind === 'cooling_down') return checkedHere
      const checked = await unlessUnavailable(() => checkFleet(names), { kind: 'clear' } as const)
      if (checked.kind === 'cooling_down') {
        await local.release(names)
        await report(names, (coolDown) => released(coolDown))
      }
      return checked
    },
    async begin(name, failure, duration) {
      const secondsHere = await local.begin(name, failure, duration)
      probing.delete(name)
      const coolDown = await unlessUnavailable(() => beginInFleet(name, failure, duration), undefined)
      return coolDown ? secondsUntil(coolDown, now()) : secondsHere
    },
    async end(names) {
      await local.end(names)
      await report(names, () => undefined)
    },
    async release(names) {
      await local.release(names)
      await report(names, (coolDown) => released(coolDown))
    },
  }
}

function checkOne(coolDown: CoolDown | undefined, now: number): CoolDownCheck {
  if (!coolDown) return { kind: 'clear' }
  const { until, probeUntil = 0, failure } = coolDown
  if (now < until) return { kind: 'cooling_down', failure, retryAfterSeconds: secondsUntil(coolDown, now) }
  return now < probeUntil ? probedByAnother(coolDown) : { kind: 'clear' }
}

function probedByAnother({ failure }: CoolDown): CoolDownCheck {
  return { kind: 'cooling_down', failure, retryAfterSeconds: 1 }
}

function secondsUntil({ until }: CoolDown, now: number): number {
  return Math.ceil((until - now) / 1000)
}

function probed(coolDown: CoolDown, now: number): CoolDown {
  return { ...coolDown, probeUntil: now + probeMilliseconds }
}

function released({ probeUntil: _probe, ...coolDown }: CoolDown): CoolDown {
  return coolDown
}

/** What one more failure makes of it. */
function begun(
  before: CoolDown | undefined,
  failure: string,
  { baseSeconds, retryAfterSeconds }: CoolDownDuration,
  now: number,
): CoolDown {
  const { failures: failedBefore = 0, until: already = 0 } = before ?? {}
  // Requests that were under way together fail together: that is one failure.
  const failures = now < already ? failedBefore : failedBefore + 1
  const seconds = Math.min(retryAfterSeconds ?? baseSeconds * 2 ** (failures - 1), maximumCoolDownSeconds)
  return { until: Math.max(already, now + seconds * 1000), failure, failures }
}

function fieldsOf({ until, failures, probeUntil, failure }: CoolDown): StoredRecord['fields'] {
  return { until, failures, failure, ...(probeUntil !== undefined && { probeUntil }) }
}

function readCoolDown(stored: StoredRecord | undefined): CoolDown | undefined {
  const { until, failures, failure, probeUntil } = stored?.fields ?? {}
  if (typeof failure !== 'string' || typeof until !== 'number' || typeof failures !== 'number') return undefined
  return { until, failures, failure, ...(typeof probeUntil === 'number' && { probeUntil }) }
}
