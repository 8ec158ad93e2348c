import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import {
  type IssueTokenWithOidcProvider,
  startIssueTokenWithOidcProvider,
} from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

/* Every grant and every way to authenticate, at oidc-provider, which checks client, assertion and replay. */

const grant = { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined }
const authData = { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } }

function elementsOf(issuer: string, { oAuth, ...changes }: ElementChanges = {}): RawElements {
  return { ...exampleElements(issuer, { ...changes, oAuth: { ...grant, ...oAuth } }), authData }
}

/** The ways in which a client may authenticate beside the grant. */
const ways: readonly (readonly [string, ElementChanges])[] = [
  ['none', { oAuth: { clientId: 'theClient' } }],
  ['private_key_jwt', { oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig' } }],
  ['client_secret_basic', { server: { basicAuthRef: 'theData' } }],
  [
    'client_secret_post',
    { server: { basicAuthRef: 'theData' }, oAuth: { clientAuthentication: 'client_secret_post' } },
  ],
]

for (const [method, changes] of ways)
  test(`the grant jwt-bearer gets a token with the client authentication ${method}`, async (t) => {
    const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
      elementsOf(issuer, { ...changes, oAuth: { ...changes.oAuth, scope: 'orders:read' } }),
    )
    const first = await getToken(set)
    assert.deepEqual([first.status, first.body['source'], first.body['scope']], [200, 'server', 'orders:read'])
    const again = await getToken(set)
    assert.deepEqual([again.body['source'], again.body['access_token']], ['memory', first.body['access_token']])
    assert.equal(set.tokenRequests(), 1)
    const { connections } = (await set.http({ method: 'GET', path: '/connections' })).body as never
    assert.deepEqual([connections[0]['grant_type'], connections[0]['client_authentication']], [jwtBearer, method])
  })

test('client_secret_post authenticates a client without any other grant', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => ({
    ...exampleElements(issuer, {
      server: { basicAuthRef: 'theData' },
      oAuth: { jwtAuthenticationTokenRef: undefined, clientAuthentication: 'client_secret_post' },
    }),
    authData,
  }))
  assert.equal((await getToken(set)).status, 200)
})

test('scope may be a claim of the assertion, and a request may ask for a part of it', async (t) => {
  for (const form of ['text', 'list']) {
    const oAuth = { clientId: 'theClient', scope: 'a b c', assertionParameters: { scope: form } }
    const set = await startIssueTokenWithOidcProvider(t, (issuer) => elementsOf(issuer, { oAuth }))
    assert.equal((await getToken(set)).body['scope'], 'a b c')
    assert.equal((await getToken(set, 'scope=b a')).body['scope'], 'b a')
    assert.equal((await getToken(set, 'scope=d')).status, 400)
    assert.equal(set.tokenRequests(), 2)
  }
})

test('each attempt has a new assertion, and client and grant have one each', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, { oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig' } }),
    (_request, _response, index) => (index === 0 ? { status: 503 } : tokenAnswer()),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  assert.equal(set.requests.length, 2)
  const assertions = set.requests.flatMap(({ form }) => [form.get('assertion'), form.get('client_assertion')])
  const ids = assertions.map((assertion) => decodeJwt(String(assertion)).jti)
  assert.equal(new Set(ids).size, 4)
  assert.ok(set.requests.every(({ form }) => form.get('grant_type') === jwtBearer))
})

test('a request can add no scope, resource or audience to a grant by assertion, and no user', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
    elementsOf(issuer, { oAuth: { clientId: 'theClient' } }),
  )
  for (const body of ['scope=admin', 'resource=https://api.server.com/', 'audience=x', 'username=alice&password=p'])
    assert.equal((await getToken(set, body)).status, 400, body)
  for (const body of ['assertion=eyJ.eyJ.x', 'subject_token=x', 'claims={}', 'sub=alice']) {
    const { status, headers } = await getToken(set, body)
    assert.ok(status === 400 || String(headers['tokenwell-ignored']).includes('sub'), body)
  }
  assert.equal((await getToken(set, `grant_type=${jwtBearer}`)).status, 400, 'callers say client_credentials')
  assert.equal((await getToken(set, 'grant_type=client_credentials')).status, 200)
})

test('a refused assertion is a failure of the client, not of the caller', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
    elementsOf(issuer, { builder: { audiences: 'https://another.example' }, oAuth: { clientId: 'theClient' } }),
  )
  assert.equal((await getToken(set)).status, 502)
})

async function getToken(set: IssueTokenWithOidcProvider, body = '') {
  return await set.http(tokenRequest('conn', body))
}
