import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exampleElements } from '../support/elements/elements.ts'
import { startCaller } from '../support/functions/function-caller.ts'
import { startIssueTokenWithOidcProvider, users } from '../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'

/* What a caller who may use a connection can't get from it. */

test("a password yields only its own user's token, from every cache, and a wrong one yields no token", async (t) => {
  const environment = { TOKENWELL_CACHE: 'memory:password-of-its-user' }
  const set = await startIssueTokenWithOidcProvider(
    t,
    (issuer) => exampleElements(issuer, { oAuth: { grantType: 'password' } }),
    {
      environment,
    },
  )
  const other = await startCaller(set.workspace, environment)
  const ask = async ({ http }: typeof other, username: string, password: string | undefined) => {
    const form = new URLSearchParams({ username, password: password ?? '' }).toString()
    return (await http(tokenRequest('conn', form))).body
  }
  const [alice, bob] = [await ask(set, 'alice', users.get('alice')), await ask(set, 'bob', users.get('bob'))]
  assert.notEqual(alice['access_token'], bob['access_token'])
  for (const [user, token] of Object.entries({ alice, bob })) {
    assert.equal((await ask(set, user, users.get(user)))['source'], 'memory', "it is in this process's memory")
    const hit = await ask(other, user, users.get(user))
    assert.deepEqual([hit['source'], hit['access_token']], ['cache', token['access_token']], 'and in the shared cache')
  }

  for (const caller of [set, other])
    for (const [user, password] of [
      ['alice', users.get('bob')],
      ['bob', users.get('alice')],
      ['alice', `${users.get('alice')} `],
      ['ALICE', users.get('alice')],
      ['alice', '*'],
    ] as const) {
      const answer = await ask(caller, user, password)
      assert.equal(answer['access_token'], undefined, `${user} with another password`)
      assert.ok(answer['error'])
    }
  const none = await set.http(tokenRequest('conn', 'username=alice'))
  assert.equal(none.body['access_token'], undefined, 'and no token without a password')
})

test('a request may repeat or narrow what an element sets, but not widen it', async (t) => {
  const oAuth = {
    scope: 'read write',
    resource: ['https://api.example/a'],
    audience: 'the-audience',
    parameters: { tenant: 'one' },
  }
  const { http, requests } = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth }),
    () => tokenAnswer(),
  )
  const ask = async (form: Record<string, string>) =>
    (await http(tokenRequest('conn', new URLSearchParams(form).toString()))).status
  for (const form of [
    { scope: 'read admin' },
    { scope: 'admin' },
    { resource: 'https://api.example/b' },
    { audience: 'another' },
    { tenant: 'two' },
    { grant_type: 'password' },
    { username: 'alice', password: String(users.get('alice')) },
  ] as Record<string, string>[])
    assert.equal(await ask(form), 400, JSON.stringify(form))
  assert.equal(requests.length, 0, 'nothing of it is asked for')
  assert.equal(await ask({ scope: 'read', audience: 'the-audience', tenant: 'one' }), 200)
  assert.equal(requests[0]?.form.get('scope'), 'read')

  // What a client library says about itself is not part of the request for a token.
  const own = { client_id: 'another', client_secret: 'of my own', client_assertion: 'of.my.own' }
  await ask({ ...own, scope: 'write' })
  for (const { form, headers } of requests)
    for (const value of Object.values(own)) assert.ok(!`${form} ${JSON.stringify(headers)}`.includes(value), value)
})

test('no spelling of a parameter gets past what the element or Tokenwell sets', async (t) => {
  const oAuth = { scope: 'read', parameters: { 'tenant.id': 'one' } }
  const { http, requests } = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth }),
    () => tokenAnswer(),
  )
  for (const name of [
    ...['tenant_id', 'tenant-id', 'Tenant.Id', 'TENANT_ID', 'tenantid', 'tenant..id'],
    ...[
      'Scope',
      'SCOPE',
      's_cope',
      'grant.type',
      'Grant_Type',
      'grant-type',
      'client.id',
      'CLIENT_ID',
      'client.secret',
    ],
    ...['client.assertion', 'client_assertion.type', 'Resource', 'Audience', 'user.name', 'USERNAME', 'pass_word'],
  ])
    for (const [form, query] of [
      [`${name}=other`, ''],
      ['', `${name}=other`],
    ] as const) {
      const { status, body } = await http(tokenRequest('conn', form, query))
      assert.equal(status, 400, name)
      assert.match(String(body['error_description']), /Did you mean|the same name/)
    }
  assert.equal(requests.length, 0, 'nothing of it is asked for')
})

test('an unknown parameter is ignored and named, makes no other token and is sent nowhere', async (t) => {
  const { http, requests } = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  const first = await http(tokenRequest('conn', 'client-request-id=1&trace=2'))
  assert.equal(first.headers['tokenwell-ignored'], 'client-request-id, trace')
  for (let index = 0; index < 20; index++) {
    const again = await http(tokenRequest('conn', index % 2 ? `trace=${index}` : '', `client-request-id=${index}`))
    assert.deepEqual([again.status, again.body['source']], [200, 'memory'])
  }
  assert.equal((await http(tokenRequest('conn'))).headers['tokenwell-ignored'], undefined)
  const many = Array.from({ length: 90 }, (_, index) => `${'x'.repeat(120)}${index}=1`).join('&')
  const { headers } = await http(tokenRequest('conn', many))
  assert.ok(String(headers['tokenwell-ignored']).length < 2_048)
  assert.equal(requests.length, 1)
  assert.doesNotMatch(String(requests[0]?.form), /trace|request-id/)
})
