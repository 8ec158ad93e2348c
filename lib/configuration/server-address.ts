import type { LocatedServer, ServerToDiscover } from './connection.ts'
import type { AuthorizationServer, ElementReference } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import type { HttpProxy, Transport } from './transport.ts'
import { foldedParameterName, isWebUrl } from './value-syntax.ts'

type Address = Pick<LocatedServer, 'tokenEndpoint'> | Pick<ServerToDiscover, 'tokenEndpoint' | 'issuer' | 'discovery'>

/**
 * Where the server is. `tokenEndpoint` counts, if it is there. Undefined, with a mistake, if the elements don't say where the server is.
 * @param proxy that of the element, whatever its noProxy says
 */
export function resolveAddress(
  { graph, findings }: Resolution,
  element: ElementReference,
  { tokenEndpoint, issuer, tokenEndpointHosts: hosts = [], proxyConfigRef }: AuthorizationServer,
  proxy: HttpProxy | undefined,
): Address | undefined {
  if (tokenEndpoint !== undefined) return { tokenEndpoint }
  if (issuer === undefined) {
    if (!findings.isWrittenWrong(element, 'issuer'))
      findings.addMistake(
        element,
        'tokenEndpoint',
        'Neither tokenEndpoint nor issuer says where the server is. Set issuer if the server publishes its metadata (RFC 8414), or else tokenEndpoint.',
      )
    return undefined
  }
  // RFC 8414 section 2.
  if (!isWebUrl(issuer) || issuer.includes('?')) {
    findings.addMistake(
      element,
      'issuer',
      'Without tokenEndpoint, it must be a URL that begins with https:// and has no space, query, fragment, user or password (RFC 8414 section 2). Correct it, or set tokenEndpoint.',
    )
    return undefined
  }
  const noProxy = graph.get('proxyConfig', proxyConfigRef)?.noProxy ?? []
  return { issuer, discovery: { hosts, ...(proxy && { proxy }), noProxy } }
}

/** RFC 6749 section 3.2: a parameter must not be sent twice. */
export function refuseSecondQueryParameter(
  { tokenEndpoint, parametersInQuery = [] }: AuthorizationServer,
  element: ElementReference,
  findings: FindingList,
): void {
  if (tokenEndpoint === undefined) return
  const twice = repeatedInQuery(tokenEndpoint, parametersInQuery)
  if (twice !== undefined)
    findings.addMistake(
      element,
      'parametersInQuery',
      `The query of tokenEndpoint has the parameter ${twice} too. Take it out of one of the two attributes.`,
    )
}

/** The first of these parameters that the query of the token endpoint has too, whatever its spelling. */
export function repeatedInQuery(tokenEndpoint: string, parametersInQuery: readonly string[]): string | undefined {
  const fixed = [...new URL(tokenEndpoint).searchParams.keys()].map(foldedParameterName)
  return parametersInQuery.find((name) => fixed.includes(foldedParameterName(name)))
}

/** RFC 6749 section 3.2: a token endpoint requires TLS. The only exception is a server on the same machine. */
export function checkServerTransport(
  { deployment, findings }: Resolution,
  element: ElementReference,
  { tokenEndpoint, issuer = '', allowLoopbackHttp }: AuthorizationServer,
  { proxy }: Transport,
): void {
  if (allowLoopbackHttp && deployment.isLambda)
    findings.addMistake(
      element,
      'allowLoopbackHttp',
      'It is only for servers on your own machine, not for Lambda. Take it out.',
    )

  const { protocol, hostname } = new URL(tokenEndpoint ?? issuer)
  if (protocol === 'https:') return
  const attribute = tokenEndpoint === undefined ? 'issuer' : 'tokenEndpoint'
  if (!allowLoopbackHttp)
    findings.addMistake(
      element,
      attribute,
      tokenEndpoint === undefined
        ? 'It must begin with https:// (RFC 8414 section 2).'
        : 'It must begin with https:// (RFC 6749 section 3.2).',
    )
  else if (!isLoopback(hostname))
    findings.addMistake(
      element,
      attribute,
      'allowLoopbackHttp allows http:// only for localhost, 127.0.0.1 and [::1]. Use https:// for any other host.',
    )
  else if (proxy)
    findings.addMistake(
      element,
      'proxyConfigRef',
      `A request over http:// must not leave this machine through a proxy. Take this attribute out, or add ${hostname} to noProxy of proxyConfig/${proxy.id}.`,
    )
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
