import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type IssueTokenWithScriptedServer,
  startIssueTokenWithScriptedServer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

/* Parameters of callers in the request of an `authToken`, as custom parameters of an application of z/OS Connect are. */

const elements = (issuer: string) => ({
  endpointConnection: { conn: { authenticationConfigRef: 'theToken' } },
  authToken: {
    theToken: {
      authServerRef: 'theServer',
      tokenRequest: {
        requestBody: { permissions: { contents: { parameter: 'contents' } }, fixed: 'a' },
        parameterHeaders: { 'X-Tenant': 'tenant' },
      },
      tokenResponse: { responseFormat: 'JSON', tokenPath: 'token' },
      requestMay: { contents: ['read', 'write'], tenant: true },
    },
  },
  authorizationServer: { theServer: { tokenEndpoint: `${issuer}/token` } },
  ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
  keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
})

async function ask({ http }: IssueTokenWithScriptedServer, parameters: Record<string, string>) {
  return await http(tokenRequest('conn', String(new URLSearchParams(parameters))))
}

test('a parameter of a caller is in the body or in a header of the request, and each combination has its own token', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, elements, (_request, _response, index) => ({
    body: { token: `token-${index}` },
  }))
  const rows = [
    [{}, { permissions: {}, fixed: 'a' }, undefined],
    [{ contents: 'read' }, { permissions: { contents: 'read' }, fixed: 'a' }, undefined],
    [{ contents: 'write', tenant: 'north' }, { permissions: { contents: 'write' }, fixed: 'a' }, 'north'],
  ] as const
  const tokens = new Set<unknown>()
  for (const [parameters, body, tenant] of rows) {
    const { status, body: first } = await ask(set, parameters)
    assert.equal(status, 200, JSON.stringify(first))
    const sent = set.requests.at(-1)
    assert.deepEqual(JSON.parse(sent?.content ?? ''), body)
    assert.equal(sent?.headers['x-tenant'], tenant)
    const { body: again } = await ask(set, parameters)
    assert.deepEqual([again['source'], again['access_token']], ['memory', first['access_token']])
    tokens.add(first['access_token'])
  }
  assert.deepEqual([tokens.size, set.requests.length], [3, 3])
})

test('what is not listed, or no header can have, is refused before a request is made', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, elements, () => ({ body: { token: 'a' } }))
  const rows = [
    [{ contents: 'admin' }, /contents asks for more than this connection allows/],
    [{ tenant: 'nörth' }, /tenant cannot be sent: the token server of this connection wants it in a header/],
    [{ tenants: 'north' }, /Did you mean tenant\?/],
    [{ scope: 'a' }, /scope/],
    [{ permissions: 'all' }, /permissions/],
  ] as const
  for (const [parameters, expected] of rows) {
    const { status, body } = await ask(set, parameters)
    assert.equal(status, 400, JSON.stringify(parameters))
    assert.match(String(body['error_description']), expected)
    assert.doesNotMatch(String(body['error_description']), /nörth|admin/)
  }
  assert.equal(set.requests.length, 0)
})

test('what the server refuses of a parameter is a matter of its caller, and stops no request without it', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, elements, ({ content }) =>
    content.includes('write')
      ? { status: 422, body: { message: 'The permissions requested are not granted.' } }
      : { body: { token: 'a' } },
  )
  assert.equal((await ask(set, {})).status, 200)
  const { status, body } = await ask(set, { contents: 'write' })
  assert.deepEqual([status, body['error']], [400, 'invalid_grant'], JSON.stringify(body))
  assert.equal((await ask(set, { contents: 'read' })).status, 200)
  assert.equal((await ask(set, {})).status, 200)
})
