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

/** Of a jwtBuilder that names none. */
export const defaultSignatureAlgorithm: SignatureAlgorithm = 'RS256'

/** HS*: the key is a secret that both sides hold. */
export function isSharedKeyAlgorithm(algorithm: SignatureAlgorithm): boolean {
  return algorithm.startsWith('HS')
}

/** RS* and PS*. */
export function isRsaAlgorithm(algorithm: SignatureAlgorithm): boolean {
  return /^[RP]S/.test(algorithm)
}
