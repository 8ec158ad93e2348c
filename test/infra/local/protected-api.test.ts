import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createLocalJWKSet, exportJWK, SignJWT } from 'jose'
import { Agent, type Dispatcher, request } from 'undici'
import { startAuthorizationServer } from '../../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { ordersAudience, type ProtectedApiOptions, startProtectedApi } from '../../../infra/local/protected-api.ts'

interface Called {
  readonly status: number
  readonly challenge: unknown
  readonly headers: Dispatcher.ResponseData['headers']
  readonly body: string
}

type Call = (method: 'GET' | 'HEAD' | 'POST' | 'PUT', path: string, token?: string, body?: string) => Promise<Called>

interface Far {
  readonly call: Call
  readonly issuer: string
  /** A token of the real authorization server. */
  token(form?: Readonly<Record<string, string>>): Promise<string>
  stopIssuing(): Promise<void>
}

const certificate = await createServerCertificate(['localhost'])
const [theKey, anotherKey] = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 })) as [
  { privateKey: KeyObject; publicKey: KeyObject },
  { privateKey: KeyObject },
]

/** The API beside an authorization server that knows one client. */
async function start(
  t: TestContext,
  { tokenSeconds = 60, ...given }: Partial<ProtectedApiOptions> & { tokenSeconds?: number } = {},
): Promise<Far> {
  const client_secret = 'the-secret'
  const server = await startAuthorizationServer({
    port: 0,
    certificate,
    tokenSeconds,
    users: new Map(),
    clients: async () => [
      {
        ...{ client_id: 'theClient', client_secret, scope: 'orders:read orders:write' },
        ...{ redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
  })
  const { issuer } = server
  const api = await startProtectedApi({ port: 0, certificate, issuer, ...given })
  const dispatcher = new Agent({ connect: { ca: certificate.caCertificate } })
  t.after(() => Promise.all([api.close(), server.close(), dispatcher.destroy()]))
  return {
    issuer,
    stopIssuing: () => server.close(),
    async call(method, path, token, body) {
      const headers = { ...(token !== undefined && { authorization: token }) }
      const answer = await request(api.origin + path, { dispatcher, method, headers, body: body ?? null })
      const challenge = answer.headers['www-authenticate']
      return { status: answer.statusCode, challenge, headers: answer.headers, body: await answer.body.text() }
    },
    async token(form = {}) {
      const { body } = await request(`${issuer}/token`, {
        dispatcher,
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${Buffer.from(`theClient:${client_secret}`).toString('base64')}`,
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: ordersAudience, ...form }).toString(),
      })
      return ((await body.json()) as { access_token: string }).access_token
    },
  }
}

test('a caller with a token of the authorization server can read orders and add one', async (t) => {
  const { call, token } = await start(t)
  const bearer = `Bearer ${await token({ scope: 'orders:read orders:write' })}`
  const tea = { id: '42', item: 'tea', quantity: 2 }
  const one = await call('GET', '/orders/42?x=y', bearer)
  assert.equal(one.status, 200)
  assert.equal(one.headers['content-type'], 'application/json')
  assert.deepEqual(JSON.parse(one.body), tea)
  const head = await call('HEAD', '/orders/42', bearer)
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, String(one.body.length), ''])

  const added = await call('POST', '/orders', bearer, '{"item":"coffee","id":"42"}')
  assert.deepEqual([added.status, added.headers['location']], [201, '/orders/43'])
  const coffee = { id: '43', item: 'coffee' }
  assert.deepEqual(JSON.parse(added.body), coffee)
  assert.deepEqual(JSON.parse((await call('GET', '/orders/43', bearer)).body), coffee)
  for (const path of ['/orders', '/orders/'])
    assert.deepEqual(JSON.parse((await call('GET', path, bearer)).body), { orders: [tea, coffee] })
})

test('a caller with a valid token gets an error for an unknown order and for an invalid one', async (t) => {
  const { call, token } = await start(t)
  const bearer = `bearer ${await token({ scope: 'orders:read orders:write' })}`
  for (const path of ['/orders/41', '/', '/orders/42/items', '/ordersx'])
    assert.equal((await call('GET', path, bearer)).status, 404, path)
  assert.deepEqual((await call('PUT', '/orders/42', bearer, '{}')).headers['allow'], 'GET, HEAD')
  assert.deepEqual((await call('PUT', '/orders', bearer, '{}')).headers['allow'], 'GET, HEAD, POST')
  for (const body of ['', '{', '[]', 'null', '"tea"'])
    assert.equal((await call('POST', '/orders', bearer, body)).status, 400, body)
  const ofSize = (size: number) => JSON.stringify({ item: 'x'.repeat(size - '{"item":""}'.length) })
  assert.equal((await call('POST', '/orders', bearer, ofSize(65_536))).status, 201)
  assert.equal((await call('POST', '/orders', bearer, ofSize(65_537))).status, 413)
})

test('without a bearer token the challenge names no error', async (t) => {
  const { call, token } = await start(t)
  const some = await token({ scope: 'orders:read' })
  for (const authorization of [undefined, '', 'Bearer', 'Bearer ', `Basic ${some}`, some, `Bearer ${some} ${some}`]) {
    const { status, challenge, body } = await call('GET', '/orders/42', authorization)
    assert.deepEqual([status, challenge, body], [401, 'Bearer realm="orders"', ''])
  }
})

test('a malformed, expired or changed token, or one for another audience, is invalid', async (t) => {
  const { call, token } = await start(t)
  const good = await token({ scope: 'orders:read' })
  const short = await start(t, { tokenSeconds: 1 })
  const expired = await short.token({ scope: 'orders:read' })
  await pause(2_000)
  const [header, , signature] = good.split('.')
  const claims = Buffer.from(JSON.stringify({ scope: 'orders:write' })).toString('base64url')
  const refused = [
    ['garbage', await call('GET', '/orders/42', 'Bearer garbage'), 'the token is not a signed JWT'],
    [
      'opaque',
      await call('GET', '/orders/42', `Bearer ${await token({ resource: '' })}`),
      'the token is not a signed JWT',
    ],
    [
      'other audience',
      await call('GET', '/orders/42', `Bearer ${await token({ resource: 'https://api.server.com/invoices' })}`),
      'the aud of the token is missing or wrong',
    ],
    [
      'other claims',
      await call('GET', '/orders/42', `Bearer ${header}.${claims}.${signature}`),
      'the signature of the token is wrong',
    ],
    ['expired', await short.call('GET', '/orders/42', `Bearer ${expired}`), 'the token has expired'],
    [
      'other server',
      await call('GET', '/orders/42', `Bearer ${await short.token()}`),
      'the authorization server does not publish the key of the token',
    ],
  ] as const
  for (const [name, { status, challenge, body }, fault] of refused) {
    assert.equal(status, 401, name)
    assert.equal(challenge, `Bearer realm="orders", error="invalid_token", error_description="${fault}"`, name)
    assert.equal(body, '', name)
  }
  assert.equal((await call('GET', '/orders/42', `Bearer ${good}`)).status, 200)
})

test('the answer to a token without the scope names the missing scope', async (t) => {
  const { call, token } = await start(t)
  const [reading, writing, neither] = [
    `Bearer ${await token({ scope: 'orders:read' })}`,
    `Bearer ${await token({ scope: 'orders:write' })}`,
    `Bearer ${await token()}`,
  ]
  for (const [method, bearer, scope] of [
    ['POST', reading, 'orders:write'],
    ['PUT', reading, 'orders:write'],
    ['GET', writing, 'orders:read'],
    ['HEAD', writing, 'orders:read'],
    ['GET', neither, 'orders:read'],
  ] as const) {
    const { status, challenge } = await call(method, '/orders/42', bearer, method === 'POST' ? '{}' : undefined)
    assert.equal(status, 403)
    assert.equal(
      challenge,
      `Bearer realm="orders", error="insufficient_scope", error_description="the token does not have this scope", scope="${scope}"`,
    )
  }
})

test('a token must have everything that RFC 9068 requires', async (t) => {
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(theKey.publicKey)), kid: 'one' }] })
  const { call, issuer } = await start(t, { keys })
  const now = Math.floor(Date.now() / 1_000)
  const claims = {
    ...{ iss: issuer, aud: ordersAudience, sub: 'x', client_id: 'x', jti: 'x', iat: now, exp: now + 60 },
    scope: 'orders:read',
  }
  const header = { alg: 'RS256', typ: 'at+jwt', kid: 'one' }
  const sign = (changed: object = {}, changedHeader: object = {}, key = theKey.privateKey) =>
    new SignJWT({ ...claims, ...changed }).setProtectedHeader({ ...header, ...changedHeader }).sign(key)
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const unsigned = `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`
  const confused = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`
  const publicPem = theKey.publicKey.export({ type: 'spki', format: 'pem' })
  const mac = createHmac('sha256', publicPem).update(confused).digest('base64url')

  assert.equal((await call('GET', '/orders/42', `Bearer ${await sign()}`)).status, 200)
  for (const [token, fault] of [
    [await sign({}, { typ: 'JWT' }), 'the typ of the token is missing or wrong'],
    [await sign({}, { typ: undefined }), 'the typ of the token is missing or wrong'],
    [await sign({ iss: `${issuer}/` }), 'the iss of the token is missing or wrong'],
    [await sign({ iss: undefined }), 'the iss of the token is missing or wrong'],
    [await sign({ aud: undefined }), 'the aud of the token is missing or wrong'],
    [await sign({ exp: undefined }), 'the exp of the token is missing or wrong'],
    [await sign({ exp: now }), 'the token has expired'],
    [await sign({ client_id: undefined }), 'the client_id of the token is missing or wrong'],
    [await sign({ nbf: now + 60 }), 'the nbf of the token is missing or wrong'],
    [await sign({}, {}, anotherKey.privateKey), 'the signature of the token is wrong'],
    [await sign({}, { alg: 'RS512' }), 'the token is not signed with RS256'],
    [unsigned, 'the token is not signed with RS256'],
    [`${confused}.${mac}`, 'the token is not signed with RS256'],
  ] as const) {
    const { status, challenge } = await call('GET', '/orders/42', `Bearer ${token}`)
    assert.equal(status, 401, fault)
    assert.equal(challenge, `Bearer realm="orders", error="invalid_token", error_description="${fault}"`)
  }
})

test('without the keys of the authorization server every call fails, and the answer does not blame the token', async (t) => {
  const { call, token, stopIssuing } = await start(t)
  const bearer = `Bearer ${await token({ scope: 'orders:read' })}`
  await stopIssuing()
  const { status, challenge, body } = await call('GET', '/orders/42', bearer)
  assert.deepEqual([status, challenge, body], [500, undefined, ''])
})

test("the authorization server's keys are read only from a server with a certificate of its CA", async (t) => {
  const foreign = await createServerCertificate(['localhost'])
  const { call, token } = await start(t, {
    certificate: { ...certificate, caCertificate: foreign.caCertificate },
  })
  assert.equal((await call('GET', '/orders/42', `Bearer ${await token({ scope: 'orders:read' })}`)).status, 500)
})
