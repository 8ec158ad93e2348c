import { assertionSeconds } from './assertion-seconds.ts'
import type { AssertionConfiguration } from './connection.ts'
import type { ElementReference, JwtBuilder } from './element.ts'
import type { Resolution } from './resolution.ts'
import { resolveKey } from './resolve-key.ts'
import { defaultSignatureAlgorithm } from './signature-algorithm.ts'
import { warnOfAssertion } from './warn-of-assertion.ts'

/** Undefined where an element that it can't do without is missing, can't be read, or contradicts itself: that is noted. */
export function resolveAssertion(
  resolution: Resolution,
  tokenConfigId: string,
  serverId: string,
): AssertionConfiguration | undefined {
  const { graph, surroundings, note } = resolution
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
    issuer: builder.issuer ?? `${surroundings.publicUrl}/jwt/${element.id}`,
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
