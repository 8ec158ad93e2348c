import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { root } from '../../support/process/local-run.ts'
import type { ReceivedRequest } from '../../support/servers/scripted-token-endpoint.ts'

/* Requests in the form that single providers want, at a strict token endpoint over TLS: it takes that form alone. */

const page = readFileSync(join(root, 'lib', 'configuration', 'providers.md'), 'utf8')

/** The example of a provider, with the token endpoint of the test. */
function exampleOf(provider: string, issuer: string, changes: Record<string, unknown> = {}): RawElements {
  const section = page.split(/^#{2,3} /m).find((part) => part.startsWith(`${provider}\n`)) ?? ''
  const elements = JSON.parse(/```json\n(.*?)\n```/s.exec(section)?.[1] ?? '') as RawElements
  for (const server of Object.values(elements['authorizationServer'] ?? {})) {
    const { pathname, search } = new URL(String(server['tokenEndpoint']))
    server['tokenEndpoint'] = `${issuer}${pathname}${search}`
  }
  for (const config of Object.values(elements['oAuthConfig'] ?? {})) Object.assign(config, changes)
  return {
    ...elements,
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
  }
}

/** What a provider takes, exactly. */
interface Demand {
  readonly path: string
  /** Headers that must have this value, or no value at all. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly form: readonly (readonly [string, string])[]
  readonly answer?: Record<string, unknown>
}

/** Refuses any deviation, as the provider does, and says which one in the answer. */
function strictly({ path, headers, form, answer }: Demand, request: ReceivedRequest): ScriptedAnswer {
  const sent = {
    path: request.url,
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, request.headers[name]])),
    form: [...request.form].toSorted(),
  }
  try {
    assert.deepEqual(sent, { path, headers, form: form.toSorted() })
    return tokenAnswer(answer)
  } catch (error) {
    refusals.push(String(error))
    return { status: 400, body: { error: 'invalid_request' } }
  }
}

const refusals: string[] = []

/** @param secret the name of the client's secret, which the local run makes */
async function startProvider(t: TestContext, provider: string, secret: string, demand: (secret: string) => Demand) {
  refusals.length = 0
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleOf(provider, issuer),
    (request) => strictly(demand(value), request),
  )
  const value = readFileSync(join(set.workspace.secretsFolder, secret), 'utf8')
  return {
    ...set,
    async token(body = '') {
      const { status, body: answer } = await set.http(tokenRequest(provider.toLowerCase(), body))
      assert.equal(status, 200, `${JSON.stringify(answer)} ${refusals.join()}`)
      return answer
    },
  }
}

test('Adobe gets scopes that are separated by commas, and the client secret in the body', async (t) => {
  // developer.adobe.com/developer-console/docs/guides/authentication/ServerToServerAuthentication/ims
  const demand = (secret: string): Demand => ({
    path: '/ims/token/v3',
    headers: { authorization: undefined, 'content-type': 'application/x-www-form-urlencoded' },
    form: [
      ['grant_type', 'client_credentials'],
      ['client_id', 'my-client-id'],
      ['client_secret', secret],
      ['scope', 'openid,AdobeID,read_organizations'],
    ],
    answer: { scope: 'openid,AdobeID, read_organizations' },
  })
  const { token } = await startProvider(t, 'Adobe', 'adobe-secret', demand)
  const { scope } = await token()
  assert.equal(scope, 'openid AdobeID read_organizations', 'callers get blanks (RFC 6749 section 3.3)')
})

test('a request may narrow a scope whatever the separator is, and no scope in it may contain the separator', async (t) => {
  const demand = (secret: string): Demand => ({
    path: '/ims/token/v3',
    headers: {},
    form: [
      ['grant_type', 'client_credentials'],
      ['client_id', 'my-client-id'],
      ['client_secret', secret],
      ['scope', 'openid,AdobeID'],
    ],
  })
  const { token, http, requests } = await startProvider(t, 'Adobe', 'adobe-secret', demand)
  const { scope } = await token('scope=openid AdobeID')
  assert.equal(scope, 'openid AdobeID')
  const { status, body } = await http(tokenRequest('adobe', 'scope=openid,AdobeID'))
  assert.equal(status, 400)
  assert.match(String(body['error_description']), /^scope has a scope that contains ','\. Separate scopes by blanks/)
  assert.equal(requests.length, 1)
})

test('a scope that the element leaves to requests is not a way around the separator', async (t) => {
  const { http, requests } = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleOf('Adobe', issuer, { scope: undefined }),
    () => tokenAnswer(),
  )
  assert.equal((await http(tokenRequest('adobe', 'scope=openid,AdobeID'))).status, 400)
  assert.equal(requests.length, 0)
})

test('Zoom gets account_credentials with the account, and the client in the header', async (t) => {
  // developers.zoom.us/docs/internal-apps/s2s-oauth
  const demand = (secret: string): Demand => ({
    path: '/oauth/token',
    headers: {
      authorization: `Basic ${Buffer.from(`my-client-id:${secret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    form: [
      ['grant_type', 'account_credentials'],
      ['account_id', 'my-account-id'],
    ],
  })
  const { token, http } = await startProvider(t, 'Zoom', 'zoom-secret', demand)
  const first = await token()
  const again = await token('grant_type=client_credentials&account_id=my-account-id')
  assert.equal(again['access_token'], first['access_token'], 'callers ask alike for every grant')
  assert.equal((await http(tokenRequest('zoom', 'account_id=another'))).status, 400)
  const { connections } = (await http({ method: 'GET', path: '/connections' })).body as never
  assert.equal(connections[0]['grant_type'], 'account_credentials')
})

test('oidc-provider with this grant issues a token for the account', async (t) => {
  const { http, tokenRequests } = await startIssueTokenWithOidcProvider(t, (issuer) => {
    const elements = exampleOf('Zoom', issuer, { scope: 'meeting:read' })
    Object.assign(elements['authorizationServer']?.['zoomServer'] ?? {}, { tokenEndpoint: `${issuer}/token` })
    return elements
  })
  const { status, body } = await http(tokenRequest('zoom', ''))
  assert.deepEqual([status, body['scope']], [200, 'meeting:read'])
  assert.equal(tokenRequests(), 1)
})

const withHeaders =
  (headers: object, more: ElementChanges = {}) =>
  (issuer: string): RawElements =>
    exampleElements(issuer, { ...more, server: { ...more.server, headers } })
const headers = {
  'X-Tenant': 'the tenant',
  Accept: '*/*',
  'User-Agent': 'orders/1.0',
  'X-Key': { secret: 'tokenwell/local/the-header' },
}

test('the headers of the element are sent, texts and secrets, beside what Tokenwell sets itself', async (t) => {
  const { http, requests, workspace } = await startIssueTokenWithScriptedServer(t, withHeaders(headers), () =>
    tokenAnswer(),
  )
  const secret = readFileSync(join(workspace.secretsFolder, 'the-header'), 'utf8')
  assert.equal((await http(tokenRequest('conn'))).status, 200)
  const sent = requests[0]?.headers ?? {}
  const { host: _, 'content-length': _length, connection: _connection, ...others } = sent
  assert.deepEqual(others, {
    accept: '*/*',
    'user-agent': 'orders/1.0',
    'x-tenant': 'the tenant',
    'x-key': secret,
    'content-type': 'application/x-www-form-urlencoded',
    'accept-encoding': 'identity',
  })
})

test('Authorization may be a secret of a client without another method', async (t) => {
  const oAuth = { clientAuthentication: 'none', clientId: 'theClient', jwtAuthenticationTokenRef: undefined }
  const elements = withHeaders({ Authorization: { secret: 'tokenwell/local/the-header' } }, { oAuth })
  const { http, requests, workspace } = await startIssueTokenWithScriptedServer(t, elements, () => tokenAnswer())
  await writeSecret(workspace, 'the-header', 'Basic dGhlQ2xpZW50OmEgcGFzc3dvcmQ=\n')
  assert.equal((await http(tokenRequest('conn'))).status, 200)
  assert.equal(requests[0]?.headers.authorization, 'Basic dGhlQ2xpZW50OmEgcGFzc3dvcmQ=')
  assert.deepEqual(
    [...(requests[0]?.form ?? [])],
    [
      ['grant_type', 'client_credentials'],
      ['client_id', 'theClient'],
    ],
  )
})

test('a secret that a header cannot have is never sent, and the error names the secret alone', async (t) => {
  const events = captureLog(t)
  const { http, requests, workspace } = await startIssueTokenWithScriptedServer(t, withHeaders(headers), () =>
    tokenAnswer(),
  )
  await writeSecret(workspace, 'the-header', 'geheim\r\nX-Admin: yes')
  const { status, body } = await http(tokenRequest('conn'))
  assert.deepEqual([status, requests.length], [500, 0])
  const logged = JSON.stringify(events)
  assert.match(logged, /The secret tokenwell\/local\/the-header holds a text that a header cannot have/)
  assert.doesNotMatch(`${logged}${JSON.stringify(body)}`, /geheim|X-Admin/)
})

test('a server that quotes the secret of a header does not get it into the log or the answer', async (t) => {
  const events = captureLog(t)
  let quoted = ''
  const { http } = await startIssueTokenWithScriptedServer(t, withHeaders(headers), ({ headers: sent }) => {
    quoted = String(sent['x-key'])
    return { status: 400, body: { error: 'invalid_request', error_description: `the key ${quoted} is unknown` } }
  })
  const { status, body } = await http(tokenRequest('conn'))
  assert.equal(status, 502)
  assert.ok(quoted.length > 20)
  const text = `${JSON.stringify(events)}${JSON.stringify(body)}`
  assert.ok(!text.includes(quoted) && text.includes('invalid_request'))
})

test('a newer secret of a header is found by the refusal of the older one', async (t) => {
  const { http, workspace, requests } = await startIssueTokenWithScriptedServer(t, withHeaders(headers), (request) =>
    request.headers['x-key'] === 'the newer key' || requests.length === 1
      ? tokenAnswer()
      : { status: 401, body: { error: 'invalid_client' } },
  )
  assert.equal((await http(tokenRequest('conn', 'audience=a'))).status, 200)
  await writeSecret(workspace, 'the-header', 'the newer key')
  assert.equal((await http(tokenRequest('conn', 'audience=b'))).status, 200)
  assert.equal(requests.at(-1)?.headers['x-key'], 'the newer key')
})

const list = { type: 'account', actions: ['list'] }
const read = { type: 'account', actions: ['read'] }
const pay = { type: 'payment', amount: { currency: 'EUR', value: 12.5 } }
const byDetails =
  (oAuth: object) =>
  (issuer: string): RawElements =>
    exampleElements(issuer, { oAuth: { ...oAuth } })
const detailsForm = (details: unknown) =>
  new URLSearchParams({
    authorization_details: typeof details === 'string' ? details : JSON.stringify(details),
  }).toString()
const sentDetails = (request: ReceivedRequest | undefined) =>
  JSON.parse(request?.form.get('authorization_details') ?? 'null') as unknown

test('a request may repeat or narrow the authorization_details of the elements, add what is listed, and nothing else', async (t) => {
  const oAuth = { authorizationDetails: [list, pay], requestMay: { authorization_details: [read] } }
  const { http, requests } = await startIssueTokenWithScriptedServer(t, byDetails(oAuth), () => tokenAnswer())
  const ask = async (details?: unknown) =>
    (await http(tokenRequest('conn', details === undefined ? '' : detailsForm(details)))).status
  for (const details of [
    [{ ...pay, amount: { currency: 'EUR', value: 99 } }],
    [{ ...list, actions: ['list', 'read'] }],
    [{ type: 'account' }],
    [list, { type: 'admin' }],
    [],
    pay,
    'x',
    '[{"type":"account","actions":["list"],"actions":["admin"]}]',
  ])
    assert.equal(await ask(details), 400, JSON.stringify(details))
  assert.equal(requests.length, 0, 'nothing of it is asked for')

  assert.equal(await ask(), 200)
  assert.deepEqual(sentDetails(requests[0]), [list, pay])
  assert.equal(await ask([pay, list]), 200)
  assert.equal(requests.length, 1, 'the elements in another order')
  assert.equal(await ask([pay]), 200)
  assert.deepEqual(sentDetails(requests[1]), [pay])
  assert.equal(await ask('[ {"amount":{"value":12.50,"currency":"EUR"}, "type":"payment"} ]'), 200)
  assert.equal(requests.length, 2, 'the same object in another order')
  assert.equal(await ask([read, pay]), 200)
  assert.deepEqual(sentDetails(requests[2]), [read, pay])
})

test('authorization_details are a list of objects in JSON, directly and by HTTP', async (t) => {
  const requestMay = { authorization_details: true }
  const { http, invoke, requests } = await startIssueTokenWithScriptedServer(t, byDetails({ requestMay }), () =>
    tokenAnswer(),
  )
  const json = (authorization_details: unknown) =>
    http({
      ...tokenRequest('conn'),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ authorization_details }),
    })
  assert.equal((await json([pay])).status, 200)
  assert.equal((await json(JSON.stringify([pay]))).body['source'], 'memory')
  assert.ok((await invoke({ connection: 'conn', authorization_details: [pay] }))['access_token'])
  assert.equal(requests.length, 1)
  assert.deepEqual(sentDetails(requests[0]), [pay])
  for (const details of [pay, 1, [1], [[]]]) assert.equal((await json(details)).status, 400, JSON.stringify(details))
  let deep: unknown = 'x'
  for (let level = 0; level < 20_000; level++) deep = [deep]
  const answer = await invoke({ connection: 'conn', authorization_details: [deep] }).catch((error: unknown) => error)
  assert.match(JSON.stringify(answer instanceof Error ? answer.message : answer), /authorization_details/)
  assert.equal(requests.length, 1)
})

test('authorization_details that are not listed are refused, and so is another spelling', async (t) => {
  for (const oAuth of [{}, { requestMay: { tenant: true } }]) {
    const { http, requests } = await startIssueTokenWithScriptedServer(t, byDetails(oAuth), () => tokenAnswer())
    for (const name of ['authorization_details', 'authorizationDetails']) {
      const { status } = await http(tokenRequest('conn', `${name}=${encodeURIComponent(JSON.stringify([pay]))}`))
      assert.equal(status, 400, name)
    }
    assert.equal(requests.length, 0)
  }
})

test('details that the server refuses are the failure of the caller that added them, and stop no other request', async (t) => {
  const requestMay = { authorization_details: true }
  const { http } = await startIssueTokenWithScriptedServer(t, byDetails({ requestMay }), ({ form }) =>
    form.has('authorization_details')
      ? { status: 400, body: { error: 'invalid_authorization_details' } }
      : tokenAnswer(),
  )
  assert.equal((await http(tokenRequest('conn', detailsForm([pay])))).status, 400)
  assert.equal((await http(tokenRequest('conn'))).status, 200)
})

test('oidc-provider grants the authorization_details of RFC 9396', async (t) => {
  const set = await startIssueTokenWithOidcProvider(
    t,
    byDetails({
      resource: 'https://api.server.com/',
      authorizationDetails: [list, pay],
      requestMay: { authorization_details: [read] },
    }),
  )
  const granted = async (details?: unknown) => {
    const { status, body } = await set.http(tokenRequest('conn', details === undefined ? '' : detailsForm(details)))
    assert.equal(status, 200, JSON.stringify(body))
    return decodeJwt(String(body['access_token']))['authorization_details']
  }
  assert.deepEqual(await granted(), [list, pay])
  assert.deepEqual(await granted([read]), [read])
  assert.deepEqual(await granted([pay]), [pay])
  assert.equal(set.tokenRequests(), 3)
})

test('parameters go into the query where the server reads them there, and into no log', async (t) => {
  const events = captureLog(t)
  const elements = (issuer: string) =>
    exampleElements(issuer, {
      server: { tokenEndpoint: `${issuer}/token?v=2`, parametersInQuery: ['grant_type', 'account', 'tenant'] },
      oAuth: { parameters: { account: 'a b&c', other: 'o' }, requestMay: { tenant: true } },
    })
  let answers = 0
  const { http, requests } = await startIssueTokenWithScriptedServer(t, elements, () =>
    answers++ === 0 ? tokenAnswer() : { status: 400, body: { error: 'invalid_request' } },
  )
  assert.equal((await http(tokenRequest('conn', 'tenant=the%2Btenant'))).status, 200)
  assert.equal(requests[0]?.url, '/token?v=2&grant_type=client_credentials&account=a%20b%26c&tenant=the%2Btenant')
  assert.deepEqual([...(requests[0]?.form.keys() ?? [])], ['client_assertion_type', 'client_assertion', 'other'])
  await http(tokenRequest('conn', 'tenant=another-tenant'))
  const logged = JSON.stringify(events)
  assert.match(logged, /token_request_refused/)
  assert.doesNotMatch(logged, /another-tenant|a%20b/)
})
