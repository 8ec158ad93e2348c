import type { AssertionOrigin } from './advice-on-assertion.ts'
import type { AssertionConfiguration, JwtConfiguration } from './assertion-configuration.ts'
import type { AuthTokenLocal, ElementReference, JwtBuilder } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { type AssertionUse, refuseSettingOmitted } from './omitted.ts'
import { assertionSeconds, resolveKey } from './resolve-key.ts'
import { resolveWebIdentity } from './resolve-web-identity.ts'
import { defaultSignatureAlgorithm } from './signature-algorithm.ts'

type Claims = JwtConfiguration['claims']

/**
 * Resolves an assertion of a connection. Undefined if a required element is missing, can't be read, or contradicts itself. Then
 * there is a finding about it.
 */
export function resolveAssertion(
  resolution: Resolution,
  tokenConfigId: string,
  serverId: string,
  use: Exclude<AssertionUse, 'token'>,
): AssertionConfiguration | undefined {
  const { graph, findings } = resolution
  const tokenConfig = graph.get('oAuthTokenConfig', tokenConfigId)
  const builder = graph.get('jwtBuilder', tokenConfig?.tokenGeneratorRef)
  const webIdentity = graph.get('awsWebIdentity', tokenConfig?.tokenGeneratorRef)
  const tokenElement: ElementReference = { kind: 'oAuthTokenConfig', id: tokenConfigId }
  if (tokenConfig && builder && webIdentity)
    findings.addMistake(
      tokenElement,
      'tokenGeneratorRef',
      'A jwtBuilder and an awsWebIdentity have this id. Give one of them another id.',
    )
  if (tokenConfig && webIdentity) {
    const identity = resolveWebIdentity(findings, { element: tokenElement, attributes: tokenConfig }, webIdentity)
    resolution.advice?.onWebIdentity(identity, graph.get('authorizationServer', serverId), use)
    return identity
  }
  if (!tokenConfig || !builder) return undefined

  const element: ElementReference = { kind: 'jwtBuilder', id: tokenConfig.tokenGeneratorRef }
  const audiences = resolveAudiences(resolution, element, builder, {
    claims: tokenConfig.claims ?? {},
    serverId,
    use,
  })
  const assertion = assemble(resolution, element, builder, { tokenElement, tokenConfig, audiences })
  if (!assertion) return undefined

  const server = graph.get('authorizationServer', serverId)
  demandBeginBeforeEnd(assertion, element, findings)
  refuseSettingOmitted(builder, tokenConfig, { builder: element, tokenConfig: tokenElement, use }, findings)
  if (use === 'client') demandSubject(assertion, tokenElement, findings)
  const origin = originOf(resolution, element, builder)
  resolution.advice?.onAssertion(assertion, { ...origin, tokenConfig: tokenElement, server, use })
  return assertion
}

/** Resolves the JWT that is itself the token of an API. It need not have `aud` and `sub`. */
export function resolveLocalAssertion(
  resolution: Resolution,
  tokenElement: ElementReference,
  attributes: AuthTokenLocal,
): JwtConfiguration | undefined {
  const builder = resolution.graph.get('jwtBuilder', attributes.tokenGeneratorRef)
  if (!builder) return undefined
  const element: ElementReference = { kind: 'jwtBuilder', id: attributes.tokenGeneratorRef }
  const { audiences = [] } = builder
  const assertion = assemble(resolution, element, builder, { tokenElement, tokenConfig: attributes, audiences })
  if (!assertion) return undefined

  const { findings, advice } = resolution
  demandBeginBeforeEnd(assertion, element, findings)
  const elements = { builder: element, tokenConfig: tokenElement, use: 'token' } as const
  refuseSettingOmitted(builder, attributes, elements, findings)
  advice?.onLocalToken(assertion, attributes, { ...originOf(resolution, element, builder), ...elements })
  return assertion
}

function originOf({ deployment }: Resolution, element: ElementReference, builder: JwtBuilder) {
  return {
    builder: element,
    ...lifetimePlace(builder),
    /** The URL where Tokenwell publishes the keys of the jwtBuilder. */
    jwkSet: `${deployment.publicUrl}/jwt/${element.id}/jwk`,
  }
}

interface AssertionParts {
  readonly tokenElement: ElementReference
  readonly tokenConfig: Pick<AuthTokenLocal, 'tokenSubject' | 'claims'>
  /** Undefined if they can't be resolved. Then there is a finding. */
  readonly audiences: readonly string[] | undefined
}

function assemble(
  resolution: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
  { tokenElement, tokenConfig: { tokenSubject, claims = {} }, audiences }: AssertionParts,
): JwtConfiguration | undefined {
  const { deployment, findings } = resolution
  const key = resolveKey(resolution, element, builder)
  if (!key || !audiences) return undefined
  return {
    issuer: builder.issuer ?? `${deployment.publicUrl}/jwt/${element.id}`,
    ...(tokenSubject !== undefined && { subject: tokenSubject }),
    audiences,
    ...ownAttributes(builder),
    claims: withoutFixedClaims(claims, tokenElement, findings),
    key,
  }
}

/** RFC 7523 section 3: the subject of a client's assertion is the client id. */
function demandSubject({ subject }: JwtConfiguration, tokenElement: ElementReference, findings: FindingList): void {
  if (subject === undefined)
    findings.addMistake(
      tokenElement,
      'tokenSubject',
      'It is required for the assertion of a client. Set it to the client id.',
    )
}

/** The settings that depend only on the jwtBuilder. */
function ownAttributes(builder: JwtBuilder) {
  const { typ = 'JWT', nbfOffset, scope, x5c, header, omit } = builder
  return {
    expiresInSeconds: assertionSeconds(builder),
    issuedAtOffsetSeconds: (builder.issuedAtOffset ?? 0) / 1000,
    ...(nbfOffset !== undefined && { notBeforeOffsetSeconds: nbfOffset / 1000 }),
    hasJwtId: builder.jti ?? true,
    ...(scope !== undefined && { scope }),
    algorithm: builder.signatureAlgorithm ?? defaultSignatureAlgorithm,
    ...(typ !== 'none' && { type: typ }),
    certificateThumbprint: builder.certificateThumbprint ?? 'none',
    ...(x5c && { hasCertificateChain: true as const }),
    ...(header && { header }),
    ...(omit && { omitted: omit }),
  } satisfies Partial<JwtConfiguration>
}

/** The claims without `sub`, which is always `tokenSubject`, and `iat`, which is always the time of signing. */
function withoutFixedClaims(written: Claims, tokenElement: ElementReference, findings: FindingList): Claims {
  const { sub: _sub, iat: _iat, ...claims } = written
  for (const claim of ['sub', 'iat'])
    if (claim in written)
      findings.addWarning(
        tokenElement,
        'claims',
        `The claim ${claim} has no effect: Tokenwell always sets it. Take it out of claims.`,
      )
  return claims
}

/** A missing audience can't be guessed: a server accepts only its own name. */
function resolveAudiences(
  { graph, findings }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
  { claims, serverId, use }: { readonly claims: Claims; readonly serverId: string; readonly use: AssertionUse },
): readonly string[] | undefined {
  const server = graph.get('authorizationServer', serverId)
  if (builder.audiences) return builder.audiences
  if (builder.omit?.includes('aud')) return []
  if (server?.issuer !== undefined) return [server.issuer]
  if (claims['aud'] !== undefined) return []
  if (server)
    findings.addMistake(
      element,
      'audiences',
      use === 'token_server'
        ? `The JWT would have no aud. Set audiences here, or issuer on authorizationServer/${serverId}. If the token server wants no aud, add aud to omit.`
        : `The assertion would have no aud. Best set issuer on authorizationServer/${serverId}: RFC 7523bis requires the server's issuer identifier. Or set audiences here, or aud in claims of the oAuthTokenConfig element.`,
    )
  return undefined
}

function lifetimePlace({ expiresInSeconds, expiry }: JwtBuilder): Pick<AssertionOrigin, 'lifetimeAttribute'> {
  return { lifetimeAttribute: expiresInSeconds === undefined && expiry !== undefined ? 'expiry' : 'expiresInSeconds' }
}

/** A JWT that expires before its `nbf` is never valid. */
function demandBeginBeforeEnd(
  { expiresInSeconds, issuedAtOffsetSeconds, notBeforeOffsetSeconds }: JwtConfiguration,
  builder: ElementReference,
  findings: FindingList,
): void {
  if (notBeforeOffsetSeconds !== undefined && notBeforeOffsetSeconds + issuedAtOffsetSeconds >= expiresInSeconds)
    findings.addMistake(
      builder,
      'nbfOffset',
      'The JWT would expire before its nbf. Make nbfOffset smaller, or leave it out.',
    )
}
