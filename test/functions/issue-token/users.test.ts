import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { subjectSegment } from '../../../lib/configuration/subject.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import {
  type IssueTokenWithOidcProvider,
  startIssueTokenWithOidcProvider,
} from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { type HttpRequest, tokenRequest } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { captureLog } from '../../support/output/captured-log.ts'

/* Tokens for users whom the path or the caller's JWT names, at oidc-provider. */

const alice = 'canary-alice@example.com'
const zoe = 'canary Zoë Müller'
for (const user of [alice, zoe, subjectSegment(zoe), 'canary-pid-01017012345']) plant(user)

function elementsOf(claimsFromRequest: object, issuer: string): RawElements {
  const oAuth = {
    ...{ grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', clientId: 'theClient' },
    ...{ jwtAuthenticationTokenRef: undefined, claimsFromRequest },
  }
  return exampleElements(issuer, { oAuth, tokenConfig: { tokenSubject: undefined } })
}
const taking = (claimsFromRequest: object) => (issuer: string) => elementsOf(claimsFromRequest, issuer)

function forUser(subject: string, body = ''): HttpRequest {
  return { ...tokenRequest('conn', body), path: `/connections/conn/as/${subjectSegment(subject)}/token` }
}
const byJwt = (claims: object) => ({ authorizer: { jwt: { claims, scopes: null } } })

async function userOf({ server }: IssueTokenWithOidcProvider, token: unknown): Promise<string | undefined> {
  return (await server.provider.AccessToken.find(String(token)))?.accountId
}

test('a request for a user gets a token of that user, and each user has a token of its own', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, taking({ sub: true }))
  const users = [alice, zoe, 'a/b?c*', '~YQ', '..', 'Canary-Alice@example.com']
  for (const user of users) {
    const first = await set.http(forUser(user))
    assert.deepEqual([first.status, first.body['source']], [200, 'server'], JSON.stringify(first.body))
    assert.equal(await userOf(set, first.body['access_token']), user)
    const again = await set.http(forUser(user))
    assert.deepEqual([again.body['source'], again.body['access_token']], ['memory', first.body['access_token']])
  }
  assert.equal(set.tokenRequests(), users.length)
})

test('the list of connections shows which claims a request sets, and no value and no user', async (t) => {
  const claims = { sub: [alice, zoe], department: ['canary-department'], pid: { fromCaller: 'pid' } }
  const set = await startIssueTokenWithOidcProvider(t, taking(claims))
  const { body } = await set.http({ method: 'GET', path: '/connections' })
  const [listed] = body['connections'] as Record<string, unknown>[]
  assert.deepEqual(
    [listed?.['claims_from_request'], listed?.['warm'], listed?.['warnings']],
    [['sub', 'department', 'pid'], false, []],
  )
  assert.doesNotMatch(JSON.stringify(body), /canary/)
})

test('only the route of the user takes a user: no other route, no body, no alias, and no other spelling', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, taking({ sub: true }))
  const refused: readonly (readonly [HttpRequest, RegExp])[] = [
    [tokenRequest('conn'), /^subject must be in the path/],
    [tokenRequest('conn', 'claim.sub=alice'), /^subject must be in the path/],
    [tokenRequest('conn', 'sub=alice'), /^sub cannot be set by a request/],
    [tokenRequest('conn', 'subject=alice'), /^subject cannot be set by a request/],
    [forUser('bob', 'claim.sub=alice'), /^subject must be in the path/],
    [forUser('bob', 'claim.tenant=x'), /^claim\.tenant cannot be set/],
    [{ ...tokenRequest('conn'), path: `/connections/conn/as/~${btoa('alice')}/token` }, /^subject must be written/],
    [{ ...tokenRequest('conn'), path: '/connections/conn/as/a b/token' }, /^subject must be written/],
  ]
  for (const [request, reason] of refused) {
    const { status, body } = await set.http(request)
    assert.equal(status, 400)
    assert.match(String(body['error_description']), reason)
  }
  assert.equal((await set.http({ ...tokenRequest('conn'), path: '/connections/conn/as/a/b/token' })).status, 404)
  assert.equal((await set.http({ ...forUser('bob'), method: 'DELETE' })).status, 404)
  for (const named of [{}, { 'claim.sub': 'alice' }, { sub: 'alice' }, { subject: 'alice' }])
    assert.equal((await set.invoke({ connection: 'conn', ...named }))['status'], 400, JSON.stringify(named))
  assert.equal(set.tokenRequests(), 0)
})

test('a connection without sub in claimsFromRequest has no token for a user of the path', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => exampleElements(issuer))
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  const { status, body } = await set.http(forUser('alice'))
  assert.deepEqual([status, body['error']], [400, 'invalid_request'])
  assert.match(String(body['error_description']), /^subject cannot be named for this connection/)
})

test("with fromCaller, each caller gets the token of the user in its JWT by the plain route, and no other user's", async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, taking({ sub: { fromCaller: 'email' } }), {
    environment: { TOKENWELL_CONNECTIONS_CLAIM: 'connections' },
  })
  const claims = { iss: 'https://idp.example', connections: 'conn' }
  for (const email of [alice, 'bob@example.com']) {
    const request = { ...tokenRequest('conn'), ...byJwt({ ...claims, sub: '1', email }) }
    const { status, body } = await set.http(request)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(await userOf(set, body['access_token']), email)
    assert.equal((await set.http(request)).body['source'], 'memory')
    for (const body of ['claim.sub=eve', 'sub=eve', 'claim.email=eve'])
      assert.equal((await set.http({ ...request, ...tokenRequest('conn', body) })).status, 400, body)
    assert.equal((await set.http({ ...request, ...forUser(email) })).status, 400)
  }
  for (const own of [{}, { email: '[a b]' }, { email: ['a'] }]) {
    const { status, body } = await set.http({ ...tokenRequest('conn'), ...byJwt({ ...claims, ...own }) })
    assert.deepEqual([status, body['error']], [403, 'access_denied'])
    assert.match(String(body['error_description']), /this JWT has no such claim/)
  }
  const direct = await set.invoke({ connection: 'conn' })
  assert.deepEqual([direct['status'], direct['error']], [403, 'access_denied'])
  assert.match(String(direct['error_description']), /this caller has no JWT that API Gateway has checked/)
  assert.equal(set.tokenRequests(), 2)
})

test('behind a JWT authorizer the claim of the connections decides about the route of users too', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, taking({ sub: true }), {
    environment: { TOKENWELL_CONNECTIONS_CLAIM: 'connections' },
  })
  assert.equal((await set.http({ ...forUser('bob'), ...byJwt({ connections: 'conn' }) })).status, 200)
  for (const connections of ['', 'other', 'conn2'])
    assert.equal((await set.http({ ...forUser('bob'), ...byJwt({ connections }) })).status, 403)
})

test('a listed claim is set by form, JSON and direct invocation alike, and belongs to the token key', async (t) => {
  const forms: URLSearchParams[] = []
  const set = await startIssueTokenWithScriptedServer(t, taking({ department: ['sales', 'stock'] }), ({ form }) => {
    forms.push(form)
    return tokenAnswer({ access_token: `the-token-${forms.length}` })
  })
  const json = { headers: { 'content-type': 'application/json' }, body: '{"claim.department":"sales"}' }
  const one = await set.http(tokenRequest('conn', 'claim.department=sales'))
  const same = [
    (await set.http({ ...tokenRequest('conn'), ...json })).body,
    await set.invoke({ 'claim.department': 'sales' }),
  ]
  for (const each of same) assert.deepEqual([each['source'], each['token_id']], ['memory', one.body['token_id']])
  assert.equal((await set.http(tokenRequest('conn', 'claim.department=stock'))).body['source'], 'server')
  for (const body of ['', 'claim.department=board', 'claim.department=', 'department=sales', 'claim_department=sales'])
    assert.ok((await set.http(tokenRequest('conn', body))).status === 400, body)
  assert.equal((await set.http(tokenRequest('conn', '', 'claim.department=sales'))).status, 400, 'in the query')
  const sent = forms.map((form) => decodeJwt(form.get('assertion') ?? ''))
  assert.deepEqual(
    sent.map(({ department, sub, iss }) => [department, sub, iss]),
    [
      ['sales', undefined, 'theClient'],
      ['stock', undefined, 'theClient'],
    ],
  )
  assert.ok(forms.every((form) => ![...form.keys()].some((name) => name.startsWith('claim'))))
})

test('no log of a refusal names the user: iss and sub are those of the elements, and only the caller gets the words', async (t) => {
  const log = captureLog(t)
  const set = await startIssueTokenWithScriptedServer(t, taking({ sub: true, pid: true }), () => ({
    status: 400,
    body: { error: 'invalid_grant', error_description: 'the user some.one-else is unknown' },
  }))
  const { status, body } = await set.http(forUser(alice, 'claim.pid=canary-pid-01017012345'))
  assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
  const [refused] = log.filter(({ event }) => event === 'token_request_refused')
  assert.ok(refused && 'grantAssertions' in refused)
  assert.deepEqual(
    refused.grantAssertions?.map(({ iss, sub }) => [iss, sub]),
    [['theClient', undefined]],
  )
  assert.equal(decodeJwt(set.requests[0]?.form.get('assertion') ?? '').sub, alice)
  assert.doesNotMatch(JSON.stringify(log), /canary|some\.one/)
})

test('a code or a token_type of the server that repeats the user gets into no log', async (t) => {
  const answers = [
    { status: 400, body: { error: 'canary-alice_is_unknown' } },
    { status: 400, body: { error: 'user:canary-pid-01017012345' } },
    { body: { access_token: 'x', token_type: 'token of canary-alice' } },
    { body: { user: 'canary-alice', 'canary-alice': 'x' } },
  ]
  for (const answer of answers) {
    const log = captureLog(t)
    const set = await startIssueTokenWithScriptedServer(t, taking({ sub: true, pid: true }), () => answer)
    const { status } = await set.http(forUser(alice, 'claim.pid=canary-pid-01017012345'))
    assert.ok(status >= 400)
    assert.ok(log.some(({ event }) => event === 'token_request_failed'))
    assert.doesNotMatch(JSON.stringify(log), /canary/)
  }
})

test('a caller that guesses users is stopped after ten, and other callers are not', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, taking({ sub: true }), ({ form }) =>
    decodeJwt(form.get('assertion') ?? '').sub === 'bob'
      ? tokenAnswer()
      : { status: 400, body: { error: 'invalid_grant' } },
  )
  const as = (caller: string) => ({ authorizer: { iam: { userArn: `arn:aws:iam::111122223333:user/${caller}` } } })
  for (let guess = 0; guess < 10; guess++)
    assert.equal((await set.http({ ...forUser(`guess-${guess}`), ...as('eve') })).status, 400)
  const { length } = set.requests
  assert.equal((await set.http({ ...forUser('guess-10'), ...as('eve') })).status, 400)
  assert.equal(set.requests.length, length, 'no further request')
  assert.equal((await set.http({ ...forUser('bob'), ...as('alice') })).status, 200)
})

test('where each request is for a user, a refusal that the clock may cause leads to a second attempt by the clock of the server', async (t) => {
  const ahead = 250_000
  const set = await startIssueTokenWithScriptedServer(t, taking({ sub: true }), ({ form }) => {
    const { iat = 0 } = decodeJwt(form.get('assertion') ?? '')
    return iat * 1000 < Date.now() + ahead / 2
      ? { status: 400, headers: { date: new Date(Date.now() + ahead).toUTCString() }, body: { error: 'invalid_grant' } }
      : tokenAnswer()
  })
  assert.equal((await set.http(forUser('bob'))).status, 200)
  assert.equal(set.requests.length, 2)
})
