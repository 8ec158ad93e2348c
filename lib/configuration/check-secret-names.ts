import type { Elements, Kind } from './element.ts'
import type { ElementReading } from './element-store.ts'
import type { Finding } from './finding.ts'
import { isNameOfSecret } from './name-of-secret.ts'
import { type Surroundings, secretPrefix } from './surroundings.ts'

/** The attributes that hold the name of a secret. */
const secretNames = {
  keyStore: ['location'],
  authData: ['passwordSecret'],
  jwtBuilder: ['sharedKey'],
} as const satisfies { [K in Kind]?: readonly (keyof Elements[K])[] }

/**
 * A mistake for each name that isn't under this deployment's prefix. The name is not repeated: whoever wrote the secret
 * itself there would find it in a log.
 */
export function checkSecretNames(readings: readonly ElementReading[], surroundings: Surroundings): Finding[] {
  const prefix = secretPrefix(surroundings)
  return readings.flatMap(({ reference, attributes: read }) => {
    const attributes: readonly string[] =
      (secretNames as Partial<Record<Kind, readonly string[]>>)[reference.kind] ?? []
    return attributes.flatMap((attribute): Finding[] => {
      const name = (read as Record<string, unknown>)[attribute]
      if (typeof name !== 'string' || isNameOfSecret(name, prefix)) return []
      return [
        {
          severity: 'mistake',
          element: reference,
          attribute,
          sentence: `it must be the name of a secret under ${prefix}, such as ${prefix}my-key; the secret itself never stands in an element.`,
        },
      ]
    })
  })
}
