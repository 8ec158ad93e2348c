import { X509Certificate } from 'node:crypto'
import { KeyStoreError } from './key-store-error.ts'
import { readPemBlocks } from './pem.ts'

/**
 * The certificates of a PEM text, in their order; none where it holds none.
 * @throws {KeyStoreError} when one can't be read: node:tls would pass over it in silence
 */
export function readCertificates(location: string, text: string): X509Certificate[] {
  return readPemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map((block) => readCertificate(location, block.text))
}

/** @param encoding PEM, or DER */
export function readCertificate(location: string, encoding: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(encoding)
  } catch {
    throw new KeyStoreError(location, "holds a certificate that can't be read; check that it was stored whole.")
  }
}
