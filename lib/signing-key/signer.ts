import type { Secret } from '../secret/secret.ts'

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
