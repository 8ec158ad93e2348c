import { ConfigurationError } from '../configuration/configuration-error.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { Surroundings } from '../configuration/surroundings.ts'
import type { Publications } from '../publication/publications.ts'
import type { PublishKeys } from '../publication/publish-keys.ts'
import { createSecret } from './create-secret.ts'
import { finishSecret } from './finish-secret.ts'
import { publishPendingKeys } from './publish-pending-keys.ts'
import { type RotatedBuilder, resolveRotatedBuilder } from './rotated-builder.ts'
import type { OpenRotatingSecret, RotatingSecret } from './rotating-secret.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'
import type { RotationRequest } from './rotation-request.ts'
import { type Rotation, readPendingKeys } from './rotation-under-way.ts'
import { testSecret } from './test-secret.ts'

/**
 * One step of the rotation of a jwtBuilder's keys. Each can be repeated after whatever happened to it, and changes nothing the
 * second time.
 * @param deadline milliseconds since the epoch
 * @throws {RotationRefusedError}
 * @throws {RotationGivenUpError}
 * @throws {ConfigurationError}
 * @throws {ElementStoreError}
 * @throws {SecretError}
 * @throws {KeyStoreError}
 * @throws {CacheUnavailableError}
 */
export type RotateKey = (request: RotationRequest, deadline: number) => Promise<void>

export interface RotateKeyParts {
  readonly elements: ElementStore
  readonly surroundings: Surroundings
  readonly openRotatingSecret: OpenRotatingSecret
  readonly publications: Publications
  readonly publishKeys: PublishKeys
  readonly now: () => number
}

export function createRotateKey(parts: RotateKeyParts): RotateKey {
  const { openRotatingSecret, publications, publishKeys, now } = parts

  return async ({ step, jwtBuilder, secretName, token, rotationToken }, deadline) => {
    const secret = await openRotatingSecret(secretName, rotationToken)
    const builder = await resolveOrEnd(parts, jwtBuilder, secret, token)
    const rotation: Rotation = { builder, secret, token }
    switch (step) {
      case 'createSecret':
        return createSecret(rotation, now())
      case 'setSecret': {
        const pending = await readPendingKeys(rotation)
        // The first version of a secret is current as soon as it is written.
        if (!pending) return publishKeys([jwtBuilder], deadline)
        return publishPendingKeys(rotation, pending, 'for now', { publications, now, deadline })
      }
      case 'testSecret':
        return testSecret(rotation, { publications, now, deadline })
      case 'finishSecret':
        return finishSecret(rotation, { publications, now, deadline })
    }
  }
}

/** A rotation that can't be is not left pending: the next one would be taken for its repetition. */
async function resolveOrEnd(
  { elements, surroundings }: RotateKeyParts,
  jwtBuilder: string,
  secret: RotatingSecret,
  token: string,
): Promise<RotatedBuilder> {
  try {
    return await resolveRotatedBuilder(elements, surroundings, jwtBuilder)
  } catch (error) {
    if (error instanceof RotationRefusedError || error instanceof ConfigurationError) await secret.giveUp(token)
    throw error
  }
}
