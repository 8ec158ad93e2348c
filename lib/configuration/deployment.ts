import type { Elements, Kind } from './element.ts'
import type { ElementReading } from './element-store.ts'
import type { Finding } from './finding.ts'

/** One installation of Tokenwell, as far as elements depend on it. */
export interface Deployment {
  /** The URL of the HTTP API, without a slash at its end: part of the default `iss`. */
  readonly publicUrl: string
  /** Names this deployment in the names of its secrets and parameters: `local`, `test`, `prod`. */
  readonly stage: string
  /** Whether the functions run on Lambda, where nothing but Lambda listens on the loopback address. */
  readonly isLambda: boolean
  /** The name of the secret that holds the cache's keys, where it is not `tokenwell/<stage>/cache`. */
  readonly cacheSecret?: string
}

/** The name under which a deployment logs and counts. */
export function serviceName(stage: string): string {
  return `tokenwell-${stage}`
}

/** The names of all secrets of a deployment begin with it, and grants name it. */
export function secretPrefix({ stage }: Pick<Deployment, 'stage'>): string {
  return `tokenwell/${stage}/`
}

/** Whether a name is under the prefix, and has no dots that step out of it. */
export function isNameOfSecret(name: string, prefix: string): boolean {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return rest.split('/').every((part) => /^[A-Za-z0-9_+=.@-]+$/.test(part) && !/^\.+$/.test(part))
}

/** Whether it is of the cache, or of a key that Tokenwell makes: each has one use, and no element names it. */
export function isReservedSecret(name: string, { cacheSecret }: Pick<Deployment, 'cacheSecret'> = {}): boolean {
  return name === cacheSecret || /^tokenwell\/[^/]+\/(cache$|jwk\/)/.test(name)
}

/** The attributes that hold the name of a secret. */
const secretNames = {
  keyStore: ['location'],
  authData: ['passwordSecret'],
  jwtBuilder: ['sharedKey'],
} as const satisfies { [K in Kind]?: readonly (keyof Elements[K])[] }

/**
 * A mistake for each name of a secret that isn't under this deployment's prefix, or is of a secret of Tokenwell's own. The
 * finding does not repeat the name: if an operator wrote the secret itself there, it would end up in a log.
 */
export function checkSecretNames(readings: readonly ElementReading[], deployment: Deployment): Finding[] {
  return readings.flatMap(({ reference, attributes: read }) => {
    const attributes: readonly string[] =
      (secretNames as Partial<Record<Kind, readonly string[]>>)[reference.kind] ?? []
    return attributes.flatMap((attribute): Finding[] => {
      const name = (read as Record<string, unknown>)[attribute]
      const sentence = typeof name === 'string' ? whyNotHere(name, deployment) : undefined
      return sentence === undefined ? [] : [{ severity: 'mistake', element: reference, attribute, sentence }]
    })
  })
}

function whyNotHere(name: string, deployment: Deployment): string | undefined {
  const prefix = secretPrefix(deployment)
  if (!isNameOfSecret(name, prefix))
    return `It must be the name of a secret under ${prefix}, such as ${prefix}my-key. An element never holds the secret itself.`
  return isReservedSecret(name, deployment)
    ? `It must name another secret: the secret of the cache and the secrets under ${prefix}jwk/ are reserved for Tokenwell.`
    : undefined
}
