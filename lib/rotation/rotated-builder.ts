import type { GeneratedKey } from '../configuration/connection.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { type BuilderKey, resolveBuilderKey } from '../configuration/resolve-builder-key.ts'
import { isSharedKeyAlgorithm } from '../configuration/signature-algorithm.ts'
import type { Surroundings } from '../configuration/surroundings.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'

/** A jwtBuilder whose keys Tokenwell makes. */
export interface RotatedBuilder extends BuilderKey {
  readonly generated: GeneratedKey
}

/**
 * @throws {RotationRefusedError} where it is none
 * @throws {ConfigurationError}
 */
export async function resolveRotatedBuilder(
  elements: ElementStore,
  surroundings: Surroundings,
  jwtBuilder: string,
): Promise<RotatedBuilder> {
  const builder = await resolveBuilderKey(elements, surroundings, jwtBuilder)
  const name = `jwtBuilder/${jwtBuilder}`
  if (!builder)
    throw new RotationRefusedError(`There is no ${name}: add it, or end the rotation of its secret and delete that.`)
  const { algorithm, certificateThumbprint, key } = builder
  if (isSharedKeyAlgorithm(algorithm))
    throw new RotationRefusedError(`${name} signs with a shared key (${algorithm}), which both sides change together.`)
  if (!key.generated)
    throw new RotationRefusedError(
      `${name} signs with a key of its keyStore: set jwkEnabled to have it made and rotated.`,
    )
  if (certificateThumbprint !== 'none')
    throw new RotationRefusedError(
      `${name} asks for the ${certificateThumbprint} of a certificate, and a key that is made here has none: set certificateThumbprint to none, or bring keys of your own.`,
    )
  return { ...builder, generated: key.generated }
}
