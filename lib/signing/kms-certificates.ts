import type { KeyObject, X509Certificate } from 'node:crypto'
import type { KmsKeyReference } from '../configuration/assertion-configuration.ts'
import { KeyServiceError } from './key-service.ts'
import { decodeCertificate, readCertificates, unwrapBase64 } from './pem.ts'
import { KeyStoreError } from './signing-key.ts'

/**
 * The certificate that the keyStore has for a KMS key, and its chain.
 * @throws {KeyServiceError} if they can't be read
 */
export function writtenCertificates({ kmsAlias, certificate: text }: KmsKeyReference): readonly X509Certificate[] {
  if (text === undefined) return []
  try {
    const certificates = readCertificates(kmsAlias, unwrapBase64(text))
    return certificates.length > 0 ? certificates : [decodeCertificate(kmsAlias, Buffer.from(text, 'base64'))]
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    throw new KeyServiceError(
      kmsAlias,
      'has a certificate in its keyStore that cannot be read. Write it as PEM, or as DER in base64.',
    )
  }
}

/** @throws {KeyServiceError} also if the certificate is of another key */
export function certificatesOfKmsKey(key: KmsKeyReference, publicKey: KeyObject): readonly X509Certificate[] {
  const certificates = writtenCertificates(key)
  if (certificates.length === 0 || isCertified(publicKey, certificates)) return certificates
  throw new KeyServiceError(
    key.kmsAlias,
    'has a certificate in its keyStore that belongs to another key. Write the certificate of this key, with its chain after it.',
  )
}

/** Whether the first certificate is that of the key. */
export function isCertified(publicKey: KeyObject, [own]: readonly X509Certificate[]): boolean {
  return own?.publicKey.equals(publicKey) ?? false
}
