import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import type { Secret } from '../secret/secret.ts'
import { KeyStoreError } from '../signing/signing-key.ts'

/** What the shared cache's secret holds. */
export interface CacheKeys {
  /** Names records. It stays when the others rotate, or every token would be looked for under another name. */
  readonly namingKey: KeyObject
  /** Authenticates records. Derived from the naming key, which stays as long as the records do. */
  readonly recordKey: KeyObject
  /** Makes fingerprints of elements, which stand in records. Derived as well. */
  readonly fingerprintKey: KeyObject
  /** By `kid`. The first one encrypts, all open. */
  readonly encryptionKeys: ReadonlyMap<string, Uint8Array>
}

const keyBytes = 32
/** So many letters and digits drawn at random are more than 256 bits. */
const seedLength = 43
/** Where the secret lists no encryption key there is one, derived from the seed. */
const onlyKey = [{ kid: 'seed' }]

/**
 * `{ "namingKey": …, "encryptionKeys": [{ "kid": …, "k": … }, …] }`, keys of 32 bytes in base64url; of the encryption keys
 * the newest first. To rotate: put a new one before the others, and take the last one out when its tokens have ended.
 *
 * Whatever of it is left out is derived from `seed`, a random text, by HKDF (RFC 5869): Secrets Manager can make one text,
 * so that a secret that holds nothing else is made without anybody seeing it.
 * @throws {KeyStoreError} naming the member
 */
export function readCacheKeys(location: string, secret: Secret): CacheKeys {
  const { namingKey, seed, encryptionKeys = seed === undefined ? undefined : onlyKey } = readObject(location, secret)
  const usableSeed = readSeed(location, seed)
  if (!Array.isArray(encryptionKeys) || encryptionKeys.length === 0)
    throw new KeyStoreError(location, 'must hold encryptionKeys, a list of { "kid", "k" } with at least one key.')
  const keys = encryptionKeys.map((each: unknown, index): [string, Uint8Array] => {
    const { kid, k } = isJsonObject(each) ? each : {}
    if (typeof kid !== 'string' || kid === '')
      throw new KeyStoreError(location, `must give each of its encryptionKeys a kid; number ${index + 1} has none.`)
    const derived = k === undefined ? derivedKey(usableSeed, `encryption key ${kid}`) : undefined
    return [kid, derived ?? readKey(location, `k of encryption key number ${index + 1}`, k)]
  })
  const byKid = new Map(keys)
  if (byKid.size < keys.length) throw new KeyStoreError(location, 'holds encryptionKeys that share a kid.')
  const derivedName = namingKey === undefined ? derivedKey(usableSeed, 'naming key') : undefined
  const name = derivedName ?? readKey(location, 'namingKey', namingKey)
  return { ...keysOfNamingKey(name), encryptionKeys: byKid }
}

/** The naming key, and what is derived from it, each for one purpose. */
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
    throw new KeyStoreError(location, `must hold as seed a random text of at least ${seedLength} letters and digits.`)
  return seed
}

function derivedKey(seed: string | undefined, purpose: string): Uint8Array | undefined {
  return seed === undefined ? undefined : derivedKeyOf(seed, purpose)
}

/** By HKDF (RFC 5869). */
function derivedKeyOf(from: string | Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', from, '', `tokenwell cache: ${purpose}`, keyBytes))
}

function readObject(location: string, secret: Secret): JsonObject {
  const value = parseJson(secret.reveal())
  if (isJsonObject(value)) return value
  throw new KeyStoreError(location, 'must hold a JSON object with namingKey and encryptionKeys, or with a seed.')
}

function readKey(location: string, member: string, value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.alloc(0)
  if (bytes.length !== keyBytes)
    throw new KeyStoreError(
      location,
      `must hold ${keyBytes} bytes in base64url as ${member}; it holds ${bytes.length}.`,
    )
  return new Uint8Array(bytes)
}
