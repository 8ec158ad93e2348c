import type { GeneratedKey, KeyReference } from './connection.ts'
import { type Deployment, secretPrefix } from './deployment.ts'
import { type CertificateThumbprint, defaultElementIds, type ElementReference, type JwtBuilder } from './element.ts'
import { type Resolution, startResolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import { ConfigurationError } from './finding.ts'
import { defaultSignatureAlgorithm, isSharedKeyAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'

const defaultModulusLength = 2048

/** The key that a jwtBuilder signs with; undefined if the element names none or contradicts itself: there is a finding on that. */
export function resolveKey(
  resolution: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): KeyReference | undefined {
  const { deployment, findings } = resolution
  const { signatureAlgorithm: algorithm = defaultSignatureAlgorithm, sharedKey, jwkEnabled = false } = builder
  resolution.advice?.onKey(builder, element)
  if (isSharedKeyAlgorithm(algorithm)) return resolveSharedKey(resolution, element, builder)

  if (sharedKey !== undefined) {
    findings.addMistake(
      element,
      'sharedKey',
      `${algorithm} signs with a private key; take sharedKey out, or choose an HS* algorithm.`,
    )
    return undefined
  }
  if (!jwkEnabled) return resolveStoredKey(resolution, element, builder)
  return {
    ...ownerOf(element, builder),
    location: `${secretPrefix(deployment)}jwk/${element.id}`,
    generated: {
      modulusLength: builder.jwkSigningKeySize ?? defaultModulusLength,
      ...resolveRotation(resolution, element, builder),
    },
  }
}

function resolveStoredKey(
  { graph, findings }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): KeyReference | undefined {
  const { keyStoreRef, keyAlias } = builder
  const location = graph.get('keyStore', keyStoreRef ?? defaultElementIds.keyStore)?.location
  if (location !== undefined)
    return { ...ownerOf(element, builder), location, ...(keyAlias !== undefined && { alias: keyAlias }) }
  if (keyStoreRef === undefined && !graph.has('keyStore', defaultElementIds.keyStore))
    findings.addMistake(
      element,
      'keyStoreRef',
      `the assertion has no key: name a keyStore here, add keyStore/${defaultElementIds.keyStore}, or set jwkEnabled.`,
    )
  return undefined
}

function ownerOf({ id }: ElementReference, { revokedKeys }: JwtBuilder): Pick<KeyReference, 'jwtBuilder' | 'revoked'> {
  return { jwtBuilder: id, ...(revokedKeys && { revoked: revokedKeys }) }
}

function resolveSharedKey(
  { findings }: Resolution,
  element: ElementReference,
  { signatureAlgorithm: algorithm, sharedKey, jwkEnabled, certificateThumbprint = 'none' }: JwtBuilder,
): KeyReference | undefined {
  if (jwkEnabled)
    findings.addMistake(
      element,
      'jwkEnabled',
      `a JWK set publishes public keys, and ${algorithm} has none; take jwkEnabled out, or choose an asymmetric algorithm.`,
    )
  if (certificateThumbprint !== 'none')
    findings.addMistake(element, 'certificateThumbprint', `the key of ${algorithm} has no certificate; take it out.`)
  if (sharedKey !== undefined) return { jwtBuilder: element.id, location: sharedKey }
  findings.addMistake(element, 'sharedKey', `${algorithm} needs it: the name of the secret that holds the key.`)
  return undefined
}

const defaultRotationMilliseconds = 30 * 86_400_000
const defaultPublishAheadSeconds = 86_400
/** Our JWK set's `max-age`, and the minute for which an instance goes by what it has read. A secret is kept for less. */
const ownCacheSeconds = 360
/** Servers keep JWK sets for as long as they like: many for an hour or more. */
const usualCacheSeconds = 3_600

/** How often Tokenwell makes a new key, and how long that is published before it signs. */
function resolveRotation(
  { findings }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): Omit<GeneratedKey, 'modulusLength'> {
  const rotationSeconds = (builder.jwkRotationTime ?? defaultRotationMilliseconds) / 1000
  const publishAheadSeconds = builder.publishAheadSeconds ?? defaultPublishAheadSeconds

  if (publishAheadSeconds <= ownCacheSeconds)
    findings.addWarning(
      element,
      'publishAheadSeconds',
      `a JWK set that was read may be ${ownCacheSeconds} s old by our own leave, and a key that signs sooner is unknown to whoever has one: make it longer than that and than the server's own cache.`,
    )
  else if (publishAheadSeconds < usualCacheSeconds)
    findings.addWarning(
      element,
      'publishAheadSeconds',
      'authorization servers cache JWK sets, many for an hour or more, and refuse a key that they have not read yet: make it longer than the cache of the server.',
    )
  if (publishAheadSeconds >= rotationSeconds)
    findings.addMistake(
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
 * @returns undefined if there is no such jwtBuilder
 * @throws {ConfigurationError} with all its mistakes at once
 */
export async function resolveBuilderKey(
  elements: ElementStore,
  deployment: Deployment,
  jwtBuilder: string,
): Promise<BuilderKey | undefined> {
  const element = { kind: 'jwtBuilder', id: jwtBuilder } as const
  const resolution = await startResolution(elements, deployment, element)
  if (!resolution) return undefined

  const builder = resolution.graph.get('jwtBuilder', jwtBuilder)
  const key = builder && resolveKey(resolution, element, builder)
  const mistakes = resolution.findings.mistakes()
  if (!key || mistakes.length > 0) throw new ConfigurationError(mistakes)
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
