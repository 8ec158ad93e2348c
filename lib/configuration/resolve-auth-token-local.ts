import type { JwtConfiguration } from './assertion-configuration.ts'
import type { LocalConnection } from './connection.ts'
import type { AuthTokenLocal, ElementReference } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { resolveLocalAssertion } from './resolve-assertion.ts'
import { resolveCarrier } from './resolve-carrier.ts'
import type { TokenOrigin } from './token-origin.ts'

/** The token of an `authTokenLocal`. Undefined if it can't be resolved. Then there is a finding. */
export function resolveAuthTokenLocal(
  resolution: Resolution,
  element: ElementReference,
): TokenOrigin<LocalConnection> | undefined {
  const { graph } = resolution
  const attributes = graph.get('authTokenLocal', element.id)
  if (!attributes) return undefined
  const assertion = resolveLocalAssertion(resolution, element, attributes)
  if (assertion) refuseTwins(assertion, attributes, element, resolution.findings)
  const carrier = resolveCarrier(resolution, element, attributes, { tokenRetryCheckLevel: 1 })
  if (!assertion) return undefined
  const { claimsFromRequest, cacheTokensWithJti = false } = attributes
  return {
    authentication: element,
    carrier,
    grant: {
      type: 'authTokenLocal',
      assertion,
      ...(claimsFromRequest && { claimsFromRequest }),
      reuse: cacheTokensWithJti ? 'all' : 'without_jti',
    },
    parameters: { scope: [], resource: [], further: {} },
    lifetime: { assumedLifetimeSeconds: assertion.expiresInSeconds },
  }
}

/** A claim that is set twice would hide what the request asks for. */
function refuseTwins(
  { scope, subject, claims, omitted = [] }: JwtConfiguration,
  { claimsFromRequest = {} }: AuthTokenLocal,
  element: ElementReference,
  findings: FindingList,
): void {
  const set = { ...claims, ...(scope !== undefined && { scope }), ...(subject !== undefined && { sub: subject }) }
  for (const name of Object.keys(claimsFromRequest)) {
    if (omitted.some((each) => each === name))
      findings.addMistake(
        element,
        'claimsFromRequest',
        `The jwtBuilder of the token leaves out the claim ${name} with omit. Take it out here or there.`,
      )
    if (Object.hasOwn(set, name))
      findings.addMistake(
        element,
        'claimsFromRequest',
        name === 'sub'
          ? 'The tokenSubject of this element sets the claim sub too. Take out one of the two.'
          : `The claim ${name} is set too, by claims of this element or by scope of the jwtBuilder. Take it out here or there.`,
      )
  }
}
