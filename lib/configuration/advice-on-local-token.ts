import { type AssertionOrigin, adviseOnHeader } from './advice-on-assertion.ts'
import { hasJwtId, type JwtConfiguration } from './assertion-configuration.ts'
import type { AuthTokenLocal } from './element.ts'
import type { FindingList } from './finding.ts'

/** The elements of a token that Tokenwell signs. `tokenConfig` is the `authTokenLocal`. */
export type LocalTokenOrigin = Omit<AssertionOrigin, 'server'>

/** Warnings about a JWT that is itself the token of an API. */
export function adviseOnLocalToken(
  assertion: JwtConfiguration,
  element: AuthTokenLocal,
  origin: LocalTokenOrigin,
  findings: FindingList,
): void {
  adviseOnAudience(assertion, origin, findings)
  adviseOnTimes(assertion, origin, findings)
  adviseOnReuse(assertion, element, origin, findings)
  adviseOnConstantClaims(assertion, origin, findings)
  adviseOnHeader(assertion, origin, findings)
}

function adviseOnAudience(
  { audiences, claims, omitted = [] }: JwtConfiguration,
  { builder, tokenConfig }: LocalTokenOrigin,
  findings: FindingList,
): void {
  const [place, attribute] = 'aud' in claims ? ([tokenConfig, 'claims'] as const) : ([builder, 'audiences'] as const)
  const sent = [claims['aud'] ?? audiences].flat()
  if (sent.length === 0 && !omitted.includes('aud'))
    findings.addWarning(
      builder,
      'audiences',
      'The token has no aud: an API that gets it could use it at another API that accepts this key (RFC 8725 section 3.9). Set audiences. If the API wants no aud, add aud to omit.',
    )
  if (sent.length > 1)
    findings.addWarning(
      place,
      attribute,
      'The token has several aud: each of these APIs could use it at the others. Name only one, and use another jwtBuilder for another API.',
    )
  if (audiences.some((audience) => /[\s,]/.test(audience)))
    findings.addWarning(
      builder,
      'audiences',
      'An audience has a space or comma. If you mean several audiences, write them as a list.',
    )
}

/** The maximum at Google and Snowflake. */
const longLifetimeSeconds = 3_600
const shortLifetimeSeconds = 10

function adviseOnTimes(
  { expiresInSeconds, issuedAtOffsetSeconds, notBeforeOffsetSeconds, claims, omitted = [] }: JwtConfiguration,
  { builder, lifetimeAttribute }: LocalTokenOrigin,
  findings: FindingList,
): void {
  // An API that limits the lifetime counts from `iat`.
  const seconds = expiresInSeconds - (omitted.includes('iat') ? 0 : issuedAtOffsetSeconds)
  if (seconds > longLifetimeSeconds && !('exp' in claims))
    findings.addWarning(
      builder,
      lifetimeAttribute,
      `The token is valid for ${seconds} s from its iat, and many APIs accept at most 1 hour. Some refuse a longer token, others end it earlier than its exp, so that callers would get a dead token. Make it shorter.`,
    )
  if (expiresInSeconds < shortLifetimeSeconds && !('exp' in claims))
    findings.addWarning(
      builder,
      lifetimeAttribute,
      'An API that is slow, or whose clock is ahead, would get the token after its exp. Make it at least 10 seconds.',
    )
  if (issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'issuedAtOffset',
      'The iat would be in the future, and APIs refuse that. To set it 5 seconds back, write -5s.',
    )
  if (notBeforeOffsetSeconds !== undefined && notBeforeOffsetSeconds + issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'nbfOffset',
      'The nbf would be in the future, but a caller gets the token as soon as it is signed. Leave this attribute out.',
    )
}

/** A jwtBuilder adds a `jti` by default, so many operators have not decided about it. */
function adviseOnReuse(
  assertion: JwtConfiguration,
  { cacheTokensWithJti }: AuthTokenLocal,
  { tokenConfig }: LocalTokenOrigin,
  findings: FindingList,
): void {
  const hasId = hasJwtId(assertion)
  if (hasId && cacheTokensWithJti === undefined)
    findings.addWarning(
      tokenConfig,
      'cacheTokensWithJti',
      'The token has a jti, so each request gets a token of its own: Tokenwell keeps none and renews none ahead. To keep tokens, set jti of the jwtBuilder to false, or set this attribute to true if the API accepts a jti more than once. For one token per request, set it to false.',
    )
  if (!hasId && cacheTokensWithJti !== undefined)
    findings.addWarning(
      tokenConfig,
      'cacheTokensWithJti',
      'It has no effect: the token has no jti, and is always kept. Take it out.',
    )
}

/** Warns of claims with a fixed value that must differ in each token. */
function adviseOnConstantClaims(
  { claims }: JwtConfiguration,
  { tokenConfig }: LocalTokenOrigin,
  findings: FindingList,
): void {
  const damage = {
    exp: 'With a fixed exp, every token expires at that time, and callers get no token after it. Take exp out of claims.',
    nbf: 'With a fixed nbf, every token is invalid before that time, and nbf has no effect after it. Take nbf out of claims.',
    jti: 'With a fixed jti, an API that detects replays refuses every token but the first. Take jti out of claims.',
  }
  for (const [claim, sentence] of Object.entries(damage))
    if (claim in claims) findings.addWarning(tokenConfig, 'claims', sentence)
}
