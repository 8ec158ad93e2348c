import type { KeyReference } from './connection.ts'
import type { ElementReference, JwtBuilder } from './element.ts'
import type { Resolution } from './resolution.ts'
import { resolveRotation } from './resolve-rotation.ts'
import { defaultSignatureAlgorithm, isRsaAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'
import { standIns } from './stand-ins.ts'
import { secretPrefix } from './surroundings.ts'

const defaultModulusLength = 2048

/** The key that a jwtBuilder signs with; undefined where the element names none or contradicts itself: that is noted. */
export function resolveKey(
  resolution: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): KeyReference | undefined {
  const { surroundings, note } = resolution
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
    location: `${secretPrefix(surroundings)}jwk/${element.id}`,
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
  const location = graph.get('keyStore', keyStoreRef ?? standIns.keyStore)?.location
  if (location !== undefined) return { location, ...(keyAlias !== undefined && { alias: keyAlias }) }
  if (keyStoreRef === undefined && !graph.has('keyStore', standIns.keyStore))
    note(
      'mistake',
      element,
      'keyStoreRef',
      `the assertion has no key: name a keyStore here, add keyStore/${standIns.keyStore}, or set jwkEnabled.`,
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
