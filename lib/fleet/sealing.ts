import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import { Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { type CacheKeys, keysOfNamingKey, readCacheKeys } from './cache-keys.ts'
import { type RecordName, recordNameText } from './record-store.ts'

/** Hides names and tokens from readers of the shared cache. Errors of the cache's secret pass through. */
export interface Sealing {
  /** Always the same for the same text. Without the key, nobody can find the text or test a guess. */
  digest(text: string): Promise<string>
  /** The MAC of a record, as text. */
  authenticate(record: string): Promise<string>
  /** Whether the MAC is the one of that record. */
  verify(record: string, mac: string): Promise<boolean>
  /** The MAC of a text that identifies elements. Undefined while no keys have been read: then nothing is shared either. */
  fingerprint(text: string): string | undefined
  /** Seals a text for one record: it opens under no other name. */
  seal(name: RecordName, text: Secret): Promise<string>
  /** @throws {UnreadableTokenError} */
  open(name: RecordName, sealed: string): Promise<Secret>
}

/**
 * Sealing with the keys of a secret: HMAC-SHA-256, and compact JWE (RFC 7516) with `dir` and A256GCM. The protected header binds a token
 * to its record. The secret is read again for a token that was sealed with an unknown key, and for a wrong MAC.
 */
export function createSealing(secrets: SecretCache, secretName: string): Sealing {
  let keys: CacheKeys | undefined

  async function readKeys(): Promise<CacheKeys> {
    const secret = await secrets.get(secretName)
    try {
      keys = readCacheKeys(secretName, secret)
      return keys
    } catch (error) {
      secrets.forget(secretName)
      throw error
    }
  }

  async function keyFor(kid: string): Promise<Uint8Array | undefined> {
    const key = (keys ?? (await readKeys())).encryptionKeys.get(kid)
    return key ?? ((await secrets.refresh(secretName)) ? (await readKeys()).encryptionKeys.get(kid) : undefined)
  }

  return {
    async digest(text) {
      return hmac((keys ?? (await readKeys())).namingKey, text)
    },
    async authenticate(record) {
      return hmac((keys ?? (await readKeys())).recordKey, record)
    },
    async verify(record, mac) {
      if (isMac((keys ?? (await readKeys())).recordKey, record, mac)) return true
      // The secret may have a new naming key that this process hasn't read yet.
      if (await secrets.refresh(secretName)) await readKeys()
      return isMac((keys ?? (await readKeys())).recordKey, record, mac)
    },
    fingerprint(text) {
      return keys && hmac(keys.fingerprintKey, text)
    },
    async seal(name, text) {
      const { encryptionKeys } = keys ?? (await readKeys())
      // No caller waits for this read: the next token may use a new key, and a slow secret must not delay a token.
      readKeys().catch(() => {})
      const [[kid, key] = ['', new Uint8Array()]] = encryptionKeys
      return await new CompactEncrypt(Buffer.from(text.reveal()))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, record: recordNameText(name) })
        .encrypt(key)
    },
    async open(name, sealed) {
      const { kid, record } = readHeader(sealed)
      const key = await keyFor(String(kid))
      if (!key)
        throw new UnreadableTokenError(
          `The token was sealed with a key that the secret ${secretName} does not hold. Keep a key there until its tokens have expired.`,
        )
      const plaintext = await decrypt(sealed, key)
      if (record !== recordNameText(name))
        throw new UnreadableTokenError(
          'The token was sealed for another record. Check who can write to the store of the shared cache.',
        )
      return new Secret(plaintext)
    },
  }
}

/** Sealing for a cache that never leaves this process. */
export function withoutSealing(namingKey: Uint8Array): Sealing {
  const keys = keysOfNamingKey(namingKey)
  return {
    async digest(text) {
      return hmac(keys.namingKey, text)
    },
    async authenticate(record) {
      return hmac(keys.recordKey, record)
    },
    async verify(record, mac) {
      return isMac(keys.recordKey, record, mac)
    },
    fingerprint(text) {
      return hmac(keys.fingerprintKey, text)
    },
    async seal(_name, text) {
      return text.reveal()
    },
    async open(_name, sealed) {
      return new Secret(sealed)
    },
  }
}

function hmac(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

function isMac(key: KeyObject, text: string, mac: string): boolean {
  const [right, given] = [Buffer.from(hmac(key, text)), Buffer.from(mac)]
  return right.length === given.length && timingSafeEqual(right, given)
}

function readHeader(sealed: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(sealed)
  } catch {
    throw new UnreadableTokenError('The sealed token is not a compact JWE.')
  }
}

async function decrypt(sealed: string, key: Uint8Array): Promise<string> {
  const algorithms = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }
  try {
    return Buffer.from((await compactDecrypt(sealed, key, algorithms)).plaintext).toString('utf8')
  } catch {
    throw new UnreadableTokenError('The sealed token was changed, or sealed with another key of the same kid.')
  }
}

/** A sealed token in the shared cache can't be read. It counts as a miss. */
export class UnreadableTokenError extends Error {
  override readonly name = 'UnreadableTokenError'
}
