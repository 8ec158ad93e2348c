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
  'EdDSA',
  'HS256',
  'HS384',
  'HS512',
] as const

export type SignatureAlgorithm = (typeof signatureAlgorithms)[number]

export function isSignatureAlgorithm(name: string): name is SignatureAlgorithm {
  return (signatureAlgorithms as readonly string[]).includes(name)
}

/** The algorithm of a jwtBuilder without `signatureAlgorithm`. */
export const defaultSignatureAlgorithm: SignatureAlgorithm = 'RS256'

/** Whether it is an HS* algorithm: client and server share the key. */
export function isSharedKeyAlgorithm(algorithm: SignatureAlgorithm): boolean {
  return algorithm.startsWith('HS')
}

/** Whether it is an RS* or PS* algorithm. */
export function isRsaAlgorithm(algorithm: SignatureAlgorithm): boolean {
  return /^[RP]S/.test(algorithm)
}
