import { LRUCache } from 'lru-cache'
import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { isJsonObject, parseJson } from '../base/decoding.ts'
import { signatureAlgorithms } from '../configuration/signature-algorithm.ts'
import { CacheUnavailableError, type CircuitBreaker } from '../fleet/circuit-breaker.ts'
import {
  publishedKeysRecordName,
  type RecordFields,
  type RecordStore,
  type StoredRecord,
} from '../fleet/record-store.ts'
import { readPublicJwk } from '../signing/public-jwk.ts'
import type { Publication, PublishedKey } from './published-keys.ts'

/** What is published of every jwtBuilder's keys, for a whole fleet. */
export type PublicationStore = ReturnType<typeof createPublicationStore>

export interface PublicationStoreDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly now: () => number
  readonly randomId: () => string
}

/** Others write so rarely that more tries are a sign of a fault. */
const mostTries = 10
/** For how long a process answers from memory, also that nothing is published: an emergency stop is in force after that. */
const rememberedMilliseconds = 30_000
/** For how long it does so while the store can't be read: verifiers keep an answer as long. An older one lacks keys that sign. */
const standInMilliseconds = 5 * 60_000
/** Anyone may ask for any name. */
const mostRemembered = 1_000

interface Remembered {
  readonly publication: Publication | undefined
  readonly readAt: number
}

export function createPublicationStore({ store, breaker, now, randomId }: PublicationStoreDependencies) {
  const remembered = new LRUCache<string, Remembered>({ max: mostRemembered })

  async function readRecord(jwtBuilder: string, waitUntil: number): Promise<StoredRecord | undefined> {
    const name = publishedKeysRecordName(jwtBuilder)
    const [record] = await breaker.call('records', () => store.read([name]), waitUntil)
    return record
  }

  /**
   * Reads what is published of one jwtBuilder's keys. Undefined where nothing ever was.
   * @param waitUntil milliseconds since the epoch
   * @throws {CacheUnavailableError}
   */
  async function read(jwtBuilder: string, waitUntil: number): Promise<Publication | undefined> {
    const record = await readRecord(jwtBuilder, waitUntil)
    return record && readPublication(record)
  }

  /**
   * Reads the same once in 30 s at most for each jwtBuilder. While the store can't be read, the last publication stands in
   * for five minutes.
   * @param waitUntil milliseconds since the epoch
   * @throws {CacheUnavailableError}
   */
  async function readRemembered(jwtBuilder: string, waitUntil: number): Promise<Publication | undefined> {
    const last = remembered.get(jwtBuilder)
    const readAt = now()
    if (last && readAt < last.readAt + rememberedMilliseconds) return last.publication
    try {
      const publication = await read(jwtBuilder, waitUntil)
      remembered.set(jwtBuilder, { publication, readAt })
      return publication
    } catch (error) {
      const canStandIn = last?.publication && now() < last.readAt + standInMilliseconds
      if (canStandIn && error instanceof CacheUnavailableError) return last.publication
      throw error
    }
  }

  /**
   * Replaces what is published, by compare-and-set: where another process was faster, it decides again. What is the same is not
   * written.
   * @param decide it must read anew, each time, whatever it decides by
   * @param waitUntil milliseconds since the epoch
   * @returns what is published now
   * @throws {CacheUnavailableError}
   */
  async function change(
    jwtBuilder: string,
    decide: (before: Publication | undefined) => Promise<Publication | 'unchanged'>,
    waitUntil: number,
  ): Promise<Publication | undefined> {
    const name = publishedKeysRecordName(jwtBuilder)
    const outcome = await compareAndSet(mostTries, async () => {
      const record = await readRecord(jwtBuilder, waitUntil)
      const before = record && readPublication(record)
      const after = await decide(before)
      if (after === 'unchanged' || (before && isSamePublication(before, after))) return before

      const written = writePublication(after, randomId(), now())
      const isWritten = await breaker.call('records', () => store.write(name, written, record?.version), waitUntil)
      return isWritten ? after : lostRace
    })
    if (outcome === lostRace) throw new CacheUnavailableError('others write the published keys all the time')
    return outcome
  }

  return { read, readRemembered, change }
}

/** A record is written only when keys change, and must outlast the key that signs. */
const keptMilliseconds = 10 * 365 * 86_400_000

/**
 * The record of a publication. Its field `jwks` is a JWK set (RFC 7517 section 5) whose keys have our `publishedAt` and `until`
 * beside their public members; or its field `sharedKey` is the algorithm. Its `dueAt` is `tryAt`.
 */
export function writePublication(publication: Publication, version: string, now: number): StoredRecord {
  const dueAt = publication.kind === 'keys' ? publication.tryAt : undefined
  return {
    version,
    removableFrom: now + keptMilliseconds,
    ...(dueAt !== undefined && { dueAt }),
    fields: publicationFields(publication),
  }
}

function publicationFields(publication: Publication): RecordFields {
  if (publication.kind === 'shared_key') return { sharedKey: publication.algorithm }
  const keys = publication.keys.map(({ jwk, publishedAt, until }) => ({ ...readPublicJwk(jwk), publishedAt, until }))
  return { jwks: JSON.stringify({ keys }) }
}

export function isSamePublication(a: Publication, b: Publication): boolean {
  return textOf(a) === textOf(b)
}

function textOf(publication: Publication): string {
  const { dueAt, fields } = writePublication(publication, '', 0)
  return JSON.stringify({ dueAt, fields })
}

/** Reads a record that anyone may have written: what isn't a public key is left out. */
export function readPublication({ dueAt, fields: { jwks, sharedKey } }: StoredRecord): Publication | undefined {
  const algorithm = signatureAlgorithms.find((each) => each === sharedKey)
  if (algorithm !== undefined) return { kind: 'shared_key', algorithm }
  const keys = parseKeys(jwks)
  if (!keys) return undefined
  return {
    kind: 'keys',
    keys: keys.flatMap((each) => readKey(each) ?? []),
    ...(dueAt !== undefined && { tryAt: dueAt }),
  }
}

function readKey(value: unknown): PublishedKey | undefined {
  const jwk = readPublicJwk(value)
  if (!jwk || !isJsonObject(value)) return undefined
  const { publishedAt, until } = value
  // A key without a time counts as just published.
  return {
    jwk,
    publishedAt: typeof publishedAt === 'number' ? publishedAt : Infinity,
    ...(typeof until === 'number' && { until }),
  }
}

function parseKeys(jwks: RecordFields[string] | undefined): readonly unknown[] | undefined {
  const value = parseJson(String(jwks))
  return isJsonObject(value) && Array.isArray(value['keys']) ? value['keys'] : undefined
}
