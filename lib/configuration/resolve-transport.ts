import type { ElementGraph } from './collect-elements.ts'
import type { HttpProxy, TlsConfiguration, Transport } from './connection.ts'
import { isReachedDirectly } from './no-proxy.ts'
import type { Resolution } from './resolution.ts'
import { standIns } from './stand-ins.ts'

/** What an element says of how its far end is reached. */
interface TransportAttributes {
  readonly sslCertsRef?: string
  readonly proxyConfigRef?: string
  readonly connectionTimeout?: number
  readonly receiveTimeout?: number
}

export function resolveTransport(
  resolution: Resolution,
  url: URL,
  { sslCertsRef, proxyConfigRef, connectionTimeout, receiveTimeout }: TransportAttributes,
  defaults: { readonly connectTimeoutMilliseconds: number; readonly receiveTimeoutMilliseconds: number },
): Transport {
  const proxy = resolveProxy(resolution, url, proxyConfigRef)
  return {
    tls: resolveTls(resolution.graph, sslCertsRef),
    ...(proxy && { proxy }),
    connectTimeoutMilliseconds: connectionTimeout ?? defaults.connectTimeoutMilliseconds,
    receiveTimeoutMilliseconds: receiveTimeout ?? defaults.receiveTimeoutMilliseconds,
  }
}

/** As in the original: the `ssl` named here, else the one that `sslDefault` names, else `defaultSSLConfig`, else none. */
export function sslIdOf(graph: ElementGraph, sslCertsRef: string | undefined): string {
  return sslCertsRef ?? graph.get('sslDefault', standIns.sslDefault)?.sslRef ?? standIns.ssl
}

function resolveTls(graph: ElementGraph, sslCertsRef: string | undefined): TlsConfiguration {
  const ssl = graph.get('ssl', sslIdOf(graph, sslCertsRef))
  const trustStore = graph.get('keyStore', ssl?.trustStoreRef)?.location
  const clientCertificate = graph.get('keyStore', ssl?.keyStoreRef)?.location
  return {
    minimumVersion: ssl?.sslProtocol ?? 'TLSv1.2',
    ...(trustStore && { trustStore }),
    ...(clientCertificate && { clientCertificate }),
  }
}

function resolveProxy({ graph, note }: Resolution, url: URL, id: string | undefined): HttpProxy | undefined {
  const config = graph.get('proxyConfig', id)
  if (id === undefined || !config || isReachedDirectly(url, config.noProxy ?? [])) return undefined
  const { host, port } = config
  const credentials = graph.get('authData', config.basicAuthRef)
  if (credentials?.user.includes(':'))
    note(
      'mistake',
      { kind: 'proxyConfig', id },
      'basicAuthRef',
      `the user of authData/${config.basicAuthRef} holds a colon, and what follows it would count as password (RFC 7617 section 2).`,
    )
  return { id, host, port, ...(credentials && { credentials }) }
}
