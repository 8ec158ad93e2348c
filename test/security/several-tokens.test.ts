import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { type HttpAnswer, sendHttp } from '../support/functions/function-caller.ts'
import { type HttpRequest, tokenRequest } from '../support/functions/load-function.ts'
import {
  certificateOfOrders,
  otherIds,
  type SeveralConnection,
  type SeveralTokens,
  severalConnections,
  startSeveralTokens,
  tokensOfConnections,
} from '../support/functions/several-tokens.ts'

/* A right to a connection is a right to each of its tokens, and to no token of another connection, whatever a request names. */

const allIds: readonly string[] = [...Object.values(tokensOfConnections).flat(), ...otherIds]
/** No element has such an id. */
const noIds: readonly string[] = [
  ...[
    'unknown',
    'orders-jwt ',
    ' orders-jwt',
    'Orders-jwt',
    'ORDERS-JWT',
    'orders-jwt.',
    'orders-jw',
    'orders-jwt/',
    '*',
    '0',
    '-1',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'prototype',
    'undefined',
    'null',
    'true',
    '[object Object]',
  ],
  ...[
    'orders-session,orders-jwt',
    'orders-session orders-jwt',
    'authToken/orders-session',
    '../orders-jwt',
    'ｏrders-jwt',
  ],
  ...['x'.repeat(129), 'x'.repeat(5_000)],
]

/** The request for a token of that connection; `people` has one for each user. */
function requestFor(connection: string, authentication?: string, form = '', user = 'alice'): HttpRequest {
  const query = authentication === undefined ? '' : `authentication=${encodeURIComponent(authentication)}`
  const isOfUser = connection === 'people' && (authentication ?? 'people-jwt') === 'people-jwt'
  const request = tokenRequest(connection, isOfUser ? `claim.role=reader${form && `&${form}`}` : form, query)
  return isOfUser ? { ...request, path: `/connections/people/as/${user}/token` } : request
}

function demandToken(set: SeveralTokens, { status, body }: HttpAnswer, authentication: string): void {
  assert.equal(status, 200, `${authentication}: ${JSON.stringify(body)}`)
  assert.equal(set.ofToken(String(body['access_token'])), authentication)
}

function demandRefused({ status, body }: HttpAnswer, names: RegExp, what: string): void {
  assert.equal(status, 400, `${what}: ${JSON.stringify(body)}`)
  assert.match(String(body['error_description']), names, what)
  assert.equal(body['access_token'], undefined, what)
}

const expected = (authentication: string, user = 'alice') =>
  authentication === 'people-jwt' ? `people-jwt as ${user}` : authentication

test('each token of a connection has its name, the main one has none as well, and no other name gets a token', async (t) => {
  const set = await startSeveralTokens(t)
  for (const connection of severalConnections) {
    const own: readonly string[] = tokensOfConnections[connection]
    demandToken(set, await set.http(requestFor(connection)), expected(own[0] ?? ''))
    for (const each of own) demandToken(set, await set.http(requestFor(connection, each)), expected(each))
    const requests = set.requests.length
    for (const each of [...allIds, ...noIds].filter((id) => !own.includes(id)))
      demandRefused(
        await set.http(requestFor(connection, each)),
        /^authentication (must|contains)/,
        `${connection} ${each}`,
      )
    assert.equal(set.requests.length, requests, 'a name that is refused costs no token request')
  }
})

test('authentication is one parameter of the query: twice, in the body or nearly so named it is refused', async (t) => {
  const set = await startSeveralTokens(t)
  const query = (text: string) => set.http({ ...tokenRequest('orders'), query: text })
  const twice = await query('authentication=orders-jwt&authentication=orders-session')
  demandRefused(twice, /^authentication is sent more than once/, 'twice')
  demandRefused(
    await set.http(tokenRequest('orders', 'authentication=orders-jwt')),
    /^authentication is in the body/,
    'body',
  )
  const both = tokenRequest('orders', 'authentication=orders-jwt', 'authentication=orders-jwt')
  demandRefused(await set.http(both), /^authentication is in the body/, 'both')
  for (const name of [
    'auth',
    'authenticate',
    'authentications',
    'Authentication',
    'AUTHENTICATION',
    'authentification',
    'authentication_id',
    'authentication-ref',
    'authentication.',
  ])
    for (const [place, answer] of [
      ['query', await query(`${name}=orders-jwt`)],
      ['body', await set.http(tokenRequest('orders', `${name}=orders-jwt`))],
    ] as const)
      demandRefused(answer, new RegExp(`^${name.replace('.', '\\.')} .*authentication`), `${name} in the ${place}`)
  demandToken(set, await query('authentication='), 'orders-oauth')
  assert.ok(set.requests.every(({ url }) => url === '/orders-oauth'))
})

/** Parameters that a token server could take for a wish. */
const wishes = [
  'scope=a',
  'resource=https://a.example/',
  'audience=a',
  'username=u',
  'password=the-wished-password',
  'username=u&password=the-wished-password',
  'subject_token=the-subject-token',
  'subject_token=the-subject-token&subject_token_type=urn:a:b',
  'actor_token=the-actor-token&actor_token_type=urn:a:b',
  'claim.sub=mallory',
  'claim.iss=mallory',
  'claims=%7B%7D',
  'grant_type=password',
  'grant_type=authToken',
  'grant_type=authTokenLocal',
  'grant_type=urn:ietf:params:oauth:grant-type:token-exchange',
  'grant_type=refresh_token',
  'requested_token_type=a',
  'authorization_details=%5B%7B%22type%22:%22a%22%7D%5D',
  'sub=mallory',
  'assertion=eyJa.b.c',
  'permissions=all',
]

/** What the message may name in place of the first parameter. */
const namesIn: Readonly<Record<string, string>> = {
  'claim.sub=mallory': '(claim\\.sub|subject must be in the path)',
  'grant_type=urn:ietf:params:oauth:grant-type:token-exchange': 'subject_token is missing. The grant type',
}

test('a request can add nothing to a token that is not OAuth 2.0: each parameter is refused by its name', async (t) => {
  const set = await startSeveralTokens(t)
  const others = [
    ['orders', 'orders-session'],
    ['orders', 'orders-jwt'],
    ['stock', undefined],
    ['stock', 'stock-jwt'],
    ['people', undefined],
    ['people', 'people-session'],
  ] as const
  for (const [connection, authentication] of others)
    for (const wish of wishes) {
      const [name = ''] = wish.split('=')
      const answer = await set.http(requestFor(connection, authentication, wish))
      const names = namesIn[wish] ?? name.replace('.', '\\.')
      demandRefused(answer, new RegExp(`^${names}\\b`), `${connection} ${authentication} ${wish}`)
    }
  assert.equal(set.requests.length, 0)
  const ignored = await set.http(
    requestFor('stock', undefined, 'colour=blue&client_id=mallory&client_secret=the-callers-secret'),
  )
  demandToken(set, ignored, 'stock-session')
  assert.equal(ignored.headers['tokenwell-ignored'], 'colour')
  assert.doesNotMatch(JSON.stringify(set.requests), /blue|mallory|callers-secret/)
})

test('the user in the path is for the token that takes a user, and for no other token of the connection', async (t) => {
  const set = await startSeveralTokens(t)
  const asUser = (connection: string, query: string, form = '') =>
    set.http({ ...tokenRequest(connection, form, query), path: `/connections/${connection}/as/alice/token` })
  for (const [connection, query] of [
    ['people', 'authentication=people-session'],
    ['stock', ''],
    ['stock', 'authentication=stock-jwt'],
    ['orders', 'authentication=orders-jwt'],
  ] as const)
    demandRefused(await asUser(connection, query), /^subject cannot be named/, `${connection} ${query}`)
  demandRefused(await set.http(tokenRequest('people')), /^subject must be in the path/, 'no user')
  demandRefused(await asUser('people', ''), /^claim\.role is missing/, 'no role')
  demandRefused(await asUser('people', '', 'claim.role=admin'), /^claim\.role /, 'another role')
  const mallory = { ...requestFor('people'), path: '/connections/people/as/mallory/token' }
  demandRefused(await set.http(mallory), /^subject has a value/, 'another user')
  assert.equal(set.requests.length, 0)
})

test('behind a JWT authorizer the claim opens all tokens of its connections, and shows nothing of another', async (t) => {
  const set = await startSeveralTokens(t)
  for (const connection of severalConnections)
    for (const each of tokensOfConnections[connection]) await set.http(requestFor(connection, each))
  const authorizer = { jwt: { claims: { connections: 'orders' }, scopes: null } }
  const by = (connection: string, authentication?: string) =>
    sendHttp(set.guarded, { ...requestFor(connection, authentication), authorizer })
  for (const each of tokensOfConnections.orders) demandToken(set, await by('orders', each), each)
  for (const each of [...allIds, ...noIds].filter((id) => !tokensOfConnections.orders.some((own) => own === id)))
    demandRefused(
      await by('orders', each),
      /^authentication (must be the id of a token of this connection: orders-oauth or orders-session or orders-jwt|contains)/,
      each,
    )
  for (const connection of ['stock', 'nowhere']) {
    const words = new Set<string>()
    for (const each of [undefined, ...allIds, 'unknown', '__proto__']) {
      const { status, body } = await by(connection, each)
      assert.equal(status, 403, `${connection} ${each}`)
      const { request_id: _, ...told } = body
      words.add(JSON.stringify(told))
    }
    assert.equal(words.size, 1, 'whether a connection has such a token is not told')
  }
})

test('by a client certificate and by an alias a caller gets each token of its connection, and no other', async (t) => {
  const set = await startSeveralTokens(t)
  const arn = 'arn:aws:lambda:eu-central-1:111122223333:function:tokens'
  const invoke = (alias: string, event: object) =>
    set.handler(event, { ...createLocalContext(Date.now()), invokedFunctionArn: `${arn}:${alias}` }) as Promise<
      Record<string, unknown>
    >
  const withCertificate = async (connection: string, authentication: string) => {
    const path = `/connections/${connection}/token`
    const event = {
      ...{
        version: '2.0',
        routeKey: '$default',
        rawPath: path,
        rawQueryString: `authentication=${authentication}`,
        headers: {},
      },
      ...{ isBase64Encoded: false, pathParameters: {} },
      requestContext: {
        ...{ http: { method: 'POST', path }, stage: '$default' },
        authentication: {
          clientCert: { subjectDN: certificateOfOrders, issuerDN: 'CN=The CA', serialNumber: '1', validity: {} },
        },
      },
    }
    const { statusCode, body } = (await invoke('_mtls', event)) as { statusCode?: number; body?: string }
    return { status: statusCode, body: JSON.parse(body ?? '{}') as Record<string, unknown> }
  }
  for (const each of tokensOfConnections.orders) {
    const { body } = await withCertificate('orders', each)
    assert.equal(set.ofToken(String(body['access_token'])), each)
    const direct = await invoke('c-orders', { authentication: each })
    assert.equal(set.ofToken(String(direct['access_token'])), each)
  }
  for (const each of tokensOfConnections.stock) {
    assert.equal((await withCertificate('orders', each)).status, 400)
    assert.equal((await withCertificate('stock', each)).status, 403)
    assert.equal((await invoke('c-orders', { authentication: each }))['status'], 400)
    assert.equal((await invoke('c-orders', { connection: 'stock', authentication: each }))['status'], 403)
  }
  for (const authentication of [['orders-jwt'], { id: 'orders-jwt' }, 7, null, true])
    assert.equal((await invoke('c-orders', { authentication }))['status'], 400, JSON.stringify(authentication))
})

test('names of tokens that do not exist punish no caller, and a token whose server fails stops no other token', async (t) => {
  const set = await startSeveralTokens(t)
  for (let asked = 0; asked < 40; asked++)
    demandRefused(await set.http(requestFor('orders', `unknown-${asked}`)), /^authentication must/, `${asked}`)
  set.answerOf('orders-session', { status: 401, body: { message: 'Bad credentials' } })
  for (let asked = 0; asked < 3; asked++)
    assert.equal((await set.http(requestFor('orders', 'orders-session'))).status, 502)
  assert.equal(set.requests.filter(({ url }) => url === '/orders-session').length, 1, 'it cools down')
  for (const [connection, each] of [
    ['orders', 'orders-oauth'],
    ['orders', 'orders-jwt'],
    ['stock', 'stock-session'],
    ['people', 'people-session'],
  ] as const)
    demandToken(set, await set.http(requestFor(connection, each)), each)
  demandToken(set, await set.http(requestFor('orders')), 'orders-oauth')
})

test('the id of a token drops no other token of its connection, and none of another connection', async (t) => {
  const set = await startSeveralTokens(t)
  const idOf = async (connection: SeveralConnection, each: string) =>
    String((await set.http(requestFor(connection, each))).body['token_id'])
  const tokens = (['orders', 'stock'] as const).flatMap((connection) =>
    tokensOfConnections[connection].map((name) => ({ connection, name })),
  )
  const ids = new Map<string, string>()
  for (const { connection, name } of tokens) ids.set(name, await idOf(connection, name))
  assert.equal(new Set(ids.values()).size, tokens.length)
  for (const [name, id] of ids) {
    const others = severalConnections.filter(
      (connection) => !tokensOfConnections[connection].some((own) => own === name),
    )
    for (const connection of others) {
      await set.http({ method: 'DELETE', path: `/connections/${connection}/token`, query: `token_id=${id}` })
      const request = requestFor(connection)
      await set.http({ ...request, query: `rejected_token_id=${id}` })
    }
  }
  for (const { connection, name } of tokens) assert.equal(await idOf(connection, name), ids.get(name), name)
  await set.http({
    method: 'DELETE',
    path: '/connections/orders/token',
    query: `token_id=${ids.get('orders-session')}`,
  })
  for (const { connection, name } of tokens)
    assert.equal((await idOf(connection, name)) === ids.get(name), name !== 'orders-session', name)
})

test('a thousand requests at random, right and wrong ones at once, never get a wrong token', async (t) => {
  const set = await startSeveralTokens(t)
  const requests = fc.sample(
    fc.record({
      connection: fc.constantFrom(...severalConnections),
      named: fc.constantFrom(undefined, ...allIds, ...allIds, ...noIds),
      user: fc.constantFrom('alice', 'bob'),
      wish: fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom(...wishes) }),
    }),
    { numRuns: 1_000, seed: 24 },
  )
  const statuses = await Promise.all(
    requests.map(async ({ connection, named, user, wish }) => {
      const own: readonly string[] = tokensOfConnections[connection]
      const { status, body } = await set.http(requestFor(connection, named, wish, user))
      const what = `${connection} ${named} ${wish} ${JSON.stringify(body)}`
      const right = named === undefined ? own[0] : own.find((each) => each === named)
      if (status === 200)
        assert.equal(set.ofToken(String(body['access_token'])), expected(right ?? 'no token', user), what)
      else assert.ok(right === undefined || wish !== '', what)
      return status
    }),
  )
  assert.deepEqual([...new Set(statuses)].toSorted(), [200, 400])
})
