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
import { aheadMillisecondsOf, planKeys, type RotatedBuilder } from './plan-keys.ts'
import type { PublicationStore } from './publication-store.ts'
import type { KeyPublisher } from './publish-keys.ts'
import { type KeyToPublish, keysOf, keysToPublish, nextPublication, type Publication } from './published-keys.ts'
import { type RotatingSecret, RotationGivenUpError, RotationRefusedError } from './rotating-secret.ts'
import type { UnrevokedPublications } from './unrevoked-publications.ts'

/** One rotation of one secret. */
export interface Rotation {
  readonly builder: RotatedBuilder
  readonly secret: RotatingSecret
  /** Names the rotation, and the version of the secret that it makes. */
  readonly token: string
  readonly publicationStore: PublicationStore
  readonly publications: UnrevokedPublications
  readonly now: () => number
  /** The end of this step, in milliseconds since the epoch. */
  readonly deadline: number
}

/*
 * The four steps, in their order. Every step can be repeated, also after a failure, and changes nothing the second time.
 */

/**
 * Plans the next keys and writes them as the pending version. A repetition finds that version and leaves it unchanged.
 * @throws {RotationRefusedError} if there is a staged key already, or this rotation was given up
 * @throws {KeyStoreError} if the secret holds a text that no rotation wrote: it stays as it is
 */
export async function createSecret({ builder, secret, token, publications, now, deadline }: Rotation): Promise<void> {
  const { location } = builder.key
  const { current, pending } = await secret.labels()
  if (current === token) return
  if (await secret.read(token)) {
    if (pending === token) return
    throw new RotationRefusedError(`This rotation of the secret ${location} was given up. Start a new rotation.`)
  }

  const before = await readVersion(secret, current)
  const revoked = await publications.revokedOf(builder.key, deadline)
  try {
    const known = readGeneratedKeys(location, before).filter(({ keyId }) => !revoked.has(keyId))
    const keys = planKeys(builder, known, now(), () => createKey(builder))
    // If two processes run this step at once, the keys of the first one are used.
    await secret.putPending(token, writeKeySet(keys, builder.algorithm, current, before))
  } catch (error) {
    if (error instanceof RotationRefusedError || error instanceof KeyStoreError) await secret.giveUp(token)
    throw error
  }
}

/**
 * Publishes the staged key beside the current ones. If this rotation is never finished, the published staged key expires.
 * @throws {RotationRefusedError}
 * @throws {RotationGivenUpError}
 */
export async function setSecret(rotation: Rotation, keyPublisher: KeyPublisher): Promise<void> {
  const version = await readPendingVersion(rotation)
  // The first version of a secret is current as soon as it is written.
  if (version.kind === 'already_current')
    return await keyPublisher.publish([rotation.builder.jwtBuilder], rotation.deadline)
  await publishStagedKey(rotation, version, 'staging')
}

/**
 * Signs with the staged key, and verifies with the published one, as an authorization server does.
 * @throws {RotationRefusedError} if it isn't published
 * @throws {RotationGivenUpError} if the two are not a pair
 */
export async function testSecret(rotation: Rotation): Promise<void> {
  if (await isTrialOfConfiguration(rotation)) return
  const version = await readPendingVersion(rotation)
  if (version.kind === 'already_current') return

  const { builder, publicationStore, now, deadline } = rotation
  const { jwtBuilder, algorithm } = builder
  const { location } = builder.key
  const { stagedKey } = version
  const { keyId } = stagedKey
  const signed = await publicationStore.read(jwtBuilder, deadline)
  const published = keysOf(signed?.publication, now()).find(({ jwk }) => jwk.kid === keyId)
  if (!published)
    throw new RotationRefusedError(
      `The next key ${keyId} of the secret ${location} is not published. Run the step setSecret first.`,
    )
  if (!(await isPair(stagedKey, published.jwk, algorithm)))
    await giveUp(
      rotation,
      `The next key ${keyId} of the secret ${location} does not match its published public key. The rotation was given up and the current keys stay in use. Rotate the secret again.`,
    )
}

/**
 * Whether Secrets Manager only tests the function, for example when a rotation is set up with `RotateImmediately=false`. It then
 * labels a version that has no text, and asks for this step alone.
 */
async function isTrialOfConfiguration({ secret, token }: Rotation): Promise<boolean> {
  const { current, pending } = await secret.labels()
  return current !== token && pending === token && (await secret.read(token)) === undefined
}

/**
 * Makes the pending version the current one. From then on each process starts to sign with the new key by its own clock.
 * @throws {RotationRefusedError}
 * @throws {RotationGivenUpError}
 */
export async function finishSecret(rotation: Rotation): Promise<void> {
  const version = await readPendingVersion(rotation)
  if (version.kind === 'already_current') return

  await publishStagedKey(rotation, version, 'activating')
  const isCurrent = await rotation.secret.makeCurrent(rotation.token, version.replaces)
  const { location } = rotation.builder.key
  if (!isCurrent)
    await giveUp(
      rotation,
      `The secret ${location} was changed while this rotation was being finished. The rotation was given up and the current keys stay in use. Rotate the secret again.`,
    )
}

/** The version that a rotation wrote and will make current. */
interface PendingVersion {
  readonly kind: 'pending'
  /** The current version. Undefined if the secret has none. */
  readonly replaces: string | undefined
  readonly replacedKeys: readonly SigningKey[]
  readonly stagedKey: SigningKey
  /** False if the current version also holds the staged key, which then only starts to sign earlier. */
  readonly isNew: boolean
}

/**
 * @throws {RotationRefusedError} if the rotation has not started, or another one started since
 * @throws {RotationGivenUpError} if the secret has changed since the rotation started
 */
async function readPendingVersion(rotation: Rotation): Promise<PendingVersion | { readonly kind: 'already_current' }> {
  const { builder, secret, token, publications, deadline } = rotation
  const { location } = builder.key
  const { current, pending } = await secret.labels()
  if (current === token) return { kind: 'already_current' }
  const text = pending === token ? await secret.read(token) : undefined
  const [stagedKey] = readGeneratedKeys(location, text)
  if (!text || !stagedKey)
    throw new RotationRefusedError(
      `The secret ${location} has no pending version of this rotation. Either createSecret did not run first, or another rotation replaced this one. Start a new rotation.`,
    )

  if (readReplaces(text) !== current)
    return await giveUp(
      rotation,
      `The secret ${location} was changed after this rotation started. The rotation was given up and the current keys stay in use. Rotate the secret again.`,
    )
  const revoked = await publications.revokedOf(builder.key, deadline)
  const { keyId } = stagedKey
  if (revoked.has(keyId))
    return await giveUp(
      rotation,
      `The next key ${keyId} of the secret ${location} was revoked. The rotation was given up and the current keys stay in use. Rotate the secret again.`,
    )
  const replaced = readGeneratedKeys(location, await readVersion(secret, current))
  const replacedKeys = replaced.filter(({ keyId }) => !revoked.has(keyId))
  const isNew = replacedKeys.every(({ keyId }) => keyId !== stagedKey.keyId)
  return { kind: 'pending', replaces: current, replacedKeys, stagedKey, isNew }
}

async function readVersion(secret: RotatingSecret, version: string | undefined): Promise<Secret | undefined> {
  return version === undefined ? undefined : await secret.read(version)
}

function createKey({ algorithm, generated }: RotatedBuilder): SigningKey {
  const privateKey = generateKey(algorithm, generated.modulusLength)
  return { privateKey, keyId: keyIdOf(privateKey), certificates: [] }
}

/** @throws {RotationGivenUpError} always */
async function giveUp({ secret, token }: Rotation, message: string): Promise<never> {
  await secret.giveUp(token)
  throw new RotationGivenUpError(message)
}

/** `activating`: the version becomes current next, so the staged key stays published. */
type Phase = 'staging' | 'activating'

/**
 * Publishes the staged key beside the current ones.
 * @throws {RotationGivenUpError} if the key was not published for `publishAheadSeconds` before it signs
 */
async function publishStagedKey(rotation: Rotation, version: PendingVersion, phase: Phase): Promise<void> {
  const { builder, publications, now, deadline } = rotation
  const { assertionSeconds, generated } = builder
  const { location } = builder.key
  const { keyId } = version.stagedKey
  const aheadMilliseconds = aheadMillisecondsOf(generated)
  // A first key is not tried: the operator still has to register the URL of the published keys at the authorization server.
  const signsFrom = phase === 'activating' && version.replacedKeys.length > 0 ? version.stagedKey.signsFrom : undefined
  const published = await publications.change(
    builder.key,
    async (before) => {
      const keys = keysBesideStaged(builder, version, phase, now())
      return nextPublication(before, { keys, signsFrom, assertionSeconds, aheadMilliseconds }, now())
    },
    deadline,
  )
  if (!isPublishedInTime(builder, version, published?.publication, now()))
    await giveUp(
      rotation,
      `The next key ${keyId} of the secret ${location} was published too late: the servers that verify its signatures could not know it before it signs. The rotation was given up and the current keys stay in use. Rotate the secret again.`,
    )
}

/** The staged key and the current ones. The new times of the current keys count only once the pending version is current. */
function keysBesideStaged(
  builder: RotatedBuilder,
  { replacedKeys, stagedKey, isNew }: PendingVersion,
  phase: Phase,
  now: number,
): readonly KeyToPublish[] {
  const current = keysToPublish(builder, replacedKeys, now)
  if (!isNew) return current
  const until = Math.max(now, stagedKey.signsFrom ?? 0) + assertionDrainMilliseconds(builder.assertionSeconds)
  const staged = keysToPublish(builder, [stagedKey], now)
  return [...staged.map(({ jwk }) => (phase === 'staging' ? { jwk, until } : { jwk })), ...current]
}

/**
 * A process signs with a new key once the key's version is current and its start time has come. If no key signs at all, the new
 * key cannot be too late.
 */
function isPublishedInTime(
  { algorithm, generated }: RotatedBuilder,
  { replacedKeys, stagedKey, isNew }: PendingVersion,
  publication: Publication | undefined,
  now: number,
): boolean {
  const fitting = replacedKeys.filter(({ privateKey }) => !keyAlgorithmMismatch(privateKey, algorithm))
  const published = keysOf(publication, now).find(({ jwk }) => jwk.kid === stagedKey.keyId)
  if (!published) return false
  if (!isNew || !currentKey(fitting, now)) return true
  return published.publishedAt + generated.publishAheadSeconds * 1000 <= Math.max(stagedKey.signsFrom ?? 0, now)
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
