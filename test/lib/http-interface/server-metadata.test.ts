import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Entry, mutualTlsAlias } from '../../../lib/http-interface/entry.ts'
import { readHttpEvent } from '../../../lib/http-interface/http-event.ts'
import { createHttpFunction } from '../../../lib/http-interface/http-function.ts'
import { discoveryResponse, discoveryRoutes } from '../../../lib/http-interface/server-metadata.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'

const offered = { grantTypes: ['client_credentials'], scopes: ['a'] }
const publicUrl = 'https://tokens.example.com'
const ownHost = 'abc123.execute-api.eu-central-1.amazonaws.com'
const openid = '/connections/conn/.well-known/openid-configuration'
const openidRoute = 'GET /connections/{connection}/.well-known/openid-configuration'
const oauth = '/.well-known/oauth-authorization-server'
const oauthRoute = `GET ${oauth}/connections/{connection}`

interface Asked {
  readonly path: string
  readonly host?: string | null
  readonly stage?: string
  readonly routeKey?: string
  readonly publicUrl?: string
  readonly entry?: Entry
}

/** What a function with all routes of discovery answers to such an event. */
async function ask({ path, host = ownHost, stage = '$default', routeKey = '$default', ...asked }: Asked) {
  const { publicUrl: url = publicUrl, entry = { kind: 'http' } } = asked
  const event = createHttpEvent({ method: 'GET', path, stage }) as { requestContext: object }
  const requestContext = { ...event.requestContext, domainName: host, apiId: 'abc123' }
  const routes = discoveryRoutes(url).map((route) => ({
    method: 'GET',
    path: route.path,
    answer: async (each: Parameters<typeof discoveryResponse>[1]) =>
      discoveryResponse(route, each, { publicUrl: url, offered, isForEverybody: false }),
  }))
  const answer = createHttpFunction({ routes, log() {} })
  const { statusCode, body = '' } = await answer(
    { ...event, routeKey, requestContext },
    { awsRequestId: 'x' } as never,
    entry,
  )
  return { status: statusCode, body: JSON.parse(body) as Readonly<Record<string, unknown>> }
}

async function issuerFor(asked: Asked): Promise<unknown> {
  const { status, body } = await ask(asked)
  assert.equal(status, 200)
  assert.equal(body['token_endpoint'], `${body['issuer']}/token`)
  return body['issuer']
}

test("the issuer is the URL that the client has asked: at a domain, behind base paths, and at the API's own URL with a named stage", async () => {
  for (const [asked, base] of [
    [{ path: openid, host: 'tokens.example.com' }, 'https://tokens.example.com'],
    [{ path: openid, host: 'other.example.com' }, 'https://other.example.com'],
    [{ path: `/a/b${openid}`, host: 'other.example.com', routeKey: openidRoute }, 'https://other.example.com/a/b'],
    [{ path: openid, publicUrl: `https://${ownHost}` }, `https://${ownHost}`],
    [{ path: `/prod${openid}`, stage: 'prod', publicUrl: `https://${ownHost}` }, `https://${ownHost}/prod`],
    [{ path: `${oauth}/connections/conn`, host: 'tokens.example.com' }, 'https://tokens.example.com'],
    [{ path: openid, host: 'localhost:8787', publicUrl: 'http://127.0.0.1:8787' }, 'http://localhost:8787'],
  ] as const)
    assert.equal(await issuerFor(asked), `${base}/connections/conn`)
})

test('RFC 8414 section 3.1: behind a public URL with a path, the well-known part comes before that path', async () => {
  const withPath = { host: 'tokens.example.com', publicUrl: 'https://tokens.example.com/a.b/c' }
  const path = `${oauth}/a.b/c/connections/conn`
  const expected = 'https://tokens.example.com/a.b/c/connections/conn'
  assert.equal(await issuerFor({ ...withPath, path }), expected)
  assert.equal(await issuerFor({ ...withPath, path: `/a.b/c${openid}`, routeKey: openidRoute }), expected)
  for (const other of ['/a.b', '/aXb/c', '/a.b/c/d', '//a.b/c'])
    assert.equal((await ask({ ...withPath, path: `${oauth}${other}/connections/conn` })).status, 404, other)
  const mapped = { path: `/a.b/c${oauth}/connections/conn`, routeKey: oauthRoute, host: 'tokens.example.com' }
  assert.equal(await issuerFor(mapped), expected, 'a client that appends it')
})

test('where another host leads to the URL of the API itself, the issuer begins with the public URL', async () => {
  assert.equal(await issuerFor({ path: openid }), `${publicUrl}/connections/conn`)
  assert.equal(await issuerFor({ path: `/prod${openid}`, stage: 'prod' }), `${publicUrl}/connections/conn`)
  assert.equal(await issuerFor({ path: openid, host: null }), `${publicUrl}/connections/conn`)
  const path = 'https://tokens.example.com/base'
  assert.equal(await issuerFor({ path: openid, publicUrl: path }), `${path}/connections/conn`)
  const lookalike = `xabc123.execute-api.eu-central-1.amazonaws.com`
  assert.equal(await issuerFor({ path: openid, host: lookalike }), `https://${lookalike}/connections/conn`)
})

test('the document announces what works, and nothing else', async () => {
  const issuer = 'https://tokens.example.com/connections/conn'
  const host = 'tokens.example.com'
  const server = {
    issuer,
    token_endpoint: `${issuer}/token`,
    token_endpoint_auth_methods_supported: ['none'],
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    scopes_supported: ['a'],
  }
  assert.deepEqual((await ask({ path: `${oauth}/connections/conn`, host })).body, server)
  assert.deepEqual((await ask({ path: openid, host })).body, {
    ...server,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [],
  })
  assert.deepEqual((await ask({ path: '/connections/conn/.well-known/jwks.json', host })).body, { keys: [] })
})

test('behind the alias for client certificates the client authenticates by its certificate', () => {
  const host = 'partners.example.com'
  const event = createHttpEvent({ method: 'GET', path: openid }) as { requestContext: object }
  const requestContext = { ...event.requestContext, domainName: host, apiId: 'abc123' }
  const read = readHttpEvent({ ...event, requestContext }, { kind: 'mutual_tls' })
  const [route] = discoveryRoutes()
  assert.ok(route, mutualTlsAlias)
  const named = { ...read, pathParameters: { connection: 'conn' } }
  const { body = '' } = discoveryResponse(route, named, { publicUrl, offered, isForEverybody: false })
  const { issuer, token_endpoint_auth_methods_supported: methods } = JSON.parse(body)
  assert.deepEqual([issuer, methods], [`https://${host}/connections/conn`, ['tls_client_auth']])
})

test('the name of a connection and the base path cannot leave the issuer', async () => {
  for (const name of ['a%2Fb', 'a b', 'a"b', '..%2f'])
    assert.equal((await ask({ path: `/connections/${name}/.well-known/openid-configuration` })).status, 400, name)
  const odd = await issuerFor({ path: `/a"b c${openid}`, routeKey: openidRoute, host: 'tokens.example.com' })
  assert.equal(odd, 'https://tokens.example.com/a%22b%20c/connections/conn')
})
