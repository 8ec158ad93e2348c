import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { type WithLaterFields, withLaterFields } from './later-fields.ts'
import { clearingRecordName, type RecordStore } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/** The least time between two clearings: each costs a token request for each token that is kept warm. */
const restMilliseconds = 30_000
/** A process that loses the race this often leaves the work to the winners. */
const mostTries = 3

/** The names of all fields. Others are of later versions. */
const clearingFields: ReadonlySet<string> = new Set(['clearedAt'])

/** @param clearedAt milliseconds since the epoch, by any clock of the fleet. A time more than 30 s ahead of `now` is ignored */
export function wasJustCleared(clearedAt: number | undefined, now: number): boolean {
  return clearedAt !== undefined && Math.abs(now - clearedAt) < restMilliseconds
}

export interface ClearingDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
  readonly randomId: () => string
}

/** The record of when all connections were last cleared together. The record of a connection has the time of its own clearing. */
export type Clearing = ReturnType<typeof createClearing>

export function createClearing({ store, breaker, now, randomId }: ClearingDependencies) {
  async function read(waitUntil: number) {
    const [record] = await breaker.call('records', () => store.read([clearingRecordName]), waitUntil)
    const fields = record?.fields ?? {}
    const { clearedAt } = fields
    return {
      version: record?.version,
      clearedAt: typeof clearedAt === 'number' ? clearedAt : undefined,
      ...withLaterFields(fields, clearingFields),
    }
  }

  async function write(
    own: { readonly clearedAt?: number },
    { version, laterFields }: WithLaterFields & { readonly version: string | undefined },
    waitUntil: number,
  ) {
    const fields = { ...laterFields, ...own }
    const record = { version: randomId(), removableFrom: now() + spareMilliseconds, fields }
    return await breaker.call('records', () => store.write(clearingRecordName, record, version), waitUntil)
  }

  return {
    /**
     * @returns whether this process may clear all connections now. False where a clearing began within the last 30 s
     * @throws {CacheUnavailableError}
     */
    async begin(waitUntil: number): Promise<boolean> {
      const outcome = await compareAndSet(mostTries, async () => {
        const before = await read(waitUntil)
        if (wasJustCleared(before.clearedAt, now())) return false
        return (await write({ clearedAt: now() }, before, waitUntil)) || lostRace
      })
      return outcome === true
    },

    /**
     * The clearing failed: another process may begin at once.
     * @throws {CacheUnavailableError}
     */
    async giveUp(waitUntil: number): Promise<void> {
      await write({}, await read(waitUntil), waitUntil)
    },
  }
}
