import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { UnsecuredJWT } from 'jose'
import * as openid from 'openid-client'
import { createHttpGateway, type LambdaHandler } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import { tokenExchange, tokenTypesByShortName } from '../../../lib/configuration/grant-type.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'

/* Token exchange (RFC 8693) of tokens that callers send. Whatever a caller or a server does, no token is logged or answered: see canary.ts. */

const { access_token: accessToken, jwt } = tokenTypesByShortName
const exchange = { grantType: 'token-exchange' }

function elementsOf(issuer: string, { oAuth, ...changes }: ElementChanges = {}): RawElements {
  const elements = exampleElements(issuer, { ...changes, oAuth: { ...exchange, ...oAuth } })
  return {
    ...elements,
    oAuthConfig: {
      ...elements['oAuthConfig'],
      plain: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' },
    },
    endpointConnection: { ...elements['endpointConnection'], plain: { authenticationConfigRef: 'plain' } },
  }
}

const form = (members: Record<string, string>) => new URLSearchParams(members).toString()

/** A token of a caller, which must be nowhere in the output of these tests. */
function callersJwt(claims: Record<string, unknown> = {}, seconds = 600): string {
  const token = new UnsecuredJWT({ name: 'a caller of this test', ...claims }).setExpirationTime(`${seconds}s`).encode()
  const signed = `${token}c2lnbmF0dXJlLW9mLWEtY2FsbGVy`
  plant(signed)
  return signed
}

test('a caller sends a token of the authorization server, and gets another one', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => elementsOf(issuer))
  const { body: plain } = await set.http(tokenRequest('plain'))
  const sent = { subject_token: String(plain['access_token']), subject_token_type: accessToken }
  const first = await set.http(tokenRequest('conn', form(sent)))
  assert.equal(first.status, 200, JSON.stringify(first.body))
  assert.notEqual(first.body['access_token'], plain['access_token'])
  assert.deepEqual([first.body['source'], first.body['issued_token_type']], ['server', accessToken])
  const again = await set.http({
    ...tokenRequest('conn', JSON.stringify({ ...sent, grant_type: tokenExchange })),
    headers: { 'content-type': 'application/json' },
  })
  assert.deepEqual([again.body['source'], again.body['access_token']], ['memory', first.body['access_token']])
  const direct = await set.invoke({ connection: 'conn', ...sent, grant_type: 'client_credentials' })
  assert.equal(direct['access_token'], first.body['access_token'])
  assert.equal(set.tokenRequests(), 2)
})

test('openid-client exchanges a token at a connection as at any token endpoint', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => elementsOf(issuer))
  const gateway = createHttpGateway(set.handler as LambdaHandler)
  const base = `http://127.0.0.1:${await listen(gateway, 0, '127.0.0.1')}`
  t.after(() => gateway.close())
  const server = { issuer: base, token_endpoint: `${base}/connections/conn/token` }
  const client = new openid.Configuration(server, 'any-client', undefined, openid.ClientSecretPost('any secret of it'))
  openid.allowInsecureRequests(client)
  const { body } = await set.http(tokenRequest('plain'))
  const ask = async (token: string) =>
    await openid.genericGrantRequest(client, tokenExchange, { subject_token: token, subject_token_type: accessToken })
  const answer = await ask(String(body['access_token']))
  assert.deepEqual([answer.token_type, answer['issued_token_type']], ['bearer', accessToken])
  assert.ok(answer.expiresIn())
  await assert.rejects(
    ask('not-a-token-of-this-server'),
    (error: openid.ResponseBodyError) => error.error === 'invalid_request' && error.status === 400,
    'RFC 8693 section 2.2.2',
  )
  await once(gateway.close(), 'close')
})

test('the server gets the token with its type, and an actor where requestMay allows one', async (t) => {
  const oAuth = { requestMay: { actor_token: true }, subjectTokenType: 'jwt', scope: 'orders:read' }
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, { oAuth }),
    () => tokenAnswer(),
  )
  const [subject, actor] = [callersJwt(), callersJwt({ sub: 'bob' })]
  const sent = { subject_token: subject, actor_token: actor, actor_token_type: 'urn:example:badge' }
  assert.equal((await set.http(tokenRequest('conn', form(sent)))).status, 200)
  const [{ form: got } = { form: new URLSearchParams() }] = set.requests
  for (const name of ['client_assertion', 'client_assertion_type']) got.delete(name)
  assert.deepEqual(Object.fromEntries(got), {
    grant_type: tokenExchange,
    subject_token: subject,
    subject_token_type: jwt,
    actor_token: actor,
    actor_token_type: 'urn:example:badge',
    scope: 'orders:read',
  })
  const repeated = await set.http(tokenRequest('conn', form({ ...sent, subject_token_type: jwt })))
  assert.equal(repeated.status, 200, 'the type of the element may be repeated')
  assert.equal(set.requests.length, 1)
})

test('a token of 16 KiB is exchanged, and a body of more than 64 KiB is refused', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer),
    () => tokenAnswer(),
  )
  const ask = async (length: number) => {
    const sent = { subject_token: callersJwt({ groups: 'g'.repeat(length) }), subject_token_type: jwt }
    return (await set.http(tokenRequest('conn', form(sent)))).status
  }
  assert.deepEqual([await ask(12_000), await ask(64_000)], [200, 400])
})

/** What a caller sends to a connection whose requests bring a subject token, and the beginning of the error. */
const mistakes: readonly (readonly [Record<string, string>, string])[] = [
  [{}, 'subject_token is missing'],
  [{ grant_type: tokenExchange }, 'subject_token is missing'],
  [{ subject_token: 'a' }, 'subject_token_type is missing'],
  [{ subject_token_type: jwt }, 'subject_token_type is sent without subject_token'],
  [{ subject_token: '', subject_token_type: jwt }, 'subject_token_type is sent without subject_token'],
  [{ subject_token: 'Bearer abc', subject_token_type: jwt }, 'subject_token must be a token alone'],
  [{ subject_token: 'a', subject_token_type: 'jwt' }, 'subject_token_type must be an absolute URI'],
  [
    { subject_token: 'a', subject_token_type: jwt, actor_token: 'b', actor_token_type: jwt },
    'actor_token cannot be set',
  ],
  [
    { subject_token: 'a', subject_token_type: jwt, actor_token_type: jwt },
    'actor_token_type is sent without actor_token',
  ],
  [{ subject_token: 'a', subject_token_type: jwt, grant_type: 'password' }, 'grant_type must be client_credentials'],
  [{ subject_token: 'a', subject_token_type: jwt, scope: 'admin' }, 'scope cannot be set'],
  [{ subject_token: 'a', subject_token_type: jwt, resource: 'https://api.server.com/' }, 'resource cannot be set'],
  [{ subject_token: 'a', subject_token_type: jwt, audience: 'x' }, 'audience cannot be set'],
  [{ subject_token: 'a', subject_token_type: jwt, requested_token_type: jwt }, 'requested_token_type cannot be set'],
  [{ subject_token: 'a', subject_token_type: jwt, requested_subject: 'bob' }, 'requested_subject cannot be set'],
  [{ subject_token: 'a', subject_token_type: jwt, username: 'bob' }, 'username cannot be used'],
  [{ subjectToken: 'a', subject_token_type: jwt }, 'subject_token_type is sent without'],
  [{ 'subject.token': 'a' }, 'subject.token is not a parameter of this connection. Did you mean subject_token?'],
]

test('what a caller sends besides its token is refused with its name, and no request is made', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer),
    () => tokenAnswer(),
  )
  for (const [sent, message] of mistakes) {
    const { status, body } = await set.http(tokenRequest('conn', form(sent)))
    assert.equal(status, 400, JSON.stringify(sent))
    assert.ok(
      String(body['error_description']).startsWith(message),
      `${JSON.stringify(sent)}: ${body['error_description']}`,
    )
  }
  const inQuery = await set.http(
    tokenRequest('conn', '', form({ subject_token: callersJwt(), subject_token_type: jwt })),
  )
  assert.equal(inQuery.status, 400, 'a query gets into logs')
  assert.equal(set.requests.length, 0)
})

test('other connections take no token, and one with a fixed type takes no other type', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, { oAuth: { subjectTokenType: 'id_token' } }),
    () => tokenAnswer(),
  )
  const sent = form({ subject_token: callersJwt(), subject_token_type: jwt })
  const { body: ofPlain } = await set.http(tokenRequest('plain', sent))
  assert.match(
    String(ofPlain['error_description']),
    /^subject_token cannot be used: .* is client_credentials\. Leave it out\.$/,
  )
  const { body: ofOther } = await set.http(tokenRequest('conn', sent))
  assert.match(
    String(ofOther['error_description']),
    /^subject_token_type must be urn:ietf:params:oauth:token-type:id_token/,
  )
  const made = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, { oAuth: { subjectTokenRef: 'theTokenConfig' } }),
    () => tokenAnswer(),
  )
  const { body: ofMade } = await made.http(tokenRequest('conn', sent))
  assert.match(String(ofMade['error_description']), /^subject_token cannot be used: Tokenwell makes that of this/)
  assert.deepEqual([set.requests.length, made.requests.length], [0, 0])
})

test('a refused token is an invalid_request of the caller, whatever code the server has for it', async (t) => {
  const none = { oAuth: { clientAuthentication: 'none', jwtAuthenticationTokenRef: undefined } }
  const answers = [
    ['invalid_request', {}, 400, 'invalid_request'],
    ['invalid_token', {}, 400, 'invalid_request'],
    ['invalid_grant', {}, 400, 'invalid_grant'],
    ['invalid_client', none, 400, 'invalid_request'],
    ['invalid_client', {}, 502, 'server_error'],
    ['unauthorized_client', {}, 502, 'server_error'],
  ] as const
  for (const [error, changes, status, told] of answers) {
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => elementsOf(issuer, changes),
      () => ({ status: 400, body: { error } }),
    )
    const sent = form({ subject_token: callersJwt(), subject_token_type: jwt })
    const answer = await set.http(tokenRequest('conn', sent))
    assert.deepEqual([answer.status, answer.body['error']], [status, told], error)
  }
})

test('a server that repeats the token in any place gives it to nobody', async (t) => {
  const places: readonly ((token: string) => object)[] = [
    (token) => ({ error: 'invalid_request', error_description: `the subject_token ${token} has ended` }),
    (token) => ({ error: token }),
    (token) => ({ error: 'invalid_request', error_uri: `https://as.example/${token}` }),
    (token) => ({ message: { [token]: token } }),
  ]
  for (const place of places)
    for (const token of [callersJwt(), `opaque-${callersJwt().slice(-40)}`]) {
      plant(token)
      for (const status of [200, 400, 401, 500]) {
        const set = await startIssueTokenWithScriptedServer(
          t,
          (issuer) => elementsOf(issuer),
          () => ({ status, body: place(token) }),
        )
        const answer = await set.http(tokenRequest('conn', form({ subject_token: token, subject_token_type: jwt })))
        assert.ok(answer.status >= 400)
      }
    }
})
