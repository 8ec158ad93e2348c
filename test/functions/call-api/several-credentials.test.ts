import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import {
  type CallApiWithScriptedServersOptions,
  startCallApiWithScriptedServers,
} from '../../support/functions/call-api-with-scripted-servers.ts'
import { writeSecret } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import type { ReceivedCall, Script } from '../../support/servers/scripted-api.ts'
import { startStrictZosConnectTokenServer } from '../../support/servers/strict-zos-connect-token-server.ts'

/* Calls that carry several tokens, or user and password beside tokens: the original's allowed sets. */

const password = 'the pässword: of the API'
const user = 'orders@example.com'

interface Setting extends CallApiWithScriptedServersOptions {
  /** More attributes of the tokens that Tokenwell signs, by id. */
  readonly local?: Readonly<Record<string, object>>
  /** More attributes of their jwtBuilder. */
  readonly builder?: object
}

/** call-api whose calls carry these credentials: `theConfig`, `basic`, and the JWTs `one` (X-One) and `two` (x-two, no scheme). */
async function startWith(t: TestContext, names: readonly string[], script?: Script, setting: Setting = {}) {
  const { local = {}, builder = {}, ...options } = setting
  const calls = await startCallApiWithScriptedServers(
    t,
    (request, ...rest) => {
      for (const value of Object.values(credentialsIn(request))) plant(value.replace(/^\w+ /, ''))
      return (script ?? (() => ({})))(request, ...rest)
    },
    {
      ...options,
      elements: { ...options.elements, endpoint: { authenticationConfigRef: names, ...options.elements?.endpoint } },
      moreElements: (made): RawElements => ({
        jwtBuilder: {
          ...made['jwtBuilder'],
          localBuilder: { issuer: 'tokenwell', audiences: 'the-api', jwkEnabled: true, jti: false, ...builder },
        },
        authTokenLocal: {
          one: { tokenGeneratorRef: 'localBuilder', tokenSubject: 'one', header: 'X-One', ...local['one'] },
          two: {
            tokenGeneratorRef: 'localBuilder',
            tokenSubject: 'two',
            header: 'x-two',
            useBearerScheme: false,
            ...local['two'],
          },
        },
        authData: { basic: { user, passwordSecret: 'tokenwell/local/basic' } },
        ...options.moreElements?.(made),
      }),
    },
  )
  plant(password)
  await writeSecret(calls.workspace, 'basic', password)
  return calls
}

function credentialsIn({ headers }: Pick<ReceivedCall, 'headers'>): Readonly<Record<string, string>> {
  const { authorization, 'x-one': one, 'x-two': two } = headers
  return Object.fromEntries(
    Object.entries({ authorization, one, two }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as const],
    ),
  )
}

/** Which credentials differ between two calls. */
function changesBetween(a: ReceivedCall | undefined, b: ReceivedCall | undefined): readonly string[] {
  assert(a && b)
  const [before, after] = [credentialsIn(a), credentialsIn(b)]
  return Object.keys(before).filter((name) => before[name] !== after[name])
}

const basicValue = `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`

test('a call carries an OAuth 2.0 token and two JWTs, each in its header', async (t) => {
  const { call, api, tokens } = await startWith(t, ['theConfig', 'one', 'two'])
  assert.equal((await call()).status, 200)
  assert.equal((await call()).status, 200)
  const [first, second] = api.requests
  const { authorization = '', one = '', two = '' } = credentialsIn(first as ReceivedCall)
  assert.match(authorization, /^Bearer some-token-\d+$/)
  assert.equal(decodeJwt(one.replace(/^Bearer /, '')).sub, 'one')
  assert.match(one, /^Bearer ey/)
  assert.equal(decodeJwt(two).sub, 'two')
  assert.deepEqual(changesBetween(first, second), [], 'tokens without jti are kept')
  assert.equal(tokens.requests.length, 1)
})

test('a call carries user and password in UTF-8, beside a JWT', async (t) => {
  const { call, api, tokens } = await startWith(t, ['one', 'basic'])
  assert.equal((await call({ method: 'POST', body: 'x' })).status, 200)
  const { authorization, one = '' } = credentialsIn(api.requests[0] as ReceivedCall)
  assert.equal(authorization, basicValue)
  assert.equal(decodeJwt(one.replace(/^Bearer /, '')).sub, 'one')
  assert.equal(tokens.requests.length, 0)
})

test("no header of the caller takes a credential's place, in any case of letters and with any separator", async (t) => {
  const { call, api } = await startWith(t, ['theConfig', 'one', 'two'])
  const forged = {
    Authorization: 'Bearer forged',
    'X-ONE': 'forged',
    'x-Two': 'forged',
    x_two: 'forged',
    'x.one': 'forged',
  }
  assert.equal((await call({ headers: { ...forged, 'x-three': 'kept' } })).status, 200)
  const { headers, rawHeaders } = api.requests[0] as ReceivedCall
  assert.doesNotMatch(JSON.stringify([headers, rawHeaders]), /forged/)
  assert.equal(headers['x-three'], 'kept')
})

test('an API without a User-Agent of the caller gets tokenwell, and otherwise that of the caller', async (t) => {
  const { call, api } = await startWith(t, ['basic'])
  await call()
  await call({ headers: { 'User-Agent': 'orders/1.0' } })
  assert.deepEqual(
    api.requests.map(({ headers }) => headers['user-agent']),
    ['tokenwell', 'orders/1.0'],
  )
})

test('if one token cannot be obtained, no call is made, and the log names its element', async (t) => {
  const log = captureLog(t)
  const { call, api } = await startWith(t, ['theConfig', 'one'], undefined, {
    tokens: () => ({ status: 400, body: { error: 'unauthorized_client' } }),
  })
  const { status, body } = await call()
  assert.equal(status, 502)
  assert.equal(api.requests.length, 0)
  assert.doesNotMatch(body.toString(), /theConfig/)
  const missing = log.flatMap((event: LogEvent) => (event.event === 'api_call_without_token' ? event.element : []))
  assert.deepEqual(missing, ['oAuthConfig/theConfig'])
})

const invalidToken = { 'www-authenticate': 'Bearer error="invalid_token"' }
const askedForPassword = { 'www-authenticate': 'Basic realm="orders"' }

interface Rejection {
  readonly title: string
  readonly names: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly local?: Readonly<Record<string, object>>
  readonly oAuth?: object
  /** The credentials that the repeated call has changed. Empty where it is not repeated. */
  readonly replaced: readonly string[]
}

const all = ['theConfig', 'one', 'two']
const rejections: readonly Rejection[] = [
  {
    title: 'invalid_token: the bearer token of Authorization',
    names: all,
    headers: invalidToken,
    replaced: ['authorization'],
  },
  { title: 'no challenge: each token whose level is 1', names: all, headers: {}, replaced: ['one', 'two'] },
  {
    title: 'another challenge: the same',
    names: all,
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
    replaced: ['one', 'two'],
  },
  {
    title: 'no challenge, level 1 for all: all of them',
    names: all,
    headers: {},
    oAuth: { tokenRetryCheckLevel: 1 },
    replaced: ['authorization', 'one', 'two'],
  },
  {
    title: 'no challenge, level 3 for one JWT: the other one',
    names: all,
    headers: {},
    local: { two: { tokenRetryCheckLevel: 3 } },
    replaced: ['one'],
  },
  {
    title: 'invalid_token without a bearer token in Authorization: all JWTs',
    names: ['basic', 'one', 'two'],
    headers: invalidToken,
    local: { two: { tokenRetryCheckLevel: 3 } },
    replaced: ['one', 'two'],
  },
  {
    title: 'a challenge for a password: the JWTs too, because their level is 1',
    names: ['basic', 'one'],
    headers: askedForPassword,
    replaced: ['one'],
  },
  { title: 'a password alone: nothing, where it has not changed', names: ['basic'], headers: {}, replaced: [] },
]
for (const { title, names, headers, local = {}, oAuth = {}, replaced } of rejections)
  test(`a 401 replaces these tokens, all at once and each once: ${title}`, async (t) => {
    let isRefusing = false
    const calls = await startWith(t, names, () => (isRefusing ? { status: 401, headers } : {}), {
      local,
      elements: { oAuth: { ...oAuth } },
    })
    assert.equal((await calls.call()).status, 200)
    isRefusing = true
    calls.age(11_000)
    assert.equal((await calls.call()).status, 401)
    const [, refused, repeated, ...more] = calls.api.requests
    if (replaced.length === 0) assert.equal(repeated, undefined)
    else assert.deepEqual(changesBetween(refused, repeated), replaced)
    assert.deepEqual(more, [])
    assert.equal((await calls.call()).status, 401)
    const again = calls.api.requests.length - (replaced.length === 0 ? 2 : 3)
    assert.ok(again <= 2, 'what was replaced is young and stays')
  })

test('where the token of Authorization is young, a 401 that says invalid_token replaces the others', async (t) => {
  let refusedOnes = 0
  const calls = await startWith(t, ['theConfig', 'one'], ({ headers }) => {
    const { iat = 0 } = decodeJwt(String(headers['x-one']).replace(/^Bearer /, ''))
    const isOld = refusedOnes >= 0 && iat < issuedFrom
    if (isOld) refusedOnes++
    return isOld ? { status: 401, headers: invalidToken } : {}
  })
  let issuedFrom = 0
  assert.equal((await calls.call()).status, 200)
  calls.age(11_000)
  issuedFrom = Math.floor(Date.now() / 1000) - 2
  assert.equal((await calls.call()).status, 401, 'the first 401 replaces the token of Authorization')
  assert.equal((await calls.call()).status, 200, 'the second one the JWT')
  assert.equal(refusedOnes, 3)
})

test('a rejected token that cannot be replaced does not stop the others', async (t) => {
  let isRefusing = false
  let issued = 0
  const calls = await startWith(
    t,
    all,
    ({ headers }) => (isRefusing && headers['x-one'] === refused ? { status: 401 } : {}),
    {
      elements: { oAuth: { tokenRetryCheckLevel: 1 } },
      tokens: () =>
        issued++ === 0
          ? { body: { access_token: 'the-only-oauth-token', token_type: 'Bearer', expires_in: 300 } }
          : { status: 400, body: { error: 'unauthorized_client' } },
    },
  )
  assert.equal((await calls.call()).status, 200)
  const refused = calls.api.requests[0]?.headers['x-one']
  isRefusing = true
  calls.age(11_000)
  assert.equal((await calls.call()).status, 200)
  assert.deepEqual(changesBetween(calls.api.requests[1], calls.api.requests[2]), ['one', 'two'])
})

/** A JWT with a jti, which an API may take only once. */
const once = { builder: { jti: true } }

test('a JWT with a jti is another one for each call, and for each repetition', async (t) => {
  const seen = new Set<string>()
  let answers: readonly number[] = [200, 200, 401, 200]
  const calls = await startWith(
    t,
    ['theConfig', 'one'],
    ({ headers }) => {
      const { jti } = decodeJwt(String(headers['x-one']).replace(/^Bearer /, ''))
      const isReplay = typeof jti !== 'string' || seen.has(jti)
      seen.add(String(jti))
      const [status = 200, ...rest] = answers
      answers = rest
      return isReplay ? { status: 403 } : { status, headers: status === 401 ? invalidToken : {} }
    },
    once,
  )
  assert.equal((await calls.call()).status, 200)
  assert.equal((await calls.call()).status, 200)
  calls.age(11_000)
  assert.equal((await calls.call()).status, 200)
  assert.equal(calls.api.requests.length, 4)
  assert.equal(seen.size, 4)
})

test('a JWT with a jti is another one after a dead connection', async (t) => {
  const sent: unknown[] = []
  const calls = await startWith(
    t,
    ['one'],
    ({ headers, socket }, _response, index) => {
      sent.push(headers['x-one'])
      if (index !== 1) return {}
      socket.destroy()
      return undefined
    },
    once,
  )
  assert.equal((await calls.call()).status, 200)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal((await calls.call()).status, 200)
  assert.equal(sent.length, 3)
  assert.equal(new Set(sent).size, 3)
})

test('a JWT with a jti is not replaced after a 401, however long the API took: it was made for this call', async (t) => {
  const calls = await startWith(
    t,
    ['one'],
    () => {
      calls.age(11_000)
      return { status: 401 }
    },
    once,
  )
  assert.equal((await calls.call()).status, 401)
  assert.equal(calls.api.requests.length, 1)
})

test('a direct request carries all credentials too', async (t) => {
  const { handler, api } = await startWith(t, ['basic', 'one', 'two'])
  const request = { method: 'GET', path: '/orders/42', headers: { 'x-one': 'forged' } }
  const result = (await handler(request, createLocalContext(Date.now(), 'call-api:c-conn'))) as { statusCode: number }
  assert.equal(result.statusCode, 200)
  const { authorization, one = '', two = '' } = credentialsIn(api.requests[0] as ReceivedCall)
  assert.equal(authorization, basicValue)
  assert.deepEqual(
    [one.replace(/^Bearer /, ''), two].map((jwt) => decodeJwt(jwt).sub),
    ['one', 'two'],
  )
})

test('an API that takes a JWT of its own token server in a named header gets it beside an OAuth 2.0 token', async (t) => {
  const server = await startStrictZosConnectTokenServer(t, {
    credentials: { in: 'basic' },
    token: { in: 'JSON', path: ['jwt'] },
    api: { header: 'myJWT-header-name', scheme: 'Bearer' },
  })
  const calls = await startCallApiWithScriptedServers(t, undefined, {
    elements: {
      endpoint: { authenticationConfigRef: ['theConfig', 'theThirdParty'], host: server.origin },
    },
    moreElements: ({ ssl, keyStore, authorizationServer }) => ({
      authToken: {
        theThirdParty: {
          authServerRef: 'jwtServer',
          tokenResponse: { responseFormat: 'JSON', tokenPath: 'jwt' },
          header: 'myJWT-header-name',
        },
      },
      authorizationServer: {
        ...authorizationServer,
        jwtServer: { tokenEndpoint: server.tokenEndpoint, basicAuthRef: 'tokenCredential', sslCertsRef: 'jwtSsl' },
      },
      authData: { tokenCredential: { user: 'jwtuser', passwordSecret: 'tokenwell/local/jwt-password' } },
      ssl: { ...ssl, jwtSsl: { trustStoreRef: 'jwtTrust' }, theApiSsl: { trustStoreRef: 'jwtTrust' } },
      keyStore: { ...keyStore, jwtTrust: { location: 'tokenwell/local/jwt-ca' } },
    }),
  })
  await writeSecret(calls.workspace, 'jwt-password', 'jwtpassword')
  await writeSecret(calls.workspace, 'jwt-ca', server.certificate.caCertificate)
  const { status, body } = await calls.call()
  assert.deepEqual([status, String(body)], [200, '{"sub":"jwtuser"}'])
  assert.equal(server.accepted.at(-1)?.headers.authorization?.replace(/\d+$/, ''), 'Bearer some-token-')

  const [jwt = ''] = server.issued
  server.revoke(jwt)
  calls.age(11_000)
  assert.equal((await calls.call()).status, 401, 'its invalid_token is about the token in Authorization')
  assert.equal((await calls.call()).status, 200, 'that one is young now, so the JWT is replaced')
  assert.equal(server.issued.length, 2)
})

test('a password that has changed is read again after a 401', async (t) => {
  const changed = 'the new password of the API'
  plant(changed)
  let expected = basicValue
  const log = captureLog(t)
  const calls = await startWith(t, ['basic', 'one'], ({ headers }) =>
    headers.authorization === expected ? {} : { status: 401, headers: askedForPassword },
  )
  assert.equal((await calls.call()).status, 200)
  expected = `Basic ${Buffer.from(`${user}:${changed}`).toString('base64')}`
  await writeSecret(calls.workspace, 'basic', JSON.stringify({ password: changed, hosts: ['localhost'] }))
  assert.equal((await calls.call({ method: 'POST', body: 'once' })).status, 200)
  assert.equal(calls.api.requests.length, 3)
  assert.deepEqual(
    log.flatMap((event: LogEvent) => (event.event === 'api_call_repeated' ? event.reason : [])),
    ['newer_secret'],
  )
})

test('a password for other hosts, or with a line break, is never sent', async (t) => {
  for (const secret of [
    JSON.stringify({ password: 'of another host', hosts: ['other.example'] }),
    'two lines\nof text',
  ]) {
    const calls = await startWith(t, ['basic'])
    await writeSecret(calls.workspace, 'basic', secret)
    const { status, proxyError } = await calls.call()
    assert.deepEqual([status, proxyError], [500, 'proxy_internal_error'])
    assert.equal(calls.api.requests.length, 0)
  }
})
