import type { Budget } from '../token-cache/budget.ts'
import { CacheUnavailableError } from '../token-cache/cache-unavailable-error.ts'
import { publishedKeysRecordName } from '../token-cache/record-name.ts'
import type { RecordStore } from '../token-cache/record-store.ts'
import { isSamePublication, readPublication, writePublication } from './publication-record.ts'
import type { Publication } from './published-keys.ts'

/**
 * What is published of one jwtBuilder's keys; undefined where nothing ever was.
 * @param waitUntil milliseconds since the epoch
 * @throws {CacheUnavailableError}
 */
export type ReadPublication = (jwtBuilder: string, waitUntil: number) => Promise<Publication | undefined>

/** What is published of the keys of every jwtBuilder, for a whole fleet. */
export interface Publications {
  readonly read: ReadPublication
  /**
   * Puts another one in its place, and where somebody else did so meanwhile, decides anew. One that is the same isn't written.
   * @param decide from what is there; undefined leaves it. What it goes by it must read itself, each time
   * @returns what is there now
   * @throws {CacheUnavailableError}
   */
  change(
    jwtBuilder: string,
    decide: (before: Publication | undefined) => Promise<Publication | undefined>,
    waitUntil: number,
  ): Promise<Publication | undefined>
}

export interface PublicationsParts {
  readonly store: RecordStore
  readonly budget: Budget
  readonly now: () => number
  readonly randomId: () => string
}

/** Others write so seldom that more is a fault. */
const mostAttempts = 10

export function createPublications({ store, budget, now, randomId }: PublicationsParts): Publications {
  async function readRecord(jwtBuilder: string, waitUntil: number) {
    const name = publishedKeysRecordName(jwtBuilder)
    const [record] = await budget.spend('records', () => store.read([name]), waitUntil)
    return record
  }

  return {
    async read(jwtBuilder, waitUntil) {
      const record = await readRecord(jwtBuilder, waitUntil)
      return record && readPublication(record)
    },
    async change(jwtBuilder, decide, waitUntil) {
      for (let attempt = 0; attempt < mostAttempts; attempt++) {
        const record = await readRecord(jwtBuilder, waitUntil)
        const before = record && readPublication(record)
        const after = await decide(before)
        if (!after || (before && isSamePublication(before, after))) return before

        const written = writePublication(after, randomId(), now())
        const name = publishedKeysRecordName(jwtBuilder)
        if (await budget.spend('records', () => store.write(name, written, record?.version), waitUntil)) return after
      }
      throw new CacheUnavailableError('others write the published keys all the time')
    },
  }
}
