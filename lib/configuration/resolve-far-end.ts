import type { ApiOfToken, BasicAuthentication, ProtectedApi } from './api.ts'
import type { ResolvedAuthorizationServer } from './connection.ts'
import { isKmsLocation } from './deployment.ts'
import { defaultElementIds, type ElementReference, type EndpointConnection } from './element.ts'
import type { ElementGraph, Resolution } from './element-graph.ts'
import { isReachedDirectly } from './no-proxy.ts'
import { resolveHostFrom } from './resolve-host-from.ts'
import { checkServerTransport, refuseSecondQueryParameter, resolveAddress } from './server-address.ts'
import type { HttpProxy, TlsConfiguration, Transport } from './transport.ts'
import { hasControlCharacter } from './value-syntax.ts'

const serverDefaults = {
  connectTimeoutMilliseconds: 3_000,
  receiveTimeoutMilliseconds: 8_000,
  maximumConcurrency: 10,
  coolDownSeconds: 30,
  /** Short, so that a wrong guess does little harm. An assumption of one hour would hand out expired tokens. */
  assumedLifetimeSeconds: 300,
} as const

/** Undefined if the element is missing or can't be read. */
export function resolveAuthorizationServer(
  resolution: Resolution,
  id: string,
): ResolvedAuthorizationServer | undefined {
  const server = resolution.graph.get('authorizationServer', id)
  if (!server) return undefined

  const element: ElementReference = { kind: 'authorizationServer', id }
  const anyProxy = resolveProxyElement(resolution, server.proxyConfigRef)
  const address = resolveAddress(resolution, element, server, anyProxy)
  if (!address) return undefined
  const url = new URL(address.tokenEndpoint ?? address.issuer)
  const transport = resolveTransport(resolution, url, server, serverDefaults)
  checkServerTransport(resolution, element, server, transport)
  refuseSecondQueryParameter(server, element, resolution.findings)
  resolution.advice?.onServer(server, element)
  const { issuer, tokenTypes, scopeSeparator, headers, parametersInQuery, maximumLifetimeSeconds, marginSeconds } =
    server
  return {
    id,
    ...(issuer !== undefined && { issuer }),
    ...address,
    ...(tokenTypes !== undefined && { tokenTypes }),
    ...(scopeSeparator !== undefined && scopeSeparator !== ' ' && { scopeSeparator }),
    ...(headers !== undefined && Object.keys(headers).length > 0 && { headers }),
    ...(parametersInQuery !== undefined && { parametersInQuery }),
    ...transport,
    maximumConcurrency: server.maximumConcurrency ?? serverDefaults.maximumConcurrency,
    coolDownSeconds: server.coolDownSeconds ?? serverDefaults.coolDownSeconds,
    lifetime: {
      assumedLifetimeSeconds: server.assumedLifetimeSeconds ?? serverDefaults.assumedLifetimeSeconds,
      ...(maximumLifetimeSeconds !== undefined && { maximumLifetimeSeconds }),
      ...(marginSeconds !== undefined && { marginSeconds }),
    },
  }
}

const apiDefaults = { connectTimeoutMilliseconds: 30_000, receiveTimeoutMilliseconds: 60_000 } as const

/** The API of the connection. Undefined if the elements name no host and no member of an answer that does. */
export function resolveApi(
  resolution: Resolution,
  name: string,
  endpoint: EndpointConnection,
  { references, basic }: Authentications,
): ProtectedApi | ApiOfToken | undefined {
  const { findings } = resolution
  const element: ElementReference = { kind: 'endpointConnection', id: name }
  const oAuthConfig = references.find(({ kind }) => kind === 'oAuthConfig')
  const basicAuthentication = resolveBasicAuthentication(resolution, element, basic)
  const own = {
    basePath: (endpoint.domainBasePath ?? '').replace(/\/+$/, ''),
    ...(basicAuthentication && { basicAuthentication }),
  }
  const hostFrom = oAuthConfig && resolveHostFrom(resolution, element, endpoint, oAuthConfig.id)
  if (hostFrom) return { hostFrom, ...own, ...resolveTransport(resolution, undefined, endpoint, apiDefaults) }
  if (endpoint.host === undefined) {
    const isWrong = oAuthConfig !== undefined && findings.isWrittenWrong(oAuthConfig, 'hostFrom')
    if (!findings.isWrittenWrong(element, 'host') && !isWrong)
      resolution.advice?.onEndpointWithoutHost(endpoint, element)
    return undefined
  }

  const url = resolveUrl(resolution, element, endpoint.host, endpoint.port)
  return { origin: url.origin, ...own, ...resolveTransport(resolution, url, endpoint, apiDefaults) }
}

/** The elements that authenticate the calls, and the `authData` among them. */
interface Authentications {
  readonly references: readonly ElementReference[]
  readonly basic: ElementReference | undefined
}

/** RFC 7617 section 2: the user ends at the first colon. */
function resolveBasicAuthentication(
  { graph, findings }: Resolution,
  element: ElementReference,
  { id }: { readonly id?: string } = {},
): BasicAuthentication | undefined {
  const authData = graph.get('authData', id)
  if (id === undefined || !authData) return undefined
  const { user, passwordSecret } = authData
  if (user.includes(':'))
    findings.addMistake(
      element,
      'authenticationConfigRef',
      `The user of authData/${id} has a colon: the API would read the rest as password (RFC 7617 section 2). Use a user name without a colon.`,
    )
  if (hasControlCharacter(user))
    findings.addMistake(
      element,
      'authenticationConfigRef',
      `The user of authData/${id} has a line break or another control character, which basic authentication cannot send (RFC 7617 section 2). Write the user without it.`,
    )
  return { id, user, passwordSecret }
}

function resolveUrl({ findings }: Resolution, element: ElementReference, host: string, port: number | undefined): URL {
  if (port !== undefined && /:\d*\/?$/.test(host))
    findings.addMistake(element, 'port', 'The attribute host already has a port. Take out one of the two ports.')

  const url = new URL(host)
  if (port !== undefined) url.port = String(port)
  if (url.protocol !== 'https:')
    findings.addMistake(
      element,
      'host',
      'It must begin with https://. Bearer tokens are sent over TLS only (RFC 6750 section 5.3).',
    )
  return url
}

/** The attributes of an element that describe how its server is reached. */
interface TransportAttributes {
  readonly sslCertsRef?: string
  readonly proxyConfigRef?: string
  readonly connectionTimeout?: number
  readonly receiveTimeout?: number
}

/** @param url undefined if a token answer says where the server is */
function resolveTransport(
  resolution: Resolution,
  url: URL | undefined,
  { sslCertsRef, proxyConfigRef, connectionTimeout, receiveTimeout }: TransportAttributes,
  defaults: { readonly connectTimeoutMilliseconds: number; readonly receiveTimeoutMilliseconds: number },
): Transport {
  const proxy = resolveProxy(resolution, url, proxyConfigRef)
  return {
    tls: resolveTls(resolution, sslCertsRef),
    ...(proxy && { proxy }),
    connectTimeoutMilliseconds: connectionTimeout ?? defaults.connectTimeoutMilliseconds,
    receiveTimeoutMilliseconds: receiveTimeout ?? defaults.receiveTimeoutMilliseconds,
  }
}

/** As in z/OS Connect: `sslCertsRef`, or else the `ssl` element that `sslDefault` names, or else `defaultSSLConfig`. */
export function sslIdOf(graph: ElementGraph, sslCertsRef: string | undefined): string {
  return sslCertsRef ?? graph.get('sslDefault', defaultElementIds.sslDefault)?.sslRef ?? defaultElementIds.ssl
}

function resolveTls({ graph, findings }: Resolution, sslCertsRef: string | undefined): TlsConfiguration {
  const id = sslIdOf(graph, sslCertsRef)
  const ssl = graph.get('ssl', id)
  const secretOf = (attribute: 'trustStoreRef' | 'keyStoreRef') => {
    const location = graph.get('keyStore', ssl?.[attribute])?.location
    if (location === undefined || !isKmsLocation(location)) return location
    findings.addMistake(
      { kind: 'ssl', id },
      attribute,
      'It names a KMS key, which holds no certificate and cannot open connections. Name a keyStore whose location is a secret.',
    )
    return undefined
  }
  const trustStore = secretOf('trustStoreRef')
  const clientCertificate = secretOf('keyStoreRef')
  return {
    minimumVersion: ssl?.sslProtocol ?? 'TLSv1.2',
    ...(trustStore && { trustStore }),
    ...(clientCertificate && { clientCertificate }),
    ...(ssl?.allowPartialTrustChain && { allowPartialTrustChain: true }),
  }
}

function resolveProxy(
  { graph, findings }: Resolution,
  url: URL | undefined,
  id: string | undefined,
): HttpProxy | undefined {
  // noProxy is decided only by elements, and never by the environment. So a server either has a proxy or has not.
  const noProxy = graph.get('proxyConfig', id)?.noProxy ?? []
  return url && isReachedDirectly(url, noProxy) ? undefined : resolveProxyElement({ graph, findings }, id)
}

function resolveProxyElement(
  { graph, findings }: Pick<Resolution, 'graph' | 'findings'>,
  id: string | undefined,
): HttpProxy | undefined {
  const config = graph.get('proxyConfig', id)
  if (id === undefined || !config) return undefined
  const { host, port } = config
  // The same element as for a client secret: a user name is no secret, and passwords are checked in one place.
  const credentials = graph.get('authData', config.basicAuthRef)
  if (credentials?.user.includes(':'))
    findings.addMistake(
      { kind: 'proxyConfig', id },
      'basicAuthRef',
      `The user of authData/${config.basicAuthRef} has a colon: the proxy would read the rest as password (RFC 7617 section 2). Use a user name without a colon.`,
    )
  return { id, host, port, ...(credentials && { credentials }) }
}
