import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { type AccessMatrix, type Instance, startAccessMatrix } from '../support/functions/access-matrix.ts'
import { type Handler, loadFunction } from '../support/functions/load-function.ts'

/*
 * A principal that may invoke an alias can send any event to it. What it gets is decided by the alias alone: `c-orders` gives `orders`,
 * and an ARN without an alias of Tokenwell gives nothing, whatever the event claims.
 */

const lambdaArn = 'arn:aws:lambda:eu-central-1:111122223333:function'

/** ARNs without an alias of Tokenwell. */
const withoutAlias: readonly unknown[] = [
  undefined,
  null,
  7,
  {},
  '',
  'local',
  '_live',
  'c-orders',
  `${lambdaArn}:tokens`,
  `${lambdaArn}:tokens:`,
  `${lambdaArn}:tokens:$LATEST`,
  `${lambdaArn}:tokens:$LATEST.PUBLISHED`,
  `${lambdaArn}:tokens:1`,
  `${lambdaArn}:tokens:42`,
  `${lambdaArn}:tokens:live`,
  `${lambdaArn}:tokens:_LIVE`,
  `${lambdaArn}:tokens:_live `,
  `${lambdaArn}:tokens:_live\n`,
  `${lambdaArn}:tokens:_live2`,
  `${lambdaArn}:tokens:x_live`,
  `${lambdaArn}:tokens:orders`,
  `${lambdaArn}:tokens:c-`,
  `${lambdaArn}:tokens:C-orders`,
  `${lambdaArn}:tokens:c_orders`,
  `${lambdaArn}:tokens:xc-orders`,
  `${lambdaArn}:tokens:c-orders:c-stock`,
  `${lambdaArn}:tokens:c-orders/../stock`,
  `${lambdaArn}:tokens:c-orders\0`,
  `${lambdaArn}:tokens:c-ｏｒｄｅｒｓ`,
  `${lambdaArn}:_live`,
  `${lambdaArn}:c-orders:7:x`,
  'arn:aws:lambda:eu-central-1:111122223333:event-source-mapping:_live:c-orders',
  'arn:aws:lambda:eu-central-1::function:tokens:_live',
  'arn:aws:sns:eu-central-1:111122223333:function:tokens:_live',
  `x${lambdaArn}:tokens:_live`,
]

/** What may identify a caller in an event of an HTTP API. */
const identities: readonly object[] = [
  {},
  {
    authorizer: { jwt: { claims: { connections: 'orders stock', iss: 'https://a.example', sub: 'x' }, scopes: null } },
  },
  { authorizer: { iam: { userArn: 'arn:aws:sts::111122223333:assumed-role/Admin/x', accountId: '111122223333' } } },
  { authentication: { clientCert: { subjectDN: 'CN=stock', serialNumber: '1', clientCertPem: 'x' } } },
  { identity: { userArn: 'arn:aws:iam::111122223333:root' }, entry: { kind: 'direct', connection: 'stock' } },
]

function httpEvents(connection: string, method: string, path: string): object[] {
  return identities.map((identity) => ({
    ...{ version: '2.0', routeKey: `${method} ${path}`, rawPath: path, rawQueryString: '', headers: {} },
    ...{ pathParameters: { connection }, connection: 'orders', entry: { kind: 'http' }, isBase64Encoded: false },
    requestContext: { http: { method, path }, stage: '$default', ...identity },
  }))
}

/** Requests for the token of `stock`, or for a call of its API. */
const tokenEvents: readonly unknown[] = [
  ...httpEvents('stock', 'POST', '/connections/stock/token'),
  ...httpEvents('orders', 'POST', '/connections/stock/token'),
  ...httpEvents('stock', 'GET', '/connections'),
  { connection: 'stock' },
  { connection: 'stock', requestContext: 'x' },
  { connection: ['orders', 'stock'] },
  { connection: { toString: 'stock' } },
  { Connection: 'stock' },
  { connection: 'orders/../stock' },
  null,
  [],
  'stock',
]
const direct = { method: 'GET', path: '/x' }
const callEvents: readonly unknown[] = [
  ...httpEvents('stock', 'GET', '/connections/stock/api/x'),
  ...httpEvents('orders', 'GET', '/connections/stock/api/x'),
  { ...direct, connection: 'stock' },
  { ...direct, rawPath: '/connections/stock/api/x' },
  { ...direct, pathParameters: { connection: 'stock' } },
  { ...direct, routeKey: 'ANY /connections/{connection}/api/{path+}' },
  { ...direct, path: '/../../stock/api/x' },
  { ...direct, path: '../../stock/api/x' },
  { ...direct, path: '/connections/stock/api/x', headers: { host: 'stock', 'x-forwarded-host': 'stock' } },
  { ...direct, path: '/%2e%2e/%2e%2e/stock/api/x' },
  { ...direct, path: 'https://stock/x' },
  null,
  [],
  'stock',
]

interface Reached {
  readonly status: number
  readonly text: string
  /** The connections whose tokens were handed out or whose APIs were called. */
  readonly connections: readonly string[]
}

async function reach(matrix: AccessMatrix, handler: Handler, arn: unknown, event: unknown): Promise<Reached> {
  const before = matrix.api.requests.length
  const context = { ...createLocalContext(Date.now()), invokedFunctionArn: arn as string }
  const answer = (await handler(structuredClone(event), context)) as Readonly<Record<string, unknown>>
  const text = JSON.stringify(answer)
  const body =
    typeof answer['body'] === 'string' && answer['body'].startsWith('{') ? JSON.parse(answer['body']) : answer
  const issued = matrix.issuedFor(String(body['access_token']))?.connection
  const called = matrix.api.requests.slice(before).map(({ url }) => /^\/of-(\w+)\//.exec(url)?.[1] ?? url)
  const connections = [...(issued === undefined ? [] : [issued]), ...called]
  return { status: Number(answer['statusCode'] ?? answer['status'] ?? 200), text, connections }
}

const bothFunctions = [
  ['issueToken', tokenEvents, {}],
  ['callApi', callEvents, direct],
] as const

/** Asks for tokens and calls of `stock` by this ARN, each time with a request for its own connection before. */
async function attack(matrix: AccessMatrix, instance: Instance, arn: unknown): Promise<Reached[]> {
  const reached: Reached[] = []
  for (const [name, events, own] of bothFunctions)
    for (const event of events) {
      // An instance that has just served `stock` must not remember it.
      const before = await reach(matrix, instance[name], `${lambdaArn}:tokens:c-stock`, own)
      assert.deepEqual([before.status, before.connections], [200, ['stock']])
      reached.push(await reach(matrix, instance[name], arn, event))
    }
  return reached
}

test('by the alias of a connection no event reaches another connection, whatever it claims', async (t) => {
  const matrix = await startAccessMatrix(t)
  for (const instance of matrix.instances) {
    const arn = `${lambdaArn}:tokens:c-orders`
    for (const { connections, text } of await attack(matrix, instance, arn)) {
      assert.ok(['', 'orders'].includes(connections.join()), `${connections} by ${text}`)
      assert.doesNotMatch(text, /"(connections|usable)"/)
    }
    for (const [name, events, own] of bothFunctions) {
      const answer = await reach(matrix, instance[name], arn, own)
      assert.deepEqual([answer.status, answer.connections], [200, ['orders']])
      const named = await reach(matrix, instance[name], arn, { ...own, connection: 'orders' })
      assert.deepEqual([named.status, named.connections], [200, ['orders']])
      for (const event of events.filter((each) => JSON.stringify(each).includes('"version"'))) {
        const { status, text } = await reach(matrix, instance[name], arn, event)
        assert.equal(status, 403, text)
        assert.match(text, /takes direct requests only/)
      }
    }
  }
})

test('an ARN without an alias of Tokenwell reaches no connection, whatever the event claims', async (t) => {
  const matrix = await startAccessMatrix(t)
  const [instance] = matrix.instances
  assert.ok(instance)
  for (const arn of withoutAlias)
    for (const [name, events, own] of bothFunctions)
      for (const event of [...events, own, { ...own, connection: 'orders' }]) {
        const { status, connections, text } = await reach(matrix, instance[name], arn, event)
        assert.deepEqual([status, connections], [403, []], `${JSON.stringify(arn)}: ${text}`)
        assert.match(text, /access_denied.*was not invoked by an alias of Tokenwell/)
      }
})

test('the alias of the HTTP API takes no direct request', async (t) => {
  const matrix = await startAccessMatrix(t)
  for (const instance of matrix.instances)
    for (const [name, events, own] of bothFunctions)
      for (const event of [...events.filter((each) => !JSON.stringify(each).includes('"version"')), own]) {
        const { status, connections, text } = await reach(matrix, instance[name], `${lambdaArn}:tokens:_live`, event)
        assert.deepEqual([status, connections], [403, []], text)
        assert.match(text, /takes only events of the HTTP API/)
      }
})

test('behind the alias of the HTTP API a client certificate in an event counts for nothing', async (t) => {
  const matrix = await startAccessMatrix(t)
  const guarded = matrix.instances.find(({ isGuarded }) => isGuarded)
  assert.ok(guarded)
  for (const [name, events] of bothFunctions)
    for (const event of events.filter((each) => JSON.stringify(each).includes('clientCert'))) {
      const { connections } = await reach(matrix, guarded[name], `${lambdaArn}:tokens:_live`, event)
      assert.deepEqual(connections, [])
    }
})

test('behind the alias for client certificates no other identity in an event counts', async (t) => {
  const matrix = await startAccessMatrix(t)
  for (const instance of matrix.instances)
    for (const { connections, text } of await attack(matrix, instance, `${lambdaArn}:tokens:_mtls`))
      assert.deepEqual(connections, [], text)
})

test('concurrent invocations by two aliases of one instance each get their own connection', async (t) => {
  const matrix = await startAccessMatrix(t)
  const [instance] = matrix.instances
  assert.ok(instance)
  const names = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'orders' : 'stock'))
  const answers = await Promise.all(
    names.map(async (name) => {
      const context = { ...createLocalContext(Date.now()), invokedFunctionArn: `${lambdaArn}:tokens:c-${name}` }
      return (await instance.issueToken({}, context)) as Readonly<Record<string, unknown>>
    }),
  )
  const issued = answers.map(({ access_token: token }) => matrix.issuedFor(String(token))?.connection)
  assert.deepEqual(issued, names)
})

test('during an upgrade from 0.1 the function without an alias serves as before, and versions and unknown aliases do not', async (t) => {
  const upgrade = { TOKENWELL_READ_RECORDS_OF: '0.1' }
  const matrix = await startUpgrade(t, upgrade)
  const [instance] = matrix.instances
  assert.ok(instance)
  const unqualified = `${lambdaArn}:tokens`
  const [overHttp] = httpEvents('stock', 'POST', '/connections/stock/token')
  for (const [name, event] of [
    ['issueToken', overHttp],
    ['issueToken', { connection: 'stock' }],
    ['callApi', httpEvents('stock', 'GET', '/connections/stock/api/x')[0]],
  ] as const) {
    const { status, connections } = await reach(matrix, instance[name], unqualified, event)
    assert.deepEqual([status, connections], [200, ['stock']], name)
  }
  assert.equal((await reach(matrix, instance.callApi, unqualified, { ...direct, connection: 'stock' })).status, 400)
  for (const arn of withoutAlias.filter((each) => /:tokens:/.test(String(each))))
    assert.equal((await reach(matrix, instance.issueToken, arn, { connection: 'stock' })).status, 403, String(arn))
  const own = await reach(matrix, instance.issueToken, `${lambdaArn}:tokens:c-orders`, { connection: 'stock' })
  assert.deepEqual([own.status, own.connections], [403, []])
})

async function startUpgrade(t: TestContext, environment: Record<string, string>): Promise<AccessMatrix> {
  const matrix = await startAccessMatrix(t)
  const both = { ...matrix.environment, ...environment }
  const { workspace } = matrix.tokens
  const issueToken = await loadFunction('issue-token', workspace, both)
  const callApi = await loadFunction('call-api', workspace, both)
  return { ...matrix, instances: [{ issueToken, callApi, isGuarded: false }] }
}
