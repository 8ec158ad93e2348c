import { createHash } from 'node:crypto'
import { isInKms, type JwtConfiguration, type KeyReference } from '../configuration/assertion-configuration.ts'
import type { Secret } from '../secret/secret.ts'
import { KeyServiceError } from './key-service.ts'
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
  /** Its times are those of AWS's clock, whatever Tokenwell knows of the server's. */
  readonly isSignedByAws?: true
}

/** Makes the assertions of one configuration, a new one for each attempt. */
export interface AssertionMaker {
  /** @param claims of this assertion alone, which overwrite those of the elements. AWS signs none. */
  make(moment: AssertionMoment, claims?: Readonly<Record<string, unknown>>): Promise<SignedAssertion>
}

/** Signs with one key. */
export function createSignedAssertions(configuration: JwtConfiguration, signer: Signer): AssertionMaker {
  const { claims: configured } = configuration
  return {
    make: async (moment, claims) =>
      await signAssertion({ ...configuration, claims: { ...configured, ...claims } }, signer, moment),
  }
}

/** Creates and signs a new assertion. */
export async function signAssertion(
  configuration: JwtConfiguration,
  signer: Signer,
  moment: AssertionMoment,
): Promise<SignedAssertion> {
  const header = createHeader(configuration, signer)
  const claims = createClaims(configuration, moment)
  const { iat, nbf, exp } = claims
  return {
    assertion: await signer.sign(header, claims),
    validity: { from: Math.max(Number(iat ?? 0), Number(nbf ?? 0)) * 1000, until: Number(exp) * 1000 },
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
 * `sub`, which is always `tokenSubject`, and `iat`, which is always the time of signing. Claims in `omitted` are left out.
 */
export function createClaims(assertion: JwtConfiguration, { now, jwtId }: AssertionMoment): Record<string, unknown> {
  const nowSeconds = Math.floor(now / 1000)
  const issuedAt = nowSeconds + assertion.issuedAtOffsetSeconds
  const { audiences, notBeforeOffsetSeconds, scope, omitted = [] } = assertion
  const claims = {
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
  return omitted.length === 0 ? claims : without(claims, omitted)
}

function without(claims: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)))
}

/** A JOSE header (RFC 7515 section 4.1). */
export interface JoseHeader {
  readonly alg: string
  readonly kid?: string
  readonly typ?: string
  readonly x5t?: string
  readonly 'x5t#S256'?: string
  readonly x5c?: readonly string[]
  /** What the operator adds. */
  readonly [member: string]: unknown
}

/** @throws {KeyStoreError} or {KeyServiceError} when the elements ask for a certificate or its thumbprint and the key has no certificate */
export function createHeader(assertion: JwtConfiguration, signer: Signer): JoseHeader {
  const { algorithm, type, certificateThumbprint, hasCertificateChain, header, omitted } = assertion
  return {
    alg: algorithm,
    ...(type !== undefined && { typ: type }),
    ...(signer.keyId !== undefined && !omitted?.includes('kid') && { kid: signer.keyId }),
    ...(certificateThumbprint !== 'none' && { [certificateThumbprint]: thumbprint(assertion, signer) }),
    ...(hasCertificateChain && { x5c: certificateChain(assertion, signer) }),
    ...header,
  }
}

/** RFC 7515 section 4.1.6: the certificate of the key is the first. */
function certificateChain({ key }: JwtConfiguration, { certificateChain: chain }: Signer): readonly string[] {
  if (chain) return chain
  throw noCertificate(key, 'x5c is true', 'take x5c out')
}

function thumbprint({ certificateThumbprint, key }: JwtConfiguration, { certificate }: Signer): string {
  if (!certificate)
    throw noCertificate(key, `certificateThumbprint is ${certificateThumbprint}`, 'set certificateThumbprint to none')
  return certificateThumbprint === 'x5t' ? certificate.sha1Thumbprint : certificate.sha256Thumbprint
}

function noCertificate(key: KeyReference, wanted: string, otherwise: string): KeyStoreError | KeyServiceError {
  return isInKms(key)
    ? new KeyServiceError(
        key.kmsAlias,
        `has no certificate, but ${wanted}. Write it with its chain into certificate of the keyStore, or ${otherwise}.`,
      )
    : new KeyStoreError(
        key.location,
        `holds no certificate, but ${wanted}. Add the certificate and its chain beside the key, or ${otherwise}.`,
      )
}

/** The thumbprint of the certificate in the header, for a log. Undefined without a certificate. */
export function thumbprintIn({ 'x5t#S256': sha256, x5t, x5c: [own] = [] }: JoseHeader): string | undefined {
  return sha256 ?? x5t ?? (own && createHash('sha256').update(Buffer.from(own, 'base64')).digest('base64url'))
}
