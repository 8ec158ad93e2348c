import type { Secret } from '../secret/secret.ts'
import { readGeneratedKeys } from '../signing-key/read-generated-keys.ts'
import type { SigningKey } from '../signing-key/signing-key.ts'
import { readReplaces } from '../signing-key/write-key-set.ts'
import type { RotatedBuilder } from './rotated-builder.ts'
import type { RotatingSecret } from './rotating-secret.ts'
import { RotationGivenUpError } from './rotation-given-up-error.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'

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
