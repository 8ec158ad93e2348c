import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { listen } from '../../../infra/local/listen.ts'
import { undiciTokenEndpoint } from '../../../lib/adapters/http/undici-token-endpoint.ts'
import type { LocatedServer } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { readRefusal } from '../../../lib/token-endpoint/answer-without-token.ts'
import { issuedToken } from '../../../lib/token-endpoint/token-answer.ts'
import { TimedOutError, TokenEndpointError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { startBlackHoleListener } from '../../support/servers/black-hole-listener.ts'
import { createClientCertificate } from '../../support/servers/client-certificate.ts'
import { freePort } from '../../support/servers/free-port.ts'
import {
  type Script,
  type ScriptedTokenEndpointOptions,
  startScriptedTokenEndpoint,
  tokenAnswer,
} from '../../support/servers/scripted-token-endpoint.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { createAuthority, type Oddity } from '../authority.ts'

const nothingSent = { secrets: [], names: [] }

/*
 * Real failures on real sockets. Each ends in an error that says what is to blame. The table next to this file decides
 * which cool-down follows.
 */

const authority = await createAuthority()
const certificate = await authority.issue()
const client = await createClientCertificate()
const secrets = new Map([
  ['the-trust', authority.caCertificate],
  ['the-client', `${client.certificate}\n${client.privateKey}`],
])

interface Case {
  readonly name: string
  readonly blames: 'way' | 'endpoint' | 'client'
  /** The server as its element describes it. */
  server(t: TestContext): Promise<Partial<LocatedServer>>
}

const tls = { minimumVersion: 'TLSv1.2', trustStore: 'the-trust' } as const

/** The outcome of one request. */
async function outcomeOf(changes: Partial<LocatedServer>): Promise<unknown> {
  const { authorizationServer } = plainConnection
  const times = { connectTimeoutMilliseconds: 700, receiveTimeoutMilliseconds: 1_000 }
  const server = { ...authorizationServer, ...times, tls, ...changes }
  const cache = createSecretCache(
    singleVersionSecrets(async (name) => new Secret(secrets.get(name) ?? '')),
    Date.now,
  )
  const form = new Secret('grant_type=client_credentials')
  const timeouts = { receiveMilliseconds: 1_000, totalMilliseconds: 3_000 }
  try {
    const answer = await undiciTokenEndpoint(cache, Date.now).post(server, {
      connection: 'conn',
      write: async () => ({ headers: {}, form }),
      timeouts,
    })
    return (
      issuedToken(answer) ??
      readRefusal(answer, { server: server.id, sent: nothingSent, isForUser: false, now: Date.now() })
    )
  } catch (error) {
    return error
  }
}

async function startServer(
  t: TestContext,
  script: Script = () => tokenAnswer(),
  options: Partial<ScriptedTokenEndpointOptions> = {},
): Promise<{ readonly tokenEndpoint: string }> {
  const server = await startScriptedTokenEndpoint(script, { certificate, ...options })
  t.after(() => server.close())
  return { tokenEndpoint: `${server.issuer}/token` }
}

/** A proxy that answers each CONNECT like this. */
async function startProxy(t: TestContext, answer: (socket: Socket) => void) {
  const proxy = createServer()
  proxy.on('connect', (_request, socket: Socket) => answer(socket.on('error', () => {})))
  const port = await listen(proxy, 0, '127.0.0.1')
  t.after(() => proxy.close())
  return { proxy: { id: 'theProxy', host: '127.0.0.1', port } }
}

const unreachable: readonly Case[] = [
  {
    name: 'a closed port',
    blames: 'way',
    server: async () => ({ tokenEndpoint: `https://localhost:${await freePort()}/token` }),
  },
  {
    name: 'a host that drops every attempt',
    blames: 'way',
    server: async (t) => ({ tokenEndpoint: `${(await startBlackHoleListener(t)).replace('http:', 'https:')}/token` }),
  },
  {
    name: 'an address without a route',
    blames: 'way',
    server: async () => ({ tokenEndpoint: 'https://255.255.255.255/token' }),
  },
  {
    name: 'a host name that does not exist',
    blames: 'way',
    server: async () => ({ tokenEndpoint: 'https://as.invalid/token' }),
  },
  {
    name: 'a host that accepts and says nothing',
    blames: 'way',
    async server(t) {
      const silent = createTcpServer((socket) => void socket.on('error', () => {}))
      const port = await listen(silent, 0, 'localhost')
      t.after(() => silent.close())
      return { tokenEndpoint: `https://localhost:${port}/token` }
    },
  },
]

const shows = (name: string, oddity: Oddity): Case => ({
  name: `TLS: a certificate ${name}`,
  blames: 'way',
  server: async (t) => startServer(t, undefined, { certificate: await authority.issue(oddity) }),
})
const speaks = (name: string, options: Partial<ScriptedTokenEndpointOptions>): Case => ({
  name: `TLS: ${name}`,
  blames: 'way',
  server: (t) => startServer(t, undefined, options),
})
const demands = { requestCert: true, rejectUnauthorized: true }

const ofTls: readonly Case[] = [
  {
    name: 'TLS: a certificate of an unknown CA',
    blames: 'way',
    server: async (t) => startServer(t, undefined, { certificate: await (await createAuthority()).issue() }),
  },
  shows('that is self-signed', { isSelfSigned: true }),
  shows('that has expired', { days: [-30, -1] }),
  shows('that begins tomorrow', { days: [1, 30] }),
  shows('for another host', { hostNames: ['other.example'] }),
  shows('for clients', { isForClients: true }),
  speaks('version 1.1 at most', {
    tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
  }),
  ...(['TLSv1.2', 'TLSv1.3'] as const).flatMap((version): Case[] => [
    speaks(`${version}, a client certificate is demanded`, {
      tls: { ...demands, maxVersion: version, minVersion: version },
    }),
    {
      name: `TLS: ${version}, a client certificate is refused`,
      blames: 'way',
      async server(t) {
        const started = await startServer(t, undefined, {
          tls: { ...demands, maxVersion: version, minVersion: version },
        })
        return { ...started, tls: { ...tls, clientCertificate: 'the-client' } }
      },
    },
  ]),
  speaks('the server does not speak TLS', {
    takesOver: (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n')) !== undefined,
  }),
  speaks('reset before the handshake', { takesOver: (socket) => socket.resetAndDestroy() !== undefined }),
  speaks('reset within the handshake', {
    takesOver: (socket) => socket.once('data', () => socket.resetAndDestroy()) !== undefined,
  }),
]

const answersTunnel = (name: string, text: string): Case => ({
  name: `a proxy that answers ${name}`,
  blames: 'way',
  server: async (t) => ({ ...(await startServer(t)), ...(await startProxy(t, (socket) => void socket.end(text))) }),
})

const ofProxies: readonly Case[] = [
  answersTunnel('407', 'HTTP/1.1 407 x\r\nproxy-authenticate: Basic\r\n\r\n'),
  answersTunnel('401', 'HTTP/1.1 401 x\r\n\r\n'),
  answersTunnel('403', 'HTTP/1.1 403 x\r\n\r\n'),
  answersTunnel('502', 'HTTP/1.1 502 x\r\n\r\n'),
  answersTunnel('503', 'HTTP/1.1 503 x\r\n\r\n'),
  answersTunnel('nothing', ''),
  answersTunnel('something else', 'SSH-2.0-x\r\n'),
  {
    name: 'a proxy that opens a tunnel and hangs up',
    blames: 'way',
    server: async (t) => ({
      ...(await startServer(t)),
      ...(await startProxy(t, (socket) => socket.write('HTTP/1.1 200 x\r\n\r\n', () => socket.end()))),
    }),
  },
  {
    name: 'a proxy that says nothing',
    blames: 'way',
    server: async (t) => ({ ...(await startServer(t)), ...(await startProxy(t, () => {})) }),
  },
  {
    name: 'a proxy that is not there',
    blames: 'way',
    server: async (t) => ({
      ...(await startServer(t)),
      proxy: { id: 'theProxy', host: '127.0.0.1', port: await freePort() },
    }),
  },
]

const script = (name: string, act: Script): Case => ({ name, blames: 'endpoint', server: (t) => startServer(t, act) })
const status = (code: number, blames: Case['blames'] = 'endpoint'): Case => ({
  ...script(`status ${code}`, () => ({ status: code, body: '' })),
  blames,
})

const afterTheRequest: readonly Case[] = [
  // Indistinguishable from a server that does not accept a client certificate, because TLS 1.3 reports that after the
  // request.
  { ...script('reset after the request', (_request, { socket }) => void socket?.destroy()), blames: 'way' },
  { ...script('closed after the request', (_request, { socket }) => void socket?.end('')), blames: 'way' },
  script('cut off within the answer', (_request, response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"access_token":', () => response.socket?.destroy())
    return undefined
  }),
  ...[500, 501, 502, 503, 504, 505, 507, 511, 520, 599].map((code) => status(code)),
  status(429, 'client'),
]

for (const { name, blames, server } of [...unreachable, ...ofTls, ...ofProxies, ...afterTheRequest])
  test(`${name}: the ${blames} is to blame`, async (t) => {
    const error = await outcomeOf(await server(t))
    assert.ok(error instanceof TokenEndpointError, String(error))
    assert.equal(error.blames, blames, error.message)
  })

test('silence after the request is a timeout, and does not blame the way', async (t) => {
  const error = await outcomeOf(await startServer(t, () => undefined))
  assert.ok(error instanceof TimedOutError, String(error))
})

test('the failures above are real: without a fault the server issues a token', async (t) => {
  const outcome = await outcomeOf(await startServer(t))
  assert.ok(typeof outcome === 'object' && outcome !== null && 'accessToken' in outcome, String(outcome))
})
