import { constants, createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { type KeyService, KeyServiceError, type SignRequest } from '../../../lib/signing/key-service.ts'
import { createKmsSigners } from '../../../lib/signing/kms-signers.ts'
import { keyIdOf } from '../../../lib/signing/signing-key.ts'

/** Private keys of this process, behind aliases that a test can move. It signs as AWS KMS does: ECDSA in DER. */
export interface TestKeyService extends KeyService {
  /** Points an alias at a key. The key before stays usable by its ARN. */
  readonly aliases: Map<string, KeyObject>
  readonly signed: SignRequest[]
  readonly asked: string[]
  /** Thrown by every call while it is set. */
  failure: Error | undefined
}

export function testKeyService(aliases: Readonly<Record<string, KeyObject>>): TestKeyService {
  const byArn = new Map<string, KeyObject>()
  const service: TestKeyService = {
    aliases: new Map(Object.entries(aliases)),
    signed: [],
    asked: [],
    failure: undefined,
    async publicKey(alias) {
      service.asked.push(alias)
      if (service.failure) throw service.failure
      const key = service.aliases.get(alias)
      if (!key) throw new KeyServiceError(alias, 'does not exist in this account and region.')
      byArn.set(arnOf(key), key)
      return { keyArn: arnOf(key), publicKey: createPublicKey(key) }
    },
    async sign(request) {
      service.signed.push(request)
      if (service.failure) throw service.failure
      for (const key of service.aliases.values()) byArn.set(arnOf(key), key)
      const key = byArn.get(request.keyArn)
      if (!key) throw new KeyServiceError(request.alias, 'does not exist in this account and region.')
      return signMessage(key, request)
    },
  }
  return service
}

export function arnOf(key: KeyObject): string {
  return `arn:aws:kms:eu-central-1:111122223333:key/${keyIdOf(key)}`
}

function signMessage(key: KeyObject, { algorithm, message, digest }: SignRequest): Uint8Array {
  if (key.asymmetricKeyType === 'ed25519') return sign(null, message, key)
  const hash = `sha${algorithm.slice(2)}`
  // What a service signs is the digest alone.
  if (!digest || !createHash(hash).update(message).digest().equals(digest)) throw new Error('the digest is another one')
  const padding = algorithm.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {}
  return sign(hash, message, { key, ...padding })
}

/** For tests without a key in KMS. */
export const noKeyService: KeyService = {
  publicKey: () => Promise.reject(new Error('no key is in KMS here')),
  sign: () => Promise.reject(new Error('no key is in KMS here')),
}

export const noKmsSigners = createKmsSigners({
  keyService: noKeyService,
  pinnedKeys: { read: async () => [] },
  now: Date.now,
})
