import type { AssertionConfiguration } from '../configuration/connection.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import type { Signer } from '../signing-key/signer.ts'

/** A JOSE header (RFC 7515 section 4.1). */
export interface JoseHeader {
  readonly alg: string
  readonly kid?: string
  readonly typ?: string
  readonly x5t?: string
  readonly 'x5t#S256'?: string
}

/** @throws {KeyStoreError} when a thumbprint is asked for and the key comes without a certificate */
export function createHeader(assertion: AssertionConfiguration, signer: Signer): JoseHeader {
  const { algorithm, type, certificateThumbprint } = assertion
  return {
    alg: algorithm,
    ...(type !== undefined && { typ: type }),
    ...(signer.keyId !== undefined && { kid: signer.keyId }),
    ...(certificateThumbprint !== 'none' && { [certificateThumbprint]: thumbprint(assertion, signer) }),
  }
}

function thumbprint({ certificateThumbprint, key }: AssertionConfiguration, { certificate }: Signer): string {
  if (!certificate)
    throw new KeyStoreError(
      key.location,
      `holds no certificate, and certificateThumbprint asks for the ${certificateThumbprint} of one: add it beside the key, or set certificateThumbprint to none.`,
    )
  return certificateThumbprint === 'x5t' ? certificate.sha1Thumbprint : certificate.sha256Thumbprint
}
