import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { Client } from 'undici'
import { createServerCertificate } from '../../../../infra/local/certificate-authority.ts'
import { listen } from '../../../../infra/local/listen.ts'
import { createConnector, secretNamesOf } from '../../../../lib/adapters/http/connector.ts'
import type { Transport } from '../../../../lib/configuration/transport.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { startScriptedApi } from '../../../support/servers/scripted-api.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

/* Behaviour that a usual proxy does not show, with a scripted proxy. */

const trustStore = 'tokenwell/test/trust'
const passwordSecret = 'tokenwell/test/proxy-password'

interface TheProxy {
  readonly port: number
  readonly asked: readonly IncomingMessage[]
}

/** A proxy that opens each tunnel, or sends the given answer. */
async function startProxy(t: TestContext, answer = 'HTTP/1.1 200 Connection established\r\n\r\n'): Promise<TheProxy> {
  const asked: IncomingMessage[] = []
  const sockets: Socket[] = []
  const server: Server = createServer()
  server.on('connect', (request: IncomingMessage, caller: Socket) => {
    asked.push(request)
    const { hostname, port } = new URL(`http://${request.url}`)
    const target = connect({ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }, () => {
      caller.write(answer)
      caller.pipe(target).pipe(caller)
    })
    sockets.push(caller, target)
    for (const each of [caller, target]) each.on('error', () => {})
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, asked }
}

interface Credentials {
  readonly user: string
  readonly password: string
}

/** Sends one GET to an origin over a connection of the connector. */
async function get(
  t: TestContext,
  origin: string,
  ca: string,
  { port, credentials }: { readonly port?: number; readonly credentials?: Credentials } = {},
): Promise<number> {
  const secrets = singleVersionSecrets(
    async (name) => new Secret(name === trustStore ? ca : (credentials?.password ?? '')),
  )
  const transport: Transport = {
    tls: { minimumVersion: 'TLSv1.2', trustStore },
    ...(port !== undefined && {
      proxy: {
        id: 'theProxy',
        host: '127.0.0.1',
        port,
        ...(credentials && { credentials: { user: credentials.user, passwordSecret } }),
      },
    }),
    connectTimeoutMilliseconds: 5_000,
    receiveTimeoutMilliseconds: 5_000,
  }
  const client = new Client(origin, { connect: await createConnector(transport, secrets) })
  t.after(() => client.destroy())
  const { statusCode, body } = await client.request({ method: 'GET', path: '/' })
  await body.dump()
  return statusCode
}

test('CONNECT names host and port, and nothing that identifies the client', async (t) => {
  const [proxy, api] = [await startProxy(t), await startScriptedApi(t)]
  const { caCertificate } = api.certificate
  assert.equal(await get(t, api.origin, caCertificate, proxy), 200)
  const [request] = proxy.asked
  assert.equal(request?.url, `localhost:${api.port}`)
  assert.deepEqual(request.headers, { host: `localhost:${api.port}`, connection: 'close' })
  assert.equal(api.requests[0]?.headers.host, `localhost:${api.port}`)
})

test('credentials for the proxy follow RFC 7617: UTF-8, colons in the password, no line break at the end', async (t) => {
  const [proxy, api] = [await startProxy(t), await startScriptedApi(t)]
  const credentials = { user: 'jörg', password: 'pä:ss:wörd\r\n' }
  assert.equal(await get(t, api.origin, api.certificate.caCertificate, { ...proxy, credentials }), 200)
  const [scheme, pair = ''] = proxy.asked[0]?.headers['proxy-authorization']?.split(' ') ?? []
  assert.equal(scheme, 'Basic')
  assert.equal(Buffer.from(pair, 'base64').toString(), 'jörg:pä:ss:wörd')
})

test('CONNECT has an IPv6 address in brackets', async (t) => {
  const certificate = await createServerCertificate(['::1'])
  const server = createTlsServer(
    { cert: certificate.certificate, key: certificate.privateKey },
    (socket: TLSSocket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'))
    },
  )
  const isThere = await listen(server, 0, '::1').catch(() => undefined)
  if (isThere === undefined) return t.skip('this machine has no IPv6')
  t.after(() => server.close())
  const proxy = await startProxy(t)
  assert.equal(await get(t, `https://[::1]:${isThere}`, certificate.caCertificate, proxy), 204)
  assert.equal(proxy.asked[0]?.url, `[::1]:${isThere}`)
})

test('the secrets of a transport are its trust store, its certificate and its proxy password', () => {
  const times = { connectTimeoutMilliseconds: 1, receiveTimeoutMilliseconds: 1 }
  const tls = { minimumVersion: 'TLSv1.2' } as const
  const proxy = { id: 'theProxy', host: 'proxy.example', port: 3128 }
  assert.deepEqual(secretNamesOf({ tls, ...times }), [])
  assert.deepEqual(secretNamesOf({ tls, proxy, ...times }), [])
  assert.deepEqual(
    secretNamesOf({
      tls: { ...tls, trustStore, clientCertificate: 'tokenwell/test/client' },
      proxy: { ...proxy, credentials: { user: 'theUser', passwordSecret } },
      ...times,
    }),
    [trustStore, 'tokenwell/test/client', passwordSecret],
  )
})

test('a rejection with a long body from the proxy is still a rejection', async (t) => {
  const answer = `HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="p"\r\ncontent-length: 70000\r\n\r\n${'x'.repeat(70_000)}`
  const [proxy, api] = [await startProxy(t, answer), await startScriptedApi(t)]
  await assert.rejects(get(t, api.origin, api.certificate.caCertificate, proxy), {
    code: 'ERR_PROXY_REFUSED',
    isLasting: true,
    message: 'The proxy theProxy requires other credentials (status 407). Check its basicAuthRef.',
  })
  assert.equal(proxy.asked.length, 1, 'undici tries some errors again without end')
})

test('the host name is checked behind a proxy too', async (t) => {
  const proxy = await startProxy(t)
  const api = await startScriptedApi(t, undefined, { certificate: await createServerCertificate(['other.example']) })
  await assert.rejects(get(t, api.origin, api.certificate.caCertificate, proxy), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})
