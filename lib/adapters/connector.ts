import { request } from 'node:http'
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { HttpProxy, Transport } from '../configuration/connection.ts'
import { oneLine } from '../secret/one-line.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { ProxyRefusedError } from './proxy-refused-error.ts'
import { readTlsIdentity } from './tls-identity.ts'

/** Opens connections to one far end: over TLS, through its proxy where it has one. */
export type Connector = buildConnector.connector

/**
 * @throws {SecretError} when a certificate or the proxy's password can't be had
 * @throws {KeyStoreError} when a secret holds no certificate
 */
export async function createConnector(transport: Transport, secrets: SecretStore): Promise<Connector> {
  const { tls, proxy, connectTimeoutMilliseconds: timeout } = transport
  const identity = await readTlsIdentity(tls, secrets)
  // What is bounded and told apart here is HTTP/1.1: one answer a connection, and its end is the connection's.
  const connect = buildConnector({ timeout, allowH2: false, minVersion: tls.minimumVersion, ...identity })
  return proxy ? throughProxy(connect, proxy, await proxyHeaders(proxy, secrets), timeout) : connect
}

/** The names of all secrets that a connector is made from. */
export function secretNamesOf({ tls, proxy }: Transport): string[] {
  const { trustStore, clientCertificate } = tls
  return [trustStore, clientCertificate, proxy?.credentials?.passwordSecret].filter((name) => name !== undefined)
}

/** RFC 7617 section 2. */
async function proxyHeaders({ credentials }: HttpProxy, secrets: SecretStore): Promise<Record<string, string>> {
  if (!credentials) return {}
  const password = oneLine(await secrets.get(credentials.passwordSecret)).reveal()
  const pair = Buffer.from(`${credentials.user}:${password}`).toString('base64')
  return { 'proxy-authorization': `Basic ${pair}` }
}

function throughProxy(
  connect: Connector,
  proxy: HttpProxy,
  headers: Readonly<Record<string, string>>,
  timeoutMilliseconds: number,
): Connector {
  return (options, callback) => {
    const authority = options.port ? String(options.host) : `${options.host}:443`
    openTunnel(proxy, authority, headers, timeoutMilliseconds).then(
      (httpSocket) => connect({ ...options, httpSocket }, callback),
      (error: Error) => callback(error, null),
    )
  }
}

/** RFC 9110 section 9.3.6. Errors are its own, whatever the reason: undici would try some others again without end. */
function openTunnel(
  { id, host, port }: HttpProxy,
  authority: string,
  headers: Readonly<Record<string, string>>,
  timeoutMilliseconds: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const path = authority
    const tunnel = request({
      host,
      port,
      method: 'CONNECT',
      path,
      headers: { host: authority, ...headers },
      agent: false,
    })
    const timer = setTimeout(() => tunnel.destroy(new Error('timeout')), timeoutMilliseconds)
    const refuse = (reason: string) => {
      clearTimeout(timer)
      reject(new ProxyRefusedError(`can't be reached: the proxy ${id} ${reason}`))
    }
    tunnel.on('connect', ({ statusCode }, socket) => {
      if (statusCode !== 200) {
        socket.destroy()
        return refuse(describeRefusal(statusCode))
      }
      clearTimeout(timer)
      resolve(socket)
    })
    tunnel.on('error', ({ code }: NodeJS.ErrnoException) => refuse(`gives no answer (${code ?? 'no reason given'})`))
    tunnel.end()
  })
}

function describeRefusal(status: number | undefined): string {
  return status === 407
    ? 'wants other credentials (407); see its basicAuthRef'
    : `opens no way there (${status ?? 'no status'})`
}
