import type { AssertionConfiguration } from './connection.ts'
import type { AuthorizationServer, ElementReference, JwtBuilder } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { Note } from './finding.ts'
import { assertionSeconds, resolveKey } from './resolve-key.ts'
import { defaultSignatureAlgorithm } from './signature-algorithm.ts'

/** Undefined where an element that it can't do without is missing, can't be read, or contradicts itself: that is noted. */
export function resolveAssertion(
  resolution: Resolution,
  tokenConfigId: string,
  serverId: string,
): AssertionConfiguration | undefined {
  const { graph, deployment, note } = resolution
  const tokenConfig = graph.get('oAuthTokenConfig', tokenConfigId)
  const builder = graph.get('jwtBuilder', tokenConfig?.tokenGeneratorRef)
  const server = graph.get('authorizationServer', serverId)
  if (!tokenConfig || !builder) return undefined

  const element: ElementReference = { kind: 'jwtBuilder', id: tokenConfig.tokenGeneratorRef }
  const tokenElement: ElementReference = { kind: 'oAuthTokenConfig', id: tokenConfigId }
  const key = resolveKey(resolution, element, builder)
  const audiences = resolveAudiences(resolution, element, builder, { claims: tokenConfig.claims ?? {}, serverId })
  if (!key || !audiences) return undefined

  const { sub: _sub, iat: _iat, ...claims } = tokenConfig.claims ?? {}
  for (const claim of ['sub', 'iat'])
    if (tokenConfig.claims && claim in tokenConfig.claims)
      note('warning', tokenElement, 'claims', `${claim} never takes effect there: take it out.`)
  const { typ = 'JWT', nbfOffset, scope } = builder
  const assertion: AssertionConfiguration = {
    issuer: builder.issuer ?? `${deployment.publicUrl}/jwt/${element.id}`,
    subject: tokenConfig.tokenSubject,
    audiences,
    expiresInSeconds: assertionSeconds(builder),
    issuedAtOffsetSeconds: seconds(builder.issuedAtOffset) ?? 0,
    ...(nbfOffset !== undefined && { notBeforeOffsetSeconds: seconds(nbfOffset) ?? 0 }),
    hasJwtId: builder.jti ?? true,
    ...(scope !== undefined && { scope }),
    claims,
    algorithm: builder.signatureAlgorithm ?? defaultSignatureAlgorithm,
    ...(typ !== 'none' && { type: typ }),
    certificateThumbprint: builder.certificateThumbprint ?? 'none',
    key,
  }
  const lifetimeAttribute =
    builder.expiresInSeconds === undefined && builder.expiry !== undefined ? 'expiry' : 'expiresInSeconds'
  warnOfAssertion(assertion, { builder: element, tokenConfig: tokenElement, lifetimeAttribute, server }, note)
  return assertion
}

function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000
}

/** Where no one says whom the assertion is for, there is nothing to guess: a server accepts only its own name. */
function resolveAudiences(
  { graph, note }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
  { claims, serverId }: { readonly claims: Readonly<Record<string, unknown>>; readonly serverId: string },
): readonly string[] | undefined {
  const server = graph.get('authorizationServer', serverId)
  if (builder.audiences) return builder.audiences
  if (server?.issuer !== undefined) return [server.issuer]
  if (claims['aud'] !== undefined) return []
  if (server)
    note(
      'mistake',
      element,
      'audiences',
      `the assertion would have no aud: set issuer on authorizationServer/${serverId} (best: RFC 7523bis wants the server's issuer identifier), or audiences here, or aud in claims of oAuthTokenConfig.`,
    )
  return undefined
}

const longLifetimeSeconds = 600

/** Where it was said what the assertion is to be. */
export interface AssertionOrigin {
  readonly builder: ElementReference
  readonly tokenConfig: ElementReference
  readonly lifetimeAttribute: 'expiresInSeconds' | 'expiry'
  readonly server: AuthorizationServer | undefined
}

/** Names what the elements ask for and real authorization servers refuse. The elements are obeyed all the same. */
export function warnOfAssertion(
  assertion: AssertionConfiguration,
  { builder, tokenConfig, lifetimeAttribute, server }: AssertionOrigin,
  note: Note,
): void {
  const { claims, subject } = assertion
  const placeOf = (claim: string, attribute: string) =>
    claim in claims ? ([tokenConfig, 'claims'] as const) : ([builder, attribute] as const)

  if ((claims['iss'] ?? assertion.issuer) !== subject)
    note(
      'warning',
      ...placeOf('iss', 'issuer'),
      `iss is not the client id, and most servers refuse that (RFC 7523 section 3): set issuer to ${JSON.stringify(subject)}.`,
    )

  if (!assertion.hasJwtId && !('jti' in claims))
    note(
      'warning',
      builder,
      'jti',
      'without jti an assertion can be replayed, and servers by OpenID Connect refuse it: leave jti true.',
    )

  if (assertion.expiresInSeconds > longLifetimeSeconds && !('exp' in claims))
    note(
      'warning',
      builder,
      lifetimeAttribute,
      'an assertion is used once, at once; servers refuse a lifetime over 10 minutes.',
    )

  if (assertion.issuedAtOffsetSeconds > 0)
    note(
      'warning',
      builder,
      'issuedAtOffset',
      'iat would lie in the future, which servers refuse; to date it back, write -5s.',
    )

  const notBefore = (assertion.notBeforeOffsetSeconds ?? Number.NaN) + assertion.issuedAtOffsetSeconds
  if (notBefore >= assertion.expiresInSeconds)
    note('mistake', builder, 'nbfOffset', 'the assertion would end before it begins: make it smaller, or leave it out.')
  else if (notBefore > 0)
    note(
      'warning',
      builder,
      'nbfOffset',
      'nbf would lie in the future, and an assertion is used at once: leave it out.',
    )

  const audiences = [claims['aud'] ?? assertion.audiences].flat()
  if (server && audiences.includes(server.tokenEndpoint))
    note(
      'warning',
      ...placeOf('aud', 'audiences'),
      'the token endpoint as aud is what RFC 7523bis forbids: name the issuer identifier of the server.',
    )

  if (assertion.audiences.some((audience) => /[\s,]/.test(audience)))
    note('warning', builder, 'audiences', 'one audience holds a blank or comma: give several as a list.')

  warnOfFixedClaims(claims, tokenConfig, note)
}

/** A claim that must change with each assertion, written down once for all. */
function warnOfFixedClaims(claims: AssertionConfiguration['claims'], tokenConfig: ElementReference, note: Note): void {
  const damage = {
    exp: 'a fixed exp makes every assertion expire for good at that moment',
    nbf: 'a fixed nbf makes every assertion invalid until that moment, and says nothing after it',
    jti: 'a fixed jti gets every assertion but the first refused as a replay',
  }
  for (const [claim, sentence] of Object.entries(damage))
    if (claim in claims) note('warning', tokenConfig, 'claims', `${sentence}: take ${claim} out of claims.`)
}
