import { compactVerify, importJWK, type JWK } from 'jose'
import type { Secret } from '../secret/secret.ts'
import { generateKey, keyAlgorithmMismatch } from '../signing/key-algorithm.ts'
import type { PublicJwk } from '../signing/public-jwk.ts'
import { createLocalSigner } from '../signing/signer.ts'
import {
  assertionDrainMilliseconds,
  currentKey,
  KeyStoreError,
  keyIdOf,
  type SigningKey,
} from '../signing/signing-key.ts'
import { readGeneratedKeys, readReplaces, writeKeySet } from '../signing/signing-secret.ts'
import { planKeys, type RotatedBuilder } from './plan-keys.ts'
import type { Publications } from './publication-store.ts'
import { type KeyToPublish, keysOf, keysToPublish, nextPublication, type Publication } from './published-keys.ts'
import { type RotatingSecret, RotationGivenUpError, RotationRefusedError } from './rotating-secret.ts'

/** Of which the steps are done one by one. */
export interface Rotation {
  readonly builder: RotatedBuilder
  readonly secret: RotatingSecret
  /** Names the version that it makes. */
  readonly token: string
}

/** What a rotation is about to make current. */
export interface PendingKeys {
  /** The version in whose place it comes; undefined where there is none. */
  readonly replaces: string | undefined
  readonly before: readonly SigningKey[]
  /** The one that will sign. */
  readonly next: SigningKey
  /** Where it is there already, it only signs earlier. */
  readonly isNew: boolean
}

/**
 * The keys of a rotation that has been begun and is not over.
 * @returns undefined where its version is current already
 * @throws {RotationRefusedError} where it has not been begun, or another one was begun since
 * @throws {RotationGivenUpError} where the secret has changed since it was begun
 */
export async function readPendingKeys(rotation: Rotation): Promise<PendingKeys | undefined> {
  const { builder, secret, token } = rotation
  const { location } = builder.key
  const { current, pending } = await secret.labels()
  if (current === token) return undefined
  const text = pending === token ? await secret.read(token) : undefined
  const [next] = readGeneratedKeys(location, text)
  if (!text || !next)
    throw new RotationRefusedError(
      `The secret ${location} has no pending version of this rotation: createSecret comes first, and another rotation takes its place.`,
    )

  if (readReplaces(text) !== current) return giveUp(rotation, 'has changed since this rotation was begun')
  const before = readGeneratedKeys(location, await readVersion(secret, current))
  return { replaces: current, before, next, isNew: before.every(({ keyId }) => keyId !== next.keyId) }
}

export async function readVersion(secret: RotatingSecret, version: string | undefined): Promise<Secret | undefined> {
  return version === undefined ? undefined : secret.read(version)
}

/** @throws {RotationGivenUpError} always */
export async function giveUp({ builder, secret, token }: Rotation, why: string): Promise<never> {
  await secret.giveUp(token)
  throw new RotationGivenUpError(`The secret ${builder.key.location} ${why}: nothing is changed. Rotate it again.`)
}

/**
 * Writes the next keys as the pending version, once: a repetition finds them.
 * @throws {RotationRefusedError} where a next key waits already, or this rotation was given up
 * @throws {KeyStoreError} where the secret holds what no rotation has written: it stays as it is
 */
export async function createSecret({ builder, secret, token }: Rotation, now: number): Promise<void> {
  const { location } = builder.key
  const { current, pending } = await secret.labels()
  if (current === token) return
  if (await secret.read(token)) {
    if (pending === token) return
    throw new RotationRefusedError(`This rotation of the secret ${location} was given up: begin another one.`)
  }

  const before = await readVersion(secret, current)
  try {
    const keys = planKeys(builder, readGeneratedKeys(location, before), now, () => createKey(builder))
    // Where two do this step at once, the first one's keys are as good.
    await secret.putPending(token, writeKeySet(keys, builder.algorithm, current))
  } catch (error) {
    if (error instanceof RotationRefusedError || error instanceof KeyStoreError) await secret.giveUp(token)
    throw error
  }
}

function createKey({ algorithm, generated }: RotatedBuilder): SigningKey {
  const privateKey = generateKey(algorithm, generated.modulusLength)
  return { privateKey, keyId: keyIdOf(privateKey), certificates: [] }
}

export interface PublishPendingParts {
  readonly publications: Publications
  readonly now: () => number
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

/**
 * Publishes the key that a rotation adds, beside those that are current.
 * @param stay `always` where its version is about to be current; else, unless that happens, it goes by itself after its time
 * @throws {RotationGivenUpError} where servers could not know it for `publishAheadSeconds` before it signs
 */
export async function publishPendingKeys(
  rotation: Rotation,
  pending: PendingKeys,
  stay: 'always' | 'for now',
  { publications, now, deadline }: PublishPendingParts,
): Promise<void> {
  const { builder } = rotation
  const { jwtBuilder, assertionSeconds } = builder
  // The first one takes nobody's place: servers are still to be told where it is published.
  const signsFrom = stay === 'always' && pending.before.length > 0 ? pending.next.signsFrom : undefined
  const publication = await publications.change(
    jwtBuilder,
    async (before) => {
      const keys = keysOfBoth(builder, pending, stay, now())
      return nextPublication(before, { keys, signsFrom, assertionSeconds }, now())
    },
    deadline,
  )
  if (!isAhead(builder, pending, publication, now()))
    await giveUp(rotation, 'has a next key that was published too late for servers to know it in time')
}

/** What the pending version says of keys that are there already holds from when it is current. */
function keysOfBoth(
  builder: RotatedBuilder,
  { before, next, isNew }: PendingKeys,
  stay: 'always' | 'for now',
  now: number,
): readonly KeyToPublish[] {
  const current = keysToPublish(builder, before, now)
  if (!isNew) return current
  const until = Math.max(now, next.signsFrom ?? 0) + assertionDrainMilliseconds(builder.assertionSeconds)
  const added = keysToPublish(builder, [next], now).map(({ jwk }) => ({ jwk, ...(stay === 'for now' && { until }) }))
  return [...added, ...current]
}

/** Signers take a new key from when its version is current and its time has come. Where none signs at all, any is better. */
function isAhead(
  { algorithm, generated }: RotatedBuilder,
  { before, next, isNew }: PendingKeys,
  publication: Publication | undefined,
  now: number,
): boolean {
  const fitting = before.filter(({ privateKey }) => !keyAlgorithmMismatch(privateKey, algorithm))
  const published = keysOf(publication, now).find(({ jwk }) => jwk.kid === next.keyId)
  if (!published) return false
  if (!isNew || !currentKey(fitting, now)) return true
  return published.publishedAt + generated.publishAheadSeconds * 1000 <= Math.max(next.signsFrom ?? 0, now)
}

export interface TestSecretParts {
  readonly publications: Publications
  readonly now: () => number
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

/**
 * Signs with the key that will sign, and verifies as a server does, with what is published.
 * @throws {RotationRefusedError} where it isn't published
 * @throws {RotationGivenUpError} where the two are no pair
 */
export async function testSecret(rotation: Rotation, { publications, now, deadline }: TestSecretParts): Promise<void> {
  const pending = await readPendingKeys(rotation)
  if (!pending) return

  const { jwtBuilder, algorithm, key } = rotation.builder
  const { next } = pending
  const publication = await publications.read(jwtBuilder, deadline)
  const published = keysOf(publication, now()).find(({ jwk }) => jwk.kid === next.keyId)
  if (!published)
    throw new RotationRefusedError(
      `The next key of the secret ${key.location}, ${next.keyId}, is not published: setSecret comes first.`,
    )
  if (!(await isPair(next, published.jwk, algorithm)))
    await giveUp(rotation, 'has a next key that is none to what is published')
}

async function isPair({ privateKey, keyId }: SigningKey, jwk: PublicJwk, alg: string): Promise<boolean> {
  const jws = await createLocalSigner(privateKey, { keyId }).sign({ alg }, { test: keyId })
  try {
    await compactVerify(jws.reveal(), await importJWK(jwk as JWK, alg))
    return true
  } catch {
    return false
  }
}

/**
 * Makes the pending version the current one: from then on the clock of each signer decides when it takes the new key.
 * @throws {RotationRefusedError}
 * @throws {RotationGivenUpError}
 */
export async function finishSecret(rotation: Rotation, parts: PublishPendingParts): Promise<void> {
  const pending = await readPendingKeys(rotation)
  if (!pending) return

  await publishPendingKeys(rotation, pending, 'always', parts)
  const isCurrent = await rotation.secret.makeCurrent(rotation.token, pending.replaces)
  if (!isCurrent) await giveUp(rotation, 'was changed while this rotation was finished')
}
