import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { tokenExchange, tokenTypesByShortName } from '../../../lib/configuration/grant-type.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

/* RFC 8693 over the whole path, with subject tokens that Tokenwell makes: at oidc-provider, and at servers that answer as no server should. */

const { jwt, access_token: accessToken } = tokenTypesByShortName
const authData = { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } }
const made = { subjectTokenRef: 'theTokenConfig' }

/** A connection that exchanges tokens, with these changes. */
function elementsOf(issuer: string, { oAuth, ...changes }: ElementChanges = {}): RawElements {
  const exchange = { grantType: 'token-exchange', jwtAuthenticationTokenRef: undefined }
  return { ...exampleElements(issuer, { ...changes, oAuth: { ...exchange, ...oAuth } }), authData }
}

/** The ways in which a client may authenticate beside the grant. */
const ways: readonly (readonly [string, ElementChanges])[] = [
  ['none', { oAuth: { clientId: 'theClient' } }],
  ['private_key_jwt', { oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig' } }],
  ['client_secret_basic', { server: { basicAuthRef: 'theData' } }],
]

for (const [method, changes] of ways)
  test(`an exchange of a JWT that Tokenwell signs gets a token with the client authentication ${method}`, async (t) => {
    const oAuth = { ...made, ...changes.oAuth, scope: 'orders:read', requestedTokenType: 'access_token' }
    const set = await startIssueTokenWithOidcProvider(t, (issuer) => elementsOf(issuer, { ...changes, oAuth }))
    const first = await set.http(tokenRequest('conn'))
    assert.equal(first.status, 200, JSON.stringify(first.body))
    assert.deepEqual(
      [first.body['source'], first.body['scope'], first.body['issued_token_type']],
      ['server', 'orders:read', accessToken],
    )
    const again = await set.http(tokenRequest('conn', 'grant_type=client_credentials'))
    assert.deepEqual(
      [again.body['source'], again.body['access_token'], again.body['issued_token_type']],
      ['memory', first.body['access_token'], accessToken],
    )
    assert.equal(set.tokenRequests(), 1)
    const { connections } = (await set.http({ method: 'GET', path: '/connections' })).body as never
    assert.deepEqual(
      [connections[0]['grant_type'], connections[0]['client_authentication'], connections[0]['warm']],
      [tokenExchange, method, true],
    )
  })

test('subject and actor are two JWTs, and each attempt has new ones', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
    elementsOf(issuer, { oAuth: { ...made, clientId: 'theClient', actorTokenRef: 'theTokenConfig' } }),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200, 'the server refuses a JWT that it has seen')
})

test('each attempt has a new subject token, and names its type', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, { oAuth: { ...made, subjectTokenType: 'id_token', audience: 'orders' } }),
    (_request, _response, index) => (index === 0 ? { status: 503 } : tokenAnswer()),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  const tokens = set.requests.map(({ form }) => String(form.get('subject_token')))
  assert.equal(new Set(tokens.map((token) => decodeJwt(token).jti)).size, 2)
  const [{ form } = { form: new URLSearchParams() }] = set.requests
  form.delete('subject_token')
  assert.deepEqual(
    [...form],
    [
      ['grant_type', tokenExchange],
      ['subject_token_type', 'urn:ietf:params:oauth:token-type:id_token'],
      ['audience', 'orders'],
    ],
  )
})

test('a request can add nothing, and send no token to an exchange whose tokens Tokenwell makes', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
    elementsOf(issuer, { oAuth: { ...made, clientId: 'theClient' } }),
  )
  for (const body of ['scope=admin', 'resource=https://api.server.com/', 'audience=x', 'requested_token_type=urn:x'])
    assert.equal((await set.http(tokenRequest('conn', body))).status, 400, body)
  assert.equal(set.tokenRequests(), 0)
})

test('a request may ask for the types that requestMay lists, and gets a token of its own for each', async (t) => {
  const oAuth = { ...made, requestedTokenType: 'access_token', requestMay: { requested_token_type: [jwt] } }
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, { oAuth }),
    ({ form }) => tokenAnswer({ issued_token_type: form.get('requested_token_type') }),
  )
  const own = await set.http(tokenRequest('conn'))
  const repeated = await set.http(tokenRequest('conn', `requested_token_type=${accessToken}`))
  const other = await set.http(tokenRequest('conn', `requested_token_type=${jwt}`))
  assert.deepEqual(
    [own, repeated, other].map(({ body }) => body['issued_token_type']),
    [accessToken, accessToken, jwt],
  )
  assert.equal(repeated.body['token_id'], own.body['token_id'])
  assert.equal((await set.http(tokenRequest('conn', 'requested_token_type=urn:x'))).status, 400)
  assert.equal(set.requests.length, 2)
})

/** What a server says about the type, the type that was requested, and what the caller is told: a type or a status. */
const answers: readonly (readonly [string, Record<string, unknown>, string | undefined, string | number])[] = [
  ['leaves out the type', {}, undefined, accessToken],
  ['leaves out the requested type', {}, 'jwt', jwt],
  ['names the requested type', { issued_token_type: jwt }, 'jwt', jwt],
  ['names a type of its own', { issued_token_type: 'urn:example:token' }, undefined, 'urn:example:token'],
  ['names no URI', { issued_token_type: 'access token' }, undefined, accessToken],
  ['names no text', { issued_token_type: { a: 1 } }, undefined, accessToken],
  ['names another type than the requested one', { issued_token_type: jwt }, 'access_token', 502],
  ['issues a refresh token', { issued_token_type: tokenTypesByShortName.refresh_token }, undefined, 502],
  ['issues a token that is no access token', { token_type: 'N_A', issued_token_type: jwt }, undefined, 502],
]
for (const [title, answer, requestedTokenType, expected] of answers)
  test(`a server that ${title} makes the answer ${expected}`, async (t) => {
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => elementsOf(issuer, { oAuth: { ...made, requestedTokenType } }),
      () => tokenAnswer(answer),
    )
    const { status, body } = await set.http(tokenRequest('conn'))
    assert.deepEqual(expected, status === 200 ? body['issued_token_type'] : status)
    await set.http(tokenRequest('conn'))
    assert.equal(set.requests.length, 1, 'no second attempt, and nothing before the cool-down is over')
  })
