import { createHash, createPublicKey, type KeyObject } from 'node:crypto'

/** The original's `kid` of a key from a key store: base64url(SHA-256(SubjectPublicKeyInfo)). */
export function keyIdOf(privateKey: KeyObject): string {
  const publicKeyInfo = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(publicKeyInfo).digest('base64url')
}
