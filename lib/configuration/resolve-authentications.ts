import { type ElementReference, type EndpointConnection, type Kind, keyOf, referenceAttributes } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import type { TokenOrigin } from './token-origin.ts'
import { foldedHeaderName } from './value-syntax.ts'

/* A connection's API calls have one OAuth 2.0 token or basic authentication, and any number of other tokens in headers of their own. */

const attribute = 'authenticationConfigRef'
const kinds: readonly Kind[] = referenceAttributes.endpointConnection.authenticationConfigRef
/** Servers limit all headers of a request together, many to 8 KB. */
const mostElements = 8

/** The elements that authenticate the API calls of a connection: an `oAuthConfig` first. Those that don't exist have a finding already. */
export function resolveAuthentications(
  resolution: Resolution,
  root: ElementReference,
  { authenticationConfigRef: named, host }: EndpointConnection,
): readonly ElementReference[] {
  const { findings } = resolution
  const ids = [...new Set(named)]
  for (const id of ids)
    if (named.indexOf(id) !== named.lastIndexOf(id))
      findings.addMistake(root, attribute, `It names ${id} twice. Keep one of them.`)
  if (ids.length > mostElements)
    findings.addMistake(
      root,
      attribute,
      `It names ${ids.length} elements, but an API call has at most ${mostElements} credentials. Take some of them out.`,
    )
  const references = ids.flatMap((id) => resolveId(resolution, root, id) ?? [])
  const exclusive = references.filter(({ kind }) => kind === 'oAuthConfig' || kind === 'authData')
  if (exclusive.length > 1)
    findings.addMistake(
      root,
      attribute,
      `It names ${exclusive.map(keyOf).join(' and ')}, but API calls have one OAuth 2.0 token or basic authentication, not both or two of them. Keep one of them. authToken and authTokenLocal elements may come beside it.`,
    )
  const basic = references.find(({ kind }) => kind === 'authData')
  if (basic && host === undefined && exclusive.length === 1 && !findings.isWrittenWrong(root, 'host'))
    findings.addMistake(
      root,
      'host',
      `It is required: ${keyOf(basic)} is basic authentication, which only API calls have. Set host to the URL of the API, or take ${basic.id} out of authenticationConfigRef.`,
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

/** A token, or what its element says about it. */
type Carried = Pick<TokenOrigin, 'authentication' | 'carrier'>

/** One header carries one credential. */
export function refuseSameHeaders(
  tokens: readonly Carried[],
  basic: ElementReference | undefined,
  findings: FindingList,
): void {
  const used = [
    ...(basic ? [{ element: basic, header: 'authorization' }] : []),
    ...tokens.map(({ authentication: element, carrier: { header } }) => ({ element, header })),
  ]
  for (const [first, ...others] of Map.groupBy(used, ({ header }) => foldedHeaderName(header)).values())
    for (const { element, header } of others) if (first) refuseHeader(first, element, header, findings)
}

interface UsedHeader {
  readonly element: ElementReference
  readonly header: string
}

function refuseHeader(first: UsedHeader, element: ElementReference, header: string, findings: FindingList): void {
  // Two elements that own the header Authorization have a mistake already.
  if (element.kind === 'oAuthConfig') return
  const sentence =
    first.header === header
      ? `API calls have the credentials of ${keyOf(first.element)} in the header ${header} already. Set header to another header.`
      : `Some servers read ${header} as ${first.header}, the header of ${keyOf(first.element)}. Set header to another header.`
  findings.addMistake(element, 'header', sentence)
}

/** A challenge that says `invalid_token` is about the bearer token of the header Authorization, where there is one. */
export function warnOfUselessRetryLevel(tokens: readonly Carried[], findings: FindingList): void {
  const bearer = tokens.find(({ carrier }) => carrier.header === 'authorization' && carrier.isBearer)
  if (!bearer) return
  for (const { authentication, carrier } of tokens)
    if (carrier.header !== 'authorization' && carrier.rejection === 'invalid_token')
      findings.addWarning(
        authentication,
        'tokenRetryCheckLevel',
        `The value 3 has hardly any effect beside ${keyOf(bearer.authentication)}: a 401 that says invalid_token is about the token in the header Authorization. Set it to 1, so that any other 401 replaces this token.`,
      )
}
