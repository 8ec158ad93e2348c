import { fileKeyService, keyFileOf } from '../../lib/adapters/files/file-key-service.ts'
import { keyFolderOf } from '../../lib/application/open-key-service.ts'
import { isInKms, type KmsKeyReference } from '../../lib/configuration/assertion-configuration.ts'
import { signedJwtsOf, type TokenConnection } from '../../lib/configuration/connection.ts'
import type { SignatureAlgorithm } from '../../lib/configuration/signature-algorithm.ts'
import { generateKey } from '../../lib/signing/key-algorithm.ts'
import type { KeyService } from '../../lib/signing/key-service.ts'
import { certificatesOfKmsKey } from '../../lib/signing/kms-certificates.ts'
import { type PublicJwk, publicJwkOf } from '../../lib/signing/public-jwk.ts'
import { keyIdOf } from '../../lib/signing/signing-key.ts'
import { makeFile } from './make-secrets.ts'

/* The local run keeps each key that is in AWS KMS elsewhere in a file. */

const modulusLength = 2048

export function localKeyService(secretsFolder: string): KeyService {
  return fileKeyService(keyFolderOf(secretsFolder))
}

export function localKeyFile(secretsFolder: string, { kmsAlias }: KmsKeyReference): string {
  return keyFileOf(keyFolderOf(secretsFolder), kmsAlias)
}

/** Makes the keys of these connections that have no file. Returns the locations of the new keys. */
export async function makeKmsKeysFor(secretsFolder: string, tokens: readonly TokenConnection[]): Promise<string[]> {
  const made: string[] = []
  for (const { key, algorithm } of tokens.flatMap(signedJwtsOf))
    if (isInKms(key) && (await makeFile(localKeyFile(secretsFolder, key), () => makeKey(algorithm))))
      made.push(`kms:${key.kmsAlias}`)
  return made
}

async function makeKey(algorithm: SignatureAlgorithm): Promise<string> {
  return String(generateKey(algorithm, modulusLength).export({ type: 'pkcs8', format: 'pem' }))
}

/**
 * The public key that a server registers.
 * @throws {KeyServiceError}
 */
export async function publicJwkInKms(
  key: KmsKeyReference,
  algorithm: SignatureAlgorithm,
  keyService: KeyService,
): Promise<PublicJwk | undefined> {
  const { publicKey } = await keyService.publicKey(key.kmsAlias)
  const keyId = key.kid ?? keyIdOf(publicKey)
  return publicJwkOf({ publicKey, keyId, certificates: certificatesOfKmsKey(key, publicKey) }, algorithm, Date.now())
}
