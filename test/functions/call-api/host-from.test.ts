import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { maximumAgeMilliseconds } from '../../../lib/adapters/files/file-elements.ts'
import {
  type CallApiWithScriptedServersOptions,
  startCallApiWithScriptedServers,
} from '../../support/functions/call-api-with-scripted-servers.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { type Script, type ScriptedApi, startScriptedApi } from '../../support/servers/scripted-api.ts'

/*
 * The host of the API comes with the token, as at Salesforce. Its answer has no expires_in:
 * https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
 */

const salesforce = {
  grantType: 'jwt-bearer',
  assertionTokenRef: 'theTokenConfig',
  jwtAuthenticationTokenRef: undefined,
  passOn: ['id'],
}

/** call-api whose token answers name the host of this API, or what `instanceUrl` returns for a request. */
async function startWithInstance(
  t: TestContext,
  script: Script = () => ({}),
  instanceUrl: (index: number, api: ScriptedApi, second: ScriptedApi) => string = (_index, { origin }) => origin,
  { elements = {}, ...options }: CallApiWithScriptedServersOptions = {},
) {
  const api = await startScriptedApi(t, script)
  const second = await startScriptedApi(t, undefined, { certificate: api.certificate })
  const within = ['*.my.salesforce.com', `localhost:${api.port}`, `localhost:${second.port}`]
  const hostFrom = { member: 'instance_url', within }
  const set = await startCallApiWithScriptedServers(t, script, {
    ...options,
    server: { certificate: api.certificate },
    elements: {
      tokenConfig: { tokenSubject: 'alice@example.com' },
      ...elements,
      oAuth: { ...salesforce, hostFrom, ...elements.oAuth },
      endpoint: { ...(!elements.oAuth && { host: undefined }), ...elements.endpoint },
    },
    tokens: (_request, _response, index) => {
      const instance = { instance_url: instanceUrl(index, api, second), id: 'https://login.salesforce.com/id/1/2' }
      return tokenAnswer({ expires_in: undefined, scope: 'api', ...instance })
    },
  })
  return { ...set, other: set.api, api, second, within }
}

test('a token by the grant jwt-bearer brings the host of its API, and calls go there', async (t) => {
  const { call, api, other, tokens } = await startWithInstance(t, () => ({ body: { ok: true } }), undefined, {
    elements: { endpoint: { domainBasePath: '/services/data' } },
  })
  for (const method of ['GET', 'POST']) {
    const { status, body } = await call({ method, path: '/v60.0/sobjects', query: 'a=b' })
    assert.deepEqual([status, String(body)], [200, '{"ok":true}'])
  }
  assert.deepEqual(
    api.requests.map(({ method, url, headers }) => [method, url, headers.host]),
    ['GET', 'POST'].map((method) => [method, '/services/data/v60.0/sobjects?a=b', `localhost:${api.port}`]),
  )
  assert.equal(other.connections(), 0)
  const [request, ...more] = tokens.requests
  assert.equal(more.length, 0)
  assert.equal(decodeJwt(String(request?.form.get('assertion'))).sub, 'alice@example.com')
})

test('callers get that host beside the token, and the list of connections shows what it may be', async (t) => {
  const { tokens, api, within } = await startWithInstance(t)
  const { body } = await tokens.http(tokenRequest('conn'))
  assert.deepEqual([body['instance_url'], body['id']], [api.origin, 'https://login.salesforce.com/id/1/2'])
  const { connections } = (await tokens.http({ method: 'GET', path: '/connections' })).body as never
  assert.deepEqual(connections[0]['api_hosts'], within)
  assert.equal(connections[0]['api'], undefined)
})

test('references in an answer lead back to the host that the answer came from', async (t) => {
  const { call, api } = await startWithInstance(t, ({ headers }) => ({
    status: 201,
    headers: {
      location: `https://${headers.host}/orders/7`,
      link: `</orders?page=2>; rel=next, <https://na1.my.salesforce.com/x>; rel=other`,
    },
  }))
  const { headers } = await call({ method: 'POST', path: '/orders' })
  assert.equal(headers['location'], '/connections/conn/api/orders/7')
  assert.equal(
    headers['link'],
    '</connections/conn/api/orders?page=2>; rel=next, <https://na1.my.salesforce.com/x>; rel=other',
  )
  assert.equal(api.requests.length, 1)
})

test('after a 401 the call is made once more, at the host of the new token', async (t) => {
  const rejected = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
  const { call, age, api, second } = await startWithInstance(
    t,
    (_request, _response, index) => (index === 0 ? {} : rejected),
    (index, ...apis) => String(apis[index]?.origin),
  )
  assert.equal((await call({ path: '/first' })).status, 200)
  age(11_000)
  const { status, headers } = await call({ path: '/second' })
  assert.equal(status, 200)
  assert.deepEqual(
    [api, second].map(({ requests }) => requests.map(({ url }) => url)),
    [['/first', '/second'], ['/second']],
  )
  assert.equal(headers['content-type'], 'application/json')
})

test('if the new token names a host that is not allowed, the call is not repeated', async (t) => {
  const rejected = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
  const { call, age, api } = await startWithInstance(
    t,
    () => rejected,
    (index, { origin }) => (index === 0 ? origin : 'https://evil.example'),
  )
  assert.equal((await call()).status, 401, 'a young token stays')
  age(11_000)
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [502, 'destination_not_found'])
  assert.equal(api.requests.length, 2)
})

test('a connection that gets hostFrom replaces a token that came before it', async (t) => {
  const before = { elements: { oAuth: { hostFrom: undefined, passOn: undefined } } }
  const { call, age, api, other, tokens, within, workspace } = await startWithInstance(t, undefined, undefined, before)
  assert.equal((await call()).status, 200)
  assert.equal(other.requests.length, 1)

  const elements = JSON.parse(await readFile(workspace.elementsPath, 'utf8'))
  elements.oAuthConfig.theConfig.hostFrom = { member: 'instance_url', within }
  delete elements.endpointConnection.conn.host
  await writeFile(workspace.elementsPath, JSON.stringify(elements))
  age(61_000)
  const realNow = performance.now.bind(performance)
  t.mock.method(performance, 'now', () => realNow() + maximumAgeMilliseconds)
  assert.equal((await call()).status, 200)
  assert.deepEqual([api.requests.length, tokens.requests.length], [1, 2])
})
