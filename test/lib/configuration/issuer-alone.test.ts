import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isServed } from '../../../lib/configuration/connection.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { inspectConnection } from '../../../lib/configuration/resolve-connection.ts'
import { elementStoreOf, localDeployment, resolveAnyConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

const issuer = 'https://as.example.com'

async function findingsOf(t: TestContext, server: Record<string, unknown>, deployment = localDeployment) {
  const elements = exampleElements(issuer, { server: { tokenEndpoint: undefined, ...server } })
  const proxyConfig = { theProxy: { host: 'proxy.example.com', port: 3128 } }
  const store = await elementStoreOf(t, { ...elements, proxyConfig })
  const { findings } = await inspectConnection(store, deployment, 'conn')
  return findings.map((finding) => `${finding.severity} ${describeFinding(finding)}`)
}

test('an issuer alone is enough: the server is to be discovered, with the hosts that its endpoint may have', async (t) => {
  const elements = exampleElements(issuer, {
    server: { tokenEndpoint: undefined, tokenEndpointHosts: ['Tokens.Example.com'], proxyConfigRef: 'theProxy' },
  })
  const proxyConfig = { theProxy: { host: 'proxy.example.com', port: 3128, noProxy: '.example.com' } }
  const connection = await resolveAnyConn(t, { ...elements, proxyConfig })
  assert(isServed(connection))
  const { authorizationServer: server } = connection
  assert('discovery' in server)
  assert.equal(server.issuer, issuer)
  assert.equal(server.tokenEndpoint, undefined)
  assert.equal(server.proxy, undefined)
  assert.deepEqual(server.discovery, {
    hosts: ['tokens.example.com'],
    proxy: { id: 'theProxy', host: 'proxy.example.com', port: 3128 },
    noProxy: ['.example.com'],
  })
})

test('a token endpoint counts, and its server is not discovered', async (t) => {
  const connection = await resolveAnyConn(t, exampleElements(issuer))
  assert(isServed(connection))
  assert.ok(!('discovery' in connection.authorizationServer))
})

const place = 'authorizationServer/theServer'
const form = `mistake ${place} issuer: Without tokenEndpoint, it must be a URL that begins with https:// and has no space, query, fragment, user or password (RFC 8414 section 2). Correct it, or set tokenEndpoint.`

const wrong: readonly (readonly [string, Record<string, unknown>, string])[] = [
  [
    'neither tokenEndpoint nor issuer',
    { issuer: undefined },
    `mistake ${place} tokenEndpoint: Neither tokenEndpoint nor issuer says where the server is. Set issuer if the server publishes its metadata (RFC 8414), or else tokenEndpoint.`,
  ],
  ['an issuer that is a name', { issuer: 'the-server' }, form],
  ['an issuer with a query', { issuer: `${issuer}/?tenant=a` }, form],
  ['an issuer with an empty query', { issuer: `${issuer}/?` }, form],
  ['an issuer with a fragment', { issuer: `${issuer}/#a` }, form],
  ['an issuer with a user', { issuer: 'https://user@as.example.com' }, form],
  [
    'an issuer without TLS',
    { issuer: 'http://as.example.com' },
    `mistake ${place} issuer: It must begin with https:// (RFC 8414 section 2).`,
  ],
  [
    'an issuer without TLS on another machine',
    { issuer: 'http://as.example.com', allowLoopbackHttp: true },
    `mistake ${place} issuer: allowLoopbackHttp allows http:// only for localhost, 127.0.0.1 and [::1]. Use https:// for any other host.`,
  ],
  [
    'an issuer without TLS behind a proxy',
    { issuer: 'http://localhost:8080', allowLoopbackHttp: true, proxyConfigRef: 'theProxy' },
    `mistake ${place} proxyConfigRef: A request over http:// must not leave this machine through a proxy. Take this attribute out, or add localhost to noProxy of proxyConfig/theProxy.`,
  ],
  [
    'hosts with a port',
    { tokenEndpointHosts: ['tokens.example.com:443'] },
    `mistake ${place} tokenEndpointHosts: It must be one host name or a list of them, without scheme, port and path. The value is a list.`,
  ],
  [
    'hosts beside a token endpoint',
    { tokenEndpoint: `${issuer}/token`, tokenEndpointHosts: 'tokens.example.com' },
    `warning ${place} tokenEndpointHosts: It has no effect: tokenEndpoint says where the token endpoint is. Take one of the two out.`,
  ],
]

for (const [what, server, sentence] of wrong)
  test(`${what}: the finding says what to do`, async (t) => {
    assert.ok((await findingsOf(t, server)).includes(sentence), (await findingsOf(t, server)).join('\n'))
  })

test('an issuer on this machine may be without TLS where the element allows it, and not on Lambda', async (t) => {
  const server = { issuer: 'http://localhost:8080', allowLoopbackHttp: true }
  assert.deepEqual(await findingsOf(t, server), [])
  const onLambda = await findingsOf(t, server, { ...localDeployment, isLambda: true })
  assert.match(onLambda.join(), /allowLoopbackHttp: It is only for servers on your own machine/)
})
