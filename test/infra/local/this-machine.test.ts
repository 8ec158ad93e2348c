import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { createHttpGateway } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import { startProtectedApi } from '../../../infra/local/protected-api.ts'

/* The requests that a web page of another site can make a browser send to this machine, over raw sockets. */

/** Sends these lines unchanged. Returns the status of the answer, or 0 if the connection only ends. */
async function statusOf(port: number, lines: readonly string[], isTls = false): Promise<number> {
  const options = { port, host: '127.0.0.1' }
  const socket = isTls
    ? connectTls({ ...options, host: 'localhost', servername: 'localhost', rejectUnauthorized: false })
    : connect(options)
  socket.write([...lines, '', ''].join('\r\n'))
  const answer = await text(socket)
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)
}

async function startGateway(t: TestContext) {
  const paths: string[] = []
  const gateway = createHttpGateway(async ({ rawPath }) => {
    paths.push(rawPath)
    return { statusCode: 200 }
  })
  const port = await listen(gateway, 0, '127.0.0.1')
  t.after(() => {
    gateway.closeAllConnections()
    gateway.close()
  })
  const send = (lines: readonly string[], start = 'POST /events HTTP/1.1') =>
    statusOf(port, [start, ...lines, 'Connection: close', 'Content-Length: 0'])
  return { port, paths, send }
}

test('a loopback name with the port is answered, in upper or lower case', async (t) => {
  const { port, paths, send } = await startGateway(t)
  for (const host of ['127.0.0.1', 'localhost', 'LocalHost', '[::1]'])
    assert.equal(await send([`Host: ${host}:${port}`]), 200, host)
  assert.equal(paths.length, 4)
})

test('any other name, port or spelling in Host is a 421 that reaches no route', async (t) => {
  const { port, paths, send } = await startGateway(t)
  for (const host of [
    `evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `evil.localhost:${port}`,
    `localhost.:${port}`,
    `127.0.0.1.:${port}`,
    `127.0.0.2:${port}`,
    `127.1:${port}`,
    `0x7f.0.0.1:${port}`,
    `2130706433:${port}`,
    `0.0.0.0:${port}`,
    `[::]:${port}`,
    `[0:0:0:0:0:0:0:1]:${port}`,
    `[::ffff:127.0.0.1]:${port}`,
    `::1:${port}`,
    `user@localhost:${port}`,
    `localhost:${port}@evil.example`,
    `localhost:${port}, evil.example`,
    `evil.example, localhost:${port}`,
    `loc%61lhost:${port}`,
    `localho\u017ft:${port}`,
    `localhost:0${port}`,
    `localhost:${port + 1}`,
    'localhost:80',
    'localhost:',
    'localhost',
    '127.0.0.1',
    '',
  ])
    assert.equal(await send([`Host: ${host}`]), 421, host)
  for (const [path, method] of [
    ['/rotate/b', 'POST'],
    ['/connections', 'GET'],
    ['/connections/c/token', 'POST'],
    ['/connections/c/api/x', 'DELETE'],
    ['/jwt/b/jwk', 'GET'],
    ['/nowhere', 'PUT'],
  ])
    assert.equal(await send(['Host: evil.example'], `${method} ${path} HTTP/1.1`), 421, path)
  assert.deepEqual(paths, [])
})

test('no Host header, or more than one, is a 400, also in HTTP/1.0', async (t) => {
  const { port, paths, send } = await startGateway(t)
  const own = `Host: 127.0.0.1:${port}`
  assert.equal(await send([]), 400)
  assert.equal(await send([], 'POST /events HTTP/1.0'), 400)
  assert.equal(await send([own, 'Host: evil.example']), 400)
  assert.equal(await send(['hOST: evil.example', own]), 400)
  assert.equal(await send([own, own]), 400)
  assert.deepEqual(paths, [])
})

test('a request target that is not a path is a 400, whatever Host says', async (t) => {
  const { port, paths, send } = await startGateway(t)
  const own = `127.0.0.1:${port}`
  for (const target of ['http://evil.example/events', `http://${own}/events`, own, '*', 'events'])
    assert.notEqual(await send([`Host: ${own}`], `POST ${target} HTTP/1.1`), 200, target)
  assert.notEqual(await send([`Host: ${own}`], 'CONNECT evil.example:443 HTTP/1.1'), 200)
  assert.deepEqual(paths, [])
})

test('a page of another origin gets a 403: by Origin, or by the site that the browser names for the request', async (t) => {
  const { port, paths, send } = await startGateway(t)
  const host = `Host: 127.0.0.1:${port}`
  for (const line of [
    'Origin: https://evil.example',
    'Origin: null',
    'Origin:',
    `Origin: https://127.0.0.1:${port}`,
    `Origin: http://127.0.0.1:${port + 1}`,
    `Origin: http://127.0.0.1`,
    `Origin: http://127.0.0.1:${port}.evil.example`,
    `Origin: http://localhost.:${port}`,
    `Origin: http://127.0.0.1:${port} https://evil.example`,
    `Origin: http://127.0.0.1:${port}\r\nOrigin: https://evil.example`,
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Site: same-site',
    'Sec-Fetch-Site: Cross-Site',
    'Sec-Fetch-Site:',
    'Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site',
    `Origin: http://127.0.0.1:${port}\r\nSec-Fetch-Site: cross-site`,
  ])
    assert.equal(await send([host, line]), 403, line)
  for (const start of ['GET /connections/c/api/x HTTP/1.1', 'OPTIONS /events HTTP/1.1', 'GET /events HTTP/1.1']) {
    const upgrade = ['Upgrade: websocket', 'Origin: https://evil.example']
    assert.equal(await send([host, ...upgrade], start), 403, start)
  }
  assert.deepEqual(paths, [])

  for (const line of [`Origin: http://127.0.0.1:${port}`, `Origin: http://localhost:${port}`, 'Sec-Fetch-Site: none'])
    assert.equal(await send([host, line]), 200, line)
})

test('the authorization server and the API of the local run answer only this machine, too', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const [users, clients] = [new Map(), async () => []]
  const { issuer, close } = await startAuthorizationServer({ port: 0, certificate, users, clients })
  t.after(close)
  const api = await startProtectedApi({ port: 0, certificate, issuer })
  t.after(() => api.close())

  for (const [origin, path, expected] of [
    [issuer, '/jwks', 200],
    [api.origin, '/orders/42', 401],
  ] as const) {
    const port = Number(new URL(origin).port)
    const start = `GET ${path} HTTP/1.1`
    const send = (...lines: string[]) => statusOf(port, [start, ...lines, 'Connection: close'], true)
    assert.equal(await send(`Host: localhost:${port}`), expected)
    assert.equal(await send(`Host: localhost:${port}`, `Origin: ${origin}`), expected)
    assert.equal(await send(`Host: evil.example:${port}`), 421)
    assert.equal(await send(`Host: localhost:${port}`, 'Origin: https://evil.example'), 403)
    assert.equal(await send(`Host: localhost:${port}`, `Origin: http://localhost:${port}`), 403)
  }
})
