import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { clearingRecordName, type RecordStore } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/** The least time between two clearings: each costs a token request for each token that is kept warm. */
const restMilliseconds = 30_000
/** A process that loses the race this often leaves the work to the winners. */
const mostTries = 3

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
    const { clearedAt } = record?.fields ?? {}
    return { version: record?.version, clearedAt: typeof clearedAt === 'number' ? clearedAt : undefined }
  }

  async function write(fields: { readonly clearedAt?: number }, version: string | undefined, waitUntil: number) {
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
        const { version, clearedAt } = await read(waitUntil)
        if (wasJustCleared(clearedAt, now())) return false
        return (await write({ clearedAt: now() }, version, waitUntil)) || lostRace
      })
      return outcome === true
    },

    /**
     * The clearing failed: another process may begin at once.
     * @throws {CacheUnavailableError}
     */
    async giveUp(waitUntil: number): Promise<void> {
      const { version } = await read(waitUntil)
      await write({}, version, waitUntil)
    },
  }
}
