import type { KeyObject, X509Certificate } from 'node:crypto'

/** A private key as it stands in a signing secret. */
export interface SigningKey {
  readonly privateKey: KeyObject
  /** Given beside the key, or the original's: see `keyIdOf`. */
  readonly keyId: string
  /** The key's own certificate and, where they are there, those that lead to its CA. Empty without any. */
  readonly certificates: readonly X509Certificate[]
  /** Of a key that Tokenwell rotates, in milliseconds since the epoch; in the secret in seconds, as dates in a JWT. */
  readonly signsFrom?: number
  /** Absent while no other is there to follow. */
  readonly signsUntil?: number
}
