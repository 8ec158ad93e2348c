import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { listen } from '../../../infra/local/listen.ts'
import { maximumPayloadBytes } from '../../../lib/api-call/api-endpoint.ts'
import { contextFor } from '../../support/functions/alias.ts'
import { startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { startBlackHoleListener } from '../../support/servers/black-hole-listener.ts'

/* An API that gives no answer: the error (RFC 9209), whether the API may have acted on the request, and the time limits. */

const brief = { elements: { endpoint: { connectionTimeout: '300ms', receiveTimeout: '300ms' } } }

test('no server listens: 502 connection_refused, and the request was not sent', async (t) => {
  const log = captureLog(t)
  const { call } = await startCallApiWithScriptedServers(t, undefined, {
    origin: `https://localhost:${await closedPort()}`,
  })
  const { status, proxyError, body, headers } = await call({ method: 'POST' })
  assert.deepEqual([status, proxyError], [502, 'connection_refused'])
  assert.equal(headers['cache-control'], 'no-store')
  assert.match(
    body.toString(),
    /"server_error".*The call to the API failed \(connection_refused\)\. The API did not get the request\./,
  )
  assert.deepEqual(
    log.flatMap((event) => (event.event === 'api_call_failed' ? event.code : [])),
    ['connection_refused'],
  )
})

test('a host without an address: 502 dns_error', async (t) => {
  const { call } = await startCallApiWithScriptedServers(t, undefined, { origin: 'https://nowhere.invalid:8443' })
  const { status, proxyError } = await call()
  assert.equal(status, 502)
  assert.equal(proxyError, 'dns_error')
})

test('a host that accepts and does not answer: 504 connection_timeout, and the request was not sent', async (t) => {
  const mute = await startBlackHoleListener(t)
  const { call } = await startCallApiWithScriptedServers(t, undefined, {
    ...brief,
    origin: mute.replace('http:', 'https:'),
  })
  const { status, proxyError, body } = await call({ method: 'POST' })
  assert.deepEqual([status, proxyError], [504, 'connection_timeout'])
  assert.match(body.toString(), /temporarily_unavailable.*The API did not get the request\./)
})

test("a host that does not answer until the function's deadline: 504 connection_timeout, too", async (t) => {
  const mute = await startBlackHoleListener(t)
  const { call } = await startCallApiWithScriptedServers(t, undefined, { origin: mute.replace('http:', 'https:') })
  const { status, proxyError, body } = await call({ method: 'POST', milliseconds: 6_000 })
  assert.deepEqual([status, proxyError], [504, 'connection_timeout'])
  assert.match(body.toString(), /The API did not get the request\./)
})

test('no answer: 504 http_response_timeout, and the API may have acted on the request', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, () => undefined, brief)
  const startedAt = performance.now()
  const { status, proxyError, body } = await call({ method: 'POST', body: 'x' })
  assert.ok(performance.now() - startedAt < 15_000, 'not only at the deadline of the function')
  assert.deepEqual([status, proxyError], [504, 'http_response_timeout'])
  assert.match(body.toString(), /The API may have acted on the request\./)
  assert.equal(api.requests.length, 1)
})

test('an answer that stops in the middle: 504 connection_read_timeout', async (t) => {
  const { call } = await startCallApiWithScriptedServers(
    t,
    (_request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('half')
      return undefined
    },
    brief,
  )
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [504, 'connection_read_timeout'])
})

test("a slow answer ends at the function's deadline, and its TCP connection is closed", async (t) => {
  const closed: Promise<unknown>[] = []
  const { call } = await startCallApiWithScriptedServers(t, (_request, response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('.'), 50)
    response.on('close', () => clearInterval(drip))
    closed.push(once(response, 'close'))
    return undefined
  })
  await call({ milliseconds: 2_000 })
  const startedAt = performance.now()
  const { status } = await call({ milliseconds: 2_000 })
  assert.equal(status, 504)
  assert.ok(performance.now() - startedAt < 10_000)
  await Promise.all(closed)
})

test('a finished call leaves no timer that holds memory', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
  const { call } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
    if (index < 2) return {}
    socket.destroy()
    return undefined
  })
  await call()
  const before = timers()
  await call()
  await call({ method: 'POST' })
  assert.ok(timers() <= before, `${timers()} timers, and ${before} before`)
})

test("receiveTimeout ends at the function's deadline, and without time no request is sent", async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, (_request, _response, index) =>
    index === 0 ? {} : undefined,
  )
  await call()
  const startedAt = performance.now()
  assert.equal((await call({ milliseconds: 1_800 })).proxyError, 'http_response_timeout')
  assert.ok(performance.now() - startedAt < 10_000)
  assert.equal(api.requests.length, 2)
  const { status, proxyError, body } = await call({ milliseconds: 1_400, method: 'POST' })
  assert.deepEqual([status, proxyError], [504, 'http_response_timeout'])
  assert.match(body.toString(), /The API did not get the request\./)
  assert.equal(api.requests.length, 2)
})

test('an incomplete answer: 502 http_response_incomplete, and no second call, even for a GET', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, (_request, response, index) => {
    if (index === 0) return {}
    response.writeHead(200, { 'content-length': '10' })
    response.write('half', () => response.destroy())
    return undefined
  })
  await call()
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [502, 'http_response_incomplete'])
  assert.equal(api.requests.length, 2)
})

test('a new TCP connection that ends without an answer: 502 connection_terminated, and no second call', async (t) => {
  for (const method of ['GET', 'POST']) {
    const { call, api } = await startCallApiWithScriptedServers(t, ({ socket }) => {
      socket.destroy()
      return undefined
    })
    const { status, proxyError, body } = await call({ method })
    assert.deepEqual([status, proxyError], [502, 'connection_terminated'])
    assert.match(body.toString(), /The API may have acted on the request\./)
    assert.equal(api.requests.length, 1)
  }
})

test('an answer that is not HTTP: 502 http_protocol_error; too large headers: http_response_header_section_size', async (t) => {
  for (const [bytes, error] of [
    ['SSH-2.0-OpenSSH_9.9\r\n\r\n', 'http_protocol_error'],
    ['HTTP/1.1 200 OK\r\nnothing\r\n\r\n', 'http_protocol_error'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabc', 'http_protocol_error'],
    [`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`, 'http_response_header_section_size'],
  ] as const) {
    const { call } = await startCallApiWithScriptedServers(t, ({ socket }) => {
      socket.end(bytes)
      return undefined
    })
    const { status, proxyError } = await call()
    assert.deepEqual([status, proxyError], [502, error])
  }
})

test("an answer above Lambda's limit is a 502 that names the limit, and one that just fits is returned", async (t) => {
  const sizes = [6_000_000, maximumPayloadBytes, maximumPayloadBytes + 1, 50_000_000]
  const { call } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({
    headers: { 'content-type': 'text/plain' },
    body: Buffer.alloc(sizes[index] ?? 0, 'x'),
  }))
  const fits = await call()
  assert.deepEqual([fits.status, fits.body.length], [200, 6_000_000])
  for (const _size of sizes.slice(1)) {
    const { status, proxyError, body } = await call()
    assert.deepEqual([status, proxyError], [502, 'http_response_body_size'])
    assert.match(body.toString(), /6291556 .*6 MB/)
  }
})

test('the limit counts base64 for bytes and escapes for control characters', async (t) => {
  const mixed = Buffer.from('\u65e5'.repeat(1_100_000) + '\u0001'.repeat(600_000))
  const bodies = [Buffer.alloc(4_700_000, 0xff), Buffer.alloc(4_800_000, 0xff), Buffer.alloc(2_000_000, 1), mixed]
  const { call } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({ body: bodies[index] }))
  assert.equal((await call()).body.length, 4_700_000)
  assert.equal((await call()).proxyError, 'http_response_body_size')
  assert.equal((await call()).proxyError, undefined, 'base64 is the shorter one')
  assert.ok((await call()).body.equals(mixed), 'in bytes, not in characters')
})

test("a body above Lambda's limit is a 413", async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  const headers = { 'content-type': 'text/plain' }
  assert.equal((await call({ method: 'POST', headers, body: 'x'.repeat(maximumPayloadBytes) })).status, 200)
  const { status, body, proxyError } = await call({
    method: 'POST',
    headers,
    body: 'x'.repeat(maximumPayloadBytes + 1),
  })
  assert.deepEqual([status, proxyError], [413, 'http_request_error'])
  assert.match(body.toString(), /6291556 bytes \(6 MB\)/)
  assert.equal(api.requests.length, 1)
})

test('a connection without a host is a configuration error that says what to set', async (t) => {
  const log = captureLog(t)
  const { call } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { endpoint: { host: undefined, sslCertsRef: undefined } },
  })
  assert.equal((await call()).status, 500)
  assert.match(JSON.stringify(log), /endpointConnection\/conn host: The connection has no API to call\./)
})

test('a connection of the password grant has no token to call with', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { oAuth: { grantType: 'password' } },
  })
  const { status, body } = await call()
  assert.equal(status, 400)
  assert.match(body.toString(), /username/)
  assert.equal(api.requests.length, 0)
})

test('a connection whose callers bring user and password for an authToken has no token to call with', async (t) => {
  const { call, api, tokens } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { endpoint: { authenticationConfigRef: 'theToken' } },
    moreElements: () => ({
      authToken: {
        theToken: {
          authServerRef: 'theServer',
          tokenRequest: { credentialsFrom: 'caller' },
          tokenResponse: { responseFormat: 'JSON', tokenPath: 'access_token' },
        },
      },
    }),
  })
  const { status, body } = await call({
    headers: { authorization: 'Basic YWxpY2U6cA==', username: 'alice', password: 'p' },
    query: 'username=alice&password=p',
  })
  assert.equal(status, 400)
  assert.match(body.toString(), /username is missing/)
  assert.deepEqual([api.requests.length, tokens.requests.length], [0, 0])
})

test('a connection whose callers bring the token to exchange has no token to call with', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { oAuth: { grantType: 'token-exchange' } },
  })
  const { status, body } = await call({ headers: { subject_token: 'a-token-of-a-caller' } })
  assert.equal(status, 400)
  assert.match(body.toString(), /subject_token is missing/)
  assert.equal(api.requests.length, 0)
})

test('an unknown connection is a 404, a name that is not valid a 400, an unknown route a 404', async (t) => {
  const { call, handler } = await startCallApiWithScriptedServers(t)
  assert.equal((await call({ connection: 'nowhere' })).status, 404)
  assert.equal((await call({ connection: 'a b' })).status, 400)
  const event = {
    version: '2.0',
    rawPath: '/connections/conn/token',
    requestContext: { stage: '$default', http: { method: 'GET', path: '/connections/conn/token' } },
    headers: {},
  }
  const result = (await handler(event, contextFor(event))) as { statusCode: number }
  assert.equal(result.statusCode, 404)
})

test('a disabled connection is a 403, without a call to the API or the token endpoint', async (t) => {
  const { call, api, tokens } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { endpoint: { disabled: true } },
  })
  const { status, body, proxyError } = await call()
  assert.deepEqual([status, proxyError], [403, 'http_request_denied'])
  assert.equal(JSON.parse(body.toString())['error'], 'connection_disabled')
  assert.deepEqual([api.requests.length, tokens.requests.length], [0, 0])
})

test('behind a JWT authorizer the claim lists the connections that may be called', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, undefined, {
    environment: { TOKENWELL_CONNECTIONS_CLAIM: 'connections' },
  })
  const jwt = (connections: string) => ({ authorizer: { jwt: { claims: { connections } } } })
  assert.equal((await call(jwt('other conn'))).status, 200)
  const { status, proxyError, body } = await call(jwt('other'))
  assert.deepEqual([status, proxyError], [403, 'http_request_denied'])
  assert.match(body.toString(), /access_denied/)
  assert.equal((await call()).status, 403)
  assert.equal((await call(jwt('connection con CONN'))).status, 403)
  assert.equal(api.requests.length, 1)
})

test('with a named stage of the HTTP API, each path begins with the stage', async (t) => {
  const { handler, api } = await startCallApiWithScriptedServers(t)
  const event = {
    version: '2.0',
    rawPath: '/prod/connections/conn/api/prod/orders',
    rawQueryString: '',
    headers: {},
    requestContext: { stage: 'prod', http: { method: 'GET', path: '/prod/connections/conn/api/prod/orders' } },
  }
  await handler(event, contextFor(event))
  assert.equal(api.requests[0]?.url, '/prod/orders')
})

test('behind the base path of a custom domain the API is called, and its redirects keep the base path', async (t) => {
  const { handler, api } = await startCallApiWithScriptedServers(t, () => ({
    status: 302,
    headers: { location: '/v1/x' },
  }))
  const event = {
    version: '2.0',
    routeKey: 'ANY /connections/{connection}/api/{path+}',
    rawPath: '/tokens/connections/conn/api/orders',
    headers: {},
    requestContext: { stage: '$default', http: { method: 'GET', path: '/tokens/connections/conn/api/orders' } },
  }
  const { headers } = (await handler(event, contextFor(event))) as {
    headers: Record<string, string>
  }
  assert.equal(api.requests[0]?.url, '/orders')
  assert.match(String(headers['location']), /^\/tokens\/connections\/conn\/api\//)
})

const asApiGatewayDoes = (bytes: Buffer) => bytes.toString('utf8')

for (const [what, headers, bytes] of [
  ['compressed JSON', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync('{"a":"b"}')],
  ['compressed JSON that nobody says so', { 'content-type': 'application/json' }, gzipSync('{"a":"b"}')],
  ['text in ISO-8859-1', { 'content-type': 'text/plain; charset=iso-8859-1' }, Buffer.from('Käufer', 'latin1')],
  ['text in UTF-16', { 'content-type': 'text/plain; charset=utf-16' }, Buffer.from('\ufeffKäufer', 'utf16le')],
] as const)
  test(`a body that API Gateway has changed is a 415, and the API is not called: ${what}`, async (t) => {
    const { handler, api } = await startCallApiWithScriptedServers(t)
    const event = {
      version: '2.0',
      rawPath: '/connections/conn/api/orders',
      headers: { ...headers, 'content-length': String(bytes.length) },
      body: asApiGatewayDoes(bytes),
      isBase64Encoded: false,
      requestContext: { stage: '$default', http: { method: 'POST', path: '/connections/conn/api/orders' } },
    }
    const context = contextFor(event)
    const { statusCode, body } = (await handler(event, context)) as { statusCode: number; body: string }
    assert.equal(statusCode, 415)
    assert.match(body, /Send UTF-8 without Content-Encoding, or use the content type application\/octet-stream\./)
    assert.equal(api.requests.length, 0)
    const whole = { ...event, body: bytes.toString('base64'), isBase64Encoded: true }
    assert.equal(((await handler(whole, context)) as { statusCode: number }).statusCode, 200, 'its bytes are there')
    assert.deepEqual(api.requests[0]?.body, bytes)
  })

test('a text that contains U+FFFD itself reaches the API', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  const body = 'not known: \ufffd'
  const headers = { 'content-type': 'text/plain', 'content-length': String(Buffer.byteLength(body)) }
  assert.equal((await call({ method: 'POST', headers, body })).status, 200)
  assert.equal(api.requests[0]?.body.toString(), body)
})

async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server, 0, '127.0.0.1')
  server.close()
  return port
}
