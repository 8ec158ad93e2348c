import { type ElementReference, type EndpointConnection, type Kind, keyOf, referenceAttributes } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import type { TokenOrigin } from './token-origin.ts'

/* A connection's API calls have one OAuth 2.0 token or basic authentication, and any number of other tokens in headers of their own. */

const attribute = 'authenticationConfigRef'
const kinds: readonly Kind[] = referenceAttributes.endpointConnection.authenticationConfigRef

/** The elements that authenticate the API calls of a connection: an `oAuthConfig` first. Those that don't exist have a finding already. */
export function resolveAuthentications(
  resolution: Resolution,
  root: ElementReference,
  { authenticationConfigRef: ids }: EndpointConnection,
): readonly ElementReference[] {
  const { findings } = resolution
  const references = ids.flatMap((id) => resolveId(resolution, root, id) ?? [])
  const exclusive = references.filter(({ kind }) => kind === 'oAuthConfig' || kind === 'authData')
  if (exclusive.length > 1)
    findings.addMistake(
      root,
      attribute,
      `It names ${exclusive.map(keyOf).join(' and ')}, but API calls have one OAuth 2.0 token or basic authentication, not both or two of them. Keep one of them. authToken and authTokenLocal elements may come beside it.`,
    )
  return references.toSorted((a, b) => Number(b.kind === 'oAuthConfig') - Number(a.kind === 'oAuthConfig'))
}

function resolveId({ graph, findings }: Resolution, root: ElementReference, id: string): ElementReference | undefined {
  const found = kinds.filter((kind) => graph.has(kind, id)).map((kind) => ({ kind, id }))
  const tokens = found.filter(({ kind }) => kind !== 'authData')
  if (tokens.length > 1)
    findings.addMistake(
      root,
      attribute,
      `The id ${id} may be ${tokens.map(keyOf).join(' or ')}. Give the elements different ids.`,
    )
  return found[0]
}

/** One header carries one credential. */
export function refuseSameHeaders(
  tokens: readonly TokenOrigin[],
  basic: ElementReference | undefined,
  findings: FindingList,
): void {
  const used = [
    ...(basic ? [{ element: basic, header: 'authorization' }] : []),
    ...tokens.map(({ authentication: element, carrier: { header } }) => ({ element, header })),
  ]
  for (const [header, [first, ...others]] of Map.groupBy(used, (each) => each.header))
    for (const { element } of others)
      if (first && element.kind !== 'oAuthConfig')
        findings.addMistake(
          element,
          'header',
          `API calls have the credentials of ${keyOf(first.element)} in the header ${header} already. Set header to another header.`,
        )
}
