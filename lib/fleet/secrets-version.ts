import { type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import { type RecordStore, type StoredRecord, secretsVersionRecordName } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/** One version for all secrets of a stage: it changes when a secret does, so that every process reads its secrets again. */
export type SecretsVersion = ReturnType<typeof createSecretsVersion>

export interface SecretsVersionDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
  readonly randomId: () => string
}

/** Longer than any process keeps a secret. */
const keptMilliseconds = 24 * spareMilliseconds
const neverChanged = ''

export function createSecretsVersion({ store, breaker, now, randomId }: SecretsVersionDependencies) {
  async function readMark(waitUntil: number): Promise<StoredRecord | undefined> {
    const [record] = await breaker.call('records', () => store.read([secretsVersionRecordName]), waitUntil)
    return record
  }

  return {
    /**
     * Says that a secret has changed.
     * @throws {CacheUnavailableError}
     */
    async change(waitUntil: number): Promise<void> {
      const before = await readMark(waitUntil)
      const next = { version: randomId(), removableFrom: now() + keptMilliseconds, fields: { changedAt: now() } }
      // Where another process was faster, the version has changed.
      await breaker.call('records', () => store.write(secretsVersionRecordName, next, before?.version), waitUntil)
    },

    /** The version now; undefined while the shared cache can't be asked. */
    async read(): Promise<string | undefined> {
      return await unlessUnavailable(async () => versionOf(await readMark(now())), undefined)
    },
  }
}

/** A mark that is not authentic has no fields, and moves nothing. */
function versionOf(mark: StoredRecord | undefined): string {
  const counts = mark?.fields['changedAt'] !== undefined || mark?.isEarlier
  return counts ? (mark?.version ?? neverChanged) : neverChanged
}
