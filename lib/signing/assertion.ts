import type { AssertionConfiguration } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import type { Signer } from './signer.ts'
import { KeyStoreError } from './signing-key.ts'

/** The time in which a server accepts an assertion, by the server's clock. Milliseconds since the epoch. */
export interface Validity {
  readonly from: number
  readonly until: number
}

/** An assertion of a client or of a grant, valid for one attempt. */
export interface SignedAssertion extends SentAssertion {
  /** A compact JWS. It must never be sent twice. */
  readonly assertion: Secret
}

/** The parts of an assertion that a log may hold. */
export interface SentAssertion {
  readonly validity: Validity
  readonly header: JoseHeader
  /** From the elements and the current time: they never name a user. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Creates and signs a new assertion. */
export async function signAssertion(
  configuration: AssertionConfiguration,
  signer: Signer,
  moment: AssertionMoment,
): Promise<SignedAssertion> {
  const header = createHeader(configuration, signer)
  const claims = createClaims(configuration, moment)
  const { iat, nbf, exp } = claims
  return {
    assertion: await signer.sign(header, claims),
    validity: { from: Math.max(Number(iat), Number(nbf ?? 0)) * 1000, until: Number(exp) * 1000 },
    header,
    claims,
  }
}

/** The values that differ between two assertions of the same configuration. */
export interface AssertionMoment {
  /** Milliseconds since the epoch. All times of this assertion come from this one clock reading. */
  readonly now: number
  /** An id that no other assertion has. */
  readonly jwtId: string
}

/**
 * The claim set of an assertion (RFC 7523 section 3), by the rules of z/OS Connect: the operator's claims overwrite all others except
 * `sub`, which is always `tokenSubject`, and `iat`, which is always the time of signing.
 */
export function createClaims(
  assertion: AssertionConfiguration,
  { now, jwtId }: AssertionMoment,
): Record<string, unknown> {
  const nowSeconds = Math.floor(now / 1000)
  const issuedAt = nowSeconds + assertion.issuedAtOffsetSeconds
  const { audiences, notBeforeOffsetSeconds, scope } = assertion
  return {
    iss: assertion.issuer,
    // A single audience is a string: some servers refuse an array, and RFC 7523bis requires a single value.
    ...(audiences.length > 0 && { aud: audiences.length === 1 ? audiences[0] : audiences }),
    exp: nowSeconds + assertion.expiresInSeconds,
    ...(notBeforeOffsetSeconds !== undefined && { nbf: issuedAt + notBeforeOffsetSeconds }),
    ...(assertion.hasJwtId && { jti: jwtId }),
    ...(scope !== undefined && { scope }),
    ...assertion.claims,
    ...(assertion.subject !== undefined && { sub: assertion.subject }),
    iat: issuedAt,
  }
}

/** A JOSE header (RFC 7515 section 4.1). */
export interface JoseHeader {
  readonly alg: string
  readonly kid?: string
  readonly typ?: string
  readonly x5t?: string
  readonly 'x5t#S256'?: string
}

/** @throws {KeyStoreError} when the elements ask for a thumbprint and the key has no certificate */
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
      `holds no certificate, but certificateThumbprint is ${certificateThumbprint}. Add the certificate beside the key, or set certificateThumbprint to none.`,
    )
  return certificateThumbprint === 'x5t' ? certificate.sha1Thumbprint : certificate.sha256Thumbprint
}
