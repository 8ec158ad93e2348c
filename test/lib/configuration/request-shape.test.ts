import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'

/* What odd servers want of a token request. */

function elementsWith(changes: ElementChanges): RawElements {
  return exampleElements(exampleIssuer, changes)
}

test('the separator of scopes is a blank unless the server has another one', async (t) => {
  for (const scopeSeparator of [undefined, ' ']) {
    const { authorizationServer } = await resolveConn(t, elementsWith({ server: { scopeSeparator } }))
    assert.equal('scopeSeparator' in authorizationServer, false)
  }
  for (const scopeSeparator of [',', ';', '|']) {
    const { authorizationServer } = await resolveConn(t, elementsWith({ server: { scopeSeparator } }))
    assert.equal(authorizationServer.scopeSeparator, scopeSeparator)
  }
  for (const scopeSeparator of ['', '+', ', ', ':', 1])
    assertLines(await mistakesOf(t, elementsWith({ server: { scopeSeparator } })), [
      /^authorizationServer\/theServer scopeSeparator: It must be a blank, a comma, a semicolon or \|\./,
    ])
})

test('a scope with the scopeSeparator of the element in it is a mistake, wherever it is written', async (t) => {
  const server = { scopeSeparator: ',' }
  const mistake = (attribute: string) => [
    new RegExp(
      `^oAuthConfig/theConfig ${attribute}: The scope "a,b" contains the scopeSeparator of authorizationServer`,
    ),
  ]
  const mistakes = (oAuth: object) => mistakesOf(t, elementsWith({ server, oAuth: { ...oAuth } }))
  assertLines(await mistakes({ scope: 'c a,b' }), mistake('scope'))
  assertLines(await mistakes({ scope: 'c', requestMay: { scope: ['a,b'] } }), mistake('requestMay'))
  assertLines(await mistakes({ defaultScope: 'a,b', requestMay: { scope: true } }), mistake('defaultScope'))
  const oAuth = { scope: 'c', requestMay: { scope: ['a b'] } }
  await resolveConn(t, elementsWith({ oAuth }))
  const { parameters } = await resolveConn(t, elementsWith({ server, oAuth: { scope: 'a b;c' } }))
  assert.deepEqual(parameters.scope, ['a', 'b;c'])
})

const secret = { secret: 'tokenwell/local/the-header' }
const withHeaders = (headers: unknown, changes: ElementChanges = {}) =>
  elementsWith({ ...changes, server: { ...changes.server, headers } })

test('headers are texts or names of secrets, by their names in lower case', async (t) => {
  const headers = { 'X-Tenant': 'a b', 'Ocp-Apim-Subscription-Key': secret, Accept: '*/*', 'User-Agent': 'orders/1' }
  const { authorizationServer, warnings } = await resolveConn(t, withHeaders(headers))
  assert.deepEqual(authorizationServer.headers, {
    'x-tenant': 'a b',
    'ocp-apim-subscription-key': secret,
    accept: '*/*',
    'user-agent': 'orders/1',
  })
  assert.deepEqual(warnings, [])
  const none = await resolveConn(t, withHeaders({}))
  assert.equal('headers' in none.authorizationServer, false)
})

const refusedHeaders = [
  ...['Host', 'Content-Type', 'content-length', 'Content-Encoding', 'Accept-Encoding', 'Cookie', 'DPoP', 'Expect'],
  ...['Connection', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings'],
  ...['Proxy-Authorization', 'Proxy-Connection'],
]

for (const name of refusedHeaders)
  test(`the header ${name} is a mistake`, async (t) => {
    for (const value of ['x', secret])
      assertLines(await mistakesOf(t, withHeaders({ [name]: value })), [
        new RegExp(`^authorizationServer/theServer headers: Take out the header ${name}: `),
      ])
  })

/* A mistake for each value of `headers`. */
const wrongHeaders: readonly (readonly [unknown, RegExp])[] = [
  ['x', /It must be an object that gives each header a text or the name of a secret/],
  [{ 'X Tenant': 'a' }, /A header name may have only letters, digits and /],
  [{ '': 'a' }, /A header name may have only/],
  [{ 'X-Ténant': 'a' }, /A header name may have only/],
  [{ 'X-A': '' }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': ' a' }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 'a ' }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 'a\r\nX-B: b' }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 'a\tb' }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 'é' }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 'a'.repeat(4097) }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 1 }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': { secret: 1 } }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': { secret: secret.secret, more: 'x' } }, /The value of X-A must be printable ASCII/],
  [{ 'X-A': 'a', 'x-a': 'b' }, /Keep only one of the headers X-A and x-a: case does not count/],
  [{ Authorization: 'Basic dXNlcjpwYXNzd29yZA==' }, /The value of Authorization is a secret/],
  [{ 'X-A': { secret: 'tokenwell/prod/x' } }, /The value of secret for the header x-a names a secret of another stage/],
  [
    { 'X-A': { secret: 'hunter2' } },
    /The value of secret for the header x-a must be the name of a secret under tokenwell\/local\//,
  ],
  [{ 'X-A': { secret: 'tokenwell/local/cache' } }, /must name another secret/],
  [{ 'X-A': { secret: 'tokenwell/local/jwk/theBuilder' } }, /must name another secret/],
]

for (const [headers, line] of wrongHeaders)
  test(`a mistake: the headers ${JSON.stringify(headers).slice(0, 60)}`, async (t) => {
    const lines = await mistakesOf(t, withHeaders(headers))
    assertLines(lines, [line])
    assert.doesNotMatch(lines.join(), /hunter2|dXNl/)
  })

test('a header whose name suggests a secret draws a warning, unless its value is in the secret store', async (t) => {
  for (const name of ['X-API-Key', 'apikey', 'x-auth-token', 'Client-Secret']) {
    const { warnings } = await resolveConn(t, withHeaders({ [name]: 'a' }))
    assert.match(String(warnings[0]?.sentence), /suggests a secret. Keep its value in the secret store/)
    assert.deepEqual((await resolveConn(t, withHeaders({ [name]: secret }))).warnings, [])
  }
  for (const name of ['X-Author', 'X-Keyspace', 'X-Tenant'])
    assert.deepEqual((await resolveConn(t, withHeaders({ [name]: 'a' }))).warnings, [])
})

test('Authorization is for a client without another method, which it then authenticates', async (t) => {
  const headers = { Authorization: secret }
  assertLines(await mistakesOf(t, withHeaders(headers)), [
    /^authorizationServer\/theServer headers: It has Authorization, but the client of oAuthConfig\/theConfig authenticates/,
  ])
  const none = { clientAuthentication: 'none', jwtAuthenticationTokenRef: undefined }
  const { clientId, clientAuthentication, grant } = await resolveConn(
    t,
    withHeaders(headers, { oAuth: { ...none, clientId: 'theClient' } }),
  )
  assert.deepEqual(
    [clientId, clientAuthentication, grant],
    ['theClient', { method: 'none', sendClientId: true }, { type: 'client_credentials' }],
  )
  assertLines(await mistakesOf(t, withHeaders(headers, { oAuth: none })), [/clientId: It is required for a client/])
  assertLines(await mistakesOf(t, withHeaders({ 'X-A': 'a' }, { oAuth: { ...none, clientId: 'theClient' } })), [
    /clientAuthentication: none leaves a token request .* without a proof of its sender/,
  ])
})

const inQuery = (parametersInQuery: unknown, tokenEndpoint = `${exampleIssuer}/token`) =>
  elementsWith({ server: { parametersInQuery, tokenEndpoint } })

test('parameters in the query are a name or a list of names', async (t) => {
  for (const names of [
    'account_id',
    ['account_id'],
    ['grant_type', 'scope', 'resource', 'audience', 'subject_token_type'],
  ]) {
    const { authorizationServer } = await resolveConn(t, inQuery(names))
    assert.deepEqual(authorizationServer.parametersInQuery, [names].flat())
  }
})

const refusedInQuery = [
  ...['client_id', 'client_secret', 'client_assertion', 'client_assertion_type', 'assertion', 'username', 'password'],
  ...['subject_token', 'actor_token', 'refresh_token', 'code', 'authorization_details', 'minimum_seconds'],
  ...['api_key', 'apikey', 'X-API-KEY', 'my_secret', 'passphrase', 'pin'],
]

for (const name of refusedInQuery)
  test(`the parameter ${name} in the query is a mistake`, async (t) => {
    assertLines(await mistakesOf(t, inQuery(['tenant', name])), [
      new RegExp(
        `^authorizationServer/theServer parametersInQuery: Take out the parameter ${name}: a query gets into logs`,
      ),
    ])
  })

test('another spelling of a parameter, and one that is sent twice, are mistakes in the query', async (t) => {
  for (const [names, line] of [
    ['client.id', /Take out the parameter client\.id: some servers read it as client_id/],
    ['Grant_Type', /Take out the parameter Grant_Type: some servers read it as grant_type/],
    [['tenant.id', 'tenant_id'], /Keep only one of the parameters tenant\.id and tenant_id/],
    ['a b', /A parameter name may have only letters/],
    [1, /It must be the name of one parameter or a list of names/],
  ] as const)
    assertLines(await mistakesOf(t, inQuery(names)), [line])
  assertLines(await mistakesOf(t, inQuery('tenant-id', `${exampleIssuer}/token?tenant_id=1`)), [
    /parametersInQuery: The query of tokenEndpoint has the parameter tenant-id too/,
  ])
})
