import { type AssertionOrigin, adviseOnAssertion, adviseOnIssuer } from './advice-on-assertion.ts'
import { adviseOnAuthToken } from './advice-on-auth-token.ts'
import { adviseOnLocalToken, type LocalTokenOrigin } from './advice-on-local-token.ts'
import { adviseOnWebIdentity } from './advice-on-web-identity.ts'
import type { JwtConfiguration, WebIdentityConfiguration } from './assertion-configuration.ts'
import type { AuthTokenOrigin } from './auth-token-mistakes.ts'
import type { ResolvedAuthorizationServer } from './connection.ts'
import {
  type AuthorizationServer,
  type AuthTokenLocal,
  type ElementReference,
  type EndpointConnection,
  type JwtBuilder,
  keyOf,
  type OAuthConfig,
} from './element.ts'
import type { ElementReading } from './element-store.ts'
import { type Finding, type FindingList, isMistake } from './finding.ts'
import type { AssertionUse } from './omitted.ts'
import { soundsSecret } from './read-element.ts'
import { defaultSignatureAlgorithm, isRsaAlgorithm, isSharedKeyAlgorithm } from './signature-algorithm.ts'

/** Warnings for operators: about configurations that real authorization servers refuse, and attributes without effect. */
export type Advice = ReturnType<typeof createAdvice>

/** Only `inspectConnection` uses it. Token requests read no warnings, so they do not load this module. */
export function createAdvice(findings: FindingList) {
  return {
    onAssertion(assertion: JwtConfiguration, origin: AssertionOrigin): void {
      adviseOnAssertion(assertion, origin, findings)
    },
    onWebIdentity(
      identity: WebIdentityConfiguration,
      server: AuthorizationServer | undefined,
      use: Exclude<AssertionUse, 'token'>,
    ): void {
      adviseOnWebIdentity(identity, { server, use }, findings)
    },
    onLocalToken(assertion: JwtConfiguration, attributes: AuthTokenLocal, origin: LocalTokenOrigin): void {
      adviseOnLocalToken(assertion, attributes, origin, findings)
      adviseOnFreeClaims(attributes, origin.tokenConfig, findings, anyUserOfApi)
    },
    onKey: (builder: JwtBuilder, element: ElementReference, isInKms: boolean) =>
      adviseOnIgnoredKeyAttributes(builder, element, isInKms, findings),
    onServer(server: AuthorizationServer, element: ElementReference): void {
      if (server.issuer !== undefined) adviseOnIssuer(server.issuer, element, 'issuer', findings)
      adviseOnTokenEndpoint(server, element, findings)
      adviseOnHeaders(server, element, findings)
      adviseOnTokenLifetimes(server, element, findings)
    },
    onAuthToken: (origin: AuthTokenOrigin, server: ResolvedAuthorizationServer | undefined) =>
      adviseOnAuthToken(origin, server, findings),
    onConfig(config: OAuthConfig, element: ElementReference): void {
      adviseOnScopes(config, element, findings)
      adviseOnFreeClaims(config, element, findings, anyUserOfServer)
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

function adviseOnIgnoredKeyAttributes(
  builder: JwtBuilder,
  element: ElementReference,
  isInKms: boolean,
  findings: FindingList,
): void {
  const { signatureAlgorithm = defaultSignatureAlgorithm, jwkEnabled = false } = builder
  const isShared = isSharedKeyAlgorithm(signatureAlgorithm)
  const isRsa = isRsaAlgorithm(signatureAlgorithm)
  const ignored = [
    ['keyStoreRef', jwkEnabled || isShared],
    ['keyAlias', jwkEnabled || isShared],
    ['revokedKeys', isShared],
    ['jwkSigningKeySize', !(jwkEnabled && isRsa)],
    ['jwkRotationTime', !jwkEnabled || isShared],
    ['publishAheadSeconds', !(jwkEnabled || isInKms) || isShared],
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

/** Spaces at the ends of a URL are trimmed, and spaces inside are refused. Encoded spaces pass both, so this warns of them. */
function adviseOnTokenEndpoint(
  { tokenEndpoint, tokenEndpointHosts }: AuthorizationServer,
  element: ElementReference,
  findings: FindingList,
): void {
  if (tokenEndpoint === undefined) return
  if (tokenEndpointHosts !== undefined)
    findings.addWarning(
      element,
      'tokenEndpointHosts',
      'It has no effect: tokenEndpoint says where the token endpoint is. Take one of the two out.',
    )
  if (/%(20|09|0a|0d)/i.test(tokenEndpoint))
    findings.addWarning(element, 'tokenEndpoint', 'It has an encoded space or line break. Take that out.')
  for (const name of new URL(tokenEndpoint).searchParams.keys())
    if (soundsSecret(name))
      findings.addWarning(
        element,
        'tokenEndpoint',
        `The name of the query parameter ${name} suggests a secret, and URLs get into logs. Send it as a header: add it to headers, as { "secret": "<its name>" }.`,
      )
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

const anyUserOfServer =
  'With true, a caller can get a token for every user for whom the server accepts this client. List the users, or take the user from the JWT of the caller with fromCaller.'
const anyUserOfApi =
  'With true, a caller can get a token for every user of the API. List the users, or take the user from the JWT of the caller with fromCaller.'

function adviseOnFreeClaims(
  { claimsFromRequest = {} }: Pick<OAuthConfig, 'claimsFromRequest'>,
  element: ElementReference,
  findings: FindingList,
  anyUser: string,
): void {
  for (const [name, rule] of Object.entries(claimsFromRequest))
    if (rule === true)
      findings.addWarning(
        element,
        'claimsFromRequest',
        name === 'sub'
          ? anyUser
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
        'It has no effect without host, or hostFrom of the oAuthConfig. Set one of them, or take this attribute out.',
      )
}
