import { constants, createHash, createHmac, type KeyObject, sign, type X509Certificate } from 'node:crypto'
import { Secret } from '../secret/secret.ts'
import type { SigningKey } from './signing-key.ts'

/** Port: something that signs, wherever its key is. */
export interface Signer {
  /** The header `kid`; a shared key has none. */
  readonly keyId?: string
  readonly certificate?: CertificateThumbprints
  /** The compact JWS of that header and those claims (RFC 7515 section 3.1). */
  sign(header: { readonly alg: string }, claims: Readonly<Record<string, unknown>>): Promise<Secret>
}

/** Base64url digests of the certificate's DER encoding (RFC 7515 sections 4.1.7 and 4.1.8). */
export interface CertificateThumbprints {
  readonly sha1Thumbprint: string
  readonly sha256Thumbprint: string
}

/** Signs in this process with a key that it holds. */
export function createLocalSigner(
  key: KeyObject,
  { keyId, certificates: [certificate] = [] }: Partial<Pick<SigningKey, 'keyId' | 'certificates'>>,
): Signer {
  return {
    ...(keyId !== undefined && { keyId }),
    ...(certificate && { certificate: thumbprintsOf(certificate) }),
    async sign(header, claims) {
      return new Secret(signJws(key, header, claims))
    },
  }
}

function thumbprintsOf({ raw }: X509Certificate): CertificateThumbprints {
  return {
    sha1Thumbprint: createHash('sha1').update(raw).digest('base64url'),
    sha256Thumbprint: createHash('sha256').update(raw).digest('base64url'),
  }
}

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

const orderBytes: Readonly<Record<string, number>> = { ES256: 32, ES384: 48, ES512: 66 }

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
      return concatenated(sign(digest, signed, key), orderBytes[algorithm] ?? 0)
    case 'HS':
      return createHmac(digest, key).update(signed).digest()
    default:
      throw new TypeError(`${algorithm} is no algorithm of a signature.`)
  }
}

/**
 * RFC 7518 section 3.4: r and s, each as long as its curve's order. node:crypto can write that itself, but looks at options so
 * slowly that a signature takes more than twice its time.
 * @param der SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3)
 */
function concatenated(der: Buffer, size: number): Buffer {
  const both = Buffer.alloc(2 * size)
  let at = der.readUInt8(1) < 0x80 ? 2 : 3
  for (const end of [size, 2 * size]) {
    const [start, length] = [at + 2, der.readUInt8(at + 1)]
    // An INTEGER has a zero before its first bit where that is set, and no others.
    const digits = der.subarray(start + Math.max(0, length - size), start + length)
    digits.copy(both, end - digits.length)
    at = start + length
  }
  return both
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
