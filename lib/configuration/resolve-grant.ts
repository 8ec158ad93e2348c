import type { Grant, JwtBearerGrant } from './connection.ts'
import type { AssertionParameters, ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { accountCredentials, jwtBearer } from './grant-type.ts'
import { resolveAssertion } from './resolve-assertion.ts'

/** Resolves the grant of a connection. Undefined if it can't be resolved. Then there is a finding. */
export function resolveGrant(
  resolution: Resolution,
  element: ElementReference,
  config: OAuthConfig,
): Grant | undefined {
  const { findings } = resolution
  const { grantType: type = 'client_credentials' } = config
  if (type === jwtBearer) return resolveJwtBearer(resolution, element, config)
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
  for (const attribute of ['assertionTokenRef', 'assertionParameters'] as const)
    if (config[attribute] !== undefined)
      findings.addMistake(
        element,
        attribute,
        `It is for the grant type jwt-bearer. Set grantType to jwt-bearer, or take ${attribute} out.`,
      )
  return { type }
}

/** RFC 7523 section 2.1. */
function resolveJwtBearer(
  resolution: Resolution,
  element: ElementReference,
  { assertionTokenRef, assertionParameters = {}, authServerRef }: OAuthConfig,
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
  const grant: JwtBearerGrant = { type: jwtBearer, assertion, assertionParameters }
  refuseTwins(grant, element, findings)
  return grant
}

/** A claim that is set twice would hide what the request asks for. */
function refuseTwins(
  { assertion, assertionParameters }: JwtBearerGrant,
  element: ElementReference,
  findings: FindingList,
) {
  const { scope, claims } = assertion
  const set = { ...claims, ...(scope !== undefined && { scope }) }
  for (const name of Object.keys(assertionParameters) as (keyof AssertionParameters)[])
    if (Object.hasOwn(set, name))
      findings.addMistake(
        element,
        'assertionParameters',
        `The oAuthTokenConfig or the jwtBuilder of the assertion sets the claim ${name} too. Set ${name} on this element instead.`,
      )
}
