import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'

test('direct invocation: an object with connection and parameters returns the body of a token answer', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => exampleElements(issuer, { oAuth: { scope: 'a b' } }))
  const first = await set.invoke({ connection: 'conn', scope: 'a', minimum_seconds: 60 })
  assert.equal(first['token_type'], 'Bearer')
  assert.equal(first['scope'], 'a')
  assert.equal(first['source'], 'server')
  const second = await set.invoke({ connection: 'conn', scope: ['a'], minimum_seconds: '60' })
  assert.equal(second['source'], 'memory')
  assert.deepEqual(Object.keys(second).sort(), Object.keys(first).sort())
})

test('direct invocation: the connection may be left out, because the alias names it', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  assert.equal((await set.invoke({}))['source'], 'server')
  assert.equal((await set.invoke({ connection: '' }))['source'], 'memory')
  assert.equal((await set.invoke({ connection: 'conn' }))['source'], 'memory')
})

test('direct invocation: parameters for Tokenwell are not sent to the server', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  const own = { connection: 'conn', minimum_seconds: 60, rejected_token_id: 'AAAAAAAAAAAAAAAAAAAAAA' }
  assert.equal((await set.invoke({ ...own, scope: 'x' }))['source'], 'server')
  const names = [...(set.requests[0]?.form.keys() ?? [])].sort()
  assert.deepEqual(names, ['client_assertion', 'client_assertion_type', 'grant_type', 'scope'])
})

test('direct invocation: members without effect are ignored and named', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  const first = await set.invoke({ connection: 'conn', 'client-request-id': 'x', trace: 'y' })
  assert.deepEqual(first['ignored'], ['client-request-id', 'trace'])
  const second = await set.invoke({ connection: 'conn', 'client-request-id': 'z' })
  assert.deepEqual([second['source'], second['ignored']], ['memory', ['client-request-id']])
  assert.equal((await set.invoke({ connection: 'conn' }))['ignored'], undefined)
  for (const name of ['Connection', 'minimumSeconds', 'rejectedTokenId', 'token_id', 'Scope'])
    assert.equal((await set.invoke({ connection: 'conn', [name]: 'x' }))['status'], 400, name)
})

test('direct invocation: parameters of more than 64 KiB are refused, as over HTTP', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  const answer = await set.invoke({ connection: 'conn', tenant: 'x'.repeat(65_536) })
  assert.equal(answer['status'], 400)
  assert.match(String(answer['error_description']), /^body is larger than 64 KiB/)
  assert.equal(set.requests.length, 0)
})

test('direct invocation: rejected_token_id replaces the token', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const first = await set.invoke({ connection: 'conn' })
  const second = await set.invoke({ connection: 'conn', rejected_token_id: first['token_id'] })
  assert.equal(second['source'], 'server')
  assert.notEqual(second['token_id'], first['token_id'])
})

for (const event of [undefined, null, 'conn', 1, [], { connection: 1 }, { scope: 1 }])
  test(`direct invocation with ${JSON.stringify(event)}: an error that says what is wrong, never an exception`, async (t) => {
    const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
    const got = await set.invoke(event)
    assert.equal(got['error'], 'invalid_request')
    assert.equal(got['status'], 400)
    assert.match(String(got['error_description']), /^(connection|scope|body) /)
    assert.equal(set.requests.length, 0)
  })

test('direct invocation: an error has a status and, if waiting helps, a time to wait', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => ({
    status: 429,
    headers: { 'retry-after': '70' },
  }))
  const { error, status, retry_after } = await set.invoke({ connection: 'conn' })
  assert.deepEqual({ error, status, retry_after }, { error: 'temporarily_unavailable', status: 503, retry_after: 70 })
})

test('direct invocation: too deep nesting is an ordinary mistake', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  const nested: unknown = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)
  for (const member of ['scope', 'tenant', 'connection']) {
    const answer = await set.invoke({ connection: 'conn', [member]: nested })
    assert.equal(answer['status'], 400, member)
  }
  assert.equal(set.requests.length, 0)
})
