import type { GeneratedKey, KeyReference } from './connection.ts'
import { checkSecretNames, type Deployment, secretPrefix } from './deployment.ts'
import { type CertificateThumbprint, defaultElementIds, type ElementReference, type JwtBuilder } from './element.ts'
import { collectElements, type Resolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import { ConfigurationError, type Finding, isMistake } from './finding.ts'
import {
  defaultSignatureAlgorithm,
  isRsaAlgorithm,
  isSharedKeyAlgorithm,
  type SignatureAlgorithm,
} from './signature-algorithm.ts'

const defaultModulusLength = 2048

/** The key that a jwtBuilder signs with; undefined where the element names none or contradicts itself: that is noted. */
export function resolveKey(
  resolution: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): KeyReference | undefined {
  const { deployment, note } = resolution
  const { signatureAlgorithm: algorithm = defaultSignatureAlgorithm, sharedKey, jwkEnabled = false } = builder
  warnOfIgnoredAttributes(resolution, element, builder)
  if (isSharedKeyAlgorithm(algorithm)) return resolveSharedKey(resolution, element, builder)

  if (sharedKey !== undefined) {
    note(
      'mistake',
      element,
      'sharedKey',
      `${algorithm} signs with a private key; take sharedKey out, or choose an HS* algorithm.`,
    )
    return undefined
  }
  if (!jwkEnabled) return resolveStoredKey(resolution, element, builder)
  return {
    location: `${secretPrefix(deployment)}jwk/${element.id}`,
    generated: {
      modulusLength: builder.jwkSigningKeySize ?? defaultModulusLength,
      ...resolveRotation(resolution, element, builder),
    },
  }
}

function resolveStoredKey(
  { graph, note }: Resolution,
  element: ElementReference,
  { keyStoreRef, keyAlias }: JwtBuilder,
): KeyReference | undefined {
  const location = graph.get('keyStore', keyStoreRef ?? defaultElementIds.keyStore)?.location
  if (location !== undefined) return { location, ...(keyAlias !== undefined && { alias: keyAlias }) }
  if (keyStoreRef === undefined && !graph.has('keyStore', defaultElementIds.keyStore))
    note(
      'mistake',
      element,
      'keyStoreRef',
      `the assertion has no key: name a keyStore here, add keyStore/${defaultElementIds.keyStore}, or set jwkEnabled.`,
    )
  return undefined
}

function resolveSharedKey(
  { note }: Resolution,
  element: ElementReference,
  { signatureAlgorithm: algorithm, sharedKey, jwkEnabled, certificateThumbprint = 'none' }: JwtBuilder,
): KeyReference | undefined {
  if (jwkEnabled)
    note(
      'mistake',
      element,
      'jwkEnabled',
      `a JWK set publishes public keys, and ${algorithm} has none; take jwkEnabled out, or choose an asymmetric algorithm.`,
    )
  if (certificateThumbprint !== 'none')
    note('mistake', element, 'certificateThumbprint', `the key of ${algorithm} has no certificate; take it out.`)
  if (sharedKey !== undefined) return { location: sharedKey }
  note('mistake', element, 'sharedKey', `${algorithm} needs it: the name of the secret that holds the key.`)
  return undefined
}

function warnOfIgnoredAttributes({ note }: Resolution, element: ElementReference, builder: JwtBuilder): void {
  const { signatureAlgorithm = defaultSignatureAlgorithm, jwkEnabled = false } = builder
  const isShared = isSharedKeyAlgorithm(signatureAlgorithm)
  const isRsa = isRsaAlgorithm(signatureAlgorithm)
  const ignored = [
    ['keyStoreRef', jwkEnabled || isShared],
    ['keyAlias', jwkEnabled || isShared],
    ['jwkSigningKeySize', !(jwkEnabled && isRsa)],
    ['jwkRotationTime', !jwkEnabled || isShared],
    ['publishAheadSeconds', !jwkEnabled || isShared],
  ] as const
  const reason = jwkEnabled
    ? `with jwkEnabled Tokenwell makes the key itself, for ${signatureAlgorithm}`
    : isShared
      ? `${signatureAlgorithm} signs with sharedKey`
      : 'it belongs to a key that Tokenwell makes, with jwkEnabled'
  for (const [attribute, isIgnored] of ignored)
    if (isIgnored && builder[attribute] !== undefined) note('warning', element, attribute, `it is ignored: ${reason}.`)
}

const defaultRotationMilliseconds = 30 * 86_400_000
const defaultPublishAheadSeconds = 86_400
/** Our JWK set's `max-age`, and the minute for which an instance goes by what it has read. A secret is kept for less. */
const ownCacheSeconds = 360
/** Servers keep JWK sets for as long as they like: many for an hour or more. */
const usualCacheSeconds = 3_600

/** How often Tokenwell makes a new key, and how long that is published before it signs. What can't work is noted. */
export function resolveRotation(
  { note }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): Omit<GeneratedKey, 'modulusLength'> {
  const rotationSeconds = (builder.jwkRotationTime ?? defaultRotationMilliseconds) / 1000
  const publishAheadSeconds = builder.publishAheadSeconds ?? defaultPublishAheadSeconds

  if (publishAheadSeconds <= ownCacheSeconds)
    note(
      'warning',
      element,
      'publishAheadSeconds',
      `a JWK set that was read may be ${ownCacheSeconds} s old by our own leave, and a key that signs sooner is unknown to whoever has one: make it longer than that and than the server's own cache.`,
    )
  else if (publishAheadSeconds < usualCacheSeconds)
    note(
      'warning',
      element,
      'publishAheadSeconds',
      'authorization servers cache JWK sets, many for an hour or more, and refuse a key that they have not read yet: make it longer than the cache of the server.',
    )
  if (publishAheadSeconds >= rotationSeconds)
    note(
      'mistake',
      element,
      builder.publishAheadSeconds === undefined ? 'jwkRotationTime' : 'publishAheadSeconds',
      `a key would still wait when the one after it is due: it is published ${publishAheadSeconds} s before it signs (publishAheadSeconds), and one is made every ${rotationSeconds} s (jwkRotationTime).`,
    )
  return { rotationSeconds, publishAheadSeconds }
}

/** What one jwtBuilder signs with, whichever connections use it. */
export interface BuilderKey {
  readonly jwtBuilder: string
  readonly algorithm: SignatureAlgorithm
  readonly key: KeyReference
  readonly certificateThumbprint: CertificateThumbprint
  /** From the making of an assertion to its `exp`. */
  readonly assertionSeconds: number
}

/**
 * Reads a jwtBuilder and its key store, and nothing else.
 * @returns undefined where there is no such jwtBuilder
 * @throws {ConfigurationError} with all its mistakes at once
 */
export async function resolveBuilderKey(
  elements: ElementStore,
  deployment: Deployment,
  jwtBuilder: string,
): Promise<BuilderKey | undefined> {
  const element = { kind: 'jwtBuilder', id: jwtBuilder } as const
  const graph = await collectElements(elements, [element])
  if (!graph.has(element.kind, element.id)) return undefined

  const builder = graph.get('jwtBuilder', jwtBuilder)
  const findings: Finding[] = [...graph.findings, ...checkSecretNames(graph.readings, deployment)]
  const key =
    builder &&
    resolveKey(
      {
        graph,
        deployment,
        note: (severity, of, attribute, sentence) => findings.push({ severity, element: of, attribute, sentence }),
      },
      element,
      builder,
    )
  if (!key || findings.some(isMistake)) throw new ConfigurationError(findings.filter(isMistake))
  return {
    jwtBuilder,
    algorithm: builder.signatureAlgorithm ?? defaultSignatureAlgorithm,
    key,
    certificateThumbprint: builder.certificateThumbprint ?? 'none',
    assertionSeconds: assertionSeconds(builder),
  }
}

const defaultExpiresInSeconds = 120

/** From the making of an assertion to its `exp`. */
export function assertionSeconds({
  expiresInSeconds,
  expiry,
}: Pick<JwtBuilder, 'expiresInSeconds' | 'expiry'>): number {
  const milliseconds = expiresInSeconds ?? expiry
  return milliseconds === undefined ? defaultExpiresInSeconds : milliseconds / 1000
}
