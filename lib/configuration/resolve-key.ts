import type { GeneratedKey, KeyReference, KmsKeyReference } from './assertion-configuration.ts'
import { type Deployment, isKmsLocation, kmsLocationPrefix, secretPrefix } from './deployment.ts'
import {
  type CertificateThumbprint,
  defaultElementIds,
  type ElementReference,
  type JwtBuilder,
  type KeyStore,
} from './element.ts'
import { type Resolution, startResolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import { ConfigurationError, type FindingList } from './finding.ts'
import { defaultSignatureAlgorithm, isSharedKeyAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'

const defaultModulusLength = 2048

/** The key that a jwtBuilder signs with. Undefined if the element names no key or contradicts itself. Then there is a finding. */
export function resolveKey(
  resolution: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): KeyReference | undefined {
  const { deployment, findings, graph } = resolution
  const { signatureAlgorithm: algorithm = defaultSignatureAlgorithm, sharedKey, jwkEnabled = false } = builder
  const keyStore = graph.get('keyStore', builder.keyStoreRef ?? defaultElementIds.keyStore)
  resolution.advice?.onKey(builder, element, keyStore !== undefined && isKmsLocation(keyStore.location))
  if (isSharedKeyAlgorithm(algorithm)) return resolveSharedKey(resolution, element, builder)

  if (sharedKey !== undefined) {
    findings.addMistake(
      element,
      'sharedKey',
      `${algorithm} signs with a private key. Take sharedKey out, or choose an HS* algorithm.`,
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
  resolution: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): KeyReference | undefined {
  const { graph, findings } = resolution
  const { keyStoreRef, keyAlias } = builder
  const { keyStore: defaultKeyStore } = defaultElementIds
  const id = keyStoreRef ?? defaultKeyStore
  const keyStore = graph.get('keyStore', id)
  if (keyStore && isKmsLocation(keyStore.location)) return resolveKmsKey(resolution, element, builder, keyStore)
  if (keyStore) {
    refuseKmsAttributes(findings, { kind: 'keyStore', id }, keyStore)
    return {
      ...ownerOf(element, builder),
      location: keyStore.location,
      ...(keyAlias !== undefined && { alias: keyAlias }),
    }
  }
  if (keyStoreRef === undefined && !graph.has('keyStore', defaultKeyStore))
    findings.addMistake(
      element,
      'keyStoreRef',
      `There is no key to sign with. Name a keyStore element here, add keyStore/${defaultKeyStore}, or set jwkEnabled.`,
    )
  return undefined
}

function resolveKmsKey(
  { findings }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
  { location, kid, certificate }: KeyStore,
): KmsKeyReference {
  if (builder.keyAlias !== undefined)
    findings.addMistake(
      element,
      'keyAlias',
      'It chooses a key of a secret, but the keyStore names a KMS key. Take this attribute out.',
    )
  const { x5c = false, certificateThumbprint = 'none' } = builder
  if (certificate === undefined && (x5c || certificateThumbprint !== 'none'))
    findings.addMistake(
      element,
      x5c ? 'x5c' : 'certificateThumbprint',
      'The KMS key has no certificate. Write it, with its chain, into certificate of the keyStore, or take this attribute out.',
    )
  const publishAheadSeconds = builder.publishAheadSeconds ?? defaultPublishAheadSeconds
  adviseOnPublishAhead(findings, element, publishAheadSeconds)
  return {
    ...ownerOf(element, builder),
    kmsAlias: location.slice(kmsLocationPrefix.length),
    ...(kid !== undefined && { kid }),
    ...(certificate !== undefined && { certificate }),
    publishAheadSeconds,
  }
}

/** In a secret, the kid and the certificate are beside the key. */
function refuseKmsAttributes(findings: FindingList, element: ElementReference, keyStore: KeyStore): void {
  for (const attribute of ['kid', 'certificate'] as const)
    if (keyStore[attribute] !== undefined)
      findings.addMistake(
        element,
        attribute,
        'It is only for a KMS key. Write it beside the key in the secret, and take this attribute out.',
      )
}

function ownerOf({ id }: ElementReference, { revokedKeys }: JwtBuilder): Pick<KeyReference, 'jwtBuilder' | 'revoked'> {
  return { jwtBuilder: id, ...(revokedKeys && { revoked: revokedKeys }) }
}

function resolveSharedKey(
  { findings }: Resolution,
  element: ElementReference,
  { signatureAlgorithm: algorithm, sharedKey, jwkEnabled, certificateThumbprint = 'none', x5c }: JwtBuilder,
): KeyReference | undefined {
  if (jwkEnabled)
    findings.addMistake(
      element,
      'jwkEnabled',
      `jwkEnabled publishes a public key, but ${algorithm} has no public key. Take jwkEnabled out, or choose an asymmetric algorithm.`,
    )
  if (certificateThumbprint !== 'none')
    findings.addMistake(
      element,
      'certificateThumbprint',
      `The key of ${algorithm} has no certificate. Take this attribute out.`,
    )
  if (x5c) findings.addMistake(element, 'x5c', `The key of ${algorithm} has no certificate. Take this attribute out.`)
  if (sharedKey !== undefined) return { jwtBuilder: element.id, location: sharedKey }
  findings.addMistake(
    element,
    'sharedKey',
    `It is required for ${algorithm}. Write the name of the secret that holds the key.`,
  )
  return undefined
}

const defaultRotationMilliseconds = 30 * 86_400_000
const defaultPublishAheadSeconds = 86_400
/** The `max-age` of Tokenwell's JWK set, and the minute for which an instance caches the set. Secrets are cached for less. */
const ownCacheSeconds = 360
/** Servers cache JWK sets for a time that they choose, many for an hour or more. */
const usualCacheSeconds = 3_600

/** How often Tokenwell makes a new key, and how long a key is published before it signs. */
function resolveRotation(
  { findings }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): Omit<GeneratedKey, 'modulusLength'> {
  const rotationSeconds = (builder.jwkRotationTime ?? defaultRotationMilliseconds) / 1000
  const publishAheadSeconds = builder.publishAheadSeconds ?? defaultPublishAheadSeconds

  adviseOnPublishAhead(findings, element, publishAheadSeconds)
  if (publishAheadSeconds >= rotationSeconds)
    findings.addMistake(
      element,
      builder.publishAheadSeconds === undefined ? 'jwkRotationTime' : 'publishAheadSeconds',
      `publishAheadSeconds (${publishAheadSeconds} s) must be shorter than jwkRotationTime (${rotationSeconds} s). Otherwise a key does not sign yet when Tokenwell makes the next one.`,
    )
  return { rotationSeconds, publishAheadSeconds }
}

function adviseOnPublishAhead(findings: FindingList, element: ElementReference, publishAheadSeconds: number): void {
  if (publishAheadSeconds <= ownCacheSeconds)
    findings.addWarning(
      element,
      'publishAheadSeconds',
      `A server may use a JWK set that is ${ownCacheSeconds} s old, and would not know a key that signs earlier. Make it longer than ${ownCacheSeconds} s and longer than the server's own cache time.`,
    )
  else if (publishAheadSeconds < usualCacheSeconds)
    findings.addWarning(
      element,
      'publishAheadSeconds',
      'Servers cache JWK sets, many for an hour or more, and refuse a key that they do not know yet. Make it longer than the cache time of your server.',
    )
}

/** The key and algorithm of one jwtBuilder, independent of the connections that use it. */
export interface BuilderKey {
  readonly jwtBuilder: string
  readonly algorithm: SignatureAlgorithm
  readonly key: KeyReference
  readonly certificateThumbprint: CertificateThumbprint
  readonly hasCertificateChain: boolean
  /** From the making of an assertion to its `exp`. */
  readonly assertionSeconds: number
}

/**
 * Reads only a jwtBuilder and its key store.
 * @returns undefined if there is no such jwtBuilder
 * @throws {ConfigurationError} with all its mistakes
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
    hasCertificateChain: builder.x5c ?? false,
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
