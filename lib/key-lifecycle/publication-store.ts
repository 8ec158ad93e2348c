import { type SignatureAlgorithm, signatureAlgorithms } from '../configuration/signature-algorithm.ts'
import { type Budget, CacheUnavailableError } from '../fleet/circuit-breaker.ts'
import {
  publishedKeysRecordName,
  type RecordFields,
  type RecordStore,
  type StoredRecord,
} from '../fleet/record-store.ts'
import { readPublicJwk } from '../signing/public-jwk.ts'
import type { Publication, PublishedKey } from './published-keys.ts'

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

/** Nothing writes it as long as no key changes, and it must not go while one signs. */
const keptMilliseconds = 10 * 365 * 86_400_000

/**
 * Field `jwks`: a JWK set (RFC 7517 section 5) whose keys have our `publishedAt` and `until` beside their public members; or
 * `sharedKey`: the algorithm. Its `dueAt` is `tryAt`.
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

/** Somebody else may have written it: what isn't a public key stays out. */
export function readPublication({ dueAt, fields: { jwks, sharedKey } }: StoredRecord): Publication | undefined {
  const algorithm = signatureAlgorithms.find((each) => each === sharedKey)
  if (algorithm !== undefined) return sharedKeyPublication(algorithm)
  const keys = parseKeys(jwks)
  if (!keys) return undefined
  return {
    kind: 'keys',
    keys: keys.flatMap((each) => readKey(each) ?? []),
    ...(dueAt !== undefined && { tryAt: dueAt }),
  }
}

function sharedKeyPublication(algorithm: SignatureAlgorithm): Publication {
  return { kind: 'shared_key', algorithm }
}

function readKey(value: unknown): PublishedKey | undefined {
  const jwk = readPublicJwk(value)
  if (!jwk) return undefined
  const { publishedAt, until } = value as Readonly<Record<string, unknown>>
  // Without a time it counts as the newest of all.
  return {
    jwk,
    publishedAt: typeof publishedAt === 'number' ? publishedAt : Infinity,
    ...(typeof until === 'number' && { until }),
  }
}

function parseKeys(jwks: RecordFields[string] | undefined): readonly unknown[] | undefined {
  try {
    const { keys } = JSON.parse(String(jwks)) as { readonly keys?: unknown }
    return Array.isArray(keys) ? keys : undefined
  } catch {
    return undefined
  }
}

/** So long a process answers without asking, that there is nothing, too. */
const rememberedMilliseconds = 60_000
/** While the store can't be asked: as long as whoever is answered may keep the answer. Older ones lack keys that sign. */
const standInMilliseconds = 5 * 60_000
/** Anybody may ask for anything: what was asked for first is forgotten first. */
const mostRemembered = 1_000

interface Remembered {
  readonly publication: Publication | undefined
  readonly readAt: number
}

/** The same, which asks the store once a minute at most for each. */
export function withMemory(read: ReadPublication, now: () => number): ReadPublication {
  const known = new Map<string, Remembered>()

  function remember(jwtBuilder: string, publication: Publication | undefined, readAt: number): void {
    known.delete(jwtBuilder)
    known.set(jwtBuilder, { publication, readAt })
    const [first] = known.keys()
    if (known.size > mostRemembered && first !== undefined) known.delete(first)
  }

  return async (jwtBuilder, waitUntil) => {
    const remembered = known.get(jwtBuilder)
    const readAt = now()
    if (remembered && readAt < remembered.readAt + rememberedMilliseconds) return remembered.publication
    try {
      const publication = await read(jwtBuilder, waitUntil)
      remember(jwtBuilder, publication, readAt)
      return publication
    } catch (error) {
      if (!(error instanceof CacheUnavailableError) || !remembered?.publication) throw error
      if (now() >= remembered.readAt + standInMilliseconds) throw error
      return remembered.publication
    }
  }
}
