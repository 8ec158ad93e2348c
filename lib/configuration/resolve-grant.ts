import { isSignedByTokenwell, type WebIdentityConfiguration } from './assertion-configuration.ts'
import type { ExchangedToken, JwtBearerGrant, OAuthGrant, TokenExchangeGrant } from './connection.ts'
import type { AssertionParameters, ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { accountCredentials, jwtBearer, tokenExchange, tokenTypesByShortName } from './grant-type.ts'
import { resolveAssertion } from './resolve-assertion.ts'

/** The attributes that are for one grant only, and the short name of that grant. */
const grantsByAttribute = {
  assertionTokenRef: 'jwt-bearer',
  assertionParameters: 'jwt-bearer',
  claimsFromRequest: 'jwt-bearer',
  subjectTokenRef: 'token-exchange',
  subjectTokenType: 'token-exchange',
  actorTokenRef: 'token-exchange',
  actorTokenType: 'token-exchange',
  requestedTokenType: 'token-exchange',
} as const

/** Resolves the grant of a connection. Undefined if it can't be resolved. Then there is a finding. */
export function resolveGrant(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
): OAuthGrant | undefined {
  const { findings } = resolution
  const { grantType: type = 'client_credentials' } = config
  refuseAttributesOfOtherGrants(config, element, findings)
  if (type === jwtBearer) return resolveJwtBearer(resolution, element, config)
  if (type === tokenExchange) return resolveTokenExchange(resolution, element, config)
  if (type === 'password')
    findings.addWarning(
      element,
      'grantType',
      "The password grant gives a user's password to clients. New clients must not use it (RFC 9700 section 2.4).",
    )
  if (type === accountCredentials && config.parameters?.['account_id'] === undefined)
    findings.addMistake(
      element,
      'parameters',
      'The grant type account_credentials needs the parameter account_id. Add account_id to this attribute.',
    )
  return { type }
}

function refuseAttributesOfOtherGrants(config: OAuthConfig, element: ElementReference, findings: FindingList): void {
  const { grantType = 'client_credentials', requestMay = {} } = config
  for (const [attribute, grant] of Object.entries(grantsByAttribute)) {
    const isGiven = config[attribute as keyof typeof grantsByAttribute] !== undefined
    if (isGiven && !grantType.endsWith(`:${grant}`))
      findings.addMistake(
        element,
        attribute,
        `It is for the grant type ${grant}. Set grantType to ${grant}, or take ${attribute} out.`,
      )
  }
  if (grantType !== tokenExchange && requestMay['actor_token'] !== undefined)
    findings.addMistake(
      element,
      'requestMay',
      'It lists actor_token, which is for the grant type token-exchange. Set grantType to token-exchange, or take actor_token out.',
    )
}

/** RFC 7523 section 2.1. */
function resolveJwtBearer(
  resolution: Resolution,
  element: ElementReference,
  { assertionTokenRef, assertionParameters = {}, claimsFromRequest, authServerRef }: OAuthConfig,
): JwtBearerGrant | undefined {
  const { findings } = resolution
  if (assertionTokenRef === undefined) {
    findings.addMistake(
      element,
      'assertionTokenRef',
      'The grant type jwt-bearer needs an assertion. Name the oAuthTokenConfig element that describes it.',
    )
    return undefined
  }
  const assertion = resolveAssertion(resolution, assertionTokenRef, authServerRef, 'grant')
  if (!assertion) return undefined
  const grant: JwtBearerGrant = {
    type: jwtBearer,
    assertion,
    assertionParameters,
    ...(claimsFromRequest && { claimsFromRequest }),
  }
  refuseTwins(grant, element, findings)
  return grant
}

/** A claim that is set twice would hide what the request asks for. */
function refuseTwins(
  { assertion, assertionParameters, claimsFromRequest = {} }: JwtBearerGrant,
  element: ElementReference,
  findings: FindingList,
): void {
  if (!isSignedByTokenwell(assertion)) {
    refuseClaims(assertion, { assertionParameters, claimsFromRequest }, element, findings)
    return
  }
  const { scope, subject, claims, omitted = [] } = assertion
  const set = { ...claims, ...(scope !== undefined && { scope }) }
  for (const name of Object.keys(assertionParameters) as (keyof AssertionParameters)[])
    if (Object.hasOwn(set, name))
      findings.addMistake(
        element,
        'assertionParameters',
        `The oAuthTokenConfig or the jwtBuilder of the assertion sets the claim ${name} too. Set ${name} on this element instead.`,
      )
  const setByElements = { ...set, ...assertionParameters, ...(subject !== undefined && { sub: subject }) }
  for (const name of Object.keys(claimsFromRequest)) {
    if (omitted.some((each) => each === name))
      findings.addMistake(
        element,
        'claimsFromRequest',
        `The jwtBuilder of the assertion leaves out the claim ${name} with omit. Take it out here or there.`,
      )
    if (Object.hasOwn(setByElements, name))
      findings.addMistake(
        element,
        'claimsFromRequest',
        name === 'sub'
          ? 'The tokenSubject of the assertion sets the claim sub too. Take out one of the two.'
          : `The elements set the claim ${name} of the assertion too. Take it out here, or in claims, scope or assertionParameters.`,
      )
  }
}

/** AWS decides the claims of its JWT. */
function refuseClaims(
  { awsWebIdentity }: WebIdentityConfiguration,
  claims: Required<Pick<JwtBearerGrant, 'assertionParameters' | 'claimsFromRequest'>>,
  element: ElementReference,
  findings: FindingList,
): void {
  for (const [attribute, names] of Object.entries(claims))
    if (Object.keys(names).length > 0)
      findings.addMistake(
        element,
        attribute,
        `AWS signs the JWT of awsWebIdentity/${awsWebIdentity} and decides its claims. Take this attribute out.`,
      )
}

/** RFC 8693 section 2.1. */
function resolveTokenExchange(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
): TokenExchangeGrant | undefined {
  const { subjectTokenRef, subjectTokenType, actorTokenRef, actorTokenType, requestMay = {} } = config
  const { findings } = resolution
  const mayBringActor = requestMay['actor_token'] === true
  if (config.requestedTokenType === tokenTypesByShortName.refresh_token)
    findings.addMistake(
      element,
      'requestedTokenType',
      'Tokenwell gives no refresh token to callers. Set it to another type, such as access_token, or take it out.',
    )
  if (actorTokenRef !== undefined && mayBringActor)
    findings.addMistake(
      element,
      'requestMay',
      'It lists actor_token, but Tokenwell makes the actor token. Take out actor_token, or actorTokenRef.',
    )
  if (actorTokenType !== undefined && actorTokenRef === undefined && !mayBringActor)
    findings.addMistake(
      element,
      'actorTokenType',
      'It has no effect without an actor token. Set actorTokenRef, list actor_token in requestMay, or take this attribute out.',
    )
  const resolve = (id: string | undefined, type: string | undefined) =>
    resolveToken(resolution, id, type, config.authServerRef)
  const subject = resolve(subjectTokenRef, subjectTokenType)
  const actor = resolve(actorTokenRef, actorTokenType)
  if (!subject || !actor) return undefined
  return { type: tokenExchange, subject, ...(actor.type !== undefined && { actor }) }
}

/** A token that Tokenwell makes is a JWT, unless the element says otherwise. The type of another one may come from the caller. */
function resolveToken(
  resolution: Resolution,
  id: string | undefined,
  type: string | undefined,
  serverId: string,
): ExchangedToken | undefined {
  if (id === undefined) return type === undefined ? {} : { type }
  const assertion = resolveAssertion(resolution, id, serverId, 'grant')
  return assertion && { type: type ?? tokenTypesByShortName.jwt, assertion }
}
