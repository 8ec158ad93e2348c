import type { Omittable } from './assertion-schema.ts'
import type { CertificateThumbprint } from './element.ts'
import type { SignatureAlgorithm, WebIdentityAlgorithm } from './signature-algorithm.ts'

/** A JWT that proves who asks: of a client, of a grant, or as a token that is exchanged. */
export type AssertionConfiguration = JwtConfiguration | WebIdentityConfiguration

/** Tokenwell signs the JWT. */
export interface JwtConfiguration {
  readonly issuer: string
  /** If absent, the assertion has no `sub`. The assertion of a client always has one. */
  readonly subject?: string
  readonly audiences: readonly string[]
  readonly expiresInSeconds: number
  readonly issuedAtOffsetSeconds: number
  /** If absent, the assertion has no `nbf`. */
  readonly notBeforeOffsetSeconds?: number
  readonly hasJwtId: boolean
  readonly scope?: string
  /** The operator's claims. They overwrite the claims above, except `sub` and `iat`. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly algorithm: SignatureAlgorithm
  /** The header `typ`. Absent if the operator set `none`. */
  readonly type?: string
  readonly certificateThumbprint: CertificateThumbprint
  /** Present if the header has the certificate chain of the key. */
  readonly hasCertificateChain?: true
  /** Further members of the header. */
  readonly header?: Readonly<Record<string, unknown>>
  /** What the assertion does not have, although the settings above give it. */
  readonly omitted?: readonly Omittable[]
  readonly key: KeyReference
}

/** AWS signs the JWT: `GetWebIdentityToken` of AWS STS. Its issuer and subject are those of the role that asks for it. */
export interface WebIdentityConfiguration {
  /** The id of the awsWebIdentity. */
  readonly awsWebIdentity: string
  readonly audiences: readonly string[]
  readonly algorithm: WebIdentityAlgorithm
  readonly durationSeconds: number
  /** In the JWT, beside those of stage and connection. */
  readonly tags: Readonly<Record<string, string>>
  /** Whether the connection has a role of its own. Otherwise it is that of the stage. */
  readonly hasOwnRole: boolean
}

export function isSignedByTokenwell(assertion: AssertionConfiguration): assertion is JwtConfiguration {
  return 'key' in assertion
}

/** Whether each of these JWTs has a `jti`. */
export function hasJwtId({ hasJwtId: isAdded, claims, omitted = [] }: JwtConfiguration): boolean {
  return !omitted.includes('jti') && (isAdded || 'jti' in claims)
}

/** The name of a client that only its assertions name. AWS writes its own `iss` into a JWT. */
export function issuerOf(assertion: AssertionConfiguration): string {
  return isSignedByTokenwell(assertion) ? String(assertion.claims['iss'] ?? assertion.issuer) : assertion.awsWebIdentity
}

/** The key of a jwtBuilder. */
export type KeyReference = SecretKeyReference | KmsKeyReference

interface KeyOfBuilder {
  /** The id of the jwtBuilder that has this key. */
  readonly jwtBuilder: string
  /** The `kid` of each key in `revokedKeys` of the element. */
  readonly revoked?: readonly string[]
}

/** A key in a secret. */
export interface SecretKeyReference extends KeyOfBuilder {
  /** The name of the secret. */
  readonly location: string
  readonly alias?: string
  /** Present if Tokenwell makes the key itself (`jwkEnabled`). */
  readonly generated?: GeneratedKey
}

/** A key that never leaves AWS KMS. */
export interface KmsKeyReference extends KeyOfBuilder {
  /** Such as `alias/tokenwell/prod/partner`. */
  readonly kmsAlias: string
  /** Replaces the digest of the public key. */
  readonly kid?: string
  /** The certificate of the key and its chain, as PEM or DER in base64. */
  readonly certificate?: string
  /** The time from the publication of a key to its first signature, unless no other key signs. */
  readonly publishAheadSeconds: number
}

export function isInKms(key: KeyReference): key is KmsKeyReference {
  return 'kmsAlias' in key
}

/** A JWT that Tokenwell signs with a key in a secret. */
export interface JwtOfSecret extends JwtConfiguration {
  readonly key: SecretKeyReference
}

export function isOfSecret(assertion: AssertionConfiguration): assertion is JwtOfSecret {
  return isSignedByTokenwell(assertion) && !isInKms(assertion.key)
}

/** The location of its keyStore: the name of a secret, or `kms:` and an alias. */
export function locationOf(key: KeyReference): string {
  return isInKms(key) ? `kms:${key.kmsAlias}` : key.location
}

/** Present if Tokenwell makes the key itself (`jwkEnabled`). */
export function generatedKeyOf(key: KeyReference): GeneratedKey | undefined {
  return isInKms(key) ? undefined : key.generated
}

export interface GeneratedKey {
  /** In bits, for an RSA key. */
  readonly modulusLength: number
  /** The time from one new key to the next. */
  readonly rotationSeconds: number
  /** The time from the publication of a key to its first signature. */
  readonly publishAheadSeconds: number
}
