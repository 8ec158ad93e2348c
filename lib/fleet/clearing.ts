import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { clearingRecordName, type RecordStore } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/** What was cleared is not cleared again for so long: every clearing costs a token request for each token that is kept warm. */
const restMilliseconds = 30_000
/** A process that loses the race that often leaves it to those that won it. */
const mostTries = 3

/** @param clearedAt milliseconds since the epoch, by any clock of the fleet; one from further ahead than the rest counts for nothing */
export function wasJustCleared(clearedAt: number | undefined, now: number): boolean {
  return clearedAt !== undefined && Math.abs(now - clearedAt) < restMilliseconds
}

export interface ClearingDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
  readonly randomId: () => string
}

/** When all connections were cleared at once. Each connection's record says when that one was. */
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
     * @returns whether all may be cleared now: not where another process began that a moment ago
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
     * It came to nothing: the next process may begin.
     * @throws {CacheUnavailableError}
     */
    async giveUp(waitUntil: number): Promise<void> {
      const { version } = await read(waitUntil)
      await write({}, version, waitUntil)
    },
  }
}
