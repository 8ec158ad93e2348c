import type { Omittable } from './assertion-schema.ts'
import type { CertificateThumbprint } from './element.ts'
import type { SignatureAlgorithm } from './signature-algorithm.ts'

export interface AssertionConfiguration {
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

/** Whether each of these JWTs has a `jti`. */
export function hasJwtId({ hasJwtId: isAdded, claims, omitted = [] }: AssertionConfiguration): boolean {
  return !omitted.includes('jti') && (isAdded || 'jti' in claims)
}

export interface KeyReference {
  /** The id of the jwtBuilder that has this key. */
  readonly jwtBuilder: string
  /** The `kid` of each key in `revokedKeys` of the element. */
  readonly revoked?: readonly string[]
  /** The name of the secret. */
  readonly location: string
  readonly alias?: string
  /** Present if Tokenwell makes the key itself (`jwkEnabled`). */
  readonly generated?: GeneratedKey
}

export interface GeneratedKey {
  /** In bits, for an RSA key. */
  readonly modulusLength: number
  /** The time from one new key to the next. */
  readonly rotationSeconds: number
  /** The time from the publication of a key to its first signature. */
  readonly publishAheadSeconds: number
}
