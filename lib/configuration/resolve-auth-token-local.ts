import type { LocalConnection } from './connection.ts'
import type { ElementReference } from './element.ts'
import type { Resolution } from './element-graph.ts'
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
