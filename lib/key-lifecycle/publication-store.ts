import { LRUCache } from 'lru-cache'
import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
import { batchesOf } from '../base/semaphore.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import { CacheUnavailableError, type CircuitBreaker } from '../fleet/circuit-breaker.ts'
import { publishedKeysRecordName, type RecordStore } from '../fleet/record-store.ts'
import type { Log } from '../log/log-event.ts'
import type { PublicationKey, PublicationSigner } from './publication-key.ts'
import {
  isSamePublication,
  type PublicationInRecord,
  type RefusedPublication,
  readPublication,
  type SignedPublication,
  writePublication,
} from './publication-record.ts'
import type { Publication } from './published-keys.ts'

/** The published keys of every jwtBuilder, for the whole fleet. */
export type PublicationStore = ReturnType<typeof createPublicationStore>

export interface PublicationReaderDependencies {
  readonly store: RecordStore
  readonly breaker: CircuitBreaker
  readonly publicationKey: PublicationKey
  readonly now: () => number
  readonly log: Log
}

export interface PublicationStoreDependencies extends Omit<PublicationReaderDependencies, 'publicationKey'> {
  readonly publicationKey: PublicationSigner
  readonly randomId: () => string
}

/** Other processes write so rarely that more tries point to a fault. */
const mostTries = 10
/** How long a process answers from memory, also that nothing is published. An emergency stop takes effect after that time. */
const rememberedMilliseconds = 30_000
/**
 * How long it does so while no publication can be read. Verifiers keep an answer as long. An older one would lack keys that sign.
 */
const standInMilliseconds = 5 * 60_000
/** Any caller can ask for any name. */
const mostRemembered = 1_000
/** DynamoDB reads 100 records of together at most 16 MB. */
const publicationsInOneRead = 40
/** The hourly reconciliation signs a publication anew if it is older. Publishing in between does not. */
const signedAnewAfterMilliseconds = 30 * 60_000

export function createPublicationReader(dependencies: PublicationReaderDependencies) {
  const { now } = dependencies
  const published = new LRUCache<string, Remembered>({ max: mostRemembered })
  // A separate cache: names that a caller makes up must not evict published keys.
  const unpublished = new LRUCache<string, Remembered>({ max: mostRemembered })

  function remember(jwtBuilder: string, next: Remembered): void {
    const [own, other] = next.publication ? [published, unpublished] : [unpublished, published]
    other.delete(jwtBuilder)
    own.set(jwtBuilder, next)
  }

  return {
    /**
     * Reads the published keys of one jwtBuilder, at most once in 30 s for each jwtBuilder. While no publication can be read, it
     * returns the last one for five minutes. Undefined if nothing was ever published.
     * @param waitUntil milliseconds since the epoch
     * @throws {PublicationRefusedError} if the record is rejected
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async readRemembered(jwtBuilder: string, waitUntil: number): Promise<Publication | undefined> {
      const last = published.get(jwtBuilder) ?? unpublished.get(jwtBuilder)
      const readAt = now()
      if (last && readAt < last.readAt + rememberedMilliseconds) return publicationIn(jwtBuilder, last, readAt)
      try {
        const { found } = await readRecord(dependencies, jwtBuilder, waitUntil)
        const next = nextRemembered(last, found, readAt)
        remember(jwtBuilder, next)
        return publicationIn(jwtBuilder, next, readAt)
      } catch (error) {
        const isPassing = error instanceof TokenwellError && error.isPassing
        if (isPassing && last && canStandIn(last, now())) return last.publication
        throw error
      }
    },
  }
}

interface Remembered {
  readonly publication: Publication | undefined
  readonly knownAt: number
  /** When the record was read last. Later than `knownAt` if that record was rejected. */
  readonly readAt: number
  readonly refused?: RefusedPublication
}

function nextRemembered(
  last: Remembered | undefined,
  found: PublicationInRecord | undefined,
  readAt: number,
): Remembered {
  if (found?.kind !== 'refused') return { publication: found?.publication, knownAt: readAt, readAt }
  return { publication: undefined, knownAt: -Infinity, ...last, readAt, refused: found.why }
}

function publicationIn(jwtBuilder: string, known: Remembered, now: number): Publication | undefined {
  const { publication, refused } = known
  if (refused !== undefined && !canStandIn(known, now)) throw new PublicationRefusedError(jwtBuilder, refused)
  return publication
}

function canStandIn({ publication, knownAt }: Remembered, now: number): boolean {
  return publication !== undefined && now < knownAt + standInMilliseconds
}

export function createPublicationStore(dependencies: PublicationStoreDependencies) {
  const { store, breaker, publicationKey, now, randomId } = dependencies

  async function read(jwtBuilder: string, waitUntil: number): Promise<SignedPublication | undefined> {
    const { found } = await readRecord(dependencies, jwtBuilder, waitUntil)
    return found?.kind === 'signed' ? found : undefined
  }

  async function changeOnce(
    jwtBuilder: string,
    decide: Decide,
    waitUntil: number,
  ): Promise<SignedPublication | undefined | typeof lostRace> {
    const { version, found } = await readRecord(dependencies, jwtBuilder, waitUntil)
    const before = found?.kind === 'refused' ? emptyPublication : found
    const publication = await decide(before?.publication)
    if (publication === 'unchanged') return found?.kind === 'signed' ? found : undefined
    const isSigned = found?.kind === 'signed' && now() < found.signedAt + signedAnewAfterMilliseconds
    if (isSigned && isSamePublication(found.publication, publication)) return found

    const signedAt = now()
    const later = found?.kind === 'signed' && found.laterFields && { laterFields: found.laterFields }
    const signing = { signer: publicationKey, version: randomId(), now: signedAt, ...later }
    const written = await writePublication(jwtBuilder, publication, signing)
    const name = publishedKeysRecordName(jwtBuilder)
    const isWritten = await breaker.call('records', () => store.write(name, written, version), waitUntil)
    return isWritten ? { publication, signedAt } : lostRace
  }

  return {
    /**
     * Reads the published keys of one jwtBuilder. Undefined if there is no record, or it is rejected.
     * @param waitUntil milliseconds since the epoch
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    read,

    /**
     * Those of these jwtBuilders that have a record which is rejected.
     * @param waitUntil milliseconds since the epoch
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async refusedAmong(jwtBuilders: readonly string[], waitUntil: number): Promise<readonly string[]> {
      const refused: string[] = []
      for (const some of batchesOf(jwtBuilders, publicationsInOneRead)) {
        const found = await readRecords(dependencies, some, waitUntil)
        refused.push(...some.filter((_name, index) => found[index]?.found?.kind === 'refused'))
      }
      return refused
    },

    /**
     * Replaces the publication by compare-and-set. If another process was faster, it decides again. An unchanged publication is
     * written only to sign it anew, after half an hour. A rejected record counts as an empty publication, so none of its keys
     * stays.
     * @param decide must read everything that it depends on anew at each call
     * @param waitUntil milliseconds since the epoch
     * @returns the publication that holds now
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async change(jwtBuilder: string, decide: Decide, waitUntil: number): Promise<SignedPublication | undefined> {
      const outcome = await compareAndSet(mostTries, () => changeOnce(jwtBuilder, decide, waitUntil))
      if (outcome === lostRace)
        throw new CacheUnavailableError(`Other processes keep changing the published keys of jwtBuilder/${jwtBuilder}.`)
      return outcome
    },
  }
}

type Decide = (before: Publication | undefined) => Promise<Publication | 'unchanged'>

const emptyPublication = { publication: { kind: 'keys', keys: [] } } as const

interface ReadRecord {
  readonly version?: string
  readonly found?: PublicationInRecord
}

async function readRecord(
  dependencies: PublicationReaderDependencies,
  jwtBuilder: string,
  waitUntil: number,
): Promise<ReadRecord> {
  const [record = {}] = await readRecords(dependencies, [jwtBuilder], waitUntil)
  return record
}

/** A rejected record raises an alarm. */
async function readRecords(
  { store, breaker, publicationKey, now, log }: PublicationReaderDependencies,
  jwtBuilders: readonly string[],
  waitUntil: number,
): Promise<readonly ReadRecord[]> {
  const records = await breaker.call('records', () => store.read(jwtBuilders.map(publishedKeysRecordName)), waitUntil)
  if (!records.some((record) => record)) return jwtBuilders.map(() => ({}))
  const publicKey = await publicationKey.publicKey()
  return jwtBuilders.map((jwtBuilder, index) => {
    const record = records[index]
    if (!record) return {}
    const found = readPublication(jwtBuilder, record, publicKey, now())
    if (found.kind === 'refused') log({ event: 'publication_refused', jwtBuilder, why: found.why })
    return { version: record.version, found }
  })
}

/** The record of a jwtBuilder's keys is rejected, and no earlier publication may be used. The next reconciliation replaces it. */
export class PublicationRefusedError extends TokenwellError {
  readonly code = 'publication_refused'

  constructor(jwtBuilder: string, why: RefusedPublication) {
    super(
      `Tokenwell rejects the record of the published keys of jwtBuilder/${jwtBuilder} (${why}) and serves none of its keys. Find out who wrote the record.`,
    )
  }

  override get publicMessage(): string {
    return 'The published keys cannot be read at the moment.'
  }

  override get isPassing(): boolean {
    return true
  }
}
