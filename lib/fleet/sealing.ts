import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import { Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { type CacheKeys, keysOfNamingKey, readCacheKeys } from './cache-keys.ts'
import { type RecordName, recordNameText } from './record-store.ts'

/** How names and tokens are kept from whoever reads the shared cache. Errors of the cache's secret pass through. */
export interface Sealing {
  /** The same for the same text always; from it nobody can tell the text, nor test a guess. */
  digest(text: string): Promise<string>
  /** The MAC of a record, as text. */
  authenticate(record: string): Promise<string>
  /** Whether it is the MAC of that record. */
  verify(record: string, mac: string): Promise<boolean>
  /** The MAC of what tells elements apart. Undefined as long as no keys have been read: then nothing is shared either. */
  fingerprint(text: string): string | undefined
  /** For that record alone. */
  seal(name: RecordName, text: Secret): Promise<string>
  /** @throws {UnreadableTokenError} */
  open(name: RecordName, sealed: string): Promise<Secret>
}

/**
 * By the keys of a secret: HMAC-SHA-256, and compact JWE (RFC 7516) with `dir` and A256GCM, whose protected header binds it
 * to its record. A token sealed by a key that isn't known makes the secret be read again, as does a MAC that is wrong.
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
      // There may be another naming key since, which this process doesn't know yet.
      if (await secrets.refresh(secretName)) await readKeys()
      return isMac((keys ?? (await readKeys())).recordKey, record, mac)
    },
    fingerprint(text) {
      return keys && hmac(keys.fingerprintKey, text)
    },
    async seal(name, text) {
      const { encryptionKeys } = keys ?? (await readKeys())
      // Nobody waits for it: a new key is as good from the next token on, and no hit is late because the secret is.
      readKeys().catch(() => {})
      const [[kid, key] = ['', new Uint8Array()]] = encryptionKeys
      return await new CompactEncrypt(Buffer.from(text.reveal()))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, record: recordNameText(name) })
        .encrypt(key)
    },
    async open(name, sealed) {
      const { kid, record } = readHeader(sealed)
      const key = await keyFor(String(kid))
      if (!key) throw new UnreadableTokenError('it was sealed by a key that the secret of the cache does not hold')
      const plaintext = await decrypt(sealed, key)
      if (record !== recordNameText(name)) throw new UnreadableTokenError('it was sealed for another record')
      return new Secret(plaintext)
    },
  }
}

/** For a cache that never leaves this process. */
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
    throw new UnreadableTokenError('it is no compact JWE')
  }
}

async function decrypt(sealed: string, key: Uint8Array): Promise<string> {
  const algorithms = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }
  try {
    return Buffer.from((await compactDecrypt(sealed, key, algorithms)).plaintext).toString('utf8')
  } catch {
    throw new UnreadableTokenError('it was changed, or sealed by another key of that name')
  }
}

/** What stands in the shared cache as a token and answers for nothing: a miss. Its message completes "the token can't be read: …". */
export class UnreadableTokenError extends Error {
  override readonly name = 'UnreadableTokenError'
}
