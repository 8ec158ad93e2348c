import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { KmsKeyReference } from '../configuration/assertion-configuration.ts'
import type { BuilderKey } from '../configuration/resolve-key.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { keyAlgorithmMismatch } from '../signing/key-algorithm.ts'
import { KeyServiceError, type ServiceKey } from '../signing/key-service.ts'
import { certificatesOfKmsKey } from '../signing/kms-certificates.ts'
import { type PublicJwk, publicJwkOf } from '../signing/public-jwk.ts'
import { assertionDrainMilliseconds, currentKey, keyIdOf } from '../signing/signing-key.ts'
import { type KeyToPublish, keysOf, type Pin, type Publication, type PublishedKey } from './published-keys.ts'

/*
 *   first seen under the alias                    signsFrom
 *        |--------- publishAheadSeconds --------------|---- the new key signs
 *   ------------ the key before it signs -------------|---- drain period ----|
 */

/** A jwtBuilder whose key is in KMS. */
export interface KmsBuilder extends BuilderKey {
  readonly key: KmsKeyReference
}

export interface PinnedPlan {
  readonly keys: readonly KeyToPublish[]
  /** When the key of the alias starts to sign, if that is later. */
  readonly signsFrom?: number
}

/**
 * Plans which KMS keys a jwtBuilder publishes, and when each signs. The key of the alias signs after it was published for
 * `publishAheadSeconds`, or at once if no other key signs. The key before it signs until then.
 * @param before without revoked keys
 * @param revoked whether the operator has revoked a `kid`
 * @throws {KeyServiceError} if the key of the alias can't be published
 */
export function planPinnedKeys(
  builder: KmsBuilder,
  ofAlias: ServiceKey,
  before: Publication | undefined,
  revoked: ReadonlySet<string>,
  now: number,
): PinnedPlan {
  const { algorithm, assertionSeconds } = builder
  const published = keysOf(before, now)
  const jwk = publicJwkOfAlias(builder, ofAlias, now)
  demandOwnKid(builder.key, jwk, ofAlias, published)
  const pinned = published.flatMap(({ pin, ...key }) => (pin ? [{ ...key, pin, ...pin }] : []))
  const known = pinned.find((each) => isKeyOf(each, jwk, ofAlias))
  const others = pinned.filter((each) => each !== known)
  const isFitting = (each: PublishedKey) => each === known || fits(each.jwk, algorithm)
  const drain = assertionDrainMilliseconds(assertionSeconds)
  const end = ({ jwk: other, pin }: Pinned, signsUntil: number): KeyToPublish => ({
    jwk: other,
    pin: { ...pin, signsUntil },
    until: signsUntil + drain,
  })
  /** A key that was planned and has not signed is left out: it signs nothing. */
  const keep = (signsFrom: number) => (key: Pinned) =>
    key.pin.signsFrom <= now ? [end(key, Math.min(key.pin.signsUntil ?? Infinity, signsFrom))] : []

  if (revoked.has(jwk.kid)) {
    const signing = currentKey(others.filter(isFitting), now)
    // The key before it goes on, whatever end was planned for it.
    const staying = others.filter((key) => key !== signing).flatMap(keep(now))
    return { keys: [...(signing ? [{ jwk: signing.jwk, pin: withoutEnd(signing.pin) }] : []), ...staying] }
  }

  const current = currentKey(pinned.filter(isFitting), now)
  const signsFrom = firstSignature(current, known, builder.key, now)
  const own = { jwk, pin: { keyArn: ofAlias.keyArn, signsFrom } }
  const ended = others.flatMap((key) => (key === current ? [end(key, signsFrom)] : keep(Math.min(now, signsFrom))(key)))
  return { keys: [own, ...ended], ...(signsFrom > now && { signsFrom }) }
}

type Pinned = PublishedKey & { readonly pin: Pin }

function firstSignature(
  current: Pinned | undefined,
  known: Pinned | undefined,
  { publishAheadSeconds }: KmsKeyReference,
  now: number,
): number {
  if (!current) return now
  if (known === current) return current.pin.signsFrom
  return Math.max(now, (known?.publishedAt ?? now) + publishAheadSeconds * 1000)
}

function withoutEnd({ signsUntil: _end, ...pin }: Pin): Pin {
  return pin
}

function isKeyOf({ jwk, pin }: Pinned, own: PublicJwk, { keyArn }: ServiceKey): boolean {
  return jwk.kid === own.kid && pin.keyArn === keyArn
}

function fits(jwk: PublicJwk, algorithm: SignatureAlgorithm): boolean {
  return keyAlgorithmMismatch(createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), algorithm) === undefined
}

/** @throws {KeyServiceError} if the key doesn't fit the algorithm, or the certificate is of another key */
function publicJwkOfAlias({ key, algorithm }: KmsBuilder, { publicKey }: ServiceKey, now: number): PublicJwk {
  const jwk = isFittingKey(publicKey, algorithm, key) && {
    keyId: key.kid ?? keyIdOf(publicKey),
    certificates: certificatesOfKmsKey(key, publicKey),
  }
  const shown = jwk && publicJwkOf({ publicKey, ...jwk }, algorithm, now)
  if (shown) return shown
  throw new KeyServiceError(
    key.kmsAlias,
    'is of a kind that has no JWK. Use an RSA key or an EC key on P-256, P-384 or P-521.',
  )
}

function isFittingKey(publicKey: KeyObject, algorithm: SignatureAlgorithm, { kmsAlias }: KmsKeyReference): true {
  const mismatch = keyAlgorithmMismatch(publicKey, algorithm, 'is')
  if (mismatch) throw new KeyServiceError(kmsAlias, mismatch)
  return true
}

/** Verifiers find a key by its `kid`, so two keys that are published together need two. */
function demandOwnKid(
  { kmsAlias, jwtBuilder }: KmsKeyReference,
  { kid }: PublicJwk,
  { keyArn }: ServiceKey,
  published: readonly PublishedKey[],
): void {
  if (published.some(({ jwk, pin }) => jwk.kid === kid && pin && pin.keyArn !== keyArn))
    throw new KeyServiceError(
      kmsAlias,
      `is another key than the one that jwtBuilder/${jwtBuilder} publishes with the kid ${kid}, which goes on signing. Write another kid into the keyStore of the new key.`,
    )
}
