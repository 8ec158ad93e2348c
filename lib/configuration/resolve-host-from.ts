import type { HostFrom } from './api.ts'
import type { ElementReference, EndpointConnection, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import { isLocalHost } from './host-pattern.ts'

/** Where the API of each token is, if token answers say it. Undefined if the element has no `hostFrom`. */
export function resolveHostFrom(
  { graph, deployment, findings }: Resolution,
  endpoint: ElementReference,
  { host, port, proxyConfigRef }: EndpointConnection,
  id: string,
): HostFrom | undefined {
  const { hostFrom } = graph.get('oAuthConfig', id) ?? {}
  if (!hostFrom) return undefined
  for (const [attribute, value] of Object.entries({ host, port }))
    if (value !== undefined)
      findings.addMistake(
        endpoint,
        attribute,
        `The attribute hostFrom of oAuthConfig/${id} says where the API is, always on port 443. Take out ${attribute}, or take out hostFrom.`,
      )
  if (deployment.isLambda && hostFrom.within.some(isLocalHost))
    findings.addMistake(
      { kind: 'oAuthConfig', id },
      'hostFrom',
      'The host localhost is only for servers on your own machine, not for Lambda. Take it out of within.',
    )
  return { ...hostFrom, noProxy: graph.get('proxyConfig', proxyConfigRef)?.noProxy ?? [] }
}

/** The members of a token answer that callers get. The host comes first, because the first members find room. */
export function passedOnMembers({ hostFrom, passOn = [] }: OAuthConfig): readonly string[] {
  return [...new Set([...(hostFrom ? [hostFrom.member] : []), ...passOn])]
}
