import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import type { Secret } from '../secret/secret.ts'
import { KeyStoreError } from '../signing/signing-key.ts'

/** The keys in the secret of the shared cache. */
export interface CacheKeys {
  /** Names records. It must stay when the others rotate: with another key, every token would get another name. */
  readonly namingKey: KeyObject
  /** Authenticates records. Derived from the naming key, which stays as long as the records. */
  readonly recordKey: KeyObject
  /** Makes the fingerprints of elements in records. Also derived from the naming key. */
  readonly fingerprintKey: KeyObject
  /** By `kid`. The first one encrypts; each of them decrypts. */
  readonly encryptionKeys: ReadonlyMap<string, Uint8Array>
}

const keyBytes = 32
/** This many random letters and digits hold more than 256 bits. */
const seedLength = 43
/** The one encryption key of a secret that lists none. It is derived from the seed. */
const onlyKey = [{ kid: 'seed' }]

/**
 * Reads `{ "namingKey": …, "encryptionKeys": [{ "kid": …, "k": … }, …] }`. Each key has 32 bytes in base64url, and the newest
 * encryption key is the first. To rotate, put a new key before the others, and remove the last one when its tokens have expired.
 *
 * A key that is left out is derived from `seed`, a random text, with HKDF (RFC 5869). Secrets Manager can generate such a text, so that
 * no person has to see it.
 * @throws {KeyStoreError} with the name of the member
 */
export function readCacheKeys(location: string, secret: Secret): CacheKeys {
  const { namingKey, seed, encryptionKeys = seed === undefined ? undefined : onlyKey } = readObject(location, secret)
  const usableSeed = readSeed(location, seed)
  if (!Array.isArray(encryptionKeys) || encryptionKeys.length === 0)
    throw new KeyStoreError(location, 'must hold encryptionKeys: a list of { "kid", "k" } with at least one key.')
  const keys = encryptionKeys.map((each: unknown, index): [string, Uint8Array] => {
    const number = index + 1
    const { kid, k } = isJsonObject(each) ? each : {}
    if (typeof kid !== 'string' || kid === '')
      throw new KeyStoreError(location, `must give each key in encryptionKeys a kid. Key number ${number} has none.`)
    const derived = k === undefined ? derivedKey(usableSeed, `encryption key ${kid}`) : undefined
    return [kid, derived ?? readKey(location, `k of encryption key number ${number}`, k)]
  })
  const byKid = new Map(keys)
  if (byKid.size < keys.length)
    throw new KeyStoreError(location, 'holds two encryptionKeys with the same kid. Give each key its own kid.')
  const derivedName = namingKey === undefined ? derivedKey(usableSeed, 'naming key') : undefined
  const name = derivedName ?? readKey(location, 'namingKey', namingKey)
  return { ...keysOfNamingKey(name), encryptionKeys: byKid }
}

/** The naming key and the keys that are derived from it, each for one purpose. */
export function keysOfNamingKey(namingKey: Uint8Array): Omit<CacheKeys, 'encryptionKeys'> {
  return {
    namingKey: createSecretKey(namingKey),
    recordKey: createSecretKey(derivedKeyOf(namingKey, 'record key')),
    fingerprintKey: createSecretKey(derivedKeyOf(namingKey, 'fingerprint key')),
  }
}

/** Undefined where there is no seed. */
function readSeed(location: string, seed: unknown): string | undefined {
  if (seed === undefined) return undefined
  if (typeof seed !== 'string' || seed.length < seedLength)
    throw new KeyStoreError(location, `must hold in seed a random text of at least ${seedLength} letters and digits.`)
  return seed
}

function derivedKey(seed: string | undefined, purpose: string): Uint8Array | undefined {
  return seed === undefined ? undefined : derivedKeyOf(seed, purpose)
}

/** Derives a key with HKDF (RFC 5869). */
function derivedKeyOf(from: string | Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', from, '', `tokenwell cache: ${purpose}`, keyBytes))
}

function readObject(location: string, secret: Secret): JsonObject {
  const value = parseJson(secret.reveal())
  if (isJsonObject(value)) return value
  throw new KeyStoreError(location, 'must hold a JSON object with namingKey and encryptionKeys, or with seed.')
}

function readKey(location: string, member: string, value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.alloc(0)
  if (bytes.length !== keyBytes)
    throw new KeyStoreError(
      location,
      `must hold ${keyBytes} bytes in base64url in ${member}. It holds ${bytes.length} bytes.`,
    )
  return new Uint8Array(bytes)
}
