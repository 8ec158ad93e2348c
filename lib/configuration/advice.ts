import type { AssertionConfiguration } from './connection.ts'
import {
  type AuthorizationServer,
  type ElementReference,
  type EndpointConnection,
  type JwtBuilder,
  keyOf,
  type OAuthConfig,
} from './element.ts'
import type { ElementReading } from './element-store.ts'
import { type Finding, type FindingList, isMistake } from './finding.ts'
import { defaultSignatureAlgorithm, isRsaAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'

/** Warnings for operators: what elements configure and real authorization servers refuse, and what has no effect. */
export type Advice = ReturnType<typeof createAdvice>

/** Which elements and attributes say what the assertion is to be. */
export interface AssertionOrigin {
  readonly builder: ElementReference
  readonly tokenConfig: ElementReference
  readonly lifetimeAttribute: 'expiresInSeconds' | 'expiry'
  readonly server: AuthorizationServer | undefined
}

/** Only `inspectConnection` has it: a token request reads no warnings, so they are in a module that it does not load. */
export function createAdvice(findings: FindingList) {
  return {
    onAssertion(assertion: AssertionConfiguration, origin: AssertionOrigin): void {
      adviseOnIdentity(assertion, origin, findings)
      adviseOnTimes(assertion, origin, findings)
      adviseOnAudiences(assertion, origin, findings)
      adviseOnConstantClaims(assertion.claims, origin.tokenConfig, findings)
    },
    onKey: (builder: JwtBuilder, element: ElementReference) => adviseOnIgnoredKeyAttributes(builder, element, findings),
    onServer(server: AuthorizationServer, element: ElementReference): void {
      if (server.issuer !== undefined) adviseOnIssuer(server.issuer, element, 'issuer', findings)
      adviseOnTokenEndpoint(server, element, findings)
      adviseOnTokenLifetimes(server, element, findings)
    },
    onConfig: (config: OAuthConfig, element: ElementReference) => adviseOnScopes(config, element, findings),
    onEndpointWithoutHost: (endpoint: EndpointConnection, element: ElementReference) =>
      adviseOnAttributesOfCalls(endpoint, element, findings),
  }
}

/**
 * Without the warnings that the operator accepts by the element itself.
 * @param readings of the elements that the findings are about
 */
export function withoutAccepted(findings: readonly Finding[], readings: readonly ElementReading[]): readonly Finding[] {
  return findings.filter((finding) => isMistake(finding) || !isAccepted(finding, readings))
}

function isAccepted({ element, attribute = '' }: Finding, readings: readonly ElementReading[]): boolean {
  const found = readings.find(({ reference }) => element && keyOf(reference) === keyOf(element))
  const attributes: object = found?.attributes ?? {}
  const accepted = 'acceptedWarnings' in attributes ? attributes.acceptedWarnings : []
  return Array.isArray(accepted) && accepted.includes(attribute)
}

function adviseOnIdentity(
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

/** Auth0, HelseID and FAPI profiles allow no more. */
const longLifetimeSeconds = 300

function adviseOnTimes(
  { expiresInSeconds, issuedAtOffsetSeconds, notBeforeOffsetSeconds, claims }: AssertionConfiguration,
  { builder, lifetimeAttribute }: AssertionOrigin,
  findings: FindingList,
): void {
  if (expiresInSeconds > longLifetimeSeconds && !('exp' in claims))
    findings.addWarning(
      builder,
      lifetimeAttribute,
      'an assertion is used once, at once; many servers refuse a lifetime over 5 minutes.',
    )

  if (issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'issuedAtOffset',
      'iat would lie in the future, which servers refuse; to date it back, write -5s.',
    )

  if (notBeforeOffsetSeconds !== undefined && notBeforeOffsetSeconds + issuedAtOffsetSeconds > 0)
    findings.addWarning(
      builder,
      'nbfOffset',
      'nbf would lie in the future, and an assertion is used at once: leave it out.',
    )
}

/** By their documentation. */
const serversThatWantTokenEndpoint = 'Entra ID, Okta, Epic and Apple Business Manager'

function adviseOnAudiences(
  { audiences, claims }: AssertionConfiguration,
  { builder, tokenConfig, server }: AssertionOrigin,
  findings: FindingList,
): void {
  const sent = [claims['aud'] ?? audiences].flat().map(String)
  const [place, attribute] = 'aud' in claims ? ([tokenConfig, 'claims'] as const) : ([builder, 'audiences'] as const)
  if (server && sent.includes(server.tokenEndpoint))
    findings.addWarning(
      place,
      attribute,
      `the token endpoint as aud is what RFC 7523bis forbids: name the issuer identifier of the server. Where it wants its token endpoint, as ${serversThatWantTokenEndpoint} do, put ${attribute} into acceptedWarnings of this element.`,
    )
  if (sent.length > 1)
    findings.addWarning(
      place,
      attribute,
      'with several aud each of them could use the assertion at the others, and servers refuse that (RFC 7523bis): name one.',
    )
  for (const audience of sent) if (audience !== server?.issuer) adviseOnIssuer(audience, place, attribute, findings)

  if (audiences.some((audience) => /[\s,]/.test(audience)))
    findings.addWarning(builder, 'audiences', 'one audience holds a blank or comma: give several as a list.')
}

/** Claims that must change with each assertion, written as one value for all. */
function adviseOnConstantClaims(
  claims: AssertionConfiguration['claims'],
  tokenConfig: ElementReference,
  findings: FindingList,
): void {
  const damage = {
    exp: 'a fixed exp makes every assertion expire for good at that moment',
    nbf: 'a fixed nbf makes every assertion invalid until that moment, and says nothing after it',
    jti: 'a fixed jti gets every assertion but the first refused as a replay',
  }
  for (const [claim, sentence] of Object.entries(damage))
    if (claim in claims) findings.addWarning(tokenConfig, 'claims', `${sentence}: take ${claim} out of claims.`)
}

function adviseOnIgnoredKeyAttributes(builder: JwtBuilder, element: ElementReference, findings: FindingList): void {
  const { signatureAlgorithm = defaultSignatureAlgorithm, jwkEnabled = false } = builder
  const isShared = isSharedKeyAlgorithm(signatureAlgorithm)
  const isRsa = isRsaAlgorithm(signatureAlgorithm)
  const ignored = [
    ['keyStoreRef', jwkEnabled || isShared],
    ['keyAlias', jwkEnabled || isShared],
    ['revokedKeys', isShared],
    ['jwkSigningKeySize', !(jwkEnabled && isRsa)],
    ['jwkRotationTime', !jwkEnabled || isShared],
    ['publishAheadSeconds', !jwkEnabled || isShared],
  ] as const
  const reason = jwkEnabled
    ? `with jwkEnabled Tokenwell makes the key itself, for ${signatureAlgorithm}`
    : isShared
      ? `${signatureAlgorithm} signs with sharedKey`
      : 'it belongs to a key that Tokenwell makes, with jwkEnabled'
  for (const [attribute, isIgnored] of ignored)
    if (isIgnored && builder[attribute] !== undefined)
      findings.addWarning(element, attribute, `it is ignored: ${reason}.`)
}

function adviseOnIssuer(issuer: string, element: ElementReference, attribute: string, findings: FindingList): void {
  const metadata = /\/\.well-known\/[^/?]+/
  if (metadata.test(issuer))
    findings.addWarning(
      element,
      attribute,
      `it is where a server publishes its metadata, not its name: write the issuer that stands in them, probably ${JSON.stringify(issuer.replace(metadata, ''))}.`,
    )
}

/** A blank that was copied with a URL is trimmed at its ends, and refused inside, unless somebody has encoded it. */
function adviseOnTokenEndpoint(
  { tokenEndpoint }: AuthorizationServer,
  element: ElementReference,
  findings: FindingList,
): void {
  if (/%(20|09|0a|0d)/i.test(tokenEndpoint))
    findings.addWarning(element, 'tokenEndpoint', 'it holds an encoded blank: take that out.')
}

const scopeAttributes = ['scope', 'defaultScope'] as const

function adviseOnScopes(config: OAuthConfig, element: ElementReference, findings: FindingList): void {
  for (const attribute of scopeAttributes)
    for (const scope of config[attribute] ?? [])
      if (/[,;]/.test(scope))
        findings.addWarning(
          element,
          attribute,
          `${JSON.stringify(scope)} is one scope: blanks separate several, or a list holds them.`,
        )
}

function adviseOnTokenLifetimes(server: AuthorizationServer, element: ElementReference, findings: FindingList): void {
  const { marginSeconds = 0, assumedLifetimeSeconds, maximumLifetimeSeconds } = server
  for (const lifetime of [assumedLifetimeSeconds, maximumLifetimeSeconds])
    if (lifetime !== undefined && marginSeconds >= lifetime)
      findings.addWarning(
        element,
        'marginSeconds',
        `a token that lives ${lifetime} s would never be kept: make the margin smaller.`,
      )
}

/** Attributes that have an effect on calls alone. */
const attributesOfCalls = [
  'port',
  'domainBasePath',
  'sslCertsRef',
  'proxyConfigRef',
  'connectionTimeout',
  'receiveTimeout',
] as const

function adviseOnAttributesOfCalls(
  endpoint: EndpointConnection,
  element: ElementReference,
  findings: FindingList,
): void {
  for (const attribute of attributesOfCalls)
    if (endpoint[attribute] !== undefined)
      findings.addWarning(
        element,
        attribute,
        'it has no effect without host: name the host of the API, or leave this out.',
      )
}
