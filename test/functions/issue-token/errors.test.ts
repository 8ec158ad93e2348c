import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import { contextFor } from '../../support/functions/alias.ts'
import { createWorkspace, startCaller } from '../../support/functions/function-caller.ts'
import { startIssueTokenByTestClock } from '../../support/functions/issue-token-by-test-clock.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

/* The error table of the HTTP interface, row by row, each from the server's answer to the caller's. */

interface Row {
  readonly what: string
  readonly answer: ScriptedAnswer
  readonly changes?: ElementChanges
  readonly form?: string
  readonly status: number
  readonly error: string
  readonly retryAfter?: string
}

const passwordGrant: ElementChanges = { oAuth: { grantType: 'password' } }
const refuse = (error: string, status = 400): ScriptedAnswer => ({ status, body: { error } })

const rows: readonly Row[] = [
  {
    what: "the server refuses the user's password",
    answer: refuse('invalid_grant'),
    changes: passwordGrant,
    form: 'username=alice&password=wrong',
    status: 400,
    error: 'invalid_grant',
  },
  {
    what: 'the server refuses a scope that the request set',
    answer: refuse('invalid_scope'),
    form: 'scope=a',
    status: 400,
    error: 'invalid_scope',
  },
  {
    what: 'the server refuses a resource that the request set',
    answer: refuse('invalid_target'),
    form: 'resource=https://api.example',
    status: 400,
    error: 'invalid_target',
  },
  {
    what: 'the server refuses a scope that the element set',
    answer: refuse('invalid_scope'),
    changes: { oAuth: { scope: 'a' } },
    status: 500,
    error: 'server_error',
  },
  {
    what: 'the server refuses a resource that the element set',
    answer: refuse('invalid_target'),
    changes: { oAuth: { resource: 'https://api.example' } },
    status: 500,
    error: 'server_error',
  },
  { what: 'the server refuses our client', answer: refuse('invalid_client', 401), status: 502, error: 'server_error' },
  {
    what: 'the server refuses our client with 200',
    answer: refuse('invalid_client', 200),
    status: 502,
    error: 'server_error',
  },
  { what: 'the server refuses our grant', answer: refuse('unauthorized_client'), status: 502, error: 'server_error' },
  {
    what: 'the server calls a client_credentials grant invalid',
    answer: refuse('invalid_grant'),
    status: 502,
    error: 'server_error',
  },
  {
    what: 'the server calls a request with a parameter of the caller invalid',
    answer: refuse('invalid_request'),
    form: 'tenant=a',
    changes: { oAuth: { requestMay: { tenant: true } } },
    status: 400,
    error: 'invalid_request',
  },
  {
    what: 'the server calls a request without a parameter of the caller invalid',
    answer: refuse('invalid_request'),
    status: 502,
    error: 'server_error',
  },
  { what: 'the server answers with HTML', answer: { body: '<html>' }, status: 502, error: 'server_error' },
  { what: 'the server answers with a list', answer: { body: [] }, status: 502, error: 'server_error' },
  { what: 'the token is no text', answer: tokenAnswer({ access_token: {} }), status: 502, error: 'server_error' },
  {
    what: 'the token has a line break',
    answer: tokenAnswer({ access_token: 'a\nb' }),
    status: 502,
    error: 'server_error',
  },
  {
    what: 'the token is missing',
    answer: tokenAnswer({ access_token: undefined }),
    status: 502,
    error: 'server_error',
  },
  { what: 'token_type is another', answer: tokenAnswer({ token_type: 'DPoP' }), status: 502, error: 'server_error' },
  {
    what: 'the token has expired',
    answer: tokenAnswer({ expires_in: 0.5 }),
    status: 503,
    error: 'temporarily_unavailable',
    retryAfter: '1',
  },
  { what: 'the server fails with 500', answer: { status: 500, body: 'oops' }, status: 502, error: 'server_error' },
  {
    what: 'the server redirects',
    answer: { status: 307, headers: { location: 'https://other.example/' } },
    status: 502,
    error: 'server_error',
  },
  {
    what: 'the answer is larger than 64 KiB',
    answer: tokenAnswer({ padding: 'x'.repeat(70_000) }),
    status: 502,
    error: 'server_error',
  },
  {
    what: 'the answer is not UTF-8',
    answer: { body: Buffer.from([0x22, 0xff, 0x22]) },
    status: 502,
    error: 'server_error',
  },
  {
    what: 'the server asks to wait with 429',
    answer: { status: 429, headers: { 'retry-after': '60' } },
    status: 503,
    error: 'temporarily_unavailable',
    retryAfter: '60',
  },
  {
    what: 'the server is down with 503',
    answer: { status: 503 },
    status: 503,
    error: 'temporarily_unavailable',
    retryAfter: '30',
  },
  {
    what: 'what is before the server fails with 502',
    answer: { status: 502, body: '<html>' },
    status: 503,
    error: 'temporarily_unavailable',
    retryAfter: '30',
  },
]

for (const { what, answer, changes, form = '', status, error, retryAfter } of rows)
  test(`${what}: ${status} ${error}`, async (t) => {
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => exampleElements(issuer, changes),
      () => answer,
    )
    const got = await set.http(tokenRequest('conn', form))
    assert.equal(got.status, status, JSON.stringify(got.body))
    assert.equal(got.body['error'], error)
    assert.equal(got.headers['cache-control'], 'no-store')
    if (retryAfter) assert.equal(got.headers['retry-after'], retryAfter)
    assert.match(String(got.body['request_id']), /^[0-9a-f-]{36}$/)
    // RFC 6749 section 5.2 names the characters.
    assert.match(String(got.body['error_description']), /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)

    const again = await set.http(tokenRequest('conn', form))
    assert.deepEqual([again.status, again.body['error']], [status, error], 'a failure is not kept as a token')
  })

test('no answer in time: 504 temporarily_unavailable', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { server: { connectionTimeout: '200ms', receiveTimeout: '300ms' } }),
    () => undefined,
  )
  const got = await set.http(tokenRequest('conn'))
  assert.equal(got.status, 504)
  assert.equal(got.body['error'], 'temporarily_unavailable')
})

test('a slow answer is cut off at the deadline: 504', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { server: { connectionTimeout: '200ms', receiveTimeout: '500ms' } }),
    (_request, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(drip))
      return undefined
    },
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 504)
})

test('no server listens: 503 temporarily_unavailable', async (t) => {
  const caller = await startCaller(await createWorkspace(t, { ...exampleElements('https://localhost:9'), ssl: {} }))
  const got = await caller.http(tokenRequest('conn'))
  assert.equal(got.status, 503)
  assert.equal(got.headers['retry-after'], '30')
})

test('a server with an unknown CA is not trusted: 503', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({ ...exampleElements(issuer), ssl: {} }),
    () => tokenAnswer(),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 503)
  assert.equal(set.requests.length, 0, 'no credential was sent')
})

test('an unknown connection: 404 that names GET /connections', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const got = await set.http(tokenRequest('nowhere'))
  assert.equal(got.status, 404)
  assert.equal(got.body['error'], 'invalid_request')
  assert.match(String(got.body['error_description']), /nowhere.*GET \/connections/)
})

test('a disabled connection: 403 that names element and attribute, without a token request', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) =>
    exampleElements(issuer, { endpoint: { disabled: true } }),
  )
  const { status, headers, body } = await set.http(tokenRequest('conn'))
  assert.equal(status, 403)
  assert.equal(body['error'], 'connection_disabled')
  assert.match(String(body['error_description']), /disabled.*endpointConnection\/conn/)
  assert.equal(headers['retry-after'], undefined, 'to ask again is of no use')
  assert.equal((await set.invoke({ connection: 'conn' }))['error'], 'connection_disabled')
  assert.equal(set.tokenRequests(), 0)

  const list = await set.http({ method: 'GET', path: '/connections' })
  const [conn] = list.body['connections'] as Record<string, unknown>[]
  assert.deepEqual([conn?.['usable'], conn?.['disabled'], conn?.['grant_type']], [false, true, 'client_credentials'])
  assert.match(
    String(conn?.['warnings']),
    /^endpointConnection\/conn disabled: The connection is disabled: callers get no token/,
  )
})

test('another grant_type than the connection has: 400 unsupported_grant_type', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const got = await set.http(tokenRequest('conn', 'grant_type=password'))
  assert.equal(got.status, 400)
  assert.equal(got.body['error'], 'unsupported_grant_type')
})

test('elements with a mistake: 500 server_error that leaves the reason to the operator', async (t) => {
  const workspace = await createWorkspace(t, {
    ...exampleElements('https://localhost:9'),
    oAuthConfig: { theconfig: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' } },
  })
  const got = await (await startCaller(workspace)).http(tokenRequest('conn'))
  assert.equal(got.status, 500)
  assert.equal(got.body['error'], 'server_error')
  assert.doesNotMatch(String(got.body['error_description']), /theconfig/)
})

test('a missing secret, or one without a key: 500 server_error until it is corrected', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const path = secretPath(set.workspace.secretsFolder, 'local', 'tokenwell/local/jwk/theBuilder')
  await rm(path)
  assert.equal((await set.http(tokenRequest('conn'))).status, 500)
  await writeFile(path, 'not a key')
  assert.equal((await set.http(tokenRequest('conn'))).status, 500)
  assert.equal(set.tokenRequests(), 0)
})

test('an unknown route: 404', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/connections/conn/token'],
    ['POST', '/connections/conn/token/more'],
    ['PUT', '/connections'],
  ] as const) {
    const got = await set.http({ method, path })
    assert.equal(got.status, 404, `${method} ${path}`)
    assert.equal(got.body['error'], 'invalid_request')
  }
})

test("for a user's request only the caller gets the server's words, without any secret that was sent", async (t) => {
  const { channel } = await import('node:diagnostics_channel')
  const reasons: string[] = []
  const listener = (event: unknown) => reasons.push(JSON.stringify(event))
  channel('tokenwell:log').subscribe(listener)
  t.after(() => channel('tokenwell:log').unsubscribe(listener))

  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, passwordGrant),
    ({ form }) => ({ status: 400, body: { error: 'invalid_grant', error_description: say(form) } }),
  )
  let say = (_form: URLSearchParams): string => ''
  let users = 0
  // Another user each time, because a user with many refusals cools down.
  const ask = (password: string) => {
    const username = `alice.smith.${users++}`
    return set.http(tokenRequest('conn', new URLSearchParams({ username, password }).toString()))
  }

  say = () => 'locked\r\nfor 5 "minutes"'
  assert.match(String((await ask('one')).body['error_description']), /\(locked for 5 'minutes'\)/)

  const password = 'tr0ub4dor &/+'
  const sayings: ((form: URLSearchParams) => string)[] = [
    (form) => `no ${form.get('password')}`,
    () => `no ${encodeURIComponent(password)}`,
    (form) => `bad body ${form}`,
    (form) => `assertion ${form.get('client_assertion')}`,
    (form) => `no user ${form.get('username')?.toUpperCase()}`,
  ]
  for (const saying of sayings) {
    say = saying
    const got = await ask(password)
    assert.doesNotMatch(JSON.stringify(got), /tr0ub4dor|eyJ/)
    for (const text of reasons) assert.doesNotMatch(text, /tr0ub4dor|eyJ|smith|locked/i)
  }
  assert.match(JSON.stringify(await ask(password)), /\(no user ALICE\.SMITH\.\d+\)/)
  assert.ok(reasons.some((reason) => reason.includes('invalid_grant')))
})

test("words of a server that repeat the client's password are dropped", async (t) => {
  const stage = await startIssueTokenByTestClock(t, {
    changes: { server: { basicAuthRef: 'theData' }, oAuth: { jwtAuthenticationTokenRef: undefined } },
    more: { authData: { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } } },
    answer: () => ({ status: 401, body: { error: 'invalid_client', error_description: 'tr0ub4dor is wrong' } }),
  })
  const { secretsFolder } = stage.server.workspace
  await writeFile(secretPath(secretsFolder, 'local', 'tokenwell/local/the-password'), 'tr0ub4dor\n')
  await stage.handler({ connection: 'conn' }, contextFor({ connection: 'conn' }))
  const event = stage.log.at(-1)
  assert.ok(event?.event === 'request_failed')
  assert.match(event.reason, /theServer refused the token request: invalid_client\./)
})
