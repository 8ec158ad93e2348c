import { CoolingDownError } from '../get-token/token-error.ts'
import { readFailure, type TokenEndpointError, writeFailure } from '../token-endpoint/token-endpoint-error.ts'
import { type Budget, unlessUnavailable } from './circuit-breaker.ts'
import { coolDownRecordName, type RecordName, type RecordStore, type StoredRecord } from './record-store.ts'
import type { TokenSealing } from './sealing.ts'
import { spareMilliseconds } from './token-record.ts'

/** Longest cool-down, however often something failed and whatever a server asks for. */
const maximumCoolDownSeconds = 5 * 60
/** A probe that hasn't come back by then never will: Lambda may have frozen it. */
const probeMilliseconds = 30_000

/** A time in which something must not be asked for again. At its end one may ask; the others wait for what that one finds. */
export interface CoolDown {
  /** Milliseconds since the epoch. */
  readonly until: number
  readonly error: TokenEndpointError
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

/** @throws {CoolingDownError} while one must not ask */
export function demandEnd({ until, probeUntil = 0, error }: CoolDown, now: number): void {
  if (now < until) throw CoolingDownError.after(error, Math.ceil((until - now) / 1000))
  if (now < probeUntil) throw CoolingDownError.after(error, 1)
}

export function probed(coolDown: CoolDown, now: number): CoolDown {
  return { ...coolDown, probeUntil: now + probeMilliseconds }
}

export function released({ probeUntil: _probe, ...coolDown }: CoolDown): CoolDown {
  return coolDown
}

/** What one more failure makes of it. */
export function begun(
  before: CoolDown | undefined,
  error: TokenEndpointError,
  { baseSeconds, retryAfterSeconds }: CoolDownDuration,
  now: number,
): CoolDown {
  const { failures: failedBefore = 0, until: already = 0 } = before ?? {}
  // Requests that were under way together fail together: that is one failure.
  const failures = now < already ? failedBefore : failedBefore + 1
  const seconds = Math.min(retryAfterSeconds ?? baseSeconds * 2 ** (failures - 1), maximumCoolDownSeconds)
  return { until: Math.max(already, now + seconds * 1000), error, failures }
}

/** More than any process has at a time; the oldest are forgotten first. */
const maximumEntries = 10_000

/**
 * What must not be asked for again for a while, by name. At the end of a cool-down one may ask; if that fails, too, the
 * next one is twice as long.
 */
export interface CoolDowns {
  /**
   * To be called before asking; what was found is told by `begin`, `end` or `release`.
   * @throws {CoolingDownError} with the failure that began it, where any of these is cooling down
   */
  demand(names: readonly string[]): Promise<void>
  /** @returns what everyone is told until it ends */
  begin(name: string, error: TokenEndpointError, duration: CoolDownDuration): Promise<CoolingDownError>
  end(names: readonly string[]): Promise<void>
  /** Nothing was found out: the next one may ask. */
  release(names: readonly string[]): Promise<void>
}

/** Those that one process knows of. */
export function createCoolDowns(now: () => number): CoolDowns {
  const entries = new Map<string, CoolDown>()

  return {
    async demand(names) {
      const known = names.flatMap((name) => entries.get(name) ?? [])
      for (const entry of known) demandEnd(entry, now())
      for (const name of names) update(name, (entry) => probed(entry, now()))
    },
    async begin(name, error, duration) {
      const entry = begun(entries.get(name), error, duration, now())
      entries.delete(name)
      entries.set(name, entry)
      const [oldest] = entries.keys()
      if (entries.size > maximumEntries && oldest !== undefined) entries.delete(oldest)
      return CoolingDownError.after(error, Math.ceil((entry.until - now()) / 1000))
    },
    async end(names) {
      for (const name of names) entries.delete(name)
    },
    async release(names) {
      for (const name of names) update(name, released)
    },
  }

  function update(name: string, change: (entry: CoolDown) => CoolDown): void {
    const entry = entries.get(name)
    if (entry) entries.set(name, change(entry))
  }
}

/** Who loses the race that often leaves the word to those who won it. */
const mostTries = 5

export interface SharedCoolDownsParts {
  readonly store: RecordStore
  readonly budget: Budget
  readonly sealing: TokenSealing
  readonly now: () => number
  readonly randomId: () => string
}

interface ReadCoolDown {
  readonly record: RecordName
  readonly version: string | undefined
  readonly coolDown: CoolDown | undefined
}

/** The same for a whole fleet: what one process found, all know. While the shared cache fails each goes by its own. */
export function withSharedRecords(local: CoolDowns, parts: SharedCoolDownsParts): CoolDowns {
  const { store, budget, sealing, now, randomId } = parts
  /** What this process asks for although it failed before: the fleet is to be told how it went. */
  const probing = new Set<string>()

  async function readAll(names: readonly string[]): Promise<ReadCoolDown[]> {
    const digestAll = () => Promise.all(names.map((name) => sealing.digest(name)))
    const digests = await budget.spend('keys', digestAll, now())
    const records = digests.map(coolDownRecordName)
    const found = await budget.spend('records', () => store.read(records), now())
    return records.map((record, index) => ({
      record,
      version: found[index]?.version,
      coolDown: readCoolDown(found[index]),
    }))
  }

  async function write({ record, version }: ReadCoolDown, coolDown: CoolDown | undefined): Promise<boolean> {
    const next = { version: randomId(), removableFrom: (coolDown?.until ?? now()) + spareMilliseconds }
    const fields = coolDown ? fieldsOf(coolDown) : {}
    return budget.spend('records', () => store.write(record, { ...next, fields }, version), now())
  }

  async function demandOfFleet(names: readonly string[]): Promise<void> {
    const all = await readAll(names)
    for (const { coolDown } of all) if (coolDown) demandEnd(coolDown, now())
    // Somebody has asked meanwhile, and it went well: nothing doubles any more.
    await local.end(names.filter((_name, index) => !all[index]?.coolDown))
    for (const [index, each] of all.entries()) {
      if (!each.coolDown) continue
      if (!(await write(each, probed(each.coolDown, now())))) throw CoolingDownError.after(each.coolDown.error, 1)
      probing.add(names[index] ?? '')
    }
  }

  /** Tells how it went with what was read before; who has written since knows better. */
  async function tell(names: readonly string[], change: (coolDown: CoolDown) => CoolDown | undefined): Promise<void> {
    const known = names.filter((name) => probing.delete(name))
    if (known.length === 0) return
    await unlessUnavailable(async () => {
      for (const each of await readAll(known)) if (each.coolDown) await write(each, change(each.coolDown))
    }, undefined)
  }

  return {
    async demand(names) {
      await local.demand(names)
      try {
        await unlessUnavailable(() => demandOfFleet(names), undefined)
      } catch (error) {
        await local.release(names)
        await tell(names, released)
        throw error
      }
    },
    async begin(name, error, duration) {
      let told = await local.begin(name, error, duration)
      probing.delete(name)
      await unlessUnavailable(async () => {
        for (let tries = 0; tries < mostTries; tries++) {
          const [each] = await readAll([name])
          if (!each) return
          const coolDown = begun(each.coolDown, error, duration, now())
          told = CoolingDownError.after(error, Math.ceil((coolDown.until - now()) / 1000))
          if (await write(each, coolDown)) return
        }
      }, undefined)
      return told
    },
    async end(names) {
      await local.end(names)
      await tell(names, () => undefined)
    },
    async release(names) {
      await local.release(names)
      await tell(names, released)
    },
  }
}

function fieldsOf({ until, failures, probeUntil, error }: CoolDown): StoredRecord['fields'] {
  return { until, failures, failure: writeFailure(error), ...(probeUntil !== undefined && { probeUntil }) }
}

function readCoolDown(stored: StoredRecord | undefined): CoolDown | undefined {
  const { until, failures, failure, probeUntil } = stored?.fields ?? {}
  const error = typeof failure === 'string' ? readFailure(failure) : undefined
  if (!error || typeof until !== 'number' || typeof failures !== 'number') return undefined
  return { until, failures, error, ...(typeof probeUntil === 'number' && { probeUntil }) }
}
