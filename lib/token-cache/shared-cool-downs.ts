import { begun, type CoolDown, demandEnd, probed, released } from '../token/cool-down.ts'
import type { CoolDowns } from '../token/cool-downs.ts'
import { CoolingDownError } from '../token/cooling-down-error.ts'
import type { Budget } from './budget.ts'
import { unlessUnavailable } from './cache-unavailable-error.ts'
import { coolDownRecordName, type RecordName } from './record-name.ts'
import type { RecordStore, StoredRecord } from './record-store.ts'
import { readFailure, writeFailure } from './shared-failure.ts'
import { spareMilliseconds } from './token-record.ts'
import type { TokenSealing } from './token-sealing.ts'

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
