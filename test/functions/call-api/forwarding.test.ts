import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { bearerOf, startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'

/*
 * Requests and answers are passed on unchanged, except hop-by-hop headers and the caller's credentials for AWS.
 * returned-references.test.ts and returned-cookies.test.ts cover references and cookies.
 */

test('method, path, query, headers and body go to the API with the token, and its answer comes back', async (t) => {
  const { call, api, tokens } = await startCallApiWithScriptedServers(
    t,
    () => ({ status: 201, headers: { location: '/v1/orders/43', 'x-api': 'yes' }, body: '{"id":43}' }),
    {
      elements: { endpoint: { domainBasePath: '/v1/' } },
      tokens: () => tokenAnswer({ access_token: 'the-token-of-conn' }),
    },
  )
  const answer = await call({
    method: 'POST',
    path: '/orders',
    query: 'b=2&a=1',
    headers: { 'content-type': 'application/json', accept: 'application/json', 'x-mine': 'a, b' },
    body: '{"item":"ä"}',
  })
  assert.equal(answer.status, 201)
  assert.equal(answer.headers['location'], '/connections/conn/api/orders/43')
  assert.equal(answer.headers['x-api'], 'yes')
  assert.equal(answer.body.toString(), '{"id":43}')
  assert.equal(answer.proxyError, undefined)

  const [received] = api.requests
  assert.equal(received?.method, 'POST')
  assert.equal(received.url, '/v1/orders?b=2&a=1')
  assert.equal(bearerOf(received.headers), 'the-token-of-conn')
  assert.equal(received.body.toString(), '{"item":"ä"}')
  const { host, connection, 'content-length': length, authorization: _token, ...others } = received.headers
  assert.deepEqual(others, {
    'user-agent': 'tokenwell',
    ...{ 'content-type': 'application/json', accept: 'application/json', 'x-mine': 'a, b' },
  })
  assert.equal(host, `localhost:${api.port}`)
  assert.equal(connection, 'keep-alive')
  assert.equal(length, String(Buffer.byteLength('{"item":"ä"}')))
  assert.equal(tokens.requests.length, 1)
})

test('every method of an HTTP API is forwarded unchanged', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  for (const method of methods) assert.equal((await call({ method })).status, 200, method)
  assert.deepEqual(
    api.requests.map(({ method }) => method),
    methods,
  )
  for (const method of ['TRACE', 'CONNECT', 'get', 'FOO BAR'])
    assert.equal((await call({ method })).proxyError, 'http_request_error', method)
  assert.equal(api.requests.length, methods.length)
})

test('hop-by-hop headers, AWS headers and headers about the way to Tokenwell are not forwarded, and all others are', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  const dropped = {
    authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20261129/eu-central-1/execute-api/aws4_request',
    'x-amz-date': '20261129T000000Z',
    'x-amz-security-token': 'the session token of the caller',
    'x-amz-content-sha256': 'e3b0',
    'x-amz-region-set': '*',
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': 'AKIA/20261129/eu-central-1/execute-api/aws4_request',
    'x-amz-expires': '300',
    'x-amz-signature': 'abc',
    'x-amz-signedheaders': 'host',
    'x-amz-cf-id': 'x',
    'amz-sdk-invocation-id': 'x',
    'amz-sdk-request': 'attempt=1',
    'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-port': '443',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    forwarded: 'for=192.0.2.1',
    via: '1.1 x',
    host: 'id.execute-api.eu-central-1.amazonaws.com',
    'content-length': '2',
    connection: 'close, x-named-by-connection',
    'x-named-by-connection': 'yes',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    trailer: 'x-checksum',
    'transfer-encoding': 'chunked',
    upgrade: 'h2c',
    expect: '100-continue',
    'proxy-authorization': 'Basic eDp5',
    'proxy-connection': 'keep-alive',
  }
  const kept = {
    accept: '*/*',
    'accept-encoding': 'gzip, br',
    'accept-language': 'de',
    'content-type': 'text/plain',
    'user-agent': 'curl/8',
    origin: 'https://app.example',
    range: 'bytes=0-9',
    'if-none-match': '"abc"',
    'idempotency-key': 'k',
    'x-amz-meta-owner': 'me',
    'x-request-id': 'r',
    date: 'Sun, 29 Nov 2026 00:00:00 GMT',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'x-latin': 'caf\u00e9',
  }
  assert.equal((await call({ method: 'PUT', headers: { ...dropped, ...kept }, body: 'abc' })).status, 200)
  const { host, connection, 'content-length': length, authorization, ...others } = api.requests[0]?.headers ?? {}
  assert.deepEqual({ ...others }, kept)
  assert.match(String(authorization), /^Bearer some-token-\d+$/)
  assert.deepEqual([host, connection, length], [`localhost:${api.port}`, 'keep-alive', '3'])
})

test('cookies are forwarded as one header, wherever the event has them', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  await call({ cookies: ['a=1', 'b=2; c=3'] })
  await call({ headers: { cookie: 'd=4' } })
  assert.deepEqual(
    api.requests.map(({ headers }) => headers.cookie),
    ['a=1; b=2; c=3', 'd=4'],
  )
})

test('a body is forwarded byte for byte, as text or bytes, and an empty body is not sent', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  const bytes = Buffer.concat([Buffer.from([0, 255, 254, 0xef, 0xbb, 0xbf]), randomBytes(100_000)])
  await call({ method: 'POST', body: bytes, headers: { 'content-type': 'application/octet-stream' } })
  await call({ method: 'POST', body: '\ufeffüber\r\n\0', headers: { 'content-type': 'text/plain' } })
  await call({ method: 'POST' })
  await call({ method: 'GET' })
  await call({ method: 'GET', body: 'a body of a GET' })
  assert.deepEqual(
    api.requests.map(({ body }) => body),
    [bytes, Buffer.from('\ufeffüber\r\n\0'), Buffer.alloc(0), Buffer.alloc(0), Buffer.from('a body of a GET')],
  )
  assert.deepEqual(
    api.requests.map(({ headers }) => [headers['content-length'], headers['transfer-encoding']]),
    [
      ['100006', undefined],
      ['11', undefined],
      ['0', undefined],
      [undefined, undefined],
      ['15', undefined],
    ],
  )
})

test('an answer comes back byte for byte: text, compressed or other bytes', async (t) => {
  const bodies = [
    Buffer.from('plain, und mit Umlauten: äöü \u2028 \ud83d\ude00'),
    Buffer.from('\ufeff with a BOM'),
    Buffer.from([0xff, 0xfe, 0, 1]),
    Buffer.from([0xc3, 0x28]),
    randomBytes(1_000_000),
    Buffer.alloc(0),
    Buffer.from('"\\\n\r\t\u0000\u001f</script>'),
  ]
  const { call } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({
    headers: { 'content-type': 'application/x-anything', 'content-encoding': 'gzip' },
    body: bodies[index],
  }))
  for (const body of bodies) {
    const answer = await call()
    assert.deepEqual(answer.body, body)
    assert.equal(answer.headers['content-encoding'], 'gzip')
  }
})

test('headers of an answer come back, joined by name, each cookie separately, without hop-by-hop headers', async (t) => {
  const { call } = await startCallApiWithScriptedServers(t, () => ({
    headers: {
      'content-type': 'text/plain',
      'set-cookie': ['a=1; Path=/, not a second one', 'b=2; HttpOnly'],
      link: ['</1>; rel=next', '</2>; rel=prev'],
      'www-authenticate': ['Basic realm="x"', 'Bearer'],
      'x-one': 'one',
      connection: 'keep-alive, x-hop',
      'x-hop': 'stays here',
      'keep-alive': 'timeout=5',
      'proxy-authenticate': 'Basic',
      trailer: 'x-checksum',
    },
    body: 'abc',
  }))
  const { headers, cookies } = await call()
  const { date, ...others } = headers
  assert.ok(date)
  assert.deepEqual(others, {
    'content-type': 'text/plain',
    link: '</connections/conn/api/1>; rel=next, </connections/conn/api/2>; rel=prev',
    'www-authenticate': 'Basic realm="x", Bearer',
    'x-one': 'one',
  })
  assert.deepEqual(cookies, ['a=1; Path=/connections/conn/api/', 'b=2; Path=/connections/conn/api/; HttpOnly'])
})

test("an API cannot mark an error as Tokenwell's, and proxy-status of other proxies comes back", async (t) => {
  const values = ['tokenwell; error=connection_refused', 'cdn, "Tokenwell"; error=dns_error', 'cdn.example; hit']
  const { call } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({
    status: 502,
    headers: { 'proxy-status': values[index] ?? '' },
  }))
  for (const kept of [undefined, undefined, 'cdn.example; hit'])
    assert.equal((await call()).headers['proxy-status'], kept)
})

test('a single cookie comes back', async (t) => {
  const { call } = await startCallApiWithScriptedServers(t, () => ({ headers: { 'set-cookie': 'a=1' } }))
  assert.deepEqual((await call()).cookies, ['a=1; Path=/connections/conn/api/'])
})

test('every status of an API is passed on, and a redirect is not followed', async (t) => {
  const statuses = [
    200, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 403, 404, 409, 418, 429, 500, 502, 503, 504, 599,
  ]
  const { call, api } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({
    status: statuses[index] ?? 0,
    headers: { location: 'https://evil.example/', 'retry-after': '7' },
    body: '',
  }))
  for (const status of statuses) {
    const answer = await call()
    assert.deepEqual([answer.status, answer.proxyError], [status, undefined])
    assert.equal(answer.headers['location'], 'https://evil.example/')
    assert.equal(answer.headers['retry-after'], '7')
  }
  assert.equal(api.requests.length, statuses.length)
})

test('an answer in chunks, without a length, comes back whole', async (t) => {
  const { call } = await startCallApiWithScriptedServers(t, (_request, response) => {
    response.write('one ')
    setTimeout(() => response.end('two'), 50)
    return undefined
  })
  assert.equal((await call()).body.toString(), 'one two')
})
