import { createSecretKey } from 'node:crypto'
import type { KeyReference } from '../configuration/connection.ts'
import { isSharedKeyAlgorithm, type SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { oneLine } from '../secret/one-line.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { KeyStoreError } from './key-store-error.ts'
import { createLocalSigner } from './local-signer.ts'
import { misfit } from './misfit.ts'
import { readSigningKeys } from './read-signing-keys.ts'
import type { Signer } from './signer.ts'
import type { SigningKey } from './signing-key.ts'

/** The signers of one process. */
export interface Signers {
  /**
   * @throws {SecretError} when the secret can't be had
   * @throws {KeyStoreError} when it holds no key that fits
   */
  get(key: KeyReference, algorithm: SignatureAlgorithm): Promise<Signer>
}

/** How long a key may be used before its secret is read again is the secret cache's to decide. */
export function createSigners(secrets: SecretCache): Signers {
  const known = new Map<string, { readonly secret: Secret; readonly signer: Signer }>()
  return {
    async get(key, algorithm) {
      const id = JSON.stringify([key.location, key.alias, algorithm])
      const secret = await secrets.get(key.location)
      const kept = known.get(id)
      if (kept?.secret.equals(secret)) return kept.signer

      try {
        const signer = createSigner(key, algorithm, secret)
        known.set(id, { secret, signer })
        return signer
      } catch (error) {
        secrets.forget(key.location)
        throw error
      }
    },
  }
}

function createSigner(key: KeyReference, algorithm: SignatureAlgorithm, secret: Secret): Signer {
  if (isSharedKeyAlgorithm(algorithm)) return createSharedKeySigner(key, algorithm, secret)

  const signingKey = chooseKey(key, readSigningKeys(key.location, secret))
  const complaint = misfit(signingKey.privateKey, algorithm)
  if (complaint) throw new KeyStoreError(key.location, complaint)
  return createLocalSigner(signingKey.privateKey, signingKey)
}

function chooseKey({ location, alias }: KeyReference, keys: readonly SigningKey[]): SigningKey {
  const aliases = keys.map(({ keyId }) => keyId).join(', ')
  const [only, ...others] = alias === undefined ? keys : keys.filter(({ keyId }) => keyId === alias)
  if (!only) throw new KeyStoreError(location, `holds no key ${JSON.stringify(alias)}; keyAlias can be: ${aliases}.`)
  if (others.length > 0)
    throw new KeyStoreError(location, `holds several keys; say which one signs by keyAlias: ${aliases}.`)
  return only
}

/** The key is the text's UTF-8 bytes, as in the original. */
function createSharedKeySigner({ location }: KeyReference, algorithm: SignatureAlgorithm, secret: Secret): Signer {
  const bytes = Buffer.from(oneLine(secret).reveal(), 'utf8')
  const neededBytes = Number(algorithm.slice(2)) / 8
  // RFC 7518 section 3.2: a key shorter than the digest weakens it.
  if (bytes.length < neededBytes)
    throw new KeyStoreError(location, `holds ${bytes.length} bytes; ${algorithm} needs at least ${neededBytes}.`)
  return createLocalSigner(createSecretKey(bytes), {})
}
