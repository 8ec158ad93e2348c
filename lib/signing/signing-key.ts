import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import type { GeneratedKey } from '../configuration/connection.ts'

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

/** The times of a key that Tokenwell rotates: the clock decides which one signs, not the label of its secret's version. */
export type Times = Pick<SigningKey, 'signsFrom' | 'signsUntil'>

/*
 *      published        signsFrom                    signsUntil       the last assertion is out
 *          |---- next -----|---------- current ----------|---- previous ----|
 */

/** Whether the clock decides at all: a secret that an operator brings has no times. */
export function isTimed(keys: readonly Times[]): boolean {
  return keys.some(({ signsFrom }) => signsFrom !== undefined)
}

/** The one that signs now: the last whose time has come. */
export function currentKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  const signing = keys.filter(({ signsFrom = Infinity, signsUntil = Infinity }) => signsFrom <= now && now < signsUntil)
  return byTime(signing).at(-1)
}

/** The one that will, and of several the first. */
export function nextKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsFrom = -Infinity }) => signsFrom > now)).at(0)
}

/** The one that did before the current one, and is kept for as long as what it has signed may be out. */
export function previousKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsUntil = Infinity }) => signsUntil <= now)).at(-1)
}

function byTime<Key extends Times>(keys: readonly Key[]): Key[] {
  return keys.toSorted((a, b) => (a.signsFrom ?? 0) - (b.signsFrom ?? 0))
}

/** For a rotation that failed and is tried again. */
const graceSeconds = 86_400

export interface KeyAge {
  readonly keyAgeSeconds: number
  /** Whether the key that was to follow has not come. Absent where Tokenwell does not make the keys. */
  readonly isKeyOverdue?: boolean
}

/** How long a key has been signing by now, where that is known of it. */
export function keyAge(signsFrom: number, generated: GeneratedKey | undefined, now: number): KeyAge {
  const keyAgeSeconds = Math.floor((now - signsFrom) / 1000)
  if (!generated) return { keyAgeSeconds }
  const { rotationSeconds, publishAheadSeconds } = generated
  return { keyAgeSeconds, isKeyOverdue: keyAgeSeconds > rotationSeconds + publishAheadSeconds + graceSeconds }
}

/** By which clocks may differ, servers' and ours. */
const clockSpareSeconds = 5 * 60
/** A process may sign with a key for so long after its secret has another: `secret-cache.ts`. */
const secretAgeSeconds = 5 * 60

/** How long after a key's time a server may still have to verify what it has signed, in milliseconds. */
export function inFlightMilliseconds(assertionSeconds: number): number {
  return (secretAgeSeconds + assertionSeconds + clockSpareSeconds) * 1000
}

/** The original's `kid` of a key from a key store: base64url(SHA-256(SubjectPublicKeyInfo)). */
export function keyIdOf(privateKey: KeyObject): string {
  const publicKeyInfo = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(publicKeyInfo).digest('base64url')
}

/** A secret was found, and the keys or certificates in it can't do what is configured. Says what was found, never shows it. */
export class KeyStoreError extends Error {
  readonly code = 'key_store'
  override readonly name = 'KeyStoreError'
  readonly location: string

  constructor(location: string, complaint: string) {
    super(`The secret ${location} ${complaint}`)
    this.location = location
  }
}
