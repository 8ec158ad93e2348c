import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startCaller } from '../../support/functions/function-caller.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'

/* A connection with several tokens hands out one of them by name. One whose calls have user and password hands out none. */

function elementsWith(issuer: string, names: readonly string[]): RawElements {
  const elements = exampleElements(issuer, {
    endpoint: { authenticationConfigRef: names, host: 'https://api.example.com' },
    oAuth: { scope: 'orders' },
  })
  return {
    ...elements,
    jwtBuilder: {
      ...elements['jwtBuilder'],
      localBuilder: { issuer: 'tokenwell', audiences: 'the-api', jwkEnabled: true, jti: false },
    },
    authTokenLocal: {
      theJwt: { tokenGeneratorRef: 'localBuilder', tokenSubject: 'orders', header: 'X-Orders', useBearerScheme: false },
    },
    authData: { basic: { user: 'orders@example.com', passwordSecret: 'tokenwell/local/basic' } },
  }
}

const both = (issuer: string) => elementsWith(issuer, ['theJwt', 'theConfig'])
const basicOnly = (issuer: string) => elementsWith(issuer, ['basic'])
const list = { method: 'GET', path: '/connections' }

test('without a name the answer is the OAuth 2.0 token, and each token comes by the id of its element', async (t) => {
  const { http, invoke, requests } = await startIssueTokenWithScriptedServer(t, both, () => tokenAnswer())
  const main = await http(tokenRequest('conn'))
  assert.match(String(main.body['access_token']), /^some-token/)
  const named = await http(tokenRequest('conn', '', 'authentication=theConfig'))
  assert.equal(named.body['token_id'], main.body['token_id'])
  const jwt = await http(tokenRequest('conn', '', 'authentication=theJwt'))
  assert.equal(decodeJwt(String(jwt.body['access_token'])).sub, 'orders')
  assert.deepEqual([jwt.body['token_type'], jwt.body['scope']], ['Bearer', undefined])
  const direct = await invoke({ connection: 'conn', authentication: 'theJwt' })
  assert.equal(direct['token_id'], jwt.body['token_id'])
  assert.equal(requests.length, 1)
})

test('a request can ask for no scope, resource or audience of an authTokenLocal', async (t) => {
  const { http } = await startIssueTokenWithScriptedServer(t, both, () => tokenAnswer())
  for (const parameter of ['scope=orders', 'resource=https://a.example', 'audience=the-api']) {
    const { status, body } = await http(tokenRequest('conn', parameter, 'authentication=theJwt'))
    assert.deepEqual([status, body['error']], [400, 'invalid_request'], parameter)
  }
})

test('a rejected token is replaced, and the other one stays', async (t) => {
  const { http } = await startIssueTokenWithScriptedServer(t, both, () => tokenAnswer())
  const main = await http(tokenRequest('conn'))
  const jwt = await http(tokenRequest('conn', '', 'authentication=theJwt'))
  const query = `authentication=theJwt&rejected_token_id=${jwt.body['token_id']}`
  const other = await http(tokenRequest('conn', '', query))
  assert.notEqual(other.body['token_id'], jwt.body['token_id'])
  assert.equal((await http(tokenRequest('conn'))).body['token_id'], main.body['token_id'])
})

test('an unknown authentication is a 400 that names the known ones, over HTTP and directly', async (t) => {
  const { http, invoke, requests } = await startIssueTokenWithScriptedServer(t, both, () => tokenAnswer())
  const { status, body } = await http(tokenRequest('conn', '', 'authentication=other'))
  assert.deepEqual([status, body['error']], [400, 'invalid_request'])
  assert.match(
    String(body['error_description']),
    /^authentication must be the id of a token of this connection: theConfig or theJwt\./,
  )
  const direct = await invoke({ connection: 'conn', authentication: 'other' })
  assert.deepEqual([direct['status'], direct['error']], [400, 'invalid_request'])
  const inBody = await http(tokenRequest('conn', 'authentication=theJwt'))
  assert.match(
    String(inBody.body['error_description']),
    /^authentication is in the body\. Send it in the query string\./,
  )
  assert.equal(requests.length, 0)
})

test('a connection with user and password only has no token: a 400 says so, over HTTP and directly', async (t) => {
  const log = captureLog(t)
  const { http, invoke } = await startIssueTokenWithScriptedServer(t, basicOnly, () => tokenAnswer())
  for (const query of ['', 'authentication=basic', 'minimum_seconds=60']) {
    const { status, body } = await http(tokenRequest('conn', '', query))
    assert.deepEqual([status, body['error']], [400, 'invalid_request'], query)
    assert.match(
      String(body['error_description']),
      /^connection has no token: .*basic authentication\. Send .*\/connections\/conn\/api\//,
    )
  }
  assert.equal((await invoke({ connection: 'conn' }))['status'], 400)
  const drop = { method: 'DELETE', path: '/connections/conn/token', query: `token_id=${'A'.repeat(22)}` }
  assert.equal((await http(drop)).status, 204)
  const failed = log.flatMap((event) => (event.event === 'request_failed' ? event.code : []))
  assert.deepEqual(new Set(failed), new Set(['invalid_request']))
})

test('GET /connections shows each token with its header, and the main one as before', async (t) => {
  const { http, issuer } = await startIssueTokenWithScriptedServer(t, both, () => tokenAnswer())
  const { body } = await http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  const main = {
    grant_type: 'client_credentials',
    client_id: 'theClient',
    client_authentication: 'private_key_jwt',
    token_endpoint: `${issuer}/token`,
    issuer,
    scope: 'orders',
    warm: true,
  }
  assert.deepEqual(conn, {
    connection: 'conn',
    usable: true,
    api: 'https://api.example.com',
    ...main,
    tokens: [
      { authentication: 'theConfig', kind: 'oAuthConfig', header: 'authorization', scheme: 'Bearer', ...main },
      {
        authentication: 'theJwt',
        kind: 'authTokenLocal',
        header: 'x-orders',
        scheme: '',
        grant_type: 'authTokenLocal',
        warm: true,
      },
    ],
    mistakes: [],
    warnings: [],
  })
})

test('GET /connections does not call a token warm that each request gets anew', async (t) => {
  const elementsBy = (issuer: string) => {
    const elements = both(issuer)
    return { ...elements, jwtBuilder: { ...elements['jwtBuilder'], localBuilder: { issuer: 'me', jwkEnabled: true } } }
  }
  const { http } = await startIssueTokenWithScriptedServer(t, elementsBy, () => tokenAnswer())
  const [conn] = (await http(list)).body['connections'] as { tokens: { warm: boolean }[] }[]
  assert.deepEqual(
    conn?.tokens.map(({ warm }) => warm),
    [true, false],
  )
})

test('GET /connections shows user and password by the id of their element, and neither of them', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, basicOnly, () => tokenAnswer())
  const { body } = await set.http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  assert.deepEqual(conn, {
    connection: 'conn',
    usable: true,
    api: 'https://api.example.com',
    basic_authentication: 'basic',
    mistakes: [],
    warnings: [],
  })
  assert.doesNotMatch(JSON.stringify(body), /orders@example\.com|tokenwell\/local/)
})

test('behind a JWT authorizer a connection without tokens is listed for its own callers only', async (t) => {
  const { workspace } = await startIssueTokenWithScriptedServer(t, basicOnly, () => tokenAnswer())
  const { http } = await startCaller(workspace, { TOKENWELL_CONNECTIONS_CLAIM: 'connections' })
  const authorizer = (connections: string) => ({
    jwt: { claims: { iss: 'https://idp.example', sub: 'a', connections } },
  })
  const namesFor = async (connections: string) => {
    const { body } = await http({ ...list, authorizer: authorizer(connections) })
    return (body['connections'] as Record<string, unknown>[]).map(({ connection, usable }) => [connection, usable])
  }
  assert.deepEqual(await namesFor('conn'), [['conn', true]])
  assert.deepEqual(await namesFor('other'), [])
  const refused = await http({ ...tokenRequest('conn'), authorizer: authorizer('other') })
  assert.equal(refused.status, 403, 'the right is checked before the request')
})

test('GET /connections shows a user with a password as client_secret_basic, wherever the request has them', async (t) => {
  const inBody = { credentialLocation: 'body', requestBody: { u: { user: true }, p: { password: true } } }
  const inHeaders = { userHeader: 'X-User', passwordHeader: 'X-Password' }
  for (const tokenRequest of [{}, inBody, inHeaders]) {
    const elements = (issuer: string): RawElements => ({
      endpointConnection: { conn: { authenticationConfigRef: 'theToken' } },
      authToken: { theToken: { authServerRef: 'theServer', tokenRequest, tokenResponse: { tokenPath: 'token' } } },
      authorizationServer: {
        theServer: { tokenEndpoint: `${issuer}/token`, basicAuthRef: 'theUser', allowLoopbackHttp: true },
      },
      authData: { theUser: { user: 'jwtuser', passwordSecret: 'tokenwell/local/the-password' } },
    })
    const { http } = await startIssueTokenWithScriptedServer(t, elements, () => tokenAnswer())
    const { body } = await http(list)
    const [conn] = body['connections'] as Record<string, unknown>[]
    assert.deepEqual([conn?.['grant_type'], conn?.['client_authentication']], ['authToken', 'client_secret_basic'])
  }
})
