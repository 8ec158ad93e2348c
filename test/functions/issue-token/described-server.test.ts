import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { createClientCertificate } from '../../support/servers/client-certificate.ts'
import type { ReceivedRequest } from '../../support/servers/scripted-token-endpoint.ts'

/* An authorizationServer with an issuer alone, over TLS: the metadata of the server says where its token endpoint is. */

const issuerAlone = { tokenEndpoint: undefined }

/** A server whose answers to GET are these documents, by path. Its token endpoint is anywhere a POST goes. */
async function startDescribedServer(
  t: TestContext,
  documents: (issuer: string) => Readonly<Record<string, unknown>>,
  { server = {}, ...changes }: ElementChanges & { readonly issuerPath?: string } = {},
  elements: RawElements = {},
) {
  let origin = ''
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => {
      origin = issuer
      const { issuerPath = '' } = changes
      const described = exampleElements(`${issuer}${issuerPath}`, { ...changes, server: { ...issuerAlone, ...server } })
      return Object.fromEntries(
        Object.entries({ ...elements, ...described }).map(([kind, some]) => [kind, { ...some, ...elements[kind] }]),
      )
    },
    (request) => (request.method === 'POST' ? tokenAnswer() : describe(request, documents(origin))),
  )
  const paths = () => set.requests.map(({ method, url }) => `${method} ${url}`)
  return { ...set, paths, token: () => set.http(tokenRequest('conn')) }
}

function describe({ url }: ReceivedRequest, documents: Readonly<Record<string, unknown>>): ScriptedAnswer {
  const document = documents[url]
  if (document === undefined) return { status: 404, body: { error: 'not_found' } }
  return typeof document === 'object' && document !== null && 'status' in document
    ? (document as ScriptedAnswer)
    : { body: document }
}

const oAuthPlace = '/.well-known/oauth-authorization-server'
const openIdPlace = '/.well-known/openid-configuration'

test('an issuer alone is enough: a real server says where its token endpoint is, once for all requests', async (t) => {
  const log = captureLog(t)
  const { http, server, tokenRequests } = await startIssueTokenWithOidcProvider(t, (issuer) => {
    const elements = exampleElements(issuer, { server: issuerAlone })
    return {
      ...elements,
      endpointConnection: { ...elements['endpointConnection'], other: { authenticationConfigRef: 'theConfig' } },
    }
  })
  const documents: (string | undefined)[] = []
  server.server.on('request', ({ url }: { url?: string }) => {
    if (url?.includes('well-known')) documents.push(url)
  })
  for (const connection of ['conn', 'other']) assert.equal((await http(tokenRequest(connection))).status, 200)
  assert.equal(tokenRequests(), 2)
  assert.deepEqual(documents, [oAuthPlace])
  const discovered = log.filter(({ event }) => event === 'server_discovered')
  assert.equal(discovered.length, 1)
})

test('the metadata of an issuer with a path is at the place of RFC 8414, and its token endpoint is used', async (t) => {
  const { token, paths } = await startDescribedServer(
    t,
    (origin) => ({
      [`${oAuthPlace}/tenant`]: { issuer: `${origin}/tenant`, token_endpoint: `${origin}/tenant/oauth2/token?v=2` },
    }),
    { issuerPath: '/tenant' },
  )
  assert.equal((await token()).status, 200)
  assert.deepEqual(paths(), [`GET ${oAuthPlace}/tenant`, 'POST /tenant/oauth2/token?v=2'])
})

test('a server without that document is asked for the one of OpenID Connect, after the path', async (t) => {
  const { token, paths, requests } = await startDescribedServer(
    t,
    (origin) => ({
      [`/tenant${openIdPlace}`]: { issuer: `${origin}/tenant`, token_endpoint: `${origin}/token` },
    }),
    { issuerPath: '/tenant' },
  )
  assert.equal((await token()).status, 200)
  assert.deepEqual(paths(), [`GET ${oAuthPlace}/tenant`, `GET /tenant${openIdPlace}`, 'POST /token'])
  assert.equal(requests[0]?.headers['authorization'], undefined)
})

test('a token endpoint that is written counts, and no document is read', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer),
    () => tokenAnswer(),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  assert.deepEqual(
    set.requests.map(({ method, url }) => `${method} ${url}`),
    ['POST /token'],
  )
})

test('a client with a certificate uses the endpoint for such clients, and any other client does not', async (t) => {
  const documents = (origin: string) => ({
    [oAuthPlace]: {
      issuer: origin,
      token_endpoint: `${origin}/token`,
      mtls_endpoint_aliases: { token_endpoint: `${origin}/mtls/token` },
    },
  })
  const plain = await startDescribedServer(t, documents)
  assert.equal((await plain.token()).status, 200)
  assert.equal(plain.paths().at(-1), 'POST /token')
  const certified = await startDescribedServer(
    t,
    documents,
    { server: { sslCertsRef: 'certified' } },
    {
      ssl: { certified: { keyStoreRef: 'mine', trustStoreRef: 'theTrust' } },
      keyStore: { mine: { location: 'tokenwell/local/mine' } },
    },
  )
  const { certificate, privateKey } = await createClientCertificate()
  await writeSecret(certified.workspace, 'mine', `${certificate}\n${privateKey}`)
  assert.equal((await certified.token()).status, 200)
  assert.equal(certified.paths().at(-1), 'POST /mtls/token')
})

const newHost = 'https://evil.example/token'

/** What a server may say about itself that no request may follow, and the code of the answer. */
const hostile: readonly (readonly [string, (origin: string) => unknown, RegExp])[] = [
  [
    'another issuer',
    (origin) => ({ issuer: 'https://other.example', token_endpoint: `${origin}/token` }),
    /is of another issuer than/,
  ],
  [
    'an issuer with another slash at its end',
    (origin) => ({ issuer: `${origin}/`, token_endpoint: `${origin}/token` }),
    /another slash at its end. Set issuer to/,
  ],
  ['no issuer', (origin) => ({ token_endpoint: `${origin}/token` }), /is of another issuer than/],
  [
    'a token endpoint on another host',
    (origin) => ({ issuer: origin, token_endpoint: newHost }),
    /on the host evil\.example.*add it to tokenEndpointHosts/,
  ],
  [
    'a token endpoint for certificates on another host',
    (origin) => ({ issuer: origin, token_endpoint: newHost, mtls_endpoint_aliases: { token_endpoint: newHost } }),
    /on the host evil\.example/,
  ],
  [
    'a token endpoint without TLS',
    (origin) => ({ issuer: origin, token_endpoint: `${origin}/token`.replace('https', 'http') }),
    /without TLS/,
  ],
  [
    'a token endpoint with a user',
    (origin) => ({ issuer: origin, token_endpoint: `${origin.replace('//', '//a:b@')}/token` }),
    /names no token endpoint that is a URL/,
  ],
  [
    'a token endpoint with a fragment',
    (origin) => ({ issuer: origin, token_endpoint: `${origin}/token#a` }),
    /names no token endpoint that is a URL/,
  ],
  [
    'a token endpoint that is no text',
    (origin) => ({ issuer: origin, token_endpoint: [`${origin}/token`] }),
    /names no token endpoint that is a URL/,
  ],
  ['no token endpoint', (origin) => ({ issuer: origin }), /names no token endpoint that is a URL/],
  [
    'names of a prototype',
    (origin) => ({ issuer: origin, constructor: { token_endpoint: `${origin}/token` }, toString: 1 }),
    /names no token endpoint/,
  ],
  [
    'a prototype',
    (origin) => ({ body: `{"__proto__":{"issuer":"${origin}","token_endpoint":"${origin}/token"}}`, status: 200 }),
    /is of another issuer than/,
  ],
  [
    'two token endpoints',
    (origin) => ({
      body: `{"issuer":"${origin}","token_endpoint":"${origin}/a","token_endpoint":"${origin}/token"}`,
      status: 200,
    }),
    /JSON object with each name once/,
  ],
  ['a page', () => ({ body: '<html></html>', status: 200 }), /what is not a JSON object/],
  ['a list', () => ({ body: '[]', status: 200 }), /what is not a JSON object/],
  ['nothing', () => ({ body: '', status: 200 }), /what is not a JSON object/],
  [
    'bytes that are not UTF-8',
    () => ({ body: Buffer.from([0x7b, 0xff, 0x7d]), status: 200 }),
    /what is not a JSON object/,
  ],
  ['a thousand brackets', () => ({ body: '['.repeat(1_000), status: 200 }), /what is not a JSON object/],
  [
    'more than 64 KiB',
    (origin) => ({ issuer: origin, token_endpoint: `${origin}/token`, padding: 'a'.repeat(70_000) }),
    /more than 64 KiB/,
  ],
  [
    'a redirect to its own document',
    (origin) => ({ status: 302, headers: { location: `${origin}/there` } }),
    /has no metadata|redirect/,
  ],
]

for (const [what, document, sentence] of hostile)
  test(`a server that says ${what} gets no token request, and the reason is in the log`, async (t) => {
    const log = captureLog(t)
    const { token, paths } = await startDescribedServer(t, (origin) => ({
      [oAuthPlace]: document(origin),
      '/there': { issuer: origin, token_endpoint: `${origin}/token` },
    }))
    const { status, body } = await token()
    assert.equal(status, 502, JSON.stringify(body))
    assert.deepEqual(
      paths().filter((path) => !path.includes('well-known')),
      [],
    )
    assert.doesNotMatch(JSON.stringify(body), /evil|well-known/)
    const failed = log.find(({ event }) => event === 'discovery_failed')
    assert(failed?.event === 'discovery_failed')
    assert.match(failed.reason, sentence)
    assert.match(failed.reason, /theServer|tokenEndpoint/)
  })

test('an endpoint on another host is used where the elements name the host', async (t) => {
  const there = await startDescribedServer(t, () => ({}))
  const endpoint = there.issuer.replace('localhost', '127.0.0.1')
  const log = captureLog(t)
  const { token } = await startDescribedServer(
    t,
    (origin) => ({ [oAuthPlace]: { issuer: origin, token_endpoint: `${endpoint}/token` } }),
    { server: { tokenEndpointHosts: '127.0.0.1' } },
  )
  // The certificate is for localhost alone: the request got as far as its handshake.
  assert.equal((await token()).status, 503)
  assert.ok(log.some(({ event }) => event === 'server_discovered'))
  assert.ok(!log.some(({ event }) => event === 'token_endpoint_on_new_host'))
})

test('an endpoint on a new host is in the log as its own event, with the host', async (t) => {
  const log = captureLog(t)
  const { token } = await startDescribedServer(t, (origin) => ({
    [oAuthPlace]: { issuer: origin, token_endpoint: newHost },
  }))
  await token()
  const [found] = log.filter(({ event }) => event === 'token_endpoint_on_new_host')
  assert.deepEqual(found, {
    event: 'token_endpoint_on_new_host',
    ...{ connection: 'conn', authorizationServer: 'theServer', host: 'evil.example' },
  })
})

test('a secret that is for other hosts is not sent to an endpoint that the metadata names', async (t) => {
  const { token, paths, workspace } = await startDescribedServer(
    t,
    (origin) => ({ [oAuthPlace]: { issuer: origin, token_endpoint: `${origin}/token` } }),
    { server: { basicAuthRef: 'user' }, oAuth: { jwtAuthenticationTokenRef: undefined } },
    { authData: { user: { user: 'theClient', passwordSecret: 'tokenwell/local/pw' } } },
  )
  await writeSecret(workspace, 'pw', JSON.stringify({ password: 'something', hosts: ['as.example.com'] }))
  assert.equal((await token()).status, 500)
  assert.deepEqual(paths(), [`GET ${oAuthPlace}`])
})

test('a server that is down at discovery cools down like a token endpoint: the next request is not made', async (t) => {
  const { token, attempts } = await startDescribedServer(t, () => ({ [oAuthPlace]: { status: 503 } }))
  const first = await token()
  assert.equal(first.status, 503)
  const before = attempts()
  const second = await token()
  assert.equal(second.status, 503)
  assert.equal(attempts(), before)
})

test('the elements are held against the metadata, and each difference is logged once', async (t) => {
  const log = captureLog(t)
  const { token, http } = await startDescribedServer(t, (origin) => ({
    [oAuthPlace]: {
      issuer: origin,
      token_endpoint: `${origin}/token`,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'none; DROP'],
      token_endpoint_auth_signing_alg_values_supported: ['PS256', 'ES256'],
      grant_types_supported: ['authorization_code'],
    },
  }))
  assert.equal((await token()).status, 200)
  await http(tokenRequest('conn', 'resource=https://api.example'))
  const differing = log.filter(({ event }) => event === 'metadata_differs')
  assert.deepEqual(
    differing.map((each) => each.event === 'metadata_differs' && `${each.element} ${each.attribute}`),
    [
      'oAuthConfig/theConfig clientAuthentication',
      'oAuthConfig/theConfig jwtAuthenticationTokenRef',
      'oAuthConfig/theConfig grantType',
    ],
  )
  assert.match(JSON.stringify(differing), /lists other methods: client_secret_basic\. Choose/)
})

test('a server that keeps its document back gets 5 s, and the caller an answer after it', async (t) => {
  const { http, paths } = await startSilentServer(t)
  const from = performance.now()
  const { status } = await http(tokenRequest('conn'))
  const milliseconds = performance.now() - from
  assert.equal(status, 504)
  assert.ok(milliseconds > 4_500 && milliseconds < 9_000, String(milliseconds))
  assert.deepEqual(paths(), [`GET ${oAuthPlace}`])
})

async function startSilentServer(t: TestContext) {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { server: issuerAlone }),
    (_request, response) => {
      response.writeHead(200).write('{')
      return undefined
    },
  )
  return { ...set, paths: () => set.requests.map(({ method, url }) => `${method} ${url}`) }
}
