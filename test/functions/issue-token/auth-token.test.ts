import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import type { RawElements } from '../../support/elements/elements.ts'
import { type Caller, createWorkspace, startCaller } from '../../support/functions/function-caller.ts'
import { tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import {
  type Credentials,
  type StrictZosConnectTokenServer,
  startStrictZosConnectTokenServer,
  type TokenPlace,
} from '../../support/servers/strict-zos-connect-token-server.ts'

/* Tokens of the token server in IBM's example: each way of the credentials, each place of the token, each method. */

type Options = Parameters<typeof startStrictZosConnectTokenServer>[1]
type Attributes = Readonly<Record<string, unknown>>

function requestOf(credentials: Credentials, requestMethod: string): Attributes {
  switch (credentials.in) {
    case 'basic':
      return { requestMethod, ...(credentials.header !== undefined && { header: credentials.header }) }
    case 'headers':
      return { requestMethod, userHeader: credentials.user, passwordHeader: credentials.password }
    case 'body': {
      const { user, password, form = 'JSON' } = credentials
      const requestBody = { [user]: { user: true }, [password]: { password: true } }
      return { requestMethod, credentialLocation: 'body', requestBody, bodyFormat: form }
    }
  }
}

function responseOf(token: TokenPlace): Attributes {
  switch (token.in) {
    case 'header':
      return { tokenLocation: 'header', header: token.header }
    case 'text':
      return { tokenLocation: 'body', responseFormat: 'Text' }
    case 'JSON':
      return { tokenLocation: 'body', responseFormat: 'JSON', tokenPath: `$.${token.path.join('.')}` }
  }
}

function elementsFor({ tokenEndpoint }: StrictZosConnectTokenServer, options: Options, auth: Attributes): RawElements {
  const { credentials, token, method = 'POST' } = options
  return {
    endpointConnection: { conn: { authenticationConfigRef: 'myJWTConfig' } },
    authToken: {
      myJWTConfig: {
        authServerRef: 'myJWTserver',
        header: 'myJWT-header-name',
        tokenRequest: requestOf(credentials, method),
        tokenResponse: responseOf(token),
        ...auth,
      },
    },
    authorizationServer: { myJWTserver: { tokenEndpoint, basicAuthRef: 'tokenCredential', coolDownSeconds: 1 } },
    authData: { tokenCredential: { user: 'jwtuser', passwordSecret: 'tokenwell/local/the-password' } },
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
  }
}

interface Set extends Caller {
  readonly server: StrictZosConnectTokenServer
}

async function start(t: TestContext, options: Options, auth: Attributes = {}): Promise<Set> {
  const server = await startStrictZosConnectTokenServer(t, options)
  const workspace = await createWorkspace(t, elementsFor(server, options, auth), server.certificate, {
    'the-password': options.password ?? 'jwtpassword',
  })
  return { ...(await startCaller(workspace)), server }
}

const ways: readonly Credentials[] = [
  { in: 'basic' },
  { in: 'basic', header: 'X-Credentials' },
  { in: 'headers', user: 'X-User', password: 'X-Password' },
  { in: 'body', user: 'name', password: 'secret' },
  { in: 'body', form: 'form', user: 'name', password: 'secret' },
]
const places: readonly TokenPlace[] = [
  { in: 'header', header: 'X-Token' },
  { in: 'text' },
  { in: 'JSON', path: ['data', 'token'] },
]

for (const credentials of ways)
  for (const token of places)
    for (const method of ['GET', 'PUT', 'POST'] as const) {
      if (method === 'GET' && credentials.in === 'body') continue
      const way = JSON.stringify(credentials)
      test(`a ${method} with the credentials ${way} gets the token at ${JSON.stringify(token)}, once`, async (t) => {
        const { http, server } = await start(t, { credentials, token, method, password: 'a "pass" ü & 1+1=2%' })
        const answer = await http(tokenRequest('conn'))
        if (credentials.in === 'headers') {
          // No header can have this password.
          assert.deepEqual([answer.status, server.refusals.length], [500, 0])
          return
        }
        const { access_token: jwt, expires_in: seconds } = answer.body
        assert.deepEqual([answer.status, jwt], [200, server.issued[0]], JSON.stringify([answer.body, server.refusals]))
        assert(Number(seconds) > 295 && Number(seconds) <= 300)
        assert.deepEqual((await http(tokenRequest('conn'))).body['access_token'], jwt)
        assert.equal(server.accepted.length, 1)
        assert.equal(server.accepted[0]?.headers['user-agent'], 'tokenwell')
        assert.equal(server.accepted[0]?.headers.accept, token.in === 'JSON' ? 'application/json' : '*/*')
      })
    }

test('a user and a password in headers of their own get a token', async (t) => {
  for (const method of ['GET', 'PUT', 'POST'] as const)
    for (const token of places) {
      const { http, server } = await start(t, {
        credentials: { in: 'headers', user: 'X-A', password: 'X-B' },
        token,
        method,
      })
      assert.equal((await http(tokenRequest('conn'))).body['access_token'], server.issued[0])
    }
})

const byBody: Credentials = { in: 'body', user: 'name', password: 'secret' }

test('a JWT with a jti answers one request only, unless cacheTokensWithJti is true', async (t) => {
  const options: Options = { credentials: byBody, token: { in: 'text' }, hasJti: true }
  for (const [auth, expected] of [
    [{}, 2],
    [{ cacheTokensWithJti: true }, 1],
  ] as const) {
    const { http, server } = await start(t, options, auth)
    const got = [await http(tokenRequest('conn')), await http(tokenRequest('conn'))]
    const ids = got.map(({ body }) => decodeJwt(String(body['access_token'])).jti)
    assert.equal(new globalThis.Set(ids).size, expected)
    assert.equal(server.issued.length, expected)
  }
})

test('a request can ask for no scope, resource or audience of an authToken', async (t) => {
  const { http, server } = await start(t, { credentials: byBody, token: { in: 'text' } })
  for (const parameter of ['scope=a', 'resource=https://a.example', 'audience=a']) {
    const { status, body } = await http(tokenRequest('conn', parameter))
    assert.equal(status, 400, JSON.stringify(body))
  }
  assert.equal(server.accepted.length, 0)
})

test('a JWT without an end has the lifetime that the authorizationServer assumes', async (t) => {
  const { http } = await start(t, { credentials: byBody, token: { in: 'text' }, lifeSeconds: null })
  const { body } = await http(tokenRequest('conn'))
  assert(Number(body['expires_in']) > 295 && Number(body['expires_in']) <= 300)
})

for (const credentials of ways)
  test(`a wrong password at ${JSON.stringify(credentials)} is the client's failure, and no text has it`, async (t) => {
    const events = captureLog(t)
    const { http, server, workspace } = await start(t, { credentials, token: { in: 'text' } })
    await writeSecret(workspace, 'the-password', 'another password')
    const { status, body } = await http(tokenRequest('conn'))
    assert.deepEqual([status, server.refusals.length], [502, 1], JSON.stringify(body))
    assert.match(String(body['error_description']), /refused this connection's client \(http_401\)/)
    const refused = events.find((each) => each.event === 'token_request_refused')
    assert.match(
      String(refused?.reason),
      /^The authorization server myJWTserver refused the token request: http_401 \(WWW-Authenticate: Basic realm="JWTTokenGenerator"\)\.$/,
    )
    assert.doesNotMatch(JSON.stringify([events, body]), /access_token|another password|grant/)
  })
