import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { createTestStack, resourcesOf } from '../infra/stack/test-stack.ts'
import { type AccessMatrix, passwords, startAccessMatrix } from '../support/functions/access-matrix.ts'
import { contextFor } from '../support/functions/alias.ts'
import { createHttpEvent, type Handler, type HttpRequest } from '../support/functions/load-function.ts'

/*
 * What a caller who may use `orders` could do to `stock`, for each way in. They get no token of it, drop none of its
 * tokens, make no call to its API, and do not learn whether it or its token exists.
 */

interface Answer {
  readonly status: number
  /** Without the members that differ for each answer. */
  readonly told: string
  readonly body: Readonly<Record<string, unknown>>
}

/** An attack on the token of `stock`, which belongs to another caller. */
interface Siege {
  readonly matrix: AccessMatrix
  /** The id of the token that is attacked. */
  readonly id: string
  /** An id in the same form that belongs to no token. */
  readonly noId: string
  /** `stock` has not changed: it has the same token, and its API received no call. */
  demandUntouched(what: string, ...answers: readonly Answer[]): Promise<void>
}

async function startTheSiege(t: TestContext): Promise<Siege> {
  const matrix = await startAccessMatrix(t)
  const [owner] = matrix.instances
  assert(owner)
  const own = () => invoke(owner.issueToken, { connection: 'stock' })
  const first = (await own()).body
  const [id, token] = [String(first['token_id']), String(first['access_token'])]
  const noId = id.replace(/^.{6}/, 'AAAAAA')
  return {
    matrix,
    id,
    noId,
    async demandUntouched(what, ...answers) {
      for (const { body, told } of answers) {
        assert.notEqual(body['access_token'], token, what)
        assert.ok(!told.includes(token), what)
      }
      assert.equal((await own()).body['token_id'], id, `${what}: its token was dropped`)
      const called = matrix.api.requests.filter(({ url }) => !url.startsWith('/of-orders/'))
      assert.deepEqual(
        called.map(({ url }) => url),
        [],
        what,
      )
    },
  }
}

async function invoke(handler: Handler, event: object): Promise<Answer> {
  const body = (await handler(structuredClone(event), contextFor(event))) as Record<string, unknown>
  return answerOf(Number(body['status'] ?? 200), body)
}

async function send(handler: Handler, request: HttpRequest, connection: string): Promise<Answer> {
  // As the HTTP API takes it from the route.
  const event = { ...createHttpEvent(request), pathParameters: { connection } }
  const { statusCode = 0, body } = (await handler(
    event,
    createLocalContext(Date.now()),
  )) as APIGatewayProxyStructuredResultV2
  return answerOf(statusCode, body?.startsWith('{') ? JSON.parse(body) : {})
}

function answerOf(status: number, body: Record<string, unknown>): Answer {
  const { request_id: _id, expires_in: _seconds, source: _source, ...told } = body
  return { status, body, told: `${status} ${JSON.stringify(told)}` }
}

/** Attempts that use another connection, or the id of its token. */
const attempts = [
  ['its token', 'issueToken', 'POST', 'token', ''],
  ['its token replaced', 'issueToken', 'POST', 'token', 'rejected_token_id='],
  ['its token dropped', 'issueToken', 'DELETE', 'token', 'token_id='],
  ['its API called', 'callApi', 'GET', 'api/x', ''],
  ['its API called to write', 'callApi', 'POST', 'api/x', ''],
] as const

function requestOf([, , method, path, query]: (typeof attempts)[number], connection: string, id: string): HttpRequest {
  return { method, path: `/connections/${connection}/${path}`, query: query === '' ? '' : `${query}${id}` }
}

/* What a JWT authorizer passes on for a bearer who may at most use `orders`. */
const ofClaims = (connections: unknown) => ({ jwt: { claims: { connections }, scopes: null } })
const authorizers: readonly (readonly [object | undefined, mayUseOrders: boolean])[] = [
  ...[
    'orders',
    '[orders]',
    '["orders"]',
    'orders xstock',
    'orders stocks',
    'orders stock.',
    'STOCK orders',
    ' orders,st ock ',
  ].map((claim) => [ofClaims(claim), true] as const),
  ...[
    'orders *',
    'orders stock*',
    'orders ../stock',
    'orders x/stock',
    'orders ｓｔｏｃｋ',
    'orders %73tock',
    'orders st\0ock',
  ].map((claim) => [ofClaims(claim), true] as const),
  [ofClaims(['orders']), true],
  [ofClaims(['orders', ['stock'], { stock: true }]), true],
  ...['', '[]', '*', 'stock:read', 'orders/stock', 'orders\0stock', 'orders;stock'].map(
    (claim) => [ofClaims(claim), false] as const,
  ),
  ...[undefined, null, true, 1, [], [['stock']], { stock: true }, { toString: 'stock' }, [{ name: 'stock' }]].map(
    (claim) => [ofClaims(claim), false] as const,
  ),
  [undefined, false],
  [{}, false],
  [{ claims: { connections: 'stock' } }, false],
  [{ lambda: { connections: 'stock' } }, false],
  [{ iam: { userArn: 'stock' }, connections: 'stock' }, false],
  [{ jwt: { connections: 'stock', scopes: ['stock'] } }, false],
  [{ jwt: { claims: { Connections: 'stock', connection: 'stock', 'connections ': 'stock', scope: 'stock' } } }, false],
]

test('behind a JWT authorizer, a connection that the claim does not list looks like one that does not exist, for any claim', async (t) => {
  const siege = await startTheSiege(t)
  const guarded = siege.matrix.instances.find(({ isGuarded }) => isGuarded)
  assert(guarded)
  for (const [authorizer, mayUseOrders] of authorizers) {
    const who = JSON.stringify(authorizer) ?? 'nobody'
    const by = (handler: Handler, request: HttpRequest, connection: string) =>
      send(handler, { ...request, ...(authorizer && { authorizer }) }, connection)
    for (const attempt of attempts) {
      const handler: Handler = guarded[attempt[1]]
      const what = `${attempt[0]} by ${who}`
      const answers = await Promise.all([
        by(handler, requestOf(attempt, 'stock', siege.id), 'stock'),
        by(handler, requestOf(attempt, 'stock', siege.noId), 'stock'),
        by(handler, requestOf(attempt, 'broken', siege.id), 'broken'),
        by(handler, requestOf(attempt, 'nowhere', siege.id), 'nowhere'),
      ])
      for (const { status } of answers) assert.equal(status, 403, what)
      const words = answers.map(({ told }) => told.replace(/stock|broken|nowhere/, 'it'))
      assert.equal(new Set(words).size, 1, `${what}: ${words.join()}`)
      const own = await by(handler, requestOf(attempt, 'orders', siege.noId), 'orders')
      assert.equal(own.status !== 403, mayUseOrders, what)
      await siege.demandUntouched(what, ...answers, own)
    }
  }
})

test('behind a JWT authorizer, the id of a token has no effect under another connection, and reveals nothing', async (t) => {
  const siege = await startTheSiege(t)
  for (const { issueToken } of siege.matrix.instances) {
    const authorizer = ofClaims('orders')
    for (const attempt of attempts.filter(([, , , , query]) => query !== '')) {
      const by = (id: string) => send(issueToken, { ...requestOf(attempt, 'orders', id), authorizer }, 'orders')
      const [known, unknown] = [await by(siege.id), await by(siege.noId)]
      assert.equal(known.told, unknown.told, attempt[0])
      await siege.demandUntouched(attempt[0], known, unknown)
    }
  }
})

test('behind a JWT authorizer, only the connection in the route counts, even if the request names another one', async (t) => {
  const siege = await startTheSiege(t)
  const guarded = siege.matrix.instances.find(({ isGuarded }) => isGuarded)
  assert(guarded)
  const authorizer = ofClaims('orders')
  const body = { connection: 'orders', client_id: 'orders' }
  const headers = { 'content-type': 'application/json', connections: 'stock', 'x-amzn-oidc-identity': 'stock' }
  const request = { method: 'POST', path: '/connections/orders/token', headers, authorizer, body: JSON.stringify(body) }
  const answers = [
    await send(guarded.issueToken, request, 'stock'),
    await send(guarded.issueToken, { ...request, path: '/connections/stock/token' }, 'stock'),
    await send(guarded.callApi, { ...request, path: '/connections/stock/api/x' }, 'orders'),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [403, 403, 403],
  )
  for (const path of ['/connections/orders/api/../../stock/api/x', '/connections/orders/api//connections/stock/api/x'])
    assert.equal((await send(guarded.callApi, { ...request, path }, 'orders')).status, 400, path)
  await siege.demandUntouched('another name', ...answers)
})

/* Paths as a signed request holds them, and as IAM evaluates them. */
const signedPaths = [
  'connections/stock/token',
  'connections/stock/api/x',
  'connections/orders/../stock/token',
  'connections/orders/token/../../stock/token',
  'connections/orders/token%2F..%2F..%2Fstock/token',
  'connections/orders%2Ftoken/../stock/token',
  'connections/%73tock/token',
  'connections/orders/api/../../stock/token',
  'connections/orders/api/../../stock/api/x',
  'connections/orders/api/%2e%2e/%2e%2e/stock/api/x',
  'connections/orders/api/..%2F..%2Fstock/token',
  'connections/orders/api/x/connections/stock/token',
  'connections/orders/api/x/connections/stock/api/x',
  'connections/stock/api/connections/orders/api/x',
  'connections/stock/token/connections/orders/token',
  'connections/stock%2Ftoken/connections/orders/api/x',
  '../connections/stock/token',
]

test('behind IAM, no path that a caller of orders may request reaches stock, in either function', async (t) => {
  const siege = await startTheSiege(t)
  const [open] = siege.matrix.instances
  assert(open)
  const isGranted = grantsOfOrders(t)
  assert.ok(isGranted('POST/connections/orders/token') && isGranted('GET/connections/orders/api/x'))
  let granted = 0
  for (const method of ['POST', 'GET', 'DELETE'])
    for (const path of signedPaths) {
      const what = `${method} ${path}`
      if (!isGranted(`${method}/${path}`)) continue
      granted++
      const decoded = `/${decodeURIComponent(path)}`
      const connection = decoded.split('/')[2] ?? ''
      const request = { method, path: decoded, query: method === 'DELETE' ? `token_id=${siege.id}` : '' }
      assert.equal(connection, 'orders', what)
      const { issueToken, callApi } = open
      const answers = [await send(issueToken, request, connection), await send(callApi, request, connection)]
      await siege.demandUntouched(what, ...answers)
    }
  assert.ok(granted >= 12, `${granted} requests got as far as a function`)
})

/** Whether IAM allows a request of a caller who was granted tokens and calls of `orders`. */
function grantsOfOrders(t: TestContext): (request: string) => boolean {
  const { stack, tokenwell } = createTestStack(t)
  const caller = new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('111122223333') })
  tokenwell.grantToken(caller, 'orders')
  tokenwell.grantCall(caller, 'orders')
  const patterns = resourcesOfCaller(stack).map(asPattern)
  return (request) =>
    patterns.some((pattern) =>
      pattern.test(`arn:aws:execute-api:eu-central-1:111122223333:TokensHttpApi/$default/${request}`),
    )
}

function resourcesOfCaller(stack: Stack): string[] {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) => Properties)
  const own = policies.filter(({ Roles }) => JSON.stringify(Roles) === '["Caller"]')
  return own.flatMap(({ PolicyDocument }) =>
    (PolicyDocument as { Statement: { Resource: string | string[] }[] }).Statement.flatMap(({ Resource }) => Resource),
  )
}

/** The resource of a statement as IAM reads it: `*` is any text and `?` any character, also a slash. */
function asPattern(resource: string): RegExp {
  const plain = resource.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's')
}

test('a direct invocation may use the id of a token only under its own connection', async (t) => {
  const siege = await startTheSiege(t)
  for (const { issueToken } of siege.matrix.instances) {
    const by = (id: string) => invoke(issueToken, { connection: 'orders', rejected_token_id: id })
    const [known, unknown] = [await by(siege.id), await by(siege.noId)]
    assert.equal(known.status, 200)
    assert.equal(known.told, unknown.told)
    await siege.demandUntouched('an id', known, unknown)
    for (const connection of [
      ['stock', 'orders'],
      { name: 'stock' },
      'stock\0',
      ' stock',
      'Stock',
      'orders/../stock',
      '../stock',
      'ｓｔｏｃｋ',
      '',
      null,
    ]) {
      const answer = await invoke(issueToken, { connection })
      assert.ok([400, 403, 404].includes(answer.status), JSON.stringify(connection))
      await siege.demandUntouched(JSON.stringify(connection), answer)
    }
  }
})

const [alices = '', bobs = ''] = [passwords.get('alice'), passwords.get('bob')]

test("a password gets its own user's token, and no other user's", async (t) => {
  const { instances, issuedFor } = await startAccessMatrix(t)
  const ask = (handler: Handler, username: unknown, password: unknown, more: object = {}) =>
    invoke(handler, { connection: 'people', username, password, ...more })
  for (const { issueToken } of instances) {
    const alice = (await ask(issueToken, 'alice', alices)).body
    assert.equal(issuedFor(String(alice['access_token']))?.username, 'alice')
    const wrong: readonly (readonly [unknown, unknown])[] = [
      ['alice', bobs],
      ['bob', alices],
      ['alice', `${alices} `],
      ['alice', alices.toUpperCase()],
      ['alice', ''],
      ['alice', [alices]],
      ['alice', undefined],
      ['Alice', alices],
      ['alice ', bobs],
      ['alice\0', alices],
      ['bob&username=alice', alices],
      [['bob', 'alice'], alices],
      [`alice","${alices}","`, bobs],
    ]
    for (const [username, password] of wrong) {
      const { status, body } = await ask(issueToken, username, password)
      // After three guesses in a minute no password is sent, right or wrong.
      assert.ok([400, 503].includes(status), JSON.stringify([username, password, status]))
      assert.equal(body['access_token'], undefined)
    }
    const again = (await ask(issueToken, 'alice', alices)).body
    assert.equal(again['access_token'], alice['access_token'], "no attempt dropped Alice's token")
  }
  const [first] = instances
  assert(first)
  const alice = await ask(first.issueToken, 'alice', alices)
  const carol = await ask(first.issueToken, 'carol', alices)
  assert.equal(issuedFor(String(carol.body['access_token']))?.username, 'carol', "the same password is another user's")
  assert.notEqual(alice.body['access_token'], carol.body['access_token'])
  // A caller who may use the connection and knows the id of a token can have it dropped, but gets a token of their own
  // user.
  const bob = (await ask(first.issueToken, 'bob', bobs, { rejected_token_id: alice.body['token_id'] })).body
  assert.ok(bob['access_token'] === undefined || issuedFor(String(bob['access_token']))?.username === 'bob')
})
