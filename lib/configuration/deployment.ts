import { isJsonObject } from '../base/decoding.ts'
import { secretsInBody } from './body-leaf.ts'
import type { Elements, Kind } from './element.ts'
import type { ElementReading } from './element-store.ts'
import type { Finding } from './finding.ts'

/** The facts about one deployment of Tokenwell that elements depend on. */
export interface Deployment {
  /** The URL of the HTTP API without a slash at the end. It is a part of the default `iss`. */
  readonly publicUrl: string
  /** The part of the names of secrets and parameters that identifies this deployment, such as `local`, `test` or `prod`. */
  readonly stage: string
  /** Whether the functions run on Lambda. There, only Lambda itself listens on the loopback address. */
  readonly isLambda: boolean
  /** The name of the secret with the keys of the cache, if it is not `tokenwell/<stage>/cache`. */
  readonly cacheSecret?: string
}

/**
 * The description of each parameter that a deployment writes. Events about changed parameters contain it, so the rule of the stack
 * leaves them out: the deployment raises one event for all of them.
 */
export const deployedDescription = 'Written by a deployment of Tokenwell'

/** The name of a deployment in logs and metrics. */
export function serviceName(stage: string): string {
  return `tokenwell-${stage}`
}

/** The beginning of the names of all secrets of a deployment. IAM grants use it too. */
export function secretPrefix({ stage }: Pick<Deployment, 'stage'>): string {
  // Elements hold full names. A secret value in place of a name lacks the prefix, so it is rejected and never repeated.
  // The price: an element that names a secret can't be the same for two stages.
  return `tokenwell/${stage}/`
}

/** Whether a name is under the prefix, without parts such as `..` that would leave it. */
export function isNameOfSecret(name: string, prefix: string): boolean {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return rest.split('/').every((part) => /^[A-Za-z0-9_+=.@-]+$/.test(part) && !/^\.+$/.test(part))
}

/** What the location of a key in AWS KMS begins with. */
export const kmsLocationPrefix = 'kms:'

export function isKmsLocation(location: string): boolean {
  return location.startsWith(kmsLocationPrefix)
}

/** The beginning of the aliases of all KMS keys that sign for a deployment. IAM grants use it too. */
export function kmsAliasPrefix(deployment: Pick<Deployment, 'stage'>): string {
  return `alias/${secretPrefix(deployment)}`
}

/** Whether the secret belongs to the cache or holds a key that Tokenwell makes. No element may name such a secret. */
export function isReservedSecret(name: string, { cacheSecret }: Pick<Deployment, 'cacheSecret'> = {}): boolean {
  return name === cacheSecret || /^tokenwell\/[^/]+\/(cache$|jwk\/)/.test(name)
}

/** The attributes that hold the name of a secret, or an object with members `{ secret }`. */
const secretNames = {
  keyStore: ['location'],
  authData: ['passwordSecret'],
  jwtBuilder: ['sharedKey'],
  authorizationServer: ['headers'],
  authToken: ['tokenRequest'],
} as const satisfies { [K in Kind]?: readonly (keyof Elements[K])[] }

/**
 * A mistake for each secret name that is not under this deployment's prefix, or that is reserved for Tokenwell. The finding does
 * not repeat the name: if an operator wrote the secret itself instead of its name, it would get into a log.
 */
export function checkSecretNames(readings: readonly ElementReading[], deployment: Deployment): Finding[] {
  return readings.flatMap(({ reference, attributes: read }) => {
    const attributes: readonly string[] =
      (secretNames as Partial<Record<Kind, readonly string[]>>)[reference.kind] ?? []
    return attributes.flatMap((attribute) =>
      secretsNamedBy((read as Record<string, unknown>)[attribute]).flatMap((named): Finding[] => {
        const sentence = whyNotHere(named, reference.kind, deployment)
        return sentence === undefined ? [] : [{ severity: 'mistake', element: reference, attribute, sentence }]
      }),
    )
  })
}

interface NamedSecret {
  readonly name: string
  /** What holds the name, as the subject of a sentence. */
  readonly place: string
}

function secretsNamedBy(value: unknown): readonly NamedSecret[] {
  if (typeof value === 'string') return [{ name: value, place: 'It' }]
  if (!isJsonObject(value)) return []
  if ('requestBody' in value)
    return secretsInBody(value['requestBody']).map((name) => ({ name, place: 'The value of secret in requestBody' }))
  return Object.entries(value).flatMap(([header, member]) =>
    isJsonObject(member) && typeof member['secret'] === 'string'
      ? [{ name: member['secret'], place: `The value of secret for the header ${header}` }]
      : [],
  )
}

function whyNotHere({ name, place }: NamedSecret, kind: Kind, deployment: Deployment): string | undefined {
  if (isKmsLocation(name) && kind !== 'keyStore')
    return `${place} must be the name of a secret. Only the location of a keyStore may name a KMS key, to sign with a private key.`
  if (isKmsLocation(name)) return whyNoAlias(name.slice(kmsLocationPrefix.length), deployment)
  const prefix = secretPrefix(deployment)
  const isOfAnotherStage = /^tokenwell\/[^/]+\//.test(name) && !name.startsWith(prefix)
  if (isOfAnotherStage)
    return `${place} names a secret of another stage. Name a secret under ${prefix}, or pass the other stage to npm run validate with --stage.`
  if (!isNameOfSecret(name, prefix))
    return `${place} must be the name of a secret under ${prefix}, such as ${prefix}my-key. An element never holds the secret itself.`
  return isReservedSecret(name, deployment)
    ? `${place} must name another secret: the secret of the cache and the secrets under ${prefix}jwk/ are reserved for Tokenwell.`
    : undefined
}

/** Aliases may have the same characters as names of secrets, but for `+`, `=`, `.` and `@` (API reference of AWS KMS). */
function whyNoAlias(alias: string, deployment: Deployment): string | undefined {
  const prefix = kmsAliasPrefix(deployment)
  const rest = alias.startsWith(prefix) ? alias.slice(prefix.length) : ''
  if (/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/.test(rest) && alias.length <= 256) return undefined
  return `It must be kms: and an alias under ${prefix}, such as kms:${prefix}my-key. A key without such an alias does not sign.`
}
