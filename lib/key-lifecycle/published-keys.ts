import { isInKms } from '../configuration/assertion-configuration.ts'
import type { BuilderKey } from '../configuration/resolve-key.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { whyUnfit } from '../signing/key-algorithm.ts'
import { type PublicJwk, publicHalf } from '../signing/public-jwk.ts'
import { assertionDrainMilliseconds, currentKey, type SigningKey } from '../signing/signing-key.ts'

/** The published keys of one jwtBuilder, which any caller can read. */
export type Publication =
  | PublishedSet
  /** HS*: both sides hold the same secret key, which must not be published. */
  | { readonly kind: 'shared_key'; readonly algorithm: SignatureAlgorithm }

export interface PublishedSet {
  readonly kind: 'keys'
  readonly keys: readonly PublishedKey[]
  /** When the staged key starts to sign and must be tried at the real token endpoint. Absent once it was tried. */
  readonly tryAt?: number
}

/** A public key that is published. Times are milliseconds since the epoch. */
export interface PublishedKey {
  readonly jwk: PublicJwk
  /** The key has been published without a gap since then. */
  readonly publishedAt: number
  /** When the last assertion that the key signed has expired. Absent while the key signs or certainly will. */
  readonly until?: number
  /** For a key in KMS. It is never served. */
  readonly pin?: Pin
}

/** Which KMS key signs, and when. Milliseconds since the epoch. */
export interface Pin {
  readonly keyArn: string
  readonly signsFrom: number
  /** Absent as long as no next key will replace it. */
  readonly signsUntil?: number
}

/** A public key that must be published. */
export interface KeyToPublish {
  readonly jwk: PublicJwk
  /** Absent while the key signs or certainly will. */
  readonly until?: number
  readonly pin?: Pin
}

export interface PublicationMoment {
  readonly now: number
  /** How long a key stays published after its last signature. */
  readonly assertionDrainMilliseconds: number
  /** How long before its first signature a key may be published. */
  readonly aheadMilliseconds: number
}

/** The keys that callers get at that time. */
export function keysOf(publication: Publication | undefined, now: number): readonly PublishedKey[] {
  return publication?.kind === 'keys' ? publication.keys.filter(({ until = Infinity }) => now < until) : []
}

/**
 * Publishes these keys, and keeps each published key whose assertions may not have expired, but no longer than any key can be
 * useful. The `kid` identifies a key: a new key replaces one with the same `kid` at once.
 */
export function republish(
  before: readonly PublishedKey[],
  keys: readonly KeyToPublish[],
  { now, assertionDrainMilliseconds, aheadMilliseconds }: PublicationMoment,
): readonly PublishedKey[] {
  // A staged key may be replaced at the moment when it would start to sign, so it signs no later than that.
  const latestUntil = now + aheadMilliseconds + assertionDrainMilliseconds
  const visible = before
    .filter(({ until = Infinity }) => now < until)
    .map((key) => (key.until === undefined ? key : { ...key, until: Math.min(key.until, latestUntil) }))
  const atLeastUntil = now + assertionDrainMilliseconds
  const distinct = keys.filter((key, index) => keys.findIndex(({ jwk }) => jwk.kid === key.jwk.kid) === index)
  const staying = distinct.map((key) => {
    const known = visible.find(({ jwk }) => isSameKey(jwk, key.jwk))
    return publishedKey(known, key, now, atLeastUntil)
  })
  const leaving = visible
    .filter(({ jwk }) => !keys.some((key) => key.jwk.kid === jwk.kid))
    .map(({ pin: _signsNoLonger, ...key }) => ({ ...key, until: key.until ?? atLeastUntil }))
  return [...staying.filter(({ until = Infinity }) => now < until), ...leaving]
}

function publishedKey(
  known: PublishedKey | undefined,
  { until, ...key }: KeyToPublish,
  now: number,
  atLeastUntil: number,
): PublishedKey {
  const publishedAt = Math.min(known?.publishedAt ?? now, now)
  if (until === undefined) return { ...key, publishedAt }
  if (!known) return { ...key, publishedAt, until }
  // A key without an end may have signed until now, whatever end was planned for it.
  return { ...key, publishedAt, until: Math.max(until, known.until ?? atLeastUntil) }
}

function isSameKey({ x5c: _x5c, ...a }: PublicJwk, { x5c: _otherX5c, ...b }: PublicJwk): boolean {
  return Object.keys({ ...a, ...b }).every((member) => a[member as keyof typeof a] === b[member as keyof typeof b])
}

export interface Publishing {
  readonly keys: readonly KeyToPublish[]
  /** When the staged key starts to sign, in milliseconds since the epoch. */
  readonly signsFrom?: number | undefined
  readonly assertionSeconds: number
  /** How long before its first signature a key may be published. */
  readonly aheadMilliseconds: number
}

/** The next publication. A trial that is still due stays due: one trial too many does no harm. */
export function nextPublication(
  before: Publication | undefined,
  { keys, signsFrom, assertionSeconds, aheadMilliseconds }: Publishing,
  now: number,
): Publication | 'unchanged' {
  if (!before && keys.length === 0) return 'unchanged'
  const known = before?.kind === 'keys' ? before : undefined
  const drain = assertionDrainMilliseconds(assertionSeconds)
  const moment = { now, assertionDrainMilliseconds: drain, aheadMilliseconds }
  const tryAt = signsFrom !== undefined && signsFrom > now ? signsFrom : known?.tryAt
  return { kind: 'keys', keys: republish(known?.keys ?? [], keys, moment), ...(tryAt !== undefined && { tryAt }) }
}

/** The keys of one version of a secret that may sign: they fit the algorithm, and have the alias if one is configured. */
export function keysToPublish(
  { algorithm, key, assertionSeconds }: Pick<BuilderKey, 'algorithm' | 'key' | 'assertionSeconds'>,
  keys: readonly SigningKey[],
  now: number,
): readonly KeyToPublish[] {
  const signing = currentKey(keys, now)
  const alias = isInKms(key) ? undefined : key.alias
  return keys
    .filter((each) => (alias === undefined || each.keyId === alias) && !whyUnfit(each, algorithm))
    .flatMap((each): KeyToPublish[] => {
      const jwk = publicHalf(each, algorithm, now)
      if (!jwk) return []
      if (each === signing || each.signsUntil === undefined) return [{ jwk }]
      return [{ jwk, until: each.signsUntil + assertionDrainMilliseconds(assertionSeconds) }]
    })
}
