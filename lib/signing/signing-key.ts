import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { GeneratedKey } from '../configuration/assertion-configuration.ts'

/** A private key from a signing secret. */
export interface SigningKey {
  readonly privateKey: KeyObject
  /** The `kid` beside the key, or else the result of `keyIdOf`. */
  readonly keyId: string
  /** The key's own certificate first, then the chain to its CA. May be empty. */
  readonly certificates: readonly X509Certificate[]
  /** The `alg` of its JWK: the only algorithm that it may sign with. */
  readonly algorithm?: string
  /** Milliseconds since the epoch (seconds in the secret). Only keys that Tokenwell rotates have times. */
  readonly signsFrom?: number
  /** Absent as long as no next key will replace it. */
  readonly signsUntil?: number
}

/** When a key signs. The clock decides which key signs, not the label of the secret's version. */
export type Times = Pick<SigningKey, 'signsFrom' | 'signsUntil'>

/*
 *      published        signsFrom                    signsUntil       the last assertion is out
 *          |--- staged ----|---------- current ----------|---- previous ----|
 */

/** Whether the clock decides which key signs. Keys that the operator stores have no times. */
export function isTimed(keys: readonly Times[]): boolean {
  return keys.some(({ signsFrom }) => signsFrom !== undefined)
}

/** The key that signs now. If there are several, the one with the latest `signsFrom`. */
export function currentKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  const signing = keys.filter(({ signsFrom = Infinity, signsUntil = Infinity }) => signsFrom <= now && now < signsUntil)
  return byTime(signing).at(-1)
}

/** The key that signs next. */
export function stagedKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsFrom = -Infinity }) => signsFrom > now)).at(0)
}

/** The last key that signed before the current one. It is kept until its last assertion has expired. */
export function previousKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsUntil = Infinity }) => signsUntil <= now)).at(-1)
}

function byTime<Key extends Times>(keys: readonly Key[]): Key[] {
  return keys.toSorted((a, b) => (a.signsFrom ?? 0) - (b.signsFrom ?? 0))
}

/** Time in which a failed rotation can be repeated. */
const graceSeconds = 86_400

export interface KeyAge {
  readonly keyAgeSeconds: number
  /** Whether the key should have been replaced by now. Absent if Tokenwell does not make the keys. */
  readonly isKeyOverdue?: boolean
}

/** How long a key has been signing. */
export function keyAge(signsFrom: number, generated: GeneratedKey | undefined, now: number): KeyAge {
  const keyAgeSeconds = Math.floor((now - signsFrom) / 1000)
  if (!generated) return { keyAgeSeconds }
  const { rotationSeconds, publishAheadSeconds } = generated
  return { keyAgeSeconds, isKeyOverdue: keyAgeSeconds > rotationSeconds + publishAheadSeconds + graceSeconds }
}

/** How far a server's clock may differ from Tokenwell's. */
const clockToleranceSeconds = 5 * 60
/** How long an instance may sign with an old key after its secret has changed: see `secret-cache.ts`. */
const secretAgeSeconds = 5 * 60

/** The assertion drain period: how long servers may still have to verify a key's last signature. */
export function assertionDrainMilliseconds(assertionSeconds: number): number {
  return (secretAgeSeconds + assertionSeconds + clockToleranceSeconds) * 1000
}

/** The `kid` that z/OS Connect gives a key of a key store: base64url(SHA-256(SubjectPublicKeyInfo)). */
export function keyIdOf(key: KeyObject): string {
  const publicKeyInfo = (key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(publicKeyInfo).digest('base64url')
}

/**
 * The content of a secret does not fit the configuration. The message describes what was found and never quotes it.
 */
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
