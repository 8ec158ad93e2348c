import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createServerCertificate, type ServerCertificate } from '../../../../infra/local/certificate-authority.ts'
import { listen } from '../../../../infra/local/listen.ts'
import { fileSecrets } from '../../../../lib/adapters/files/file-secrets.ts'
import { undiciTokenEndpoint } from '../../../../lib/adapters/http/undici-token-endpoint.ts'
import type { LocatedServer } from '../../../../lib/configuration/connection.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../../lib/secret/secret-cache.ts'
import type { SecretStore } from '../../../../lib/secret/secret-store.ts'
import { SecretError } from '../../../../lib/secret/secret-store.ts'
import type {
  TokenEndpoint,
  TokenEndpointRequest,
  TokenEndpointTimeouts,
  WrittenRequest,
} from '../../../../lib/token-endpoint/token-endpoint.ts'
import {
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../../../../lib/token-endpoint/token-endpoint-error.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

const trustStore = 'tokenwell/test/trust'
const theCertificate = await createServerCertificate(['localhost'])
const anotherCertificate = await createServerCertificate(['localhost'])

/** An endpoint that has this CA in its trust store. */
async function theEndpoint(
  t: TestContext,
  { caCertificate } = theCertificate,
  now: () => number = Date.now,
): Promise<TokenEndpoint> {
  const secrets = fileSecrets(await temporaryFolder(t, { trust: caCertificate }), 'test')
  return undiciTokenEndpoint(createSecretCache(secrets, now), now)
}

function theServer(port: number, changes: Partial<LocatedServer> = {}): LocatedServer {
  return {
    id: 'theServer',
    tokenEndpoint: `https://localhost:${port}/token`,
    tls: { minimumVersion: 'TLSv1.2', trustStore },
    connectTimeoutMilliseconds: 2_000,
    receiveTimeoutMilliseconds: 2_000,
    maximumConcurrency: 10,
    coolDownSeconds: 30,
    lifetime: { assumedLifetimeSeconds: 300 },
    ...changes,
  }
}

const theWriting: WrittenRequest = { headers: {}, form: new Secret('grant_type=client_credentials') }

function theRequest(timeouts: Partial<TokenEndpointTimeouts> = {}): TokenEndpointRequest {
  return {
    connection: 'conn',
    write: async () => theWriting,
    timeouts: { receiveMilliseconds: 4_000, totalMilliseconds: 5_000, ...timeouts },
  }
}

function secretsOf(secrets: ReadonlyMap<string, Secret>): SecretStore {
  return singleVersionSecrets(
    async (name) => secrets.get(name) ?? Promise.reject(new SecretError('secret_missing', `There is no ${name}.`)),
  )
}

interface Started {
  readonly port: number
  /** Every connection so far. */
  readonly sockets: readonly Socket[]
  /** The largest number of connections at one time. */
  mostSockets(): number
}

/** A TLS server that answers HTTP requests. */
function startHttps(t: TestContext, answer: RequestListener, options: TlsOptions = {}): Promise<Started> {
  const server = createServer({ ...tlsOptions(theCertificate), ...options }, answer)
  // Without it Node.js would send the client a Keep-Alive header with its time-out.
  server.keepAliveTimeout = 0
  return start(t, server)
}

/** A TLS server that sends scripted bytes. */
function startTls(t: TestContext, speak: (socket: Socket) => void, certificate = theCertificate): Promise<Started> {
  return start(t, createTlsServer(tlsOptions(certificate), speak))
}

function tlsOptions({ certificate, privateKey }: ServerCertificate): TlsOptions {
  return { cert: certificate, key: privateKey }
}

async function start(t: TestContext, server: ReturnType<typeof createTcpServer>): Promise<Started> {
  const sockets: Socket[] = []
  let [open, most] = [0, 0]
  server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    most = Math.max(most, ++open)
    socket.on('close', () => open--)
    socket.on('error', () => {})
  })
  server.on('tlsClientError', () => {})
  const port = await listen(server, 0, 'localhost')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, sockets, mostSockets: () => most }
}

function answerFine(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on('end', () => response.end('{}'))
}

/** The milliseconds until the call fails with the expected error. */
async function failureTime(post: Promise<unknown>, expected: Parameters<typeof assert.rejects>[1]): Promise<number> {
  const startedAt = performance.now()
  await assert.rejects(post, expected)
  return performance.now() - startedAt
}

function isUnreachable(message: RegExp, isLasting?: boolean) {
  return (error: unknown) => {
    assert.ok(error instanceof UnreachableError, String(error))
    if (isLasting !== undefined) assert.equal(error.isLasting, isLasting)
    assert.match(error.message, message)
    return true
  }
}

function isUnreadable(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof UnreadableAnswerError, String(error))
    assert.match(error.message, message)
    return true
  }
}

test('a token request is a form with its own headers and the headers of the client', async (t) => {
  const received: (IncomingMessage & { body?: string })[] = []
  const { port } = await startHttps(t, (request: IncomingMessage & { body?: string }, response) => {
    request.on('data', (chunk) => {
      request.body = (request.body ?? '') + chunk
    })
    const headers = { 'retry-after': '3', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }
    request.on('end', () => response.writeHead(201, headers).end('{"ä":1}'))
    received.push(request)
  })
  const endpoint = await theEndpoint(t)
  const headers = { authorization: new Secret('Basic abc') }
  const answer = await endpoint.post(theServer(port), {
    ...theRequest(),
    write: async () => ({ ...theWriting, headers }),
  })
  const { date } = answer
  assert.deepEqual(answer, { status: 201, retryAfter: '3', date, body: '{"ä":1}' })
  assert.equal(date, 'Wed, 21 Oct 2026 07:28:00 GMT')
  const [request] = received
  assert.equal(request?.method, 'POST')
  assert.equal(request?.url, '/token')
  assert.equal(request?.body, 'grant_type=client_credentials')
  assert.equal(request?.headers['content-type'], 'application/x-www-form-urlencoded')
  assert.equal(request?.headers.accept, 'application/json')
  assert.equal(request?.headers['user-agent'], 'tokenwell')
  assert.equal(request?.headers['accept-encoding'], 'identity')
  assert.equal(request?.headers.authorization, 'Basic abc')
})

test('an answer of 64 KiB is read, and one byte more is refused', async (t) => {
  let size = 64 * 1024
  const { port } = await startHttps(t, (request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(size)))
  })
  const endpoint = await theEndpoint(t)
  assert.equal((await endpoint.post(theServer(port), theRequest())).body.length, size)
  size++
  await assert.rejects(endpoint.post(theServer(port), theRequest()), isUnreadable(/more than 64 KiB/))
})

test('an answer that is not UTF-8 is read by its charset, or as Latin 1', async (t) => {
  const json = '{"scope":"\u00e4"}'
  const utf16 = Buffer.from(json, 'utf16le')
  const rows: readonly (readonly [type: string, bytes: Buffer, text?: string])[] = [
    ['application/json', Buffer.from(json, 'latin1')],
    ['application/json; charset=latin1', Buffer.from(json, 'latin1')],
    ['application/json; charset="iso-8859-1"', Buffer.from(json)],
    ['application/json; charset=nonsense', Buffer.from(json, 'latin1')],
    ['application/json; charset=utf-16', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16])],
    ['application/json; charset=utf-16', utf16],
    ['application/json; charset=utf-16be', Buffer.from(utf16).swap16()],
    ['application/json', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(json)])],
    ['application/json', Buffer.from([0x7b, 0xff, 0x7d]), '{\u00ff}'],
  ]
  let served: (typeof rows)[number] = rows[0] as (typeof rows)[number]
  const { port } = await startHttps(t, (request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', served[0]).end(served[1]))
  })
  const endpoint = await theEndpoint(t)
  for (served of rows)
    assert.equal((await endpoint.post(theServer(port), theRequest())).body, served[2] ?? json, served[0])
})

test('an unrequested content coding is decoded', async (t) => {
  const json = '{"access_token":"t"}'
  const rows: readonly (readonly [headers: OutgoingHttpHeaders, bytes: Buffer, text?: string])[] = [
    [{ 'content-encoding': 'gzip' }, gzipSync(json)],
    [{ 'content-encoding': 'X-GZip ' }, gzipSync(json)],
    [{ 'content-encoding': 'deflate' }, deflateSync(json)],
    [{ 'content-encoding': 'deflate' }, deflateRawSync(json)],
    [{ 'content-encoding': 'br' }, brotliCompressSync(json)],
    [{ 'content-encoding': 'zstd' }, zstdCompressSync(json)],
    [{ 'content-encoding': 'identity, gzip, br' }, brotliCompressSync(gzipSync(json))],
    [{ 'transfer-encoding': 'gzip, chunked' }, gzipSync(json)],
    [{ 'content-encoding': 'br', 'transfer-encoding': 'gzip, chunked' }, gzipSync(brotliCompressSync(json))],
    [{ 'content-encoding': 'gzip' }, Buffer.from(json)],
    [{ 'content-encoding': 'x-nonsense' }, Buffer.from(json)],
    [{ 'content-encoding': 'gzip' }, Buffer.alloc(0), ''],
  ]
  let served: (typeof rows)[number] = rows[0] as (typeof rows)[number]
  const { port } = await startHttps(t, (request, response) => {
    request.resume().on('end', () => response.writeHead(200, served[0]).end(served[1]))
  })
  const endpoint = await theEndpoint(t)
  for (served of rows)
    assert.equal(
      (await endpoint.post(theServer(port), theRequest())).body,
      served[2] ?? json,
      JSON.stringify(served[0]),
    )
})

test('an answer that decompresses to more than 64 KiB is refused, with every coding', async (t) => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 + 1, ' '))
  const rows: readonly (readonly [string, Buffer])[] = [
    ['gzip', bomb],
    ['br, gzip', gzipSync(brotliCompressSync(Buffer.alloc(20_000_000)))],
    ['gzip, gzip', gzipSync(bomb)],
    ['deflate', deflateSync(Buffer.alloc(20_000_000))],
    ['zstd', zstdCompressSync(Buffer.alloc(20_000_000))],
  ]
  let served = rows[0] as (typeof rows)[number]
  const { port } = await startHttps(t, (request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-encoding': served[0] }).end(served[1]))
  })
  const endpoint = await theEndpoint(t)
  for (served of rows)
    await assert.rejects(endpoint.post(theServer(port), theRequest()), isUnreadable(/more than 64 KiB/), served[0])
})

/** Sends the answer on a separate socket, and then closes it. */
async function answerOf(t: TestContext, bytes: string) {
  const sockets: Socket[] = []
  const { certificate: cert, privateKey: key } = theCertificate
  const server = createTlsServer({ cert, key }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {}).once('data', () => socket.end(Buffer.from(bytes, 'latin1')))
  })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const port = await listen(server, 0, 'localhost')
  return await (await theEndpoint(t)).post(theServer(port), theRequest())
}

const json = '{"access_token":"t"}'
const answers = (head: string, body = json) => `${head.replaceAll('\n', '\r\n')}\r\n\r\n${body}`
const plain = answers(`HTTP/1.1 200 OK\ncontent-length: ${json.length}`)

test('interim answers are skipped, whatever their connection header says', async (t) => {
  for (const interim of [
    'HTTP/1.1 100 Continue',
    'HTTP/1.1 100',
    'HTTP/1.0 100 Continue',
    'HTTP/1.1 100 Continue\nconnection: close',
    'HTTP/1.1 100 Continue\ncontent-length: 0',
    'HTTP/1.1 100 Continue\nserver: x\ndate: y',
    'HTTP/1.1 102 Processing',
    'HTTP/1.1 103 Early Hints\nlink: </a>\nlink: </b>',
    'HTTP/1.1 103 Early Hints\ntransfer-encoding: chunked',
    'HTTP/1.1 104 Upload Resumption Supported',
    'HTTP/1.1 199 Odd',
  ])
    for (const times of [1, 3]) {
      const { status, body } = await answerOf(t, answers(interim, '').repeat(times) + plain)
      assert.deepEqual([status, body], [200, json], `${interim} ${times} times`)
    }
  assert.equal((await answerOf(t, answers('HTTP/1.1 100 C', '') + answers('HTTP/1.1 103 E', '') + plain)).body, json)
})

test('an answer is read in every form that HTTP lets a client accept', async (t) => {
  const length = `content-length: ${json.length}`
  const size = json.length.toString(16)
  for (const bytes of [
    answers(`HTTP/1.1 200 OK\n${length}  `),
    answers(`HTTP/1.1 200 OK\n${length}\nodd: a\n b\n\tc`),
    answers(`HTTP/1.1 200 OK\ncontent-length:\n ${json.length}`),
    answers(`HTTP/1.1 200 OK\n${length}`).replaceAll('\r\n', '\n'),
    answers(`HTTP/1.1 200 OK\nupgrade: h2\nconnection: upgrade\n${length}`),
    `\r\n${plain}`,
    answers('HTTP/1.1 200 OK\nconnection: close'),
    answers('HTTP/1.0 200 OK'),
    answers('HTTP/1.1 200 OK\ntransfer-encoding: Chunked', `${size};a=b;c="d e"\r\n${json}\r\n0;x\r\n\r\n`),
    answers('HTTP/1.1 200 OK\ntransfer-encoding: chunked', `000${size}   \r\n${json}\r\n0\r\nx: y\r\n\r\n`),
  ])
    assert.equal((await answerOf(t, bytes)).body, json, bytes)
  const { retryAfter } = await answerOf(t, answers(`HTTP/1.1 429 No\nretry-after: 5 \t\n${length}`))
  assert.equal(retryAfter, '5')
})

test('a control character in a header, or a switch of protocols, makes the answer invalid', async (t) => {
  for (const head of ['odd: a\0b', 'odd: a\x1bb', 'odd: a\x7fb', 'odd: a\rb'])
    await assert.rejects(answerOf(t, answers(`HTTP/1.1 200 OK\n${head}`)), isUnreadable(/HTTP\/1\.1/), head)
  for (const line of ['HTTP/1.1 101 Switching Protocols\nupgrade: x', 'HTTP/1.1 099 Odd'])
    await assert.rejects(answerOf(t, answers(line, '') + plain), isUnreadable(/HTTP\/1\.1/), line)
})

test('consecutive requests use one connection', async (t) => {
  const { port, sockets } = await startHttps(t, answerFine)
  const endpoint = await theEndpoint(t)
  for (let i = 0; i < 3; i++) {
    await endpoint.post(theServer(port), theRequest())
    await pause(200)
  }
  assert.equal(sockets.length, 1)
})

test('an idle connection is closed before a server would close it', async (t) => {
  const { port, sockets } = await startHttps(t, answerFine)
  await (await theEndpoint(t)).post(theServer(port), theRequest())
  const [socket] = sockets
  assert.ok(socket)
  const startedAt = performance.now()
  await once(socket, 'close', { signal: AbortSignal.timeout(8_000) })
  assert.ok(performance.now() - startedAt > 2_000)
})

test('after a freeze, a process does not use a connection that was idle for 4 s, though no timer closed it', async (t) => {
  let now = 1_700_000_000_000
  const { port, sockets } = await startHttps(t, answerFine)
  const endpoint = await theEndpoint(t, theCertificate, () => now)
  await endpoint.post(theServer(port), theRequest())
  now += 3_999
  await endpoint.post(theServer(port), theRequest())
  assert.equal(sockets.length, 1)
  now += 4_000
  await endpoint.post(theServer(port), theRequest())
  assert.equal(sockets.length, 2)
})

test('at most maximumConcurrency requests are in progress, and the others wait', async (t) => {
  let [open, most] = [0, 0]
  const { port, mostSockets } = await startHttps(t, (request, response) => {
    most = Math.max(most, ++open)
    request.resume()
    setTimeout(() => {
      open--
      response.end('{}')
    }, 50)
  })
  const endpoint = await theEndpoint(t)
  const server = theServer(port, { maximumConcurrency: 2 })
  await Promise.all(Array.from({ length: 6 }, () => endpoint.post(server, theRequest())))
  assert.equal(most, 2)
  assert.equal(mostSockets(), 2)
})

test('a request is written when it has its turn and an open connection', async (t) => {
  const order: string[] = []
  const { port, sockets } = await startHttps(t, (request, response) => {
    request.resume()
    setTimeout(() => {
      order.push('answered')
      response.end('{}')
    }, 50)
  })
  const endpoint = await theEndpoint(t)
  const server = theServer(port, { maximumConcurrency: 1 })
  const write = async () => {
    order.push(`written with ${sockets.length} open`)
    return theWriting
  }
  await Promise.all([1, 2].map(() => endpoint.post(server, { ...theRequest(), write })))
  assert.deepEqual(order, ['written with 1 open', 'answered', 'written with 1 open', 'answered'])
})

test('a request that cannot be written is not sent, its error is not one of the server, and others have their turn', async (t) => {
  let answered = 0
  const { port } = await startHttps(t, (request, response) => {
    answered++
    answerFine(request, response)
  })
  const endpoint = await theEndpoint(t)
  const server = theServer(port, { maximumConcurrency: 1 })
  const error = new SecretError('secret_missing', 'There is no key.')
  const failing = endpoint.post(server, { ...theRequest(), write: () => Promise.reject(error) })
  const fine = endpoint.post(server, theRequest())
  await assert.rejects(failing, (thrown) => thrown === error)
  assert.equal((await fine).status, 200)
  assert.equal(answered, 1)
})

test('a signature that comes too late is no failure of the server, before the request is sent and while it waits for the answer', async (t) => {
  const { port } = await startHttps(t, (request) => void request.resume())
  const endpoint = await theEndpoint(t)
  const timeouts = { receiveMilliseconds: 60_000, totalMilliseconds: 600 }
  for (const [milliseconds, wasSent, sentence] of [
    [5_000, false, /^The token request was not signed in time\./],
    [300, true, /^The signature of the token request took so long that the server did not have its full time\./],
  ] as const) {
    const signing = new AbortController()
    const write = async () => {
      await pause(milliseconds, undefined, { signal: signing.signal })
      return theWriting
    }
    const failing = endpoint.post(theServer(port), { ...theRequest(timeouts), write })
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof TimedOutError)
      assert.deepEqual([error.blames, error.mayBeOfRequest], ['nothing', wasSent])
      assert.match(error.message, sentence)
      return true
    })
    signing.abort()
  }
})

test('if the server closes an idle connection meanwhile, the request is written again and sent once', async (t) => {
  let answered = 0
  const { port, sockets } = await startHttps(t, (request, response) => {
    answered++
    answerFine(request, response)
  })
  const endpoint = await theEndpoint(t)
  await endpoint.post(theServer(port), theRequest())
  let written = 0
  const write = async () => {
    if (written++ === 0) {
      sockets[0]?.destroy()
      await pause(50)
    }
    return theWriting
  }
  assert.equal((await endpoint.post(theServer(port), { ...theRequest(), write })).status, 200)
  assert.deepEqual([written, answered, sockets.length], [2, 2, 2])
})

test('a server that closes a new connection meanwhile is unreachable', async (t) => {
  const { port, sockets } = await startHttps(t, answerFine)
  let written = 0
  const write = async () => {
    written++
    for (const socket of sockets) socket.destroy()
    await pause(50)
    return theWriting
  }
  const endpoint = await theEndpoint(t)
  await assert.rejects(endpoint.post(theServer(port), { ...theRequest(), write }), UnreachableError)
  assert.equal(written, 1)
})

test('connections to one server have separate sockets and share its maximumConcurrency', async (t) => {
  let [open, most] = [0, 0]
  const { port, sockets } = await startHttps(t, (request, response) => {
    most = Math.max(most, ++open)
    request.resume()
    setTimeout(() => {
      open--
      response.end('{}')
    }, 50)
  })
  const endpoint = await theEndpoint(t)
  const server = theServer(port, { maximumConcurrency: 1 })
  for (let index = 0; index < 2; index++)
    await Promise.all(['one', 'other'].map((connection) => endpoint.post(server, { ...theRequest(), connection })))
  assert.equal(most, 1)
  assert.equal(sockets.length, 2)
})

test('a second answer of a server answers no other request: neither at once, nor late to another connection', async (t) => {
  const answerTo = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const late: (() => void)[] = []
  const { port } = await startTls(t, (socket) => {
    // As HTTP servers do. Otherwise the second answer would wait for the next request.
    socket.setNoDelay(true)
    socket.on('data', (data) => {
      const form = /\r\n\r\n(.*)$/s.exec(data.toString())?.[1] ?? ''
      for (const each of late.splice(0)) each()
      socket.write(answerTo(form))
      if (form === 'twice') setTimeout(() => socket.write(answerTo('evil')), 3)
      if (form === 'late') late.push(() => socket.write(answerTo('evil')))
    })
  })
  const endpoint = await theEndpoint(t)
  const post = async (form: string, connection: string) =>
    (
      await endpoint.post(theServer(port), {
        ...theRequest(),
        connection,
        write: async () => ({ headers: {}, form: new Secret(form) }),
      })
    ).body
  for (const form of ['twice', 'fine', 'twice', 'fine', 'late']) assert.equal(await post(form, 'one'), form)
  assert.equal(await post('fine', 'other'), 'fine')
})

test('a busy authorization server does not delay requests to another one', async (t) => {
  const busy = Promise.withResolvers<ServerResponse>()
  const { port } = await startHttps(t, (request, response) => {
    if (request.url === '/busy') busy.resolve(response)
    else answerFine(request, response)
  })
  const endpoint = await theEndpoint(t)
  const changes = { tokenEndpoint: `https://localhost:${port}/busy`, maximumConcurrency: 1 }
  const first = endpoint.post(theServer(port, changes), theRequest())
  const response = await busy.promise
  const other = theServer(port, { id: 'anotherServer', maximumConcurrency: 1 })
  assert.equal((await endpoint.post(other, theRequest())).status, 200)
  response.end('{}')
  assert.equal((await first).status, 200)
})

test('a socket with one TLS identity is not used for another identity', async (t) => {
  const { port } = await startHttps(t, answerFine)
  const endpoint = await theEndpoint(t)
  assert.equal((await endpoint.post(theServer(port), theRequest())).status, 200)
  const tls = { minimumVersion: 'TLSv1.2' } as const
  await assert.rejects(endpoint.post(theServer(port, { tls }), theRequest()), UnreachableError)
})

test('a missing trust store is an error, and is read once it is stored', async (t) => {
  const { port } = await startHttps(t, answerFine)
  const secrets = new Map<string, Secret>()
  const endpoint = undiciTokenEndpoint(createSecretCache(secretsOf(secrets), Date.now), Date.now)
  await assert.rejects(endpoint.post(theServer(port), theRequest()), SecretError)
  secrets.set(trustStore, new Secret(theCertificate.caCertificate))
  assert.equal((await endpoint.post(theServer(port), theRequest())).status, 200)
})

test('a changed trust store is read after five minutes, and requests in progress finish', async (t) => {
  let now = 1_700_000_000_000
  const held = Promise.withResolvers<ServerResponse>()
  const { port } = await startHttps(t, (request, response) => {
    if (request.url === '/held') held.resolve(response)
    else answerFine(request, response)
  })
  const secrets = new Map([[trustStore, new Secret(theCertificate.caCertificate)]])
  const endpoint = undiciTokenEndpoint(
    createSecretCache(secretsOf(secrets), () => now),
    Date.now,
  )
  const post = (path = '/token') =>
    endpoint.post(theServer(port, { tokenEndpoint: `https://localhost:${port}${path}` }), theRequest())
  assert.equal((await post()).status, 200)
  const underWay = post('/held')
  const response = await held.promise
  secrets.set(trustStore, new Secret(anotherCertificate.caCertificate))

  now += 299_999
  assert.equal((await post()).status, 200)
  now += 1
  await assert.rejects(post(), isUnreachable(/no CA in the trust store/))
  response.end('{}')
  assert.equal((await underWay).status, 200)
  secrets.set(trustStore, new Secret(theCertificate.caCertificate))
  now += 300_000
  assert.equal((await post()).status, 200)
})

test('sockets with old certificates are closed when the certificates change, and not earlier', async (t) => {
  let now = 1_700_000_000_000
  const { port, sockets } = await startHttps(t, answerFine)
  const secrets = new Map([[trustStore, new Secret(theCertificate.caCertificate)]])
  const endpoint = undiciTokenEndpoint(
    createSecretCache(secretsOf(secrets), () => now),
    Date.now,
  )
  await endpoint.post(theServer(port), theRequest())
  await pause(200)
  now += 300_000
  await endpoint.post(theServer(port), theRequest())
  await pause(200)
  assert.equal(sockets.length, 1, 'read again, and the same')
  const [old] = sockets
  assert.ok(old)
  const closed = once(old, 'close', { signal: AbortSignal.timeout(2_000) })
  secrets.set(trustStore, new Secret(theCertificate.caCertificate + anotherCertificate.caCertificate))
  now += 300_000
  await endpoint.post(theServer(port), theRequest())
  await closed
  assert.equal(sockets.length, 2)
})

test('a server that prefers HTTP/2 is used with HTTP/1.1', async (t) => {
  const versions: string[] = []
  const server = createSecureServer({ ...tlsOptions(theCertificate), allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion)
    request.resume()
    response.end('{}')
  })
  const { port } = await start(t, server)
  await (await theEndpoint(t)).post(theServer(port), theRequest())
  assert.deepEqual(versions, ['1.1'])
})

test('a server without TLS 1.3 is used only if TLS 1.2 is allowed', async (t) => {
  const { port } = await startHttps(t, answerFine, { maxVersion: 'TLSv1.2' })
  const endpoint = await theEndpoint(t)
  assert.equal((await endpoint.post(theServer(port), theRequest())).status, 200)
  const tls = { minimumVersion: 'TLSv1.3', trustStore } as const
  await assert.rejects(endpoint.post(theServer(port, { tls }), theRequest()), UnreachableError)
})

test('a server that does not answer runs into the receive timeout', async (t) => {
  const { port } = await startHttps(t, () => {})
  const post = (await theEndpoint(t)).post(theServer(port), theRequest({ receiveMilliseconds: 300 }))
  assert.ok((await failureTime(post, TimedOutError)) < 3_000)
})

test('a server that stops in the middle of its answer runs into the receive timeout', async (t) => {
  const { port } = await startHttps(t, (_request, response) => response.writeHead(200).write('{'))
  const post = (await theEndpoint(t)).post(theServer(port), theRequest({ receiveMilliseconds: 300 }))
  assert.ok((await failureTime(post, TimedOutError)) < 3_000)
})

test('an answer that never ends is stopped by the total timeout, and its connection is closed', async (t) => {
  const isClosed = Promise.withResolvers<void>()
  const { port } = await startHttps(t, (_request, response) => {
    const drip = setInterval(() => response.write(' '), 50)
    response.on('close', () => {
      clearInterval(drip)
      isClosed.resolve()
    })
  })
  const post = (await theEndpoint(t)).post(theServer(port), theRequest({ totalMilliseconds: 500 }))
  assert.ok((await failureTime(post, TimedOutError)) < 3_000)
  assert.equal(await Promise.race([isClosed.promise, pause(3_000, 'open')]), undefined)
})

test('a server that accepts connections and sends nothing is unreachable after the connect timeout', async (t) => {
  const { port } = await start(t, createTcpServer())
  const post = (await theEndpoint(t)).post(theServer(port, { connectTimeoutMilliseconds: 300 }), theRequest())
  assert.ok(
    (await failureTime(post, isUnreachable(/cannot be reached within \d+ ms \(UND_ERR_CONNECT_TIMEOUT\)/, false))) <
      3_000,
  )
})

test('a redirect is returned like any other answer, and is not followed', async (t) => {
  const asked: unknown[] = []
  const { port } = await startHttps(t, (request, response) => {
    asked.push(request.url)
    request.resume().on('end', () => response.writeHead(307, { location: `https://localhost:${port}/other` }).end())
  })
  assert.equal((await (await theEndpoint(t)).post(theServer(port), theRequest())).status, 307)
  assert.deepEqual(asked, ['/token'])
})

test('a request whose connection breaks is not sent again, on a new or a reused connection', async (t) => {
  let requests = 0
  const { port } = await startHttps(t, (request, response) => {
    requests++
    if (request.url === '/token') answerFine(request, response)
    else request.socket.destroy()
  })
  const endpoint = await theEndpoint(t)
  const broken = theServer(port, { tokenEndpoint: `https://localhost:${port}/broken` })
  await assert.rejects(
    endpoint.post(broken, theRequest()),
    isUnreachable(/cannot be reached \(UND_ERR_SOCKET\)/, false),
  )
  assert.equal(requests, 1)
  await endpoint.post(theServer(port), theRequest())
  await assert.rejects(endpoint.post(broken, theRequest()), UnreachableError)
  await pause(100)
  assert.equal(requests, 3)
})

test('an answer that is cut off is an error', async (t) => {
  const { port } = await startHttps(t, (request, response) => {
    request.resume()
    response.writeHead(200, { 'content-length': '100' }).write('{"access_token":"half', () => response.destroy())
  })
  await assert.rejects((await theEndpoint(t)).post(theServer(port), theRequest()), UnreachableError)
})

const noHttp = /theServer sent an answer that is not valid HTTP\/1\.1\./
for (const [what, bytes, complaint] of [
  ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n\r\n', noHttp],
  ['headers without a colon', 'HTTP/1.1 200 OK\r\nnothing\r\n\r\n', noHttp],
  [
    'headers beyond measure',
    `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`,
    /theServer answered with headers that are too large\./,
  ],
] as const)
  test(`an answer is unreadable: ${what}`, async (t) => {
    const { port } = await startTls(t, (socket) => socket.once('data', () => socket.end(bytes)))
    const post = (await theEndpoint(t)).post(theServer(port), theRequest())
    await assert.rejects(post, isUnreadable(complaint))
  })

test('the error for an unknown CA says what to set, or which trust store lacks the CA', async (t) => {
  const { port } = await startHttps(t, answerFine)
  const tls = { minimumVersion: 'TLSv1.2' } as const
  await assert.rejects(
    (await theEndpoint(t)).post(theServer(port, { tls }), theRequest()),
    isUnreachable(/theServer sent a certificate of an unknown CA \(\w+\)\. Set trustStoreRef/, true),
  )
  await assert.rejects(
    (await theEndpoint(t, anotherCertificate)).post(theServer(port), theRequest()),
    isUnreachable(/theServer sent a certificate that no CA in the trust store tokenwell\/test\/trust signed/, true),
  )
})

test('the error says that a certificate has expired or is for another host name', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 2 * 365 * 86_400_000 })
  const expired = await createServerCertificate(['localhost'])
  t.mock.timers.reset()
  const foreign = await createServerCertificate(['other.example'])
  for (const [certificate, message] of [
    [expired, /theServer sent a certificate that has expired/],
    [foreign, /theServer sent a certificate that is not valid for the host name in its element/],
  ] as const) {
    const { port } = await startTls(t, () => {}, certificate)
    const endpoint = await theEndpoint(t, certificate)
    await assert.rejects(endpoint.post(theServer(port), theRequest()), isUnreachable(message, true))
  }
})
