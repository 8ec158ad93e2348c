import { createHash, type KeyObject, verify } from 'node:crypto'
import { isJsonObject, parseJson } from '../base/decoding.ts'
import { signatureAlgorithms } from '../configuration/signature-algorithm.ts'
import type { RecordFields, StoredRecord } from '../fleet/record-store.ts'
import { readPublicJwk } from '../signing/public-jwk.ts'
import type { PublicationSigner } from './publication-key.ts'
import { keysOf, type Publication, type PublishedKey } from './published-keys.ts'

/*
 * The record of a publication. Its field `jwks` is a JWK set (RFC 7517 section 5) whose keys have our `publishedAt` and `until`
 * beside their public members; or its field `sharedKey` is the algorithm. Its `dueAt` is `tryAt`. `signature` is over all of it,
 * `signedAt` and the jwtBuilder's name: whoever can write records has no key of their own published, nor one of another jwtBuilder.
 */

/** A publication that is ours. */
export interface SignedPublication {
  readonly publication: Publication
  /** Milliseconds since the epoch. */
  readonly signedAt: number
}

/** What a record holds: a publication of ours, or what must be neither shown nor kept. */
export type PublicationInRecord =
  | ({ readonly kind: 'signed' } & SignedPublication)
  | { readonly kind: 'refused'; readonly why: RefusedPublication }

/** Why a record is no publication of ours. */
export type RefusedPublication = 'unsigned' | 'wrong_signature' | 'too_old' | 'signed_in_the_future'

/** Somebody may put an earlier publication back, with a key that was withdrawn since: for no longer than that. */
const longestMilliseconds = 25 * 3_600_000
/** How far the clock of the function that signed may be ahead. */
const clockToleranceMilliseconds = 5 * 60_000
/** The newest signature replaces the record; nothing else has to remove it. */
const keptMilliseconds = 10 * 365 * 86_400_000
/** Tells these bytes from whatever else the key may sign one day. */
const purpose = 'tokenwell publication 1'

export interface Signing {
  readonly signer: PublicationSigner
  readonly version: string
  readonly now: number
}

/** @throws {PublicationKeyError} */
export async function writePublication(
  jwtBuilder: string,
  publication: Publication,
  { signer, version, now }: Signing,
): Promise<StoredRecord> {
  const content = contentOf(publication)
  const fields = { ...content.fields, signedAt: now }
  const signature = await signer.sign(signedBytes(jwtBuilder, { ...content, fields }))
  return {
    version,
    removableFrom: now + keptMilliseconds,
    ...content,
    fields: { ...fields, signature: Buffer.from(signature).toString('base64url') },
  }
}

type Content = Pick<StoredRecord, 'dueAt' | 'fields'>

function contentOf(publication: Publication): Content {
  if (publication.kind === 'shared_key') return { fields: { sharedKey: publication.algorithm } }
  const { keys, tryAt } = publication
  const shown = keys.map(({ jwk, publishedAt, until }) => ({ ...readPublicJwk(jwk), publishedAt, until }))
  return { ...(tryAt !== undefined && { dueAt: tryAt }), fields: { jwks: JSON.stringify({ keys: shown }) } }
}

export function isSamePublication(a: Publication, b: Publication): boolean {
  return JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b))
}

/** The digest of every field there is but the signature itself, each in its type, in the order of their names. */
export function signedBytes(jwtBuilder: string, { dueAt, fields }: Content): Uint8Array {
  const { signature: _signature, ...signed } = fields
  const names = Object.keys(signed).sort()
  const members = names.map((name) => [name, signed[name]])
  return createHash('sha256')
    .update(JSON.stringify([purpose, jwtBuilder, dueAt ?? null, members]))
    .digest()
}

/** Reads a record that anybody may have written. */
export function readPublication(
  jwtBuilder: string,
  record: StoredRecord,
  publicKey: KeyObject,
  now: number,
): PublicationInRecord {
  const { signature, signedAt } = record.fields
  if (typeof signature !== 'string' || typeof signedAt !== 'number') return { kind: 'refused', why: 'unsigned' }
  const isOurs = verify('sha256', signedBytes(jwtBuilder, record), publicKey, Buffer.from(signature, 'base64url'))
  if (!isOurs) return { kind: 'refused', why: 'wrong_signature' }
  if (signedAt > now + clockToleranceMilliseconds) return { kind: 'refused', why: 'signed_in_the_future' }

  const publication = readContent(record, signedAt)
  const isHarmless = publication.kind === 'keys' && keysOf(publication, now).length === 0
  // Nobody signs what is left of a jwtBuilder that was deleted.
  if (now > signedAt + longestMilliseconds && !isHarmless) return { kind: 'refused', why: 'too_old' }
  return { kind: 'signed', publication, signedAt }
}

/** What isn't a public key is left out. */
function readContent({ dueAt, fields: { jwks, sharedKey } }: Content, signedAt: number): Publication {
  const algorithm = signatureAlgorithms.find((each) => each === sharedKey)
  if (algorithm !== undefined) return { kind: 'shared_key', algorithm }
  return {
    kind: 'keys',
    keys: listedKeys(jwks).flatMap((each) => readKey(each, signedAt) ?? []),
    ...(dueAt !== undefined && { tryAt: dueAt }),
  }
}

function readKey(value: unknown, signedAt: number): PublishedKey | undefined {
  const jwk = readPublicJwk(value)
  if (!jwk || !isJsonObject(value)) return undefined
  const { publishedAt, until } = value
  return {
    jwk,
    publishedAt: typeof publishedAt === 'number' ? Math.min(publishedAt, signedAt) : signedAt,
    ...(typeof until === 'number' && { until }),
  }
}

function listedKeys(jwks: RecordFields[string] | undefined): readonly unknown[] {
  const value = parseJson(String(jwks))
  return isJsonObject(value) && Array.isArray(value['keys']) ? value['keys'] : []
}
