import { LRUCache } from 'lru-cache'
import { compareAndSet, lostRace } from '../base/compare-and-set.ts'
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

/** What is published of every jwtBuilder's keys, for a whole fleet. */
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

/** Others write so rarely that more tries are a sign of a fault. */
const mostTries = 10
/** For how long a process answers from memory, also that nothing is published: an emergency stop is in force after that. */
const rememberedMilliseconds = 30_000
/** For how long it does so while no publication can be had: verifiers keep an answer as long. An older one lacks keys that sign. */
const standInMilliseconds = 5 * 60_000
/** Anyone may ask for any name. */
const mostRemembered = 1_000
/** The hourly reconciliation signs anew what it finds older; what else publishes in between does not. */
const signedAnewAfterMilliseconds = 30 * 60_000

export function createPublicationReader(dependencies: PublicationReaderDependencies) {
  const { now } = dependencies
  const published = new LRUCache<string, Remembered>({ max: mostRemembered })
  // Apart, so that names which a caller makes up push out nothing that is published.
  const unpublished = new LRUCache<string, Remembered>({ max: mostRemembered })

  function remember(jwtBuilder: string, next: Remembered): void {
    const [own, other] = next.publication ? [published, unpublished] : [unpublished, published]
    other.delete(jwtBuilder)
    own.set(jwtBuilder, next)
  }

  return {
    /**
     * Reads what is published of one jwtBuilder's keys, once in 30 s at most for each jwtBuilder. While no publication can be had, the
     * last one stands in for five minutes. Undefined where nothing ever was published.
     * @param waitUntil milliseconds since the epoch
     * @throws {PublicationRefusedError} where the record holds none of ours
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
  /** When the record was read last. Later than `knownAt` where it held no publication of ours. */
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
    const before = found?.kind === 'refused' ? nothingOfOurs : found
    const publication = await decide(before?.publication)
    if (publication === 'unchanged') return found?.kind === 'signed' ? found : undefined
    const isSigned = found?.kind === 'signed' && now() < found.signedAt + signedAnewAfterMilliseconds
    if (isSigned && isSamePublication(found.publication, publication)) return found

    const signedAt = now()
    const signing = { signer: publicationKey, version: randomId(), now: signedAt }
    const written = await writePublication(jwtBuilder, publication, signing)
    const name = publishedKeysRecordName(jwtBuilder)
    const isWritten = await breaker.call('records', () => store.write(name, written, version), waitUntil)
    return isWritten ? { publication, signedAt } : lostRace
  }

  return {
    /**
     * Reads what is published of one jwtBuilder's keys. Undefined where nothing of ours is.
     * @param waitUntil milliseconds since the epoch
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    read,

    /**
     * Says whether there is a record that is none of ours.
     * @param waitUntil milliseconds since the epoch
     * @throws {PublicationKeyError}
     * @throws {CacheUnavailableError}
     */
    async isRefused(jwtBuilder: string, waitUntil: number): Promise<boolean> {
      return (await readRecord(dependencies, jwtBuilder, waitUntil)).found?.kind === 'refused'
    },

    /**
     * Replaces what is published, by compare-and-set: where another process was faster, it decides again. What is the same is written
     * only to be signed anew, after half an hour. What isn't ours counts as an empty publication, so that none of its keys stays.
     * @param decide it must read anew, each time, whatever it decides by
     * @param waitUntil milliseconds since the epoch
     * @returns what is published now
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

const nothingOfOurs = { publication: { kind: 'keys', keys: [] } } as const

/** A record that is there and isn't ours raises an alarm. */
async function readRecord(
  { store, breaker, publicationKey, now, log }: PublicationReaderDependencies,
  jwtBuilder: string,
  waitUntil: number,
): Promise<{ readonly version?: string; readonly found?: PublicationInRecord }> {
  const name = publishedKeysRecordName(jwtBuilder)
  const [record] = await breaker.call('records', () => store.read([name]), waitUntil)
  if (!record) return {}
  const found = readPublication(jwtBuilder, record, await publicationKey.publicKey(), now())
  if (found.kind === 'refused') log({ event: 'publication_refused', jwtBuilder, why: found.why })
  return { version: record.version, found }
}

/** The record of a jwtBuilder's keys is none of ours, and no earlier one can stand in. The next reconciliation replaces it. */
export class PublicationRefusedError extends TokenwellError {
  readonly code = 'publication_refused'

  constructor(jwtBuilder: string, why: RefusedPublication) {
    super(
      `Tokenwell rejects the record of the published keys of jwtBuilder/${jwtBuilder} (${why}) and serves none of its keys. Find out who wrote the record.`,
    )
  }

  override get publicMessage(): string {
    return "The published keys can't be read at the moment."
  }

  override get isPassing(): boolean {
    return true
  }
}
