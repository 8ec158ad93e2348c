import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { listen } from '../../../infra/local/listen.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import {
  type CallApiWithOidcProvider,
  startCallApiWithOidcProvider,
} from '../../support/functions/call-api-with-oidc-provider.ts'
import { type GivenSecrets, writeSecret } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import {
  createClientCertificate,
  pemBundle,
  thumbprint,
  thumbprintOf,
} from '../../support/servers/client-certificate.ts'
import { freePort } from '../../support/servers/free-port.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { type ScriptedApi, startScriptedApi } from '../../support/servers/scripted-api.ts'
import { startTinyproxy, type Tinyproxy } from './tinyproxy.ts'

/* The function with a real proxy between it and the token endpoint, the API, or both. */

const credentials = { user: 'theProxyUser', password: randomBytes(18).toString('hex') }
plant(credentials.password)
plant(Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64'))

interface Ways {
  /** A `proxyConfig` for the token endpoint. */
  readonly toTokens?: Record<string, unknown>
  /** A `proxyConfig` for the API. */
  readonly toApi?: Record<string, unknown>
  readonly secrets?: GivenSecrets
  readonly endpoint?: Record<string, unknown>
  readonly server?: Record<string, unknown>
  readonly apiSsl?: Record<string, unknown>
}

/** The function, and the connection `conn` to that API with these proxies. */
function callsTo(t: TestContext, api: ScriptedApi, ways: Ways): Promise<CallApiWithOidcProvider> {
  const { toTokens, toApi, secrets = {}, endpoint, server, apiSsl } = ways
  return startCallApiWithOidcProvider(
    t,
    (issuer) => {
      const elements = exampleElements(issuer, {
        server: { ...(toTokens && { proxyConfigRef: 'tokenProxy' }), ...server },
        endpoint: {
          host: api.origin,
          sslCertsRef: 'apiSsl',
          ...(toApi && { proxyConfigRef: 'apiProxy' }),
          ...endpoint,
        },
      })
      return {
        ...elements,
        ssl: { ...elements['ssl'], apiSsl: { trustStoreRef: 'apiTrust', ...apiSsl } },
        keyStore: {
          ...elements['keyStore'],
          apiTrust: { location: 'tokenwell/local/api-ca' },
          client: { location: 'tokenwell/local/client' },
        },
        proxyConfig: { ...(toTokens && { tokenProxy: toTokens }), ...(toApi && { apiProxy: toApi }) },
        authData: { proxyUser: { user: credentials.user, passwordSecret: 'tokenwell/local/proxy-password' } },
      }
    },
    { secrets: { 'api-ca': api.certificate.caCertificate, 'proxy-password': `${credentials.password}\n`, ...secrets } },
  )
}

function proxyAt(port: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { host: '127.0.0.1', port, ...more }
}

function startProxy(
  t: TestContext,
  settings: Parameters<typeof startTinyproxy>[1] = {},
): Promise<Tinyproxy | undefined> {
  return startIfThere(t, () => startTinyproxy(t, settings))
}

const authorityOf = (url: string) => new URL(url).host

for (const [how, settings, more] of [
  ['', {}, {}],
  [' that wants credentials', { credentials }, { basicAuthRef: 'proxyUser' }],
] as const) {
  test(`token endpoint and API are reached through a proxy${how}`, async (t) => {
    const proxy = await startProxy(t, settings)
    if (!proxy) return
    const api = await startScriptedApi(t)
    const way = proxyAt(proxy.port, more)
    const calls = await callsTo(t, api, { toTokens: way, toApi: way })
    for (let i = 0; i < 2; i++) assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
    const tunnels = await proxy.tunnels(2)
    assert.deepEqual(tunnels, [calls.server.issuer, api.origin].map(authorityOf), 'one tunnel each, used again')
    for (const { headers } of api.requests)
      assert.equal(headers['proxy-authorization'], undefined, "the proxy's credentials are no business of the API")
  })
}

test('token endpoint and API each have their own proxy, or no proxy', async (t) => {
  const [one, other] = [await startProxy(t), await startProxy(t)]
  if (!one || !other) return
  const api = await startScriptedApi(t)
  const both = await callsTo(t, api, { toTokens: proxyAt(one.port), toApi: proxyAt(other.port) })
  assert.equal((await both.call()).status, 200, both.reasons().join('\n'))
  assert.deepEqual(await one.tunnels(1), [authorityOf(both.server.issuer)])
  assert.deepEqual(await other.tunnels(1), [authorityOf(api.origin)])

  const half = await callsTo(t, api, { toTokens: proxyAt(one.port) })
  assert.equal((await half.call()).status, 200, half.reasons().join('\n'))
  assert.deepEqual((await one.tunnels(2)).slice(1), [authorityOf(half.server.issuer)])
  assert.equal((await other.tunnels(1)).length, 1)
})

test('host names and certificates are checked through a proxy as without one', async (t) => {
  const proxy = await startProxy(t)
  if (!proxy) return
  const client = await createClientCertificate()
  const tls = { requestCert: true, rejectUnauthorized: true, ca: client.caCertificate }
  const api = await startScriptedApi(t, undefined, tls)
  const toApi = proxyAt(proxy.port)
  const apiSsl = { keyStoreRef: 'client' }
  const calls = await callsTo(t, api, { toApi, apiSsl, secrets: { client: pemBundle(client) } })
  assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
  const [{ peerCertificate } = {}] = api.requests
  assert.equal(peerCertificate && thumbprint(peerCertificate.raw), thumbprintOf(client))

  const { certificate } = await startScriptedApi(t)
  const secrets = { client: pemBundle(client), 'api-ca': certificate.caCertificate }
  const wary = await callsTo(t, api, { toApi, apiSsl, secrets })
  const { status, headers } = await wary.call()
  assert.equal(status, 502)
  assert.equal(headers['proxy-status'], 'tokenwell; error=tls_certificate_error')
  assert.match(wary.reasons().join('\n'), /no CA in the trust store tokenwell\/local\/api-ca signed/)
  assert.equal(api.requests.length, 1)
})

/* tinyproxy answers missing credentials and wrong ones differently. */
for (const [what, more, said] of [
  ['wrong credentials', { basicAuthRef: 'proxyUser' }, '401'],
  ['no credentials', {}, '407'],
] as const) {
  const sentence = new RegExp(
    `cannot be reached\\. The proxy (api|token)Proxy requires other credentials \\(status ${said}\\)\\. Check its basicAuthRef\\.`,
  )

  test(`${what} for the proxy before the API: one attempt, and a message that names the proxy`, async (t) => {
    const proxy = await startProxy(t, { credentials })
    if (!proxy) return
    const api = await startScriptedApi(t)
    const toApi = proxyAt(proxy.port, more)
    const calls = await callsTo(t, api, { toApi, secrets: { 'proxy-password': 'another password' } })
    const { status, headers, body } = await calls.call()
    assert.equal(status, 502)
    assert.equal(headers['proxy-status'], 'tokenwell; error=destination_unavailable')
    assert.match(calls.reasons().join('\n'), sentence)
    assert.match(String(body['error_description']), /The API did not get the request\./)
    assert.equal((await proxy.tunnels(1)).length, 1)
    assert.equal(api.connections(), 0)
  })

  test(`${what} for the proxy before the token endpoint: one attempt, so that its user is not locked out`, async (t) => {
    const proxy = await startProxy(t, { credentials })
    if (!proxy) return
    const api = await startScriptedApi(t)
    const toTokens = proxyAt(proxy.port, more)
    const calls = await callsTo(t, api, { toTokens, secrets: { 'proxy-password': 'another password' } })
    assert.equal((await calls.call()).status, 503)
    assert.match(calls.reasons().join('\n'), sentence)
    assert.equal((await proxy.tunnels(1)).length, 1)
    assert.equal((await calls.call()).status, 503)
    assert.equal((await proxy.tunnels(1)).length, 1, 'and none while it cools down')
    assert.equal(api.connections() + calls.tokenRequests(), 0)
  })
}

test('a changed proxy password is used by the next call after its secret is read again', async (t) => {
  const proxy = await startProxy(t, { credentials })
  if (!proxy) return
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const api = await startScriptedApi(t)
  const toApi = proxyAt(proxy.port, { basicAuthRef: 'proxyUser' })
  const calls = await callsTo(t, api, { toApi, secrets: { 'proxy-password': 'another password' } })
  assert.equal((await calls.call()).status, 502)
  await writeSecret(calls.workspace, 'proxy-password', credentials.password)
  t.mock.timers.setTime(Date.now() + 330_000)
  assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
})

test("the error for a proxy that does not allow the port has the proxy's status", async (t) => {
  const proxy = await startProxy(t, { connectPorts: [443] })
  if (!proxy) return
  const api = await startScriptedApi(t)
  const calls = await callsTo(t, api, { toApi: proxyAt(proxy.port) })
  assert.equal((await calls.call()).status, 502)
  assert.match(
    calls.reasons().join('\n'),
    /The API at https:\/\/localhost:\d+ cannot be reached\. The proxy apiProxy rejected CONNECT with status 403\. Check that it allows localhost:\d+\.$/,
  )
})

test('an unreachable API behind a proxy, and an unreachable proxy, are reported with the name of the proxy', async (t) => {
  const proxy = await startProxy(t)
  if (!proxy) return
  const api = await startScriptedApi(t)
  const host = `https://localhost:${await freePort()}`
  const gone = await callsTo(t, api, { toApi: proxyAt(proxy.port), endpoint: { host } })
  assert.equal((await gone.call()).status, 502)
  assert.match(
    gone.reasons().join('\n'),
    /The proxy apiProxy rejected CONNECT with status 50\d\. Check that it allows localhost:\d+\.$/,
  )

  await proxy.stop()
  const calls = await callsTo(t, api, { toApi: proxyAt(proxy.port) })
  const { status, headers } = await calls.call()
  assert.equal(status, 502)
  assert.equal(headers['proxy-status'], 'tokenwell; error=destination_unavailable')
  assert.match(
    calls.reasons().join('\n'),
    /The proxy apiProxy did not answer \(ECONNREFUSED\)\. Check its host and port\.$/,
  )
})

/** Accepts TCP connections and does this with each. */
async function startListener(t: TestContext, act: (socket: Socket) => void = () => {}) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    act(socket)
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, sockets }
}

const openAndBeSilent = (socket: Socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))

for (const [what, act] of Object.entries({ nothing: undefined, 'nothing more than 200': openAndBeSilent })) {
  test(`a proxy that accepts a connection and says ${what} ends the call after connectionTimeout`, async (t) => {
    const { port, sockets } = await startListener(t, act)
    const api = await startScriptedApi(t)
    const calls = await callsTo(t, api, { toApi: proxyAt(port), endpoint: { connectionTimeout: '700ms' } })
    const startedAt = performance.now()
    const { status, headers } = await calls.call()
    assert.equal(status, 504)
    assert.equal(headers['proxy-status'], 'tokenwell; error=connection_timeout')
    assert.match(
      calls.reasons().join('\n'),
      /cannot be reached through the proxy apiProxy within 700 ms \(UND_ERR_CONNECT_TIMEOUT\)\. Check the network, or increase connectionTimeout\.$/,
    )
    const took = performance.now() - startedAt
    assert.ok(took >= 690 && took < 6_000, `${took} ms`)
    assert.equal(sockets.length, 1)
  })
}

test('a proxy that closes the connection, or does not speak HTTP, is reported as a proxy without an answer', async (t) => {
  const api = await startScriptedApi(t)
  for (const act of [
    (socket: Socket) => socket.destroy(),
    (socket: Socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.9\r\n\r\n')),
  ]) {
    const { port } = await startListener(t, act)
    const calls = await callsTo(t, api, { toApi: proxyAt(port) })
    assert.equal((await calls.call()).status, 502)
    assert.match(calls.reasons().join('\n'), /The proxy apiProxy did not answer \(\w+\)\. Check its host and port\.$/)
  }
})

for (const [how, hangUp] of Object.entries({
  'by its end': (socket: Socket) => socket.end(),
  'by a reset': (socket: Socket) => socket.resetAndDestroy(),
}))
  test(`a proxy that opens a tunnel and closes it ${how} causes a connection error at once`, async (t) => {
    const { port } = await startListener(t, (socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.once('data', () => hangUp(socket))
      })
    })
    const api = await startScriptedApi(t)
    const calls = await callsTo(t, api, { toApi: proxyAt(port) })
    const { status, headers } = await calls.call()
    assert.equal(status, 502)
    assert.equal(headers['proxy-status'], 'tokenwell; error=connection_terminated')
    assert.match(calls.reasons().join('\n'), /cannot be reached through the proxy apiProxy \(ECONNRESET\)/)
  })

for (const [rule, noProxy] of Object.entries({
  'its name': ['localhost'],
  'its name in capitals, among others': ['.example.com', 'LOCALHOST'],
  'a star': ['*'],
}))
  test(`a host that noProxy names by ${rule} is reached without the proxy`, async (t) => {
    const proxy = await startProxy(t)
    if (!proxy) return
    const api = await startScriptedApi(t)
    const past = proxyAt(proxy.port, { noProxy })
    const calls = await callsTo(t, api, { toTokens: past, toApi: past })
    assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))

    // A request that the proxy must get follows the one that it must not get.
    const through = await callsTo(t, api, { toApi: proxyAt(proxy.port) })
    assert.equal((await through.call()).status, 200, through.reasons().join('\n'))
    assert.deepEqual(await proxy.tunnels(1), [authorityOf(api.origin)])
  })

test('noProxy with a port applies to that port only', async (t) => {
  const proxy = await startProxy(t)
  if (!proxy) return
  const api = await startScriptedApi(t)
  const way = proxyAt(proxy.port, { noProxy: [`localhost:${api.port}`, 'host', '.localhost'] })
  const calls = await callsTo(t, api, { toTokens: way, toApi: way })
  assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
  assert.deepEqual(await proxy.tunnels(1), [authorityOf(calls.server.issuer)])
})
