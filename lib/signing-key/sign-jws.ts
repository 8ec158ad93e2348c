import { constants, createHmac, type KeyObject, sign } from 'node:crypto'

/**
 * The compact JWS of that header and those claims (RFC 7515 section 3.1), by an algorithm of RFC 7518 section 3 or EdDSA of
 * RFC 8037, with a key that fits it. In this thread: handing it to another takes longer than most signatures.
 */
export function signJws(
  key: KeyObject,
  header: { readonly alg: string },
  claims: Readonly<Record<string, unknown>>,
): string {
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${signatureOf(header.alg, key, Buffer.from(signed)).toString('base64url')}`
}

function signatureOf(algorithm: string, key: KeyObject, signed: Buffer): Buffer {
  if (algorithm === 'EdDSA') return sign(null, signed, key)
  const [family, digest] = [algorithm.slice(0, 2), `sha${algorithm.slice(2)}`]
  switch (family) {
    case 'RS':
      return sign(digest, signed, key)
    case 'PS': {
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants
      return sign(digest, signed, { key, padding, saltLength })
    }
    case 'ES':
      return sign(digest, signed, { key, dsaEncoding: 'ieee-p1363' })
    case 'HS':
      return createHmac(digest, key).update(signed).digest()
    default:
      throw new TypeError(`${algorithm} is no algorithm of a signature.`)
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
