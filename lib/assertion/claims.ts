import type { AssertionConfiguration } from '../configuration/connection.ts'

/** What differs between two assertions of one configuration. */
export interface AssertionMoment {
  /** Milliseconds since the epoch: the one clock reading of this assertion. */
  readonly now: number
  /** Never used before. */
  readonly jwtId: string
}

/**
 * The claim set of a client assertion (RFC 7523 section 3), by the rules of the original: claims that the operator wrote
 * overwrite everything but `sub`, which is always the client id, and `iat`, which is always the time of making.
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
    // One audience is a string: some servers refuse an array, and RFC 7523bis wants a sole value.
    ...(audiences.length > 0 && { aud: audiences.length === 1 ? audiences[0] : audiences }),
    exp: nowSeconds + assertion.expiresInSeconds,
    ...(notBeforeOffsetSeconds !== undefined && { nbf: issuedAt + notBeforeOffsetSeconds }),
    ...(assertion.hasJwtId && { jti: jwtId }),
    ...(scope !== undefined && { scope }),
    ...assertion.claims,
    sub: assertion.subject,
    iat: issuedAt,
  }
}
