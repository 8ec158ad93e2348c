export const signatureAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
  'EdDSA',
  'HS256',
  'HS384',
  'HS512',
] as const

export type SignatureAlgorithm = (typeof signatureAlgorithms)[number]

export function isSignatureAlgorithm(name: string): name is SignatureAlgorithm {
  return (signatureAlgorithms as readonly string[]).includes(name)
}

/** The algorithms of an identity token of AWS STS. */
export const webIdentityAlgorithms = ['RS256', 'ES384'] as const satisfies readonly SignatureAlgorithm[]

export type WebIdentityAlgorithm = (typeof webIdentityAlgorithms)[number]

/** The algorithm of a jwtBuilder without `signatureAlgorithm`. */
export const defaultSignatureAlgorithm: SignatureAlgorithm = 'RS256'

/** Whether it is an HS* algorithm: client and server share the key. */
export function isSharedKeyAlgorithm(algorithm: SignatureAlgorithm): boolean {
  return algorithm.startsWith('HS')
}

/** Whether it signs with an Ed25519 key. RFC 9864 replaces the name EdDSA, which many servers still demand, by Ed25519. */
export function isEdwardsAlgorithm(algorithm: string): boolean {
  return algorithm === 'Ed25519' || algorithm === 'EdDSA'
}

/** Whether it is an RS* or PS* algorithm. */
export function isRsaAlgorithm(algorithm: SignatureAlgorithm): boolean {
  return /^[RP]S/.test(algorithm)
}
