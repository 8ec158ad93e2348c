import { createHash, type KeyObject, verify } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { signatureAlgorithms } from '../configuration/signature-algorithm.ts'
import { type WithLaterFields, withLaterFields } from '../fleet/later-fields.ts'
import type { RecordFields, StoredRecord } from '../fleet/record-store.ts'
import { readPublicJwk } from '../signing/public-jwk.ts'
import type { PublicationSigner } from './publication-key.ts'
import { keysOf, type Pin, type Publication, type PublishedKey } from './published-keys.ts'

/*
 * The record of a publication. The field `jwks` is a JWK set (RFC 7517 section 5): each key has its public members and Tokenwell's
 * `publishedAt` and `until`, and for a key in KMS `keyArn`, `signsFrom` and `signsUntil`. For a shared key, the field `sharedKey` holds the algorithm instead. `dueAt` is `tryAt`.
 * `signature` covers all fields, `signedAt` and the name of the jwtBuilder. An attacker who can write records can therefore neither
 * publish a key nor move a publication to another jwtBuilder.
 */

/** A publication with a valid signature of this stage. */
export interface SignedPublication {
  readonly publication: Publication
  /** Milliseconds since the epoch. */
  readonly signedAt: number
}

/** What a record holds: a signed publication, or content that must be neither served nor kept. */
export type PublicationInRecord =
  | ({ readonly kind: 'signed' } & SignedPublication & WithLaterFields)
  | { readonly kind: 'refused'; readonly why: RefusedPublication }

/** Why a record is rejected. */
export type RefusedPublication = 'unsigned' | 'wrong_signature' | 'too_old' | 'signed_in_the_future'

/** An attacker may restore an earlier record, with a key that was withdrawn since. This limits for how long it is accepted. */
const longestMilliseconds = 25 * 3_600_000
/** How far the clock of the function that signed may be ahead. */
const clockToleranceMilliseconds = 5 * 60_000
/** A new signature replaces the record, so nothing else has to remove it. */
const keptMilliseconds = 10 * 365 * 86_400_000
/** Separates these bytes from anything else that the key may sign in the future. */
const purpose = 'tokenwell publication 1'

/** The names of all fields. Others are of later versions. */
const publicationFields: ReadonlySet<string> = new Set(['jwks', 'sharedKey', 'signedAt', 'signature'])

/** `laterFields` are those of the record that this one replaces. */
export interface Signing extends WithLaterFields {
  readonly signer: PublicationSigner
  readonly version: string
  readonly now: number
}

/** @throws {PublicationKeyError} */
export async function writePublication(
  jwtBuilder: string,
  publication: Publication,
  { signer, version, now, laterFields }: Signing,
): Promise<StoredRecord> {
  const content = contentOf(publication)
  const fields = { ...laterFields, ...content.fields, signedAt: now }
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
  const shown = keys.map(({ jwk, publishedAt, until, pin }) => ({ ...readPublicJwk(jwk), publishedAt, until, ...pin }))
  return { ...(tryAt !== undefined && { dueAt: tryAt }), fields: { jwks: JSON.stringify({ keys: shown }) } }
}

export function isSamePublication(a: Publication, b: Publication): boolean {
  return JSON.stringify(contentOf(a)) === JSON.stringify(contentOf(b))
}

/** The digest of all fields except the signature, each with its type, in the order of their names. */
export function signedBytes(jwtBuilder: string, { dueAt, fields }: Content): Uint8Array {
  const { signature: _signature, ...signed } = fields
  const names = Object.keys(signed).sort()
  const members = names.map((name) => [name, signed[name]])
  return createHash('sha256')
    .update(JSON.stringify([purpose, jwtBuilder, dueAt ?? null, members]))
    .digest()
}

/** Reads a record that an attacker may have written. */
export function readPublication(
  jwtBuilder: string,
  record: StoredRecord,
  publicKey: KeyObject,
  now: number,
): PublicationInRecord {
  const { signature, signedAt } = record.fields
  if (typeof signature !== 'string' || typeof signedAt !== 'number') return { kind: 'refused', why: 'unsigned' }
  const isAuthentic = verify('sha256', signedBytes(jwtBuilder, record), publicKey, Buffer.from(signature, 'base64url'))
  if (!isAuthentic) return { kind: 'refused', why: 'wrong_signature' }
  if (signedAt > now + clockToleranceMilliseconds) return { kind: 'refused', why: 'signed_in_the_future' }

  const publication = readContent(record, signedAt)
  const isHarmless = publication.kind === 'keys' && keysOf(publication, now).length === 0
  // Tokenwell signs nothing anew for a jwtBuilder that was deleted. A record without keys does no harm.
  if (now > signedAt + longestMilliseconds && !isHarmless) return { kind: 'refused', why: 'too_old' }
  return { kind: 'signed', publication, signedAt, ...withLaterFields(record.fields, publicationFields) }
}

/** Leaves out everything that is not a public key. */
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
  const pin = readPin(value)
  return {
    jwk,
    publishedAt: typeof publishedAt === 'number' ? Math.min(publishedAt, signedAt) : signedAt,
    ...(typeof until === 'number' && { until }),
    ...(pin && { pin }),
  }
}

function readPin({ keyArn, signsFrom, signsUntil }: JsonObject): Pin | undefined {
  if (typeof keyArn !== 'string' || typeof signsFrom !== 'number') return undefined
  return { keyArn, signsFrom, ...(typeof signsUntil === 'number' && { signsUntil }) }
}

function listedKeys(jwks: RecordFields[string] | undefined): readonly unknown[] {
  const value = parseJson(String(jwks))
  return isJsonObject(value) && Array.isArray(value['keys']) ? value['keys'] : []
}
