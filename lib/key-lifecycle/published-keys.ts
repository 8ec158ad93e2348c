import type { BuilderKey } from '../configuration/resolve-key.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { keyAlgorithmMismatch } from '../signing/key-algorithm.ts'
import { type PublicJwk, publicHalf } from '../signing/public-jwk.ts'
import { assertionDrainMilliseconds, currentKey, type SigningKey } from '../signing/signing-key.ts'

/** What the fleet says of the keys of one jwtBuilder, to anybody. */
export type Publication =
  | PublishedSet
  /** HS*: both sides hold the same key, and nothing of it can be shown. */
  | { readonly kind: 'shared_key'; readonly algorithm: SignatureAlgorithm }

export interface PublishedSet {
  readonly kind: 'keys'
  readonly keys: readonly PublishedKey[]
  /** From when on the key that has its time then is to be tried at the real endpoint. Absent where it was, or none waits. */
  readonly tryAt?: number
}

/** A public half, from when on it has stood there and until when it does. Milliseconds since the epoch. */
export interface PublishedKey {
  readonly jwk: PublicJwk
  /** Since then without a gap. */
  readonly publishedAt: number
  /** Then the last assertion that it signed is out. Absent while it signs, or will. */
  readonly until?: number
}

/** A key that is to be published. */
export interface KeyToPublish {
  readonly jwk: PublicJwk
  /** Absent while it signs, or will. */
  readonly until?: number
}

export interface PublicationMoment {
  readonly now: number
  /** For how long what a key has signed may be out. */
  readonly assertionDrainMilliseconds: number
}

/** The keys that anybody may see at that time. */
export function keysOf(publication: Publication | undefined, now: number): readonly PublishedKey[] {
  return publication?.kind === 'keys' ? publication.keys.filter(({ until = Infinity }) => now < until) : []
}

/**
 * These keys, and of those that stood there until now each that may have signed what is still out. A key is known by its
 * `kid`: another one of that `kid` takes its place at once.
 */
export function republish(
  before: readonly PublishedKey[],
  keys: readonly KeyToPublish[],
  { now, assertionDrainMilliseconds }: PublicationMoment,
): readonly PublishedKey[] {
  const standing = before.filter(({ until = Infinity }) => now < until)
  const atLeastUntil = now + assertionDrainMilliseconds
  const distinct = keys.filter((key, index) => keys.findIndex(({ jwk }) => jwk.kid === key.jwk.kid) === index)
  const staying = distinct.map((key) => {
    const known = standing.find(({ jwk }) => isSameKey(jwk, key.jwk))
    return stay(known, key, now, atLeastUntil)
  })
  const leaving = standing
    .filter(({ jwk }) => !keys.some((key) => key.jwk.kid === jwk.kid))
    .map((key) => ({ ...key, until: key.until ?? atLeastUntil }))
  return [...staying.filter(({ until = Infinity }) => now < until), ...leaving]
}

function stay(
  known: PublishedKey | undefined,
  { jwk, until }: KeyToPublish,
  now: number,
  atLeastUntil: number,
): PublishedKey {
  const publishedAt = Math.min(known?.publishedAt ?? now, now)
  if (until === undefined) return { jwk, publishedAt }
  if (!known) return { jwk, publishedAt, until }
  // One that had no end signed until a moment ago, as far as anybody knows, whatever time was meant for it.
  return { jwk, publishedAt, until: Math.max(until, known.until ?? atLeastUntil) }
}

function isSameKey({ x5c: _x5c, ...a }: PublicJwk, { x5c: _otherX5c, ...b }: PublicJwk): boolean {
  return Object.keys({ ...a, ...b }).every((member) => a[member as keyof typeof a] === b[member as keyof typeof b])
}

export interface Publishing {
  readonly keys: readonly KeyToPublish[]
  /** Of the key that comes next; where it signs already nothing waits. Milliseconds since the epoch. */
  readonly signsFrom?: number | undefined
  readonly assertionSeconds: number
}

/**
 * Undefined where there was nothing, and is nothing yet. A trial that is still to be made stays so: one too many does no harm.
 */
export function nextPublication(
  before: Publication | undefined,
  { keys, signsFrom, assertionSeconds }: Publishing,
  now: number,
): Publication | undefined {
  if (!before && keys.length === 0) return undefined
  const known = before?.kind === 'keys' ? before : undefined
  const moment = { now, assertionDrainMilliseconds: assertionDrainMilliseconds(assertionSeconds) }
  const tryAt = signsFrom !== undefined && signsFrom > now ? signsFrom : known?.tryAt
  return { kind: 'keys', keys: republish(known?.keys ?? [], keys, moment), ...(tryAt !== undefined && { tryAt }) }
}

/** Of one version of a secret, the keys that a server may meet: those that fit the algorithm and, where one is named, have that alias. */
export function keysToPublish(
  { algorithm, key: { alias }, assertionSeconds }: BuilderKey,
  keys: readonly SigningKey[],
  now: number,
): readonly KeyToPublish[] {
  const signing = currentKey(keys, now)
  return keys
    .filter(
      ({ keyId, privateKey }) =>
        (alias === undefined || keyId === alias) && !keyAlgorithmMismatch(privateKey, algorithm),
    )
    .flatMap((key): KeyToPublish[] => {
      const jwk = publicHalf(key, algorithm, now)
      if (!jwk) return []
      if (key === signing || key.signsUntil === undefined) return [{ jwk }]
      return [{ jwk, until: key.signsUntil + assertionDrainMilliseconds(assertionSeconds) }]
    })
}
