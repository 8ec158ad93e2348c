import { createHash, type KeyObject, type X509Certificate } from 'node:crypto'
import { CompactSign } from 'jose'
import { Secret } from '../secret/secret.ts'
import type { SigningKey } from './signing-key.ts'

/** Port: signs JWTs with one key. */
export interface Signer {
  /** The header `kid`. Absent for a shared key. */
  readonly keyId?: string
  readonly certificate?: CertificateDigests
  /** The certificate of the key and its chain, each as DER in base64. Absent if the key has none. */
  readonly certificateChain?: readonly string[]
  /** Returns the compact JWS of header and claims (RFC 7515 section 3.1), with their members in the given order. */
  sign(header: { readonly alg: string }, claims: Readonly<Record<string, unknown>>): Promise<Secret>
}

/** Base64url digests of the certificate's DER encoding (RFC 7515 sections 4.1.7 and 4.1.8). */
export interface CertificateDigests {
  readonly sha1Thumbprint: string
  readonly sha256Thumbprint: string
}

/**
 * Signs in this instance, with an algorithm of RFC 7518 section 3 or with Ed25519 (RFC 8037, RFC 9864).
 * @param key must fit the algorithm of every header that it signs
 */
export function createLocalSigner(
  key: KeyObject,
  { keyId, certificates = [] }: Partial<Pick<SigningKey, 'keyId' | 'certificates'>>,
): Signer {
  return {
    ...(keyId !== undefined && { keyId }),
    ...certificateMembers(certificates),
    async sign(header, claims) {
      // SignJWT would rewrite claims. jose converts a KeyObject once for each algorithm and caches the result.
      const payload = new TextEncoder().encode(JSON.stringify(claims))
      return new Secret(await new CompactSign(payload).setProtectedHeader(header).sign(key))
    },
  }
}

/** What a signer shows of the certificate of its key, and of the chain after it. */
export function certificateMembers(
  certificates: readonly X509Certificate[],
): Pick<Signer, 'certificate' | 'certificateChain'> {
  const [certificate] = certificates
  if (!certificate) return {}
  return {
    certificate: thumbprintsOf(certificate),
    certificateChain: certificates.map(({ raw }) => raw.toString('base64')),
  }
}

function thumbprintsOf({ raw }: X509Certificate): CertificateDigests {
  return {
    sha1Thumbprint: createHash('sha1').update(raw).digest('base64url'),
    sha256Thumbprint: createHash('sha256').update(raw).digest('base64url'),
  }
}
