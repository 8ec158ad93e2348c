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
import { type AssertionElements, adviseOnOmitted } from './omitted.ts'
import { defaultSignatureAlgorithm, isRsaAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'

/** Warnings for operators: about configurations that real authorization servers refuse, and attributes without effect. */
export type Advice = ReturnType<typeof createAdvice>

/** The assertion, its server, and the attributes that warnings are about. */
export interface AssertionOrigin extends AssertionElements {
  readonly lifetimeAttribute: 'expiresInSeconds' | 'expiry'
  readonly server: AuthorizationServer | undefined
  /** The URL where Tokenwell publishes the keys of the jwtBuilder. */
  readonly jwkSet: string
}

/** Only `inspectConnection` uses it. Token requests read no warnings, so they do not load this module. */
export function createAdvice(findings: FindingList) {
  return {
    onAssertion(assertion: AssertionConfiguration, origin: AssertionOrigin): void {
      adviseOnIdentity(assertion, origin, findings)
      adviseOnTimes(assertion, origin, findings)
      adviseOnAudiences(assertion, origin, findings)
      adviseOnConstantClaims(assertion.claims, origin.tokenConfig, findings)
      adviseOnOmitted(assertion.omitted ?? [], origin, findings)
      adviseOnHeader(assertion, origin, findings)
    },
    onKey: (builder: JwtBuilder, element: ElementReference) => adviseOnIgnoredKeyAttributes(builder, element, findings),
    onServer(server: AuthorizationServer, element: ElementReference): void {
      if (server.issuer !== undefined) adviseOnIssuer(server.issuer, element, 'issuer', findings)
      adviseOnTokenEndpoint(server, element, findings)
      adviseOnHeaders(server, element, findings)
      adviseOnTokenLifetimes(server, element, findings)
    },
    onConfig(config: OAuthConfig, element: ElementReference): void {
      adviseOnScopes(config, element, findings)
      adviseOnFreeClaims(config, element, findings)
    },
    onEndpointWithoutHost: (endpoint: EndpointConnection, element: ElementReference) =>
      adviseOnAttributesOfCalls(endpoint, element, findings),
  }
}

/**
 * The findings without the warnings that the operator accepts in `acceptedWarnings` of their element.
 * @param readings of the elements in the findings
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
  { issuer, subject, hasJwtId, claims, omitted = [] }: AssertionConfiguration,
  { builder, tokenConfig, use }: AssertionOrigin,
  findings: FindingList,
): void {
  const [place, attribute] = 'iss' in claims ? ([tokenConfig, 'claims'] as const) : ([builder, 'issuer'] as const)
  const clientId = JSON.stringify(subject)
  const toSet = 'iss' in claims ? 'iss in claims' : 'issuer'
  // The subject of a grant is a user, or is left out.
  if (use === 'client' && !omitted.includes('iss') && (claims['iss'] ?? issuer) !== subject)
    findings.addWarning(
      place,
      attribute,
      `The iss of the assertion is not the client id. Most servers refuse that (RFC 7523 section 3). Set ${toSet} to ${clientId}.`,
    )

  const isOmitted = omitted.includes('jti')
  if (isOmitted || (!hasJwtId && !('jti' in claims)))
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
  { expiresInSeconds, issuedAtOffsetSeconds, notBeforeOffsetSeconds, claims }: AssertionConfiguration,
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
function adviseOnHeader(
  { header = {}, key, omitted = [], hasCertificateChain, certificateThumbprint }: AssertionConfiguration,
  { builder, jwkSet }: AssertionOrigin,
  findings: FindingList,
): void {
  if (!key.generated) return
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
  { audiences, claims }: AssertionConfiguration,
  { builder, tokenConfig, server, use }: AssertionOrigin,
  findings: FindingList,
): void {
  const sent = [claims['aud'] ?? audiences].flat().map(String)
  const [place, attribute] = 'aud' in claims ? ([tokenConfig, 'claims'] as const) : ([builder, 'audiences'] as const)
  // RFC 7523 section 3 allows the token endpoint as the audience of a grant.
  if (use === 'client' && server && sent.includes(server.tokenEndpoint))
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
  claims: AssertionConfiguration['claims'],
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
    ? `with jwkEnabled, Tokenwell makes the ${signatureAlgorithm} key itself`
    : isShared
      ? `${signatureAlgorithm} signs with sharedKey`
      : 'it is only for keys that Tokenwell makes (jwkEnabled)'
  for (const [attribute, isIgnored] of ignored)
    if (isIgnored && builder[attribute] !== undefined)
      findings.addWarning(element, attribute, `It has no effect: ${reason}. Take it out.`)
}

function adviseOnIssuer(issuer: string, element: ElementReference, attribute: string, findings: FindingList): void {
  const metadata = /\/\.well-known\/[^/?]+/
  const probable = JSON.stringify(issuer.replace(metadata, ''))
  if (metadata.test(issuer))
    findings.addWarning(
      element,
      attribute,
      `It is the URL of the server's metadata, not its issuer identifier. Write the issuer from the metadata, probably ${probable}.`,
    )
}

/** Spaces at the ends of a URL are trimmed, and spaces inside are refused. Encoded spaces pass both, so this warns of them. */
function adviseOnTokenEndpoint(
  { tokenEndpoint }: AuthorizationServer,
  element: ElementReference,
  findings: FindingList,
): void {
  if (/%(20|09|0a|0d)/i.test(tokenEndpoint))
    findings.addWarning(element, 'tokenEndpoint', 'It has an encoded space or line break. Take that out.')
}

function adviseOnHeaders(
  { headers = {} }: AuthorizationServer,
  element: ElementReference,
  findings: FindingList,
): void {
  for (const [name, value] of Object.entries(headers))
    if (typeof value === 'string' && /(^|-)(auth|api-?key|key|token|secret|pass(word)?|credentials?)s?($|-)/.test(name))
      findings.addWarning(
        element,
        'headers',
        `The name of the header ${name} suggests a secret. Keep its value in the secret store, and write { "secret": "<its name>" }.`,
      )
}

const scopeAttributes = ['scope', 'defaultScope'] as const

function adviseOnScopes(config: OAuthConfig, element: ElementReference, findings: FindingList): void {
  for (const attribute of scopeAttributes)
    for (const scope of config[attribute] ?? [])
      if (/[,;]/.test(scope))
        findings.addWarning(
          element,
          attribute,
          `${JSON.stringify(scope)} is read as one scope. If you mean several, separate them with spaces or write a list.`,
        )
}

function adviseOnFreeClaims(
  { claimsFromRequest = {} }: OAuthConfig,
  element: ElementReference,
  findings: FindingList,
): void {
  for (const [name, rule] of Object.entries(claimsFromRequest))
    if (rule === true)
      findings.addWarning(
        element,
        'claimsFromRequest',
        name === 'sub'
          ? 'With true, a caller can get a token for every user for whom the server accepts this client. List the users, or take the user from the JWT of the caller with fromCaller.'
          : `With true, a caller can set the claim ${name} to any text. List the values, or take the value from the JWT of the caller with fromCaller.`,
      )
}

function adviseOnTokenLifetimes(server: AuthorizationServer, element: ElementReference, findings: FindingList): void {
  const { marginSeconds = 0, assumedLifetimeSeconds, maximumLifetimeSeconds } = server
  for (const lifetime of [assumedLifetimeSeconds, maximumLifetimeSeconds])
    if (lifetime !== undefined && marginSeconds >= lifetime)
      findings.addWarning(
        element,
        'marginSeconds',
        `A token with a lifetime of ${lifetime} s would never be kept, as the margin is at least as long. Make the margin smaller.`,
      )
}

/** Attributes that only affect API calls. */
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
        'It has no effect without host. Set host to the host of the API, or take this attribute out.',
      )
}
