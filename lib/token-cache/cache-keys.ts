import type { Secret } from '../secret/secret.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'

/** What the shared cache's secret holds. */
export interface CacheKeys {
  /** Names records. It stays when the others rotate, or every token would be looked for under another name. */
  readonly namingKey: Uint8Array
  /** By `kid`. The first one encrypts, all open. */
  readonly encryptionKeys: ReadonlyMap<string, Uint8Array>
}

const keyBytes = 32

/**
 * `{ "namingKey": …, "encryptionKeys": [{ "kid": …, "k": … }, …] }`, keys of 32 bytes in base64url; of the encryption keys
 * the newest first. To rotate: put a new one before the others, and take the last one out when its tokens have ended.
 * @throws {KeyStoreError} naming the member
 */
export function readCacheKeys(location: string, secret: Secret): CacheKeys {
  const { namingKey, encryptionKeys } = readObject(location, secret)
  if (!Array.isArray(encryptionKeys) || encryptionKeys.length === 0)
    throw new KeyStoreError(location, 'must hold encryptionKeys, a list of { "kid", "k" } with at least one key.')
  const keys = encryptionKeys.map((each: unknown, index): [string, Uint8Array] => {
    const { kid, k } = (typeof each === 'object' && each !== null ? each : {}) as Readonly<Record<string, unknown>>
    if (typeof kid !== 'string' || kid === '')
      throw new KeyStoreError(location, `must give each of its encryptionKeys a kid; number ${index + 1} has none.`)
    return [kid, readKey(location, `k of encryption key number ${index + 1}`, k)]
  })
  const byKid = new Map(keys)
  if (byKid.size < keys.length) throw new KeyStoreError(location, 'holds encryptionKeys that share a kid.')
  return { namingKey: readKey(location, 'namingKey', namingKey), encryptionKeys: byKid }
}

function readObject(location: string, secret: Secret): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(secret.reveal())
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  } catch {
    // The parser's own message quotes the text.
  }
  throw new KeyStoreError(location, 'must hold a JSON object with namingKey and encryptionKeys.')
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
