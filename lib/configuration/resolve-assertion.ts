import type { AssertionConfiguration } from './connection.ts'
import type { AuthorizationServer, ElementReference, JwtBuilder } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { assertionSeconds, resolveKey } from './resolve-key.ts'
import { defaultSignatureAlgorithm } from './signature-algorithm.ts'

type Claims = AssertionConfiguration['claims']

/**
 * Undefined if an element that it can't do without is missing, can't be read, or contradicts itself: there is a finding on
 * that.
 */
export function resolveAssertion(
  resolution: Resolution,
  tokenConfigId: string,
  serverId: string,
): AssertionConfiguration | undefined {
  const { graph, deployment, findings } = resolution
  const tokenConfig = graph.get('oAuthTokenConfig', tokenConfigId)
  const builder = graph.get('jwtBuilder', tokenConfig?.tokenGeneratorRef)
  if (!tokenConfig || !builder) return undefined

  const element: ElementReference = { kind: 'jwtBuilder', id: tokenConfig.tokenGeneratorRef }
  const tokenElement: ElementReference = { kind: 'oAuthTokenConfig', id: tokenConfigId }
  const written = tokenConfig.claims ?? {}
  const key = resolveKey(resolution, element, builder)
  const audiences = resolveAudiences(resolution, element, builder, { claims: written, serverId })
  if (!key || !audiences) return undefined

  const assertion: AssertionConfiguration = {
    issuer: builder.issuer ?? `${deployment.publicUrl}/jwt/${element.id}`,
    subject: tokenConfig.tokenSubject,
    audiences,
    ...ownAttributes(builder),
    claims: withoutFixedClaims(written, tokenElement, findings),
    key,
  }
  const server = graph.get('authorizationServer', serverId)
  checkAssertion(
    assertion,
    { builder: element, tokenConfig: tokenElement, ...lifetimePlace(builder), server },
    findings,
  )
  return assertion
}

/** What a jwtBuilder alone decides. */
function ownAttributes(builder: JwtBuilder) {
  const { typ = 'JWT', nbfOffset, scope } = builder
  return {
    expiresInSeconds: assertionSeconds(builder),
    issuedAtOffsetSeconds: (builder.issuedAtOffset ?? 0) / 1000,
    ...(nbfOffset !== undefined && { notBeforeOffsetSeconds: nbfOffset / 1000 }),
    hasJwtId: builder.jti ?? true,
    ...(scope !== undefined && { scope }),
    algorithm: builder.signatureAlgorithm ?? defaultSignatureAlgorithm,
    ...(typ !== 'none' && { type: typ }),
    certificateThumbprint: builder.certificateThumbprint ?? 'none',
  } satisfies Partial<AssertionConfiguration>
}

/** Without `sub`, which is always the client id, and `iat`, which is always the time of signing. */
function withoutFixedClaims(written: Claims, tokenElement: ElementReference, findings: FindingList): Claims {
  const { sub: _sub, iat: _iat, ...claims } = written
  for (const claim of ['sub', 'iat'])
    if (claim in written) findings.addWarning(tokenElement, 'claims', `${claim} never takes effect there: take it out.`)
  return claims
}

/** Without an audience there is nothing to guess: a server accepts only its own name. */
function resolveAudiences(
  { graph, findings }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
  { claims, serverId }: { readonly claims: Claims; readonly serverId: string },
): readonly string[] | undefined {
  const server = graph.get('authorizationServer', serverId)
  if (builder.audiences) return builder.audiences
  if (server?.issuer !== undefined) return [server.issuer]
  if (claims['aud'] !== undefined) return []
  if (server)
    findings.addMistake(
      element,
      'audiences',
      `the assertion would have no aud: set issuer on authorizationServer/${serverId} (best: RFC 7523bis wants the server's issuer identifier), or audiences here, or aud in claims of oAuthTokenConfig.`,
    )
  return undefined
}

/** Which elements and attributes say what the assertion is to be. */
interface AssertionOrigin {
  readonly builder: ElementReference
  readonly tokenConfig: ElementReference
  readonly lifetimeAttribute: 'expiresInSeconds' | 'expiry'
  readonly server: AuthorizationServer | undefined
}

function lifetimePlace({ expiresInSeconds, expiry }: JwtBuilder): Pick<AssertionOrigin, 'lifetimeAttribute'> {
  return { lifetimeAttribute: expiresInSeconds === undefined && expiry !== undefined ? 'expiry' : 'expiresInSeconds' }
}

/** Warns of what the elements configure and real authorization servers refuse. The elements are obeyed all the same. */
function checkAssertion(assertion: AssertionConfiguration, origin: AssertionOrigin, findings: FindingList): void {
  checkIdentity(assertion, origin, findings)
  checkTimes(assertion, origin, findings)
  checkAudiences(assertion, origin, findings)
  warnOfConstantClaims(assertion.claims, origin.tokenConfig, findings)
}

function checkIdentity(
  { issuer, subject, hasJwtId, claims }: AssertionConfiguration,
  { builder, tokenConfig }: AssertionOrigin,
  findings: FindingList,
): void {
  if ((claims['iss'] ?? issuer) !== subject)
    findings.addWarning(
      'iss' in claims ? tokenConfig : builder,
      'iss' in claims ? 'claims' : 'issuer',
      `iss is not the client id, and most servers refuse that (RFC 7523 section 3): set issuer to ${JSON.stringify(subject)}.`,
    )

  if (!hasJwtId && !('jti' in claims))
    findings.addWarning(
      builder,
      'jti',
      'without jti an assertion can be replayed, and servers by OpenID Connect refuse it: leave jti true.',
    )
}

const longLifetimeSeconds = 600

function checkTimes(
  { expiresInSeconds, issuedAtOffsetSeconds, notBeforeOffsetSeconds, claims }: AssertionConfiguration,
  { builder, lifetimeAttribute }: AssertionOrigin,
  findings: FindingList,
): void {
  if (expiresInSeconds > longLifetimeSeconds && !('exp' in claims))
    findings.addWarning(
      builder,
      lifetimeAttribute,
      'an assertion is used once, at once; servers refuse a lifetime over 10 minutes.',
    )

  if (issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'issuedAtOffset',
      'iat would lie in the future, which servers refuse; to date it back, write -5s.',
    )

  if (notBeforeOffsetSeconds === undefined) return
  const notBefore = notBeforeOffsetSeconds + issuedAtOffsetSeconds
  if (notBefore >= expiresInSeconds)
    findings.addMistake(
      builder,
      'nbfOffset',
      'the assertion would end before it begins: make it smaller, or leave it out.',
    )
  else if (notBefore > 0)
    findings.addWarning(
      builder,
      'nbfOffset',
      'nbf would lie in the future, and an assertion is used at once: leave it out.',
    )
}

function checkAudiences(
  { audiences, claims }: AssertionConfiguration,
  { builder, tokenConfig, server }: AssertionOrigin,
  findings: FindingList,
): void {
  if (server && [claims['aud'] ?? audiences].flat().includes(server.tokenEndpoint))
    findings.addWarning(
      'aud' in claims ? tokenConfig : builder,
      'aud' in claims ? 'claims' : 'audiences',
      'the token endpoint as aud is what RFC 7523bis forbids: name the issuer identifier of the server.',
    )

  if (audiences.some((audience) => /[\s,]/.test(audience)))
    findings.addWarning(builder, 'audiences', 'one audience holds a blank or comma: give several as a list.')
}

/** Claims that must change with each assertion, written as one value for all. */
function warnOfConstantClaims(claims: Claims, tokenConfig: ElementReference, findings: FindingList): void {
  const damage = {
    exp: 'a fixed exp makes every assertion expire for good at that moment',
    nbf: 'a fixed nbf makes every assertion invalid until that moment, and says nothing after it',
    jti: 'a fixed jti gets every assertion but the first refused as a replay',
  }
  for (const [claim, sentence] of Object.entries(damage))
    if (claim in claims) findings.addWarning(tokenConfig, 'claims', `${sentence}: take ${claim} out of claims.`)
}
