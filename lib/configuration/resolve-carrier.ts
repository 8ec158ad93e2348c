import type { TokenCarrier } from './api.ts'
import type { AuthToken, ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'

type CarrierAttributes = Pick<OAuthConfig, 'tokenRetryCheckLevel'> &
  Partial<Pick<AuthToken, 'header' | 'useBearerScheme'>>

/**
 * How API calls carry the token of this element.
 * @param defaults what counts where the element has no `tokenRetryCheckLevel`
 */
export function resolveCarrier(
  { findings }: Resolution,
  element: ElementReference,
  { header = 'authorization', useBearerScheme = true, tokenRetryCheckLevel }: CarrierAttributes,
  defaults: { readonly tokenRetryCheckLevel: 1 | 3 },
): TokenCarrier {
  // z/OS Connect documents the value 2 but does not implement it.
  if (tokenRetryCheckLevel === 2)
    findings.addMistake(
      element,
      'tokenRetryCheckLevel',
      'The value 2 is not implemented, neither in Tokenwell nor in z/OS Connect. Use 1 for any 401, or 3 for a 401 that says invalid_token.',
    )
  const level = tokenRetryCheckLevel ?? defaults.tokenRetryCheckLevel
  return { header, isBearer: useBearerScheme, rejection: level === 1 ? 'any_401' : 'invalid_token' }
}
