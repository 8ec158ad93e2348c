import { generatedKeyOf, type JwtConfiguration } from './assertion-configuration.ts'
import type { AuthorizationServer, ElementReference } from './element.ts'
import type { FindingList } from './finding.ts'
import { type AssertionElements, adviseOnOmitted } from './omitted.ts'

/** The assertion, its server, and the attributes that warnings are about. */
export interface AssertionOrigin extends AssertionElements {
  readonly lifetimeAttribute: 'expiresInSeconds' | 'expiry'
  readonly server: AuthorizationServer | undefined
  /** The URL where Tokenwell publishes the keys of the jwtBuilder. */
  readonly jwkSet: string
}

/** Warnings about an assertion that real authorization servers refuse. */
export function adviseOnAssertion(assertion: JwtConfiguration, origin: AssertionOrigin, findings: FindingList): void {
  adviseOnIdentity(assertion, origin, findings)
  adviseOnTimes(assertion, origin, findings)
  adviseOnAudiences(assertion, origin, findings)
  adviseOnConstantClaims(assertion.claims, origin.tokenConfig, findings)
  adviseOnOmitted(assertion.omitted ?? [], origin, findings)
  adviseOnHeader(assertion, origin, findings)
}

function adviseOnIdentity(
  { issuer, subject, hasJwtId, claims, omitted = [] }: JwtConfiguration,
  { builder, tokenConfig, use }: AssertionOrigin,
  findings: FindingList,
): void {
  const [place, attribute] = 'iss' in claims ? ([tokenConfig, 'claims'] as const) : ([builder, 'issuer'] as const)
  const clientId = JSON.stringify(subject)
  const toSet = 'iss' in claims ? 'iss in claims' : 'issuer'
  // The subject of a grant is a user, or is left out. A client without a subject is a mistake of its own.
  if (use === 'client' && subject !== undefined && !omitted.includes('iss') && (claims['iss'] ?? issuer) !== subject)
    findings.addWarning(
      place,
      attribute,
      `The iss of the assertion is not the client id. Most servers refuse that (RFC 7523 section 3). Set ${toSet} to ${clientId}.`,
    )

  const isOmitted = omitted.includes('jti')
  // A token server that does not speak OAuth 2.0 may refuse a jti.
  if (use !== 'token_server' && (isOmitted || (!hasJwtId && !('jti' in claims))))
    findings.addWarning(
      builder,
      isOmitted ? 'omit' : 'jti',
      'An assertion without jti can be replayed, and servers that follow OpenID Connect refuse it. Send jti.',
    )
}

/** The maximum at Auth0 and HelseID, and in FAPI profiles. */
const longLifetimeSeconds = 300
/** As HelseID's own client does. */
const shortLifetimeSeconds = 10

function adviseOnTimes(
  { expiresInSeconds, issuedAtOffsetSeconds, notBeforeOffsetSeconds, claims }: JwtConfiguration,
  { builder, lifetimeAttribute }: AssertionOrigin,
  findings: FindingList,
): void {
  if (expiresInSeconds > longLifetimeSeconds && !('exp' in claims))
    findings.addWarning(
      builder,
      lifetimeAttribute,
      'Many servers refuse an assertion that is valid for more than 5 minutes. Make it shorter: an assertion is used only once, immediately.',
    )

  if (expiresInSeconds < shortLifetimeSeconds && !('exp' in claims))
    findings.addWarning(
      builder,
      lifetimeAttribute,
      'A server that is slow, or whose clock is ahead, would get the assertion after its exp. Make it at least 10 seconds.',
    )

  if (issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'issuedAtOffset',
      'The iat would be in the future, and servers refuse that. To set it 5 seconds back, write -5s.',
    )

  if (notBeforeOffsetSeconds !== undefined && notBeforeOffsetSeconds + issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'nbfOffset',
      'The nbf would be in the future, but an assertion is used immediately. Leave this attribute out.',
    )
}

/** A server that reads `jku` finds only the keys of that JWK set. */
export function adviseOnHeader(
  { header = {}, key, omitted = [], hasCertificateChain, certificateThumbprint }: JwtConfiguration,
  { builder, jwkSet }: Pick<AssertionOrigin, 'builder' | 'jwkSet'>,
  findings: FindingList,
): void {
  if (!generatedKeyOf(key)) return
  const { jku } = header
  // The local run publishes them without TLS, which jku may not name.
  if (jku !== undefined && jku !== jwkSet && jwkSet.startsWith('https:'))
    findings.addWarning(
      builder,
      'header',
      `The jku is another URL than the one where Tokenwell publishes its keys. Set it to ${jwkSet}.`,
    )
  if (omitted.includes('kid') && !hasCertificateChain && certificateThumbprint === 'none')
    findings.addWarning(
      builder,
      'omit',
      'With jwkEnabled the JWK set has several keys, and without kid a server may choose the wrong one. Send kid.',
    )
}

/** According to their documentation. */
const serversThatRequireTokenEndpoint = 'Entra ID, Okta, Epic and Apple Business Manager'

function adviseOnAudiences(
  { audiences, claims }: JwtConfiguration,
  { builder, tokenConfig, server, use }: AssertionOrigin,
  findings: FindingList,
): void {
  const sent = [claims['aud'] ?? audiences].flat().map(String)
  const [place, attribute] = 'aud' in claims ? ([tokenConfig, 'claims'] as const) : ([builder, 'audiences'] as const)
  // RFC 7523 section 3 allows the token endpoint as the audience of a grant.
  if (use === 'client' && server?.tokenEndpoint !== undefined && sent.includes(server.tokenEndpoint))
    findings.addWarning(
      place,
      attribute,
      `The aud is the token endpoint, which RFC 7523bis forbids. Use the issuer identifier of the server. If the server requires its token endpoint, as ${serversThatRequireTokenEndpoint} do, add ${attribute} to acceptedWarnings of this element.`,
    )
  if (sent.length > 1)
    findings.addWarning(
      place,
      attribute,
      'The assertion has several aud: each server could use it at the others, and servers refuse that (RFC 7523bis). Name only one.',
    )
  for (const audience of sent) if (audience !== server?.issuer) adviseOnIssuer(audience, place, attribute, findings)

  if (audiences.some((audience) => /[\s,]/.test(audience)))
    findings.addWarning(
      builder,
      'audiences',
      'An audience has a space or comma. If you mean several audiences, write them as a list.',
    )
}

/** Warns of claims with a fixed value that must differ in each assertion. */
function adviseOnConstantClaims(
  claims: JwtConfiguration['claims'],
  tokenConfig: ElementReference,
  findings: FindingList,
): void {
  const damage = {
    exp: 'With a fixed exp, every assertion expires at that time, and no assertion is valid after it',
    nbf: 'With a fixed nbf, every assertion is invalid before that time, and nbf has no effect after it',
    jti: 'With a fixed jti, the server refuses every assertion but the first as a replay',
  }
  for (const [claim, sentence] of Object.entries(damage))
    if (claim in claims) findings.addWarning(tokenConfig, 'claims', `${sentence}. Take ${claim} out of claims.`)
}

export function adviseOnIssuer(
  issuer: string,
  element: ElementReference,
  attribute: string,
  findings: FindingList,
): void {
  const metadata = /\/\.well-known\/[^/?]+/
  const probable = JSON.stringify(issuer.replace(metadata, ''))
  if (metadata.test(issuer))
    findings.addWarning(
      element,
      attribute,
      `It is the URL of the server's metadata, not its issuer identifier. Write the issuer from the metadata, probably ${probable}.`,
    )
}
