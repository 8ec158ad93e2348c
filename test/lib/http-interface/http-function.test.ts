import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import type { Entry } from '../../../lib/http-interface/entry.ts'
import { jsonResponse } from '../../../lib/http-interface/error-response.ts'
import type { HttpEvent, HttpResponse } from '../../../lib/http-interface/http-event.ts'
import { createHttpFunction, deadlineOf } from '../../../lib/http-interface/http-function.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'

const leaving = (milliseconds: number) => ({ getRemainingTimeInMillis: () => milliseconds })

test("the deadline is half a second before Lambda's time-out, and no later than the caller waits", () => {
  assert.equal(deadlineOf(leaving(10_000), 1_000, 25_000), 10_500)
  assert.equal(deadlineOf(leaving(25_400), 1_000, 25_000), 25_900)
  assert.equal(deadlineOf(leaving(29_000), 1_000, 25_000), 26_000)
})

interface Given {
  readonly isPublic?: boolean
  readonly isProxy?: boolean
  readonly connectionsClaim?: string
}

/** A function with four routes that answers with the parameters of their paths. */
function functionWith(given: Given = {}) {
  const log: LogEvent[] = []
  const answer = async ({ pathParameters }: HttpEvent): Promise<HttpResponse> => {
    if (pathParameters['item'] === 'broken') throw new TypeError('tr0ub4dor')
    return jsonResponse(200, pathParameters)
  }
  const handler = createHttpFunction({
    routes: [
      { method: 'GET', path: '/items/{item}/?', answer },
      { method: 'POST', path: '/items/{item}', answer },
      { method: 'ANY', path: '/connections/{connection}/api/{path+}', answer },
      { method: 'POST', path: '/connections/{connection}/as/{subject}/token/?', answer },
    ],
    ...given,
    log: (event) => void log.push(event),
  })
  return {
    log,
    async ask(method: string, path: string, more: object = {}, entry: Entry = { kind: 'http' }) {
      const event = { ...createHttpEvent({ method, path }), ...more }
      const { statusCode, headers, body = '{}' } = await handler(event, createLocalContext(Date.now()), entry)
      return { status: statusCode, headers, body: JSON.parse(body) as Record<string, unknown> }
    },
  }
}

test('a route is found by method and path, and sets the parameters that its path names', async () => {
  const { ask } = functionWith()
  for (const [method, path, parameters] of [
    ['GET', '/items/a b', { item: 'a b' }],
    ['GET', '/items/a/', { item: 'a' }],
    ['POST', '/items/a', { item: 'a' }],
    ['TRACE', '/connections/c/api/', { connection: 'c', path: '/' }],
    ['GET', '/connections/c/api//a\n\u2028/../b/', { connection: 'c', path: '//a\n\u2028/../b/' }],
    ['GET', '/connections/c/api/connections/d/api/x', { connection: 'c', path: '/connections/d/api/x' }],
  ] as const)
    assert.deepEqual((await ask(method, path)).body, parameters, `${method} ${path}`)
})

test('any other request is a 404 that names its method and the routes, and not its path', async () => {
  const { ask } = functionWith()
  for (const [method, path] of [
    ['DELETE', '/items/a'],
    ['get', '/items/a'],
    ['TR0UB4DOR', '/items/a'],
    ['POST', '/items/a/'],
    ['GET', '/items/a//'],
    ['GET', '/items/'],
    ['GET', '/items/a/b'],
    ['GET', '/x/items/a'],
    ['GET', ''],
    ['GET', '/connections/c/api'],
    ['GET', '/connections//api/x'],
  ] as const) {
    const { status, body } = await ask(method, '/', { rawPath: path })
    assert.equal(status, 404, `${method} ${path}`)
    assert.equal(
      body['error_description'],
      `There is no route with the method ${/^[A-Z]+$/.test(method) ? method : 'of the request'} and this path. This function serves: GET /items/{item}, POST /items/{item}, ANY /connections/{connection}/api/{path+}, POST /connections/{connection}/as/{subject}/token.`,
    )
  }
})

test('a named stage of the HTTP API is not part of the route', async () => {
  const { ask } = functionWith()
  const requestContext = { stage: 'v1', http: { method: 'GET', path: '/v1/items/a' } }
  assert.equal((await ask('GET', '/v1/items/a', { requestContext })).status, 200)
  assert.equal((await ask('GET', '/items/a', { requestContext })).status, 200)
  assert.equal((await ask('GET', '/v1/v1/items/a', { requestContext })).status, 404)
})

test('a route with a connection is answered only if the caller may use both names of the connection in the event', async () => {
  const { ask, log } = functionWith({ connectionsClaim: 'connections' })
  const authorizer = { jwt: { claims: { connections: 'own' } } }
  const requestContext = { stage: '$default', http: { method: 'GET', path: '/' }, authorizer }
  const statusFor = async (connection: string, more: object = {}) =>
    (await ask('GET', `/connections/${connection}/api/x`, { requestContext, ...more })).status
  assert.equal(await statusFor('own'), 200)
  assert.equal(await statusFor('own', { pathParameters: { connection: 'own' } }), 200)
  assert.equal(await statusFor('other'), 403)
  assert.equal(await statusFor('other', { pathParameters: { connection: 'own' } }), 403)
  assert.equal(await statusFor('own', { pathParameters: { connection: 'other' } }), 403)
  assert.equal(await statusFor('a b'), 400)
  assert.equal((await ask('GET', '/items/a', { requestContext })).status, 200)
  assert.deepEqual(
    log.map((event) => event.event === 'request_failed' && [event.status, event.connection]),
    [
      [403, 'other'],
      [403, 'other'],
      [403, 'own'],
      [400, undefined],
    ],
  )
})

test('a public function logs only its own failures, and any other function logs every error', async () => {
  for (const isPublic of [true, false]) {
    const { ask, log } = functionWith({ isPublic })
    assert.equal((await ask('GET', '/nothing')).status, 404)
    assert.equal((await ask('GET', '/items/broken')).status, 500)
    const codes = log.map((event) => event.event === 'request_failed' && event.code)
    assert.deepEqual(codes, isPublic ? ['unexpected'] : ['unknown_route', 'unexpected'])
    assert.doesNotMatch(JSON.stringify(log), /tr0ub4dor/)
  }
})

test('a proxy marks each error as its own', async () => {
  const proxy = functionWith({ isProxy: true, connectionsClaim: 'none' })
  const proxyStatus = async (path: string) => (await proxy.ask('GET', path)).headers['proxy-status']
  assert.equal(await proxyStatus('/items/a'), undefined)
  assert.equal(await proxyStatus('/nothing'), 'tokenwell; error=http_request_error')
  assert.equal(await proxyStatus('/connections/c/api/x'), 'tokenwell; error=http_request_denied')
  assert.equal(await proxyStatus('/items/broken'), 'tokenwell; error=proxy_internal_error')
  assert.equal((await functionWith().ask('GET', '/nothing')).headers['proxy-status'], undefined)
})

test('every event is answered, whatever it contains', async () => {
  const handler = createHttpFunction({ routes: [], log() {} })
  for (const event of [undefined, null, 5, 'x', [], {}, { pathParameters: null }, { version: '2.0', rawPath: 5 }]) {
    const { statusCode, body = '' } = await handler(event, createLocalContext(Date.now()), { kind: 'http' })
    assert.equal(statusCode, 400, JSON.stringify(event))
    assert.match(body, /"error_description":"event is not an event of an HTTP API in payload format 2\.0: /)
  }
})

for (const [what, event] of [
  [
    'an Application Load Balancer',
    { requestContext: { elb: {} }, httpMethod: 'GET', path: '/items/a', headers: {}, body: '' },
  ],
  ['a REST API', { resource: '/items/{item}', httpMethod: 'GET', path: '/items/a', requestContext: { stage: 'prod' } }],
  ['an HTTP API by payload format 1.0', { version: '1.0', httpMethod: 'GET', path: '/items/a', requestContext: {} }],
] as const)
  test(`an event of ${what} is a 400 that names payload format 2.0`, async () => {
    const handler = createHttpFunction({ routes: [], log() {} })
    const { statusCode, body = '' } = await handler(event, createLocalContext(Date.now()), { kind: 'http' })
    assert.equal(statusCode, 400)
    assert.match(
      body,
      /payload format 2\.0: version must be 2\.0 \(events of load balancers and REST APIs are not supported\)\./,
    )
  })

test('the base path of a custom domain is not part of the route: the route key tells where the base path ends', async () => {
  const { ask } = functionWith()
  const statusOf = async (method: string, path: string, routeKey: string, more: object = {}) =>
    (await ask(method, path, { routeKey, ...more })).status
  assert.equal(await statusOf('GET', '/tokens/items/a', 'GET /items/{item}'), 200)
  assert.equal(await statusOf('GET', '/a/b.c/items/a', 'GET /items/{item}'), 200)
  assert.equal(await statusOf('GET', '/items/a', 'GET /items/{item}'), 200)
  const requestContext = { stage: 'v1', http: { method: 'GET', path: '/' } }
  assert.equal(await statusOf('GET', '/tokens/items/a', 'GET /items/{item}', { requestContext }), 200)
  assert.equal(await statusOf('GET', '/v1/tokens/items/a', 'GET /items/{item}', { requestContext }), 200)
  for (const [method, path, routeKey] of [
    ['GET', '/tokens/items/a', '$default'],
    ['GET', '/tokens/items/a', 'POST /items/{item}'],
    ['POST', '/tokens/items/a', 'GET /items/{item}'],
    ['GET', '/tokens/items/a/b', 'GET /items/{item}'],
  ] as const)
    assert.equal(await statusOf(method, path, routeKey), 404, `${method} ${path} ${routeKey}`)

  const call = { routeKey: 'ANY /connections/{connection}/api/{path+}' }
  const { body } = await ask('GET', '/tokens/connections/c/api/connections/d/api/x', call)
  assert.deepEqual(body, { connection: 'c', path: '/connections/d/api/x' })
})

test('behind a base path, too, a connection is open only to callers with access', async () => {
  const { ask } = functionWith({ connectionsClaim: 'connections' })
  const authorizer = { jwt: { claims: { connections: 'own' } } }
  const requestContext = { stage: '$default', http: { method: 'GET', path: '/' }, authorizer }
  const event = { requestContext, routeKey: 'ANY /connections/{connection}/api/{path+}' }
  assert.equal((await ask('GET', '/tokens/connections/own/api/x', event)).status, 200)
  assert.equal((await ask('GET', '/tokens/connections/other/api/x', event)).status, 403)
  assert.equal((await ask('GET', '/connections/other/api/connections/own/api/x', event)).status, 403)
})

test('what API Gateway decodes in a user leads to no other user and no other connection', async () => {
  const { ask } = functionWith()
  const route = '/connections/{connection}/as/{subject}/token'
  const asking = async (rawPath: string, subject: string) => {
    const pathParameters = { connection: 'own', subject }
    const { status, body } = await ask('POST', '/', { rawPath, routeKey: `POST ${route}`, pathParameters })
    return status === 200 ? body : status
  }
  assert.deepEqual(await asking('/connections/own/as/bob/token', 'bob'), { connection: 'own', subject: 'bob' })
  assert.deepEqual(await asking('/tokens/connections/own/as/bob/token', 'bob'), { connection: 'own', subject: 'bob' })
  for (const subject of [
    'x/connections/other/as/alice',
    'x/connections/own/as/alice',
    'x%2Fconnections%2Fother%2Fas%2Falice',
    'alice/token?bob',
  ]) {
    const [decoded = ''] = decodeURIComponent(subject).split('?')
    for (const start of ['', '/tokens'])
      for (const end of ['', '/token'])
        assert.ok(
          [400, 404].includes((await asking(`${start}/connections/own/as/${decoded}${end}`, subject)) as number),
        )
  }
})

test('during an upgrade from 0.1 the function without an alias gives no access to tokens for users', async () => {
  const path = '/connections/own/as/bob/token'
  for (const [kind, expected] of [
    ['http', 200],
    ['unqualified', 403],
  ] as const)
    assert.equal((await functionWith().ask('POST', path, {}, { kind })).status, expected, kind)
})
