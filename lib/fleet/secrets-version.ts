import { type Budget, unlessUnavailable } from './circuit-breaker.ts'
import { type RecordStore, secretsMarkRecordName } from './record-store.ts'
import { spareMilliseconds } from './token-record.ts'

/** What tells a whole fleet that a secret has changed: who is about to use one looks whether the mark has moved. */
export interface SecretsMark {
  /** @throws {CacheUnavailableError} */
  move(waitUntil: number): Promise<void>
  /** Another text each time that it has moved; undefined where the shared cache can't be asked. */
  read(): Promise<string | undefined>
}

export interface SecretsMarkParts {
  readonly store: RecordStore
  readonly budget: Budget
  readonly now: () => number
  readonly randomId: () => string
}

/** Longer than any process keeps a secret. */
const keptMilliseconds = 24 * spareMilliseconds
const neverMoved = ''

export function createSecretsMark({ store, budget, now, randomId }: SecretsMarkParts): SecretsMark {
  async function readVersion(waitUntil: number): Promise<string | undefined> {
    const [record] = await budget.spend('records', () => store.read([secretsMarkRecordName]), waitUntil)
    return record?.version
  }

  return {
    async move(waitUntil) {
      const before = await readVersion(waitUntil)
      const mark = { version: randomId(), removableFrom: now() + keptMilliseconds, fields: {} }
      // Who loses the race finds it moved.
      await budget.spend('records', () => store.write(secretsMarkRecordName, mark, before), waitUntil)
    },
    async read() {
      return unlessUnavailable(async () => (await readVersion(now())) ?? neverMoved, undefined)
    },
  }
}
