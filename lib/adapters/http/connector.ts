import { request } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { ProtectedApi } from '../../configuration/api.ts'
import { addressOf, type ResolvedAuthorizationServer } from '../../configuration/connection.ts'
import type { HttpProxy, Transport } from '../../configuration/transport.ts'
import { canonicalHost } from '../../configuration/value-syntax.ts'
import type { SecretStore } from '../../secret/secret-store.ts'
import { demandHost, demandUnreserved, readPassword, type SecretUse } from '../../signing/secret-use.ts'
import { namingMissingIssuer } from './missing-issuer.ts'
import { AddressNotPublicError, lookupPublicly } from './public-address.ts'
import { readTlsIdentity } from './tls-identity.ts'
import { buildConnector, errors } from './undici.ts'

/** Opens connections to one server: over TLS, and through its proxy if it has one. */
export type Connector = buildConnector.connector

/**
 * @throws {SecretError} if a certificate or the proxy's password cannot be read
 * @throws {KeyStoreError} if a secret contains no certificate, or may not be used for this server
 */
export async function createConnector(
  transport: Transport | ResolvedAuthorizationServer | ProtectedApi,
  secrets: SecretStore,
): Promise<Connector> {
  const { tls, proxy, connectTimeoutMilliseconds: timeout } = transport
  await demandIdentityFor(transport, secrets)
  const identity = await readTlsIdentity(tls, secrets)
  // Limits and the separation of answers rely on HTTP/1.1: a connection has one answer at a time.
  const bounds = { timeout, allowH2: false, minVersion: tls.minimumVersion }
  const { allowPartialTrustChain = false } = tls
  // Set explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
  const trust = { ...identity, allowPartialTrustChain, rejectUnauthorized: true }
  // The proxy resolves the name itself: then only the name has been checked.
  const isChecked = 'isPublicOnly' in transport && transport.isPublicOnly && !proxy
  const direct = isChecked
    ? toPublicAddresses(buildConnector({ ...bounds, ...trust, lookup: lookupPublicly }))
    : buildConnector({ ...bounds, ...trust })
  const connect = namingMissingIssuer(direct, identity.ca)
  return proxy ? throughProxy(connect, proxy, await proxyHeaders(proxy, secrets), timeout) : connect
}

/** No lookup is made for a host that is an address. */
function toPublicAddresses(connect: Connector): Connector {
  return function connectToPublicAddress(options, callback) {
    if (isIP(options.hostname) === 0) connect(options, callback)
    else callback(new AddressNotPublicError(), null)
  }
}

/** The names of all secrets that a connector needs. */
export function secretNamesOf({ tls, proxy }: Transport): string[] {
  const { trustStore, clientCertificate } = tls
  return [trustStore, clientCertificate, proxy?.credentials?.passwordSecret].filter((name) => name !== undefined)
}

/** Checks that the secrets may be used for this server, so that a client certificate is presented only to the hosts that it is for. */
async function demandIdentityFor(
  transport: Transport | ResolvedAuthorizationServer | ProtectedApi,
  secrets: SecretStore,
): Promise<void> {
  const { trustStore, clientCertificate } = transport.tls
  for (const name of [trustStore, clientCertificate]) if (name !== undefined) demandUnreserved(name)
  const use = useOf(transport)
  if (clientCertificate !== undefined && use) demandHost(clientCertificate, await secrets.get(clientCertificate), use)
}

function useOf(transport: Transport | ResolvedAuthorizationServer | ProtectedApi): SecretUse | undefined {
  if ('lifetime' in transport)
    return { element: `authorizationServer/${transport.id}`, host: new URL(addressOf(transport)).hostname }
  return 'origin' in transport
    ? { element: 'an endpointConnection', host: new URL(transport.origin).hostname }
    : undefined
}

/** RFC 7617 section 2. */
async function proxyHeaders(
  { id, host, credentials }: HttpProxy,
  secrets: SecretStore,
): Promise<Record<string, string>> {
  if (!credentials) return {}
  const { user, passwordSecret } = credentials
  const use = { element: `proxyConfig/${id}`, host: canonicalHost(host) }
  const password = readPassword(passwordSecret, await secrets.get(passwordSecret), use)
  const pair = Buffer.from(`${user}:${password.reveal()}`).toString('base64')
  return { 'proxy-authorization': `Basic ${pair}` }
}

function throughProxy(
  connect: Connector,
  proxy: HttpProxy,
  headers: Readonly<Record<string, string>>,
  timeoutMilliseconds: number,
): Connector {
  return function connectThroughProxy(options, callback) {
    const endsAt = performance.now() + timeoutMilliseconds
    openTunnel(proxy, authorityOf(options), headers, timeoutMilliseconds).then(
      (httpSocket) => connectWithin(endsAt - performance.now(), connect, { ...options, httpSocket }, callback),
      (error: Error) => callback(error, null),
    )
  }
}

/** Connects within the time that the tunnel has left. The time-out covers both. */
function connectWithin(
  timeoutMilliseconds: number,
  connect: Connector,
  options: buildConnector.Options & { readonly httpSocket: Socket },
  callback: buildConnector.Callback,
): void {
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    // The TLS socket on top of it emits no event for that.
    options.httpSocket.destroy()
    callback(new errors.ConnectTimeoutError(), null)
  }, timeoutMilliseconds)
  connect(options, (...result) => {
    clearTimeout(timer)
    if (!isLate) callback(...result)
  })
}

/** RFC 9110 section 9.3.6. undici removes the brackets of an IPv6 address. */
function authorityOf({ hostname, port }: buildConnector.Options): string {
  return `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port || '443'}`
}

/** RFC 9110 section 9.3.6. It throws its own errors, because undici retries some other errors without end. */
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
    const timer = setTimeout(() => tunnel.destroy(new errors.ConnectTimeoutError()), timeoutMilliseconds)
    const refuse = (error: Error) => {
      clearTimeout(timer)
      reject(error)
    }
    tunnel.on('connect', ({ statusCode }, socket) => {
      if (statusCode !== 200) {
        socket.destroy()
        return refuse(refusal(id, authority, statusCode))
      }
      clearTimeout(timer)
      resolve(socket)
    })
    tunnel.on('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof errors.ConnectTimeoutError) return refuse(error)
      const { code = 'no reason given' } = error
      refuse(new ProxyRefusedError(`The proxy ${id} did not answer (${code}). Check its host and port.`))
    })
    tunnel.end()
  })
}

function refusal(id: string, authority: string, status = 0): ProxyRefusedError {
  // RFC 9110 names 407. tinyproxy answers 407 where credentials are absent, and 401 where they are wrong.
  if (status === 407 || status === 401)
    return new ProxyRefusedError(
      `The proxy ${id} requires other credentials (status ${status}). Check its basicAuthRef.`,
      {
        isLasting: true,
      },
    )
  return new ProxyRefusedError(
    `The proxy ${id} rejected CONNECT with status ${status}. Check that it allows ${authority}.`,
  )
}

/** The proxy did not open a tunnel. The message is a whole sentence about the proxy. */
export class ProxyRefusedError extends Error {
  readonly code = 'ERR_PROXY_REFUSED'
  override readonly name = 'ProxyRefusedError'
  /** Whether an immediate retry would fail again, and may lock the user of the proxy. */
  readonly isLasting: boolean

  constructor(message: string, { isLasting = false }: { readonly isLasting?: boolean } = {}) {
    super(message)
    this.isLasting = isLasting
  }
}
