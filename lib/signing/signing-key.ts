import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { GeneratedKey } from '../configuration/connection.ts'

/** A private key of a signing secret. */
export interface SigningKey {
  readonly privateKey: KeyObject
  /** Given beside the key, or else made from it: see `keyIdOf`. */
  readonly keyId: string
  /** The key's own certificate first, then those that lead to its CA. May be empty. */
  readonly certificates: readonly X509Certificate[]
  /** The one algorithm that its owner has marked it for: `alg` of its JWK. */
  readonly algorithm?: string
  /** Only keys that Tokenwell rotates have times. Milliseconds since the epoch; in the secret, seconds. */
  readonly signsFrom?: number
  /** Absent while no staged key will replace it. */
  readonly signsUntil?: number
}

/** When a key signs. The clock decides which key signs, not the label of its secret's version. */
export type Times = Pick<SigningKey, 'signsFrom' | 'signsUntil'>

/*
 *      published        signsFrom                    signsUntil       the last assertion is out
 *          |--- staged ----|---------- current ----------|---- previous ----|
 */

/** Whether the clock decides which key signs. The keys that an operator brings have no times. */
export function isTimed(keys: readonly Times[]): boolean {
  return keys.some(({ signsFrom }) => signsFrom !== undefined)
}

/** The key that signs now: of several, the one that began last. */
export function currentKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  const signing = keys.filter(({ signsFrom = Infinity, signsUntil = Infinity }) => signsFrom <= now && now < signsUntil)
  return byTime(signing).at(-1)
}

/** The key that will sign next. */
export function stagedKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsFrom = -Infinity }) => signsFrom > now)).at(0)
}

/** The key that signed last before the current one. It is kept until the last assertion that it signed has expired. */
export function previousKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsUntil = Infinity }) => signsUntil <= now)).at(-1)
}

function byTime<Key extends Times>(keys: readonly Key[]): Key[] {
  return keys.toSorted((a, b) => (a.signsFrom ?? 0) - (b.signsFrom ?? 0))
}

/** Leaves time for a rotation that failed to be repeated. */
const graceSeconds = 86_400

export interface KeyAge {
  readonly keyAgeSeconds: number
  /** Whether the key should have been replaced by now. Absent where Tokenwell does not make the keys. */
  readonly isKeyOverdue?: boolean
}

/** For how long a key has been signing. */
export function keyAge(signsFrom: number, generated: GeneratedKey | undefined, now: number): KeyAge {
  const keyAgeSeconds = Math.floor((now - signsFrom) / 1000)
  if (!generated) return { keyAgeSeconds }
  const { rotationSeconds, publishAheadSeconds } = generated
  return { keyAgeSeconds, isKeyOverdue: keyAgeSeconds > rotationSeconds + publishAheadSeconds + graceSeconds }
}

/** How far a server's clock may differ from ours. */
const clockToleranceSeconds = 5 * 60
/** For how long a process may sign with a key after its secret has changed: see `secret-cache.ts`. */
const secretAgeSeconds = 5 * 60

/** The assertion drain period: for how long after a key's last signature servers may still have to verify it. */
export function assertionDrainMilliseconds(assertionSeconds: number): number {
  return (secretAgeSeconds + assertionSeconds + clockToleranceSeconds) * 1000
}

/** The `kid` that the original gives a key of a key store: base64url(SHA-256(SubjectPublicKeyInfo)). */
export function keyIdOf(privateKey: KeyObject): string {
  const publicKeyInfo = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(publicKeyInfo).digest('base64url')
}

/** The keys or certificates in a secret don't fit the configuration. The message describes what was found and never quotes it. */
export class KeyStoreError extends TokenwellError {
  readonly code = 'key_store'
  readonly location: string

  constructor(location: string, complaint: string) {
    super(`The secret ${location} ${complaint}`)
    this.location = location
  }

  override get publicMessage(): string {
    return `The configuration of this connection has a mistake. ${operatorFindsReason}`
  }
}
