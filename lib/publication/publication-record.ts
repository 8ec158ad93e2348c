import { type SignatureAlgorithm, signatureAlgorithms } from '../configuration/signature-algorithm.ts'
import { readPublicJwk } from '../signing-key/public-jwk.ts'
import type { RecordFields, StoredRecord } from '../token-cache/record-store.ts'
import type { Publication, PublishedKey } from './published-keys.ts'

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
