import { type CircuitBreaker, unlessUnavailable } from './circuit-breaker.ts'
import { type RecordStore, secretsVersionRecordName } from './record-store.ts'
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
  async function readVersion(waitUntil: number): Promise<string | undefined> {
    const [record] = await breaker.call('records', () => store.read([secretsVersionRecordName]), waitUntil)
    return record?.version
  }

  return {
    /**
     * Says that a secret has changed.
     * @throws {CacheUnavailableError}
     */
    async change(waitUntil: number): Promise<void> {
      const before = await readVersion(waitUntil)
      const next = { version: randomId(), removableFrom: now() + keptMilliseconds, fields: {} }
      // Where another process was faster, the version has changed.
      await breaker.call('records', () => store.write(secretsVersionRecordName, next, before), waitUntil)
    },

    /** The version now; undefined while the shared cache can't be asked. */
    async read(): Promise<string | undefined> {
      return await unlessUnavailable(async () => (await readVersion(now())) ?? neverChanged, undefined)
    },
  }
}
