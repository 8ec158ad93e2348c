import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type StrictGitHub, startStrictGitHub } from '../support/servers/strict-github.ts'
import { type Call, callByHand, clock, now, otherRsa, rsa, withClaims } from './hand-made-call.ts'

const claims = { iss: 'Iv1.client', iat: now - 60, exp: now + 540 }
const tokenCall: Call = {
  method: 'POST',
  path: '/app/installations/42/access_tokens',
  headers: { 'user-agent': 'a client', accept: 'application/vnd.github+json' },
  header: { alg: 'RS256', typ: 'JWT' },
  claims,
  key: rsa.privateKey,
}
const apiCall: Call = { path: '/installation/repositories', headers: { 'user-agent': 'a client' } }

async function strictGitHub(t: TestContext, more = {}): Promise<StrictGitHub> {
  const github = await startStrictGitHub(t, {
    appId: '12345',
    clientId: 'Iv1.client',
    installations: { 42: { permissions: { contents: 'write', metadata: 'read' }, repositories: ['one', 'two'] } },
    ...clock,
    ...more,
  })
  github.register('theKey', rsa.publicKey)
  return github
}

const undecodable = /A JSON web token could not be decoded/
const expired = /'exp'\) must be a numeric value/
const issuedInFuture = /'iat'\) must be an Integer/
const notGranted = /permissions requested are not granted/
const noRepository = /at least one repository/

const deviations: Readonly<Record<string, readonly [Call, status: number, message: RegExp]>> = {
  'no User-Agent': [{ headers: { 'user-agent': undefined } }, 403, /User-Agent/],
  'XML as Accept': [{ headers: { accept: 'application/xml' } }, 415, /Unsupported 'Accept' header/],
  'a GET': [{ method: 'GET' }, 404, /Not Found/],
  'another path': [{ path: '/app/installations/42/tokens' }, 404, /Not Found/],
  'an unknown installation': [{ path: '/app/installations/43/access_tokens' }, 404, /Not Found/],
  'no Authorization': [{ headers: { authorization: undefined } }, 401, undecodable],
  'the scheme token': [{ scheme: 'token' }, 401, undecodable],
  'no JWT': [{ changed: () => 'a.b' }, 401, undecodable],
  'another algorithm': [{ header: { alg: 'PS256' } }, 401, undecodable],
  'a further header': [{ header: { jku: 'https://as.example/jwks' } }, 401, undecodable],
  'another key': [{ key: otherRsa.privateKey }, 401, undecodable],
  'claims that were not signed': [{ changed: withClaims({ ...claims, exp: now + 500 }) }, 401, undecodable],
  'another issuer': [{ claims: { iss: 'another' } }, 404, /Integration not found/],
  'no issuer': [{ claims: { iss: undefined } }, 404, /Integration not found/],
  'an audience': [{ claims: { aud: 'https://api.github.com' } }, 401, undecodable],
  'a jti': [{ claims: { jti: 'the-id' } }, 401, undecodable],
  'an end in the past': [{ claims: { exp: now } }, 401, expired],
  'no end': [{ claims: { exp: undefined } }, 401, expired],
  'an end with a fraction': [{ claims: { exp: now + 0.5 } }, 401, expired],
  'an end in 601 s': [{ claims: { exp: now + 601 } }, 401, /'exp'\) is too far in the future/],
  'a begin in 1 s': [{ claims: { iat: now + 1 } }, 401, issuedInFuture],
  'no begin': [{ claims: { iat: undefined } }, 401, issuedInFuture],
  'a body that is not JSON': [{ body: 'permissions=read' }, 400, /Problems parsing JSON/],
  'permissions as a text': [{ body: { permissions: 'read' } }, 400, /Problems parsing JSON/],
  'an unknown member': [{ body: { scope: 'contents' } }, 422, /"scope" is not a permitted key/],
  'a permission that the installation lacks': [{ body: { permissions: { issues: 'read' } } }, 422, notGranted],
  'a higher permission': [{ body: { permissions: { metadata: 'write' } } }, 422, notGranted],
  'an unknown access': [{ body: { permissions: { contents: 'all' } } }, 422, notGranted],
  'a repository of another installation': [{ body: { repositories: ['one', 'three'] } }, 422, noRepository],
  'no repository': [{ body: { repositories: [] } }, 422, noRepository],
}

for (const [deviation, [changes, status, message]] of Object.entries(deviations))
  test(`GitHub refuses a request for a token with ${deviation}`, async (t) => {
    const github = await strictGitHub(t)
    const answer = await callByHand(github, tokenCall, changes)
    assert.equal(answer.status, status)
    if (status === 403) assert.match(answer.text, message)
    else assert.match(String(answer.body['message']), message)
    assert.deepEqual([github.accepted.length, github.issued.length, github.refusals.length], [0, 0, 1])
  })

test('GitHub issues a token of one hour for what the installation has', async (t) => {
  const github = await strictGitHub(t)
  const { status, body } = await callByHand(github, tokenCall)
  assert.equal(status, 201)
  const { token, ...others } = body
  assert.match(String(token), /^ghs_\w{36}$/)
  assert.deepEqual(others, {
    expires_at: '2027-01-15T09:00:00Z',
    permissions: { contents: 'write', metadata: 'read' },
    repository_selection: 'selected',
  })
  assert.deepEqual(github.issued, [token])
})

test('GitHub accepts the id of the app, a kid, an end in 600 s and a body, and a JWT twice', async (t) => {
  const github = await strictGitHub(t)
  const body = { permissions: { contents: 'read' }, repositories: ['two'] }
  const changes = { header: { kid: 'theKey' }, claims: { iss: 12345, iat: now, exp: now + 600 }, body }
  const first = await callByHand(github, tokenCall, changes)
  const second = await callByHand(github, tokenCall, changes)
  assert.deepEqual([first.status, second.status], [201, 201])
  assert.deepEqual(first.body['repositories'], [{ name: 'two' }])
  const { body: onlyPermissions } = await callByHand(github, tokenCall, { body: { permissions: { metadata: 'read' } } })
  assert.deepEqual([onlyPermissions['permissions'], onlyPermissions['repositories']], [{ metadata: 'read' }, undefined])
  assert.notEqual(first.body['token'], second.body['token'])
})

test('the API of GitHub takes an issued token with Bearer or token, until it ends or is revoked', async (t) => {
  let seconds = now
  const github = await strictGitHub(t, { now: () => seconds * 1000 })
  const { body } = await callByHand(github, tokenCall, { body: { repositories: ['one'] } })
  const call = async (authorization?: string) => {
    const answer = await callByHand(github, apiCall, { headers: { authorization } })
    return [answer.status, answer.body['message'] ?? answer.body['total_count']]
  }
  assert.deepEqual(await call(`Bearer ${body['token']}`), [200, 1])
  assert.deepEqual(await call(`token ${body['token']}`), [200, 1])
  assert.deepEqual(await call(`Basic ${body['token']}`), [401, 'Bad credentials'])
  assert.deepEqual(await call('Bearer ghs_another'), [401, 'Bad credentials'])
  assert.deepEqual(await call(), [401, 'Requires authentication'])
  seconds += 3600
  assert.deepEqual(await call(`Bearer ${body['token']}`), [401, 'Bad credentials'])
  seconds = now
  github.revoke(String(body['token']))
  assert.deepEqual(await call(`Bearer ${body['token']}`), [401, 'Bad credentials'])
})
