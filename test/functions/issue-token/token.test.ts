import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

test('a caller that names a connection gets a token from the server, then the same from memory', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)

  const first = await set.http(tokenRequest('conn'))
  assert.equal(first.status, 200)
  assert.equal(first.headers['content-type'], 'application/json')
  assert.equal(first.headers['cache-control'], 'no-store')
  assert.equal(first.body['token_type'], 'Bearer')
  assert.equal(first.body['source'], 'server')
  assert.match(String(first.body['token_id']), /^[\w-]{22}\.[\w-]{43}$/)

  const second = await set.http(tokenRequest('conn'))
  assert.equal(second.body['source'], 'memory')
  assert.equal(second.body['access_token'], first.body['access_token'])
  assert.equal(second.body['token_id'], first.body['token_id'])
  assert.equal(set.tokenRequests(), 1)
})

test('expires_in is the remaining time, not the issued lifetime', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const first = await set.http(tokenRequest('conn'))
  await pause(1100)
  const second = await set.http(tokenRequest('conn'))
  assert.equal(second.body['source'], 'memory')
  assert.ok(Number(second.body['expires_in']) < Number(first.body['expires_in']))
})

test('1,000 concurrent callers of one connection cause one token request', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const answers = await Promise.all(Array.from({ length: 1000 }, () => set.http(tokenRequest('conn'))))
  assert.equal(set.tokenRequests(), 1)
  assert.equal(new Set(answers.map(({ body }) => body['access_token'])).size, 1)
  assert.ok(answers.every(({ status }) => status === 200))
})

test('1,000 concurrent callers share a refusal of the server, too', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => ({
    status: 401,
    body: { error: 'invalid_client' },
  }))
  const answers = await Promise.all(Array.from({ length: 1000 }, () => set.http(tokenRequest('conn'))))
  assert.equal(set.requests.length, 1)
  assert.ok(answers.every(({ status }) => status === 502))
})

test('two connections never share a token, nor do two users, scopes, resources, audiences or parameters', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => {
      const may = { scope: true, resource: true, audience: true, tenant: true }
      const elements = exampleElements(issuer, { oAuth: { requestMay: may } })
      return {
        ...elements,
        oAuthConfig: {
          ...elements['oAuthConfig'],
          thePasswordConfig: {
            grantType: 'password',
            authServerRef: 'theServer',
            jwtAuthenticationTokenRef: 'theTokenConfig',
          },
        },
        endpointConnection: {
          ...elements['endpointConnection'],
          other: { authenticationConfigRef: 'theConfig' },
          users: { authenticationConfigRef: 'thePasswordConfig' },
        },
      }
    },
    () => tokenAnswer(),
  )
  const requests = [
    tokenRequest('conn'),
    tokenRequest('other'),
    tokenRequest('conn', 'scope=a'),
    tokenRequest('conn', 'scope=b'),
    tokenRequest('conn', 'scope=a+b'),
    tokenRequest('conn', 'resource=https://a.example'),
    tokenRequest('conn', 'resource=https://a.example&resource=https://b.example'),
    tokenRequest('conn', 'audience=https://a.example'),
    tokenRequest('conn', 'tenant=a'),
    tokenRequest('conn', 'tenant=b'),
    tokenRequest('users', 'username=alice&password=one'),
    tokenRequest('users', 'username=alice&password=two'),
    tokenRequest('users', 'username=bob&password=one'),
  ]
  const tokens = new Set<unknown>()
  for (const request of requests) {
    const answer = await set.http(request)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    tokens.add(answer.body['access_token'])
  }
  assert.equal(tokens.size, requests.length)

  const reordered = await set.http(tokenRequest('conn', 'scope=b+a+b'))
  assert.equal(reordered.body['source'], 'memory', 'the order of scopes changes nothing')
})

test('an expired token is not handed out: the server is asked again', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer({ expires_in: 3 }))
  const first = await set.http(tokenRequest('conn'))
  assert.equal(first.body['expires_in'], 2)
  await pause(2100)
  const second = await set.http(tokenRequest('conn'))
  assert.equal(second.body['source'], 'server', 'within the margin of a second before it expires')
  assert.notEqual(second.body['access_token'], first.body['access_token'])
})

test('minimum_seconds: a token with too little time left is replaced once it is 10 s old, and is a 400 until then', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer({ expires_in: 300 }))
  await set.http(tokenRequest('conn'))
  await pause(1100)
  assert.equal((await set.http(tokenRequest('conn', '', 'minimum_seconds=298'))).body['source'], 'memory')
  assert.equal((await set.http(tokenRequest('conn', '', 'minimum_seconds=299'))).status, 400)
  await pause(9_000)
  assert.equal((await set.http(tokenRequest('conn', '', 'minimum_seconds=295'))).body['source'], 'server')
})

test('minimum_seconds: more than the lifetime of a new token is a 400 that states the lifetime, without a second token request', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer({ expires_in: 300 }))
  for (const minimum of [301, 300]) {
    const answer = await set.http(tokenRequest('conn', '', `minimum_seconds=${minimum}`))
    assert.equal(answer.status, 400)
    assert.equal(answer.body['error'], 'invalid_request')
    assert.match(String(answer.body['error_description']), /^minimum_seconds .*300 s/)
  }
  assert.equal(set.requests.length, 1)
})

test('rejected_token_id: the rejected token is not handed out again, and 1,000 rejections cause one token request', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const first = await set.http(tokenRequest('conn'))
  const reject = tokenRequest('conn', '', `rejected_token_id=${first.body['token_id']}`)

  const answers = await Promise.all(Array.from({ length: 1000 }, () => set.http(reject)))
  assert.equal(set.tokenRequests(), 2)
  for (const { status, body } of answers) {
    assert.equal(status, 200)
    assert.notEqual(body['access_token'], first.body['access_token'])
  }
})

test('a token that replaced a rejected one is not replaced again within 10 s: 503 says when', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const first = await set.http(tokenRequest('conn'))
  const second = await set.http(tokenRequest('conn', '', `rejected_token_id=${first.body['token_id']}`))
  const third = await set.http(tokenRequest('conn', '', `rejected_token_id=${second.body['token_id']}`))
  assert.equal(third.status, 503)
  assert.equal(third.body['error'], 'temporarily_unavailable')
  const wait = Number(third.headers['retry-after'])
  assert.ok(wait >= 9 && wait <= 10, `Retry-After is ${wait}`)
  assert.equal(set.tokenRequests(), 2)
})

test('DELETE drops a token only if it is still the current one, and answers 204 in both cases', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const first = await set.http(tokenRequest('conn'))
  const drop = (query: string) => set.http({ method: 'DELETE', path: '/connections/conn/token', query })

  assert.equal((await drop('token_id=AAAAAAAAAAAAAAAAAAAAAA')).status, 204)
  assert.equal((await set.http(tokenRequest('conn'))).body['source'], 'memory', 'another id dropped nothing')

  assert.equal((await drop(`token_id=${first.body['token_id']}`)).status, 204)
  const second = await set.http(tokenRequest('conn'))
  assert.equal(second.body['source'], 'server')

  assert.equal((await drop(`token_id=${first.body['token_id']}`)).status, 204)
  assert.equal((await drop(`token_id=${second.body['token_id']}`)).status, 204)
  assert.equal((await set.http(tokenRequest('conn'))).body['source'], 'memory', 'replaced a moment ago: it stays')
  assert.equal(set.tokenRequests(), 2)
})

test('a token id is valid under its own connection only', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => {
    const elements = exampleElements(issuer)
    return {
      ...elements,
      endpointConnection: { ...elements['endpointConnection'], other: { authenticationConfigRef: 'theConfig' } },
    }
  })
  const first = await set.http(tokenRequest('conn'))
  await set.http({ method: 'DELETE', path: '/connections/other/token', query: `token_id=${first.body['token_id']}` })
  assert.equal((await set.http(tokenRequest('conn'))).body['source'], 'memory')
})

for (const query of ['', 'token_id=', 'token_id=short', 'token_id=AAAAAAAAAAAAAAAAAAAAAA%2F', 'other=1'])
  test(`DELETE with the query ${JSON.stringify(query)} is a 400`, async (t) => {
    const set = await startIssueTokenWithOidcProvider(t, exampleElements)
    const answer = await set.http({ method: 'DELETE', path: '/connections/conn/token', query })
    assert.equal(answer.status, 400)
    assert.equal(answer.body['error'], 'invalid_request')
  })

test('a token that arrives inside its margin goes to waiting callers and is not kept', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { server: { marginSeconds: 60 } }),
    () => tokenAnswer({ expires_in: 30 }),
  )
  const answers = await Promise.all([set.http(tokenRequest('conn')), set.http(tokenRequest('conn'))])
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body['expires_in']]),
    [
      [200, 29],
      [200, 29],
    ],
  )
  assert.equal(set.requests.length, 1)
  assert.equal((await set.http(tokenRequest('conn'))).body['source'], 'server')
})
