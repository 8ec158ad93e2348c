import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ProtectedApi } from '../../../lib/configuration/api.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import {
  assertLines,
  exampleIssuer,
  findingsOf,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'

const host = 'https://api.example.com'

async function theApi(t: TestContext, changes: ElementChanges, more: RawElements = {}): Promise<ProtectedApi> {
  const elements = { ...exampleElements(exampleIssuer, changes), ...more }
  const { api, warnings } = await resolveConn(t, elements)
  assert.deepEqual(warnings.map(describeFinding), [])
  assert.ok(api?.origin !== undefined)
  return api
}

test('an API with only a host gets all defaults', async (t) => {
  assert.deepEqual(await theApi(t, { endpoint: { host } }, { ssl: {} }), {
    origin: host,
    basePath: '',
    tls: { minimumVersion: 'TLSv1.2' },
    connectTimeoutMilliseconds: 30_000,
    receiveTimeoutMilliseconds: 60_000,
  })
})

const origins: readonly (readonly [object, string])[] = [
  [{ host: 'HTTPS://API.example.com/' }, 'https://api.example.com'],
  [{ host, port: 443 }, 'https://api.example.com'],
  [{ host, port: '8443' }, 'https://api.example.com:8443'],
  [{ host: 'https://api.example.com:8443' }, 'https://api.example.com:8443'],
  [{ host: 'https://10.0.0.1', port: 1 }, 'https://10.0.0.1:1'],
  [{ host: 'https://[2001:DB8::1]', port: 65_535 }, 'https://[2001:db8::1]:65535'],
]
for (const [endpoint, origin] of origins)
  test(`calls of ${JSON.stringify(endpoint)} go to ${origin}`, async (t) => {
    assert.equal((await theApi(t, { endpoint: { ...endpoint } })).origin, origin)
  })

const basePaths = [
  ['/', ''],
  ['/orders', '/orders'],
  ['/orders/', '/orders'],
  ['/orders/v1/', '/orders/v1'],
  ["/a.b/.well-known/...;v=1/~!$&'()*+,;=:@-_", "/a.b/.well-known/...;v=1/~!$&'()*+,;=:@-_"],
] as const
for (const [domainBasePath, basePath] of basePaths)
  test(`the base path ${domainBasePath} is put before a call's path as ${JSON.stringify(basePath)}`, async (t) => {
    assert.equal((await theApi(t, { endpoint: { host, domainBasePath } })).basePath, basePath)
  })

test('the TLS settings of an API are those of the connection, or else the defaults, whatever the authorization server has', async (t) => {
  const keyStore = {
    apiCa: { location: 'tokenwell/local/api-ca' },
    apiClient: { location: 'tokenwell/local/api-client' },
    standIn: { location: 'tokenwell/local/stand-in-ca' },
    serverCa: { location: 'tokenwell/local/server-ca' },
  }
  const ssl = {
    api: { trustStoreRef: 'apiCa', keyStoreRef: 'apiClient', sslProtocol: 'TLSv1.3' },
    byDefault: { keyStoreRef: 'apiClient' },
    server: { trustStoreRef: 'serverCa' },
    defaultSSLConfig: { trustStoreRef: 'standIn' },
  }
  const server = { sslCertsRef: 'server' }
  const sslDefault = { default: { sslRef: 'byDefault' } }

  const named = await theApi(t, { server, endpoint: { host, sslCertsRef: 'api' } }, { keyStore, ssl, sslDefault })
  assert.deepEqual(named.tls, {
    minimumVersion: 'TLSv1.3',
    trustStore: 'tokenwell/local/api-ca',
    clientCertificate: 'tokenwell/local/api-client',
  })
  const byDefault = await theApi(t, { server, endpoint: { host } }, { keyStore, ssl, sslDefault })
  assert.deepEqual(byDefault.tls, { minimumVersion: 'TLSv1.2', clientCertificate: 'tokenwell/local/api-client' })
  const standIn = await theApi(t, { server, endpoint: { host } }, { keyStore, ssl })
  assert.deepEqual(standIn.tls, { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/stand-in-ca' })
})

const theProxy = { host: 'proxy.example.com', port: '3128', basicAuthRef: 'proxyUser' }
const authData = { proxyUser: { user: 'tokenwell', passwordSecret: 'tokenwell/local/proxy-password' } }

test('a proxy is resolved with its credentials, and only for the API', async (t) => {
  const elements = exampleElements(exampleIssuer, { endpoint: { host, proxyConfigRef: 'theProxy' } })
  const { api, authorizationServer } = await resolveConn(t, { ...elements, authData, proxyConfig: { theProxy } })
  assert.deepEqual(api?.proxy, {
    id: 'theProxy',
    host: 'proxy.example.com',
    port: 3128,
    credentials: { user: 'tokenwell', passwordSecret: 'tokenwell/local/proxy-password' },
  })
  assert.equal('proxy' in authorizationServer, false)
})

test('a proxy without basicAuthRef has no credentials', async (t) => {
  for (const proxyHost of ['proxy', '10.0.0.1', '2001:db8::1', 'xn--bcher-kva.example', 'my_proxy.example.']) {
    const proxyConfig = { theProxy: { host: proxyHost, port: 3128 } }
    const api = await theApi(t, { endpoint: { host, proxyConfigRef: 'theProxy' } }, { proxyConfig })
    assert.deepEqual(api.proxy, { id: 'theProxy', host: proxyHost, port: 3128 })
  }
})

const noProxies: readonly (readonly [string | readonly string[], isDirect: boolean])[] = [
  ['api.example.com', true],
  ['10.0.0.1, .example.com', true],
  ['10.0.0.1 *.example.com,', true],
  [['10.0.0.1', 'api.example.com:8443'], true],
  [['10.0.0.1,api.example.com'], true],
  ['*', true],
  ['api.example.com:443', false],
  ['as.example.com', false],
]
for (const [noProxy, isDirect] of noProxies)
  test(`the API is reached ${isDirect ? 'directly' : 'by proxy'} with noProxy ${JSON.stringify(noProxy)}`, async (t) => {
    const proxyConfig = { theProxy: { ...theProxy, noProxy } }
    const endpoint = { host, port: 8443, proxyConfigRef: 'theProxy' }
    assert.equal('proxy' in (await theApi(t, { endpoint }, { authData, proxyConfig })), !isDirect)
  })

test('timeouts are those of the connection, not those of its authorization server', async (t) => {
  const server = { connectionTimeout: '1s', receiveTimeout: '2s' }
  const elements = exampleElements(exampleIssuer, {
    server,
    endpoint: { host, connectionTimeout: '500ms', receiveTimeout: '1m30s' },
  })
  const { api, authorizationServer } = await resolveConn(t, elements)
  assert.equal(api?.connectTimeoutMilliseconds, 500)
  assert.equal(api?.receiveTimeoutMilliseconds, 90_000)
  assert.equal(authorizationServer.connectTimeoutMilliseconds, 1_000)
  assert.equal(authorizationServer.receiveTimeoutMilliseconds, 2_000)
})

const levels = [
  [1, 'any_401'],
  ['1', 'any_401'],
  [3, 'invalid_token'],
  ['3', 'invalid_token'],
] as const
for (const [tokenRetryCheckLevel, rejection] of levels)
  test(`with tokenRetryCheckLevel ${JSON.stringify(tokenRetryCheckLevel)} a token is rejected by ${rejection}`, async (t) => {
    const { carrier } = await resolveConn(
      t,
      exampleElements(exampleIssuer, { oAuth: { tokenRetryCheckLevel }, endpoint: { host } }),
    )
    assert.deepEqual(carrier, { header: 'authorization', isBearer: true, rejection })
  })

test('tokenRetryCheckLevel 2 is a mistake, with a host or without one', async (t) => {
  for (const endpoint of [{ host }, {}])
    assert.deepEqual(
      await mistakesOf(t, exampleElements(exampleIssuer, { oAuth: { tokenRetryCheckLevel: '2' }, endpoint })),
      [
        'oAuthConfig/theConfig tokenRetryCheckLevel: The value 2 is not implemented, neither in Tokenwell nor in z/OS Connect. ' +
          'Use 1 for any 401, or 3 for a 401 that says invalid_token.',
      ],
    )
})

test('an API over http is an error: a bearer token goes over TLS only', async (t) => {
  for (const plain of ['http://api.example.com', 'http://localhost', 'HTTP://127.0.0.1:8080'])
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { endpoint: { host: plain } })), [
      /^endpointConnection\/conn host: It must begin with https:\/\/\. .*RFC 6750 section 5\.3/,
    ])
})

test('a port in host and one beside it are a mistake, even the same', async (t) => {
  for (const withPort of ['https://api.example.com:8443', 'https://api.example.com:443/', 'https://[::1]:8443'])
    assert.deepEqual(
      await mistakesOf(t, exampleElements(exampleIssuer, { endpoint: { host: withPort, port: 8443 } })),
      ['endpointConnection/conn port: The attribute host already has a port. Take out one of the two ports.'],
    )
})

/** Attributes that have no effect without a host. */
const ofCalls = {
  port: 8443,
  domainBasePath: '/orders',
  sslCertsRef: 'defaultSSLConfig',
  proxyConfigRef: 'theProxy',
  connectionTimeout: '1s',
  receiveTimeout: '1s',
}

test('without a host there is no API, and each attribute of its calls draws a warning', async (t) => {
  const elements = { ...exampleElements(exampleIssuer, { endpoint: ofCalls }), authData, proxyConfig: { theProxy } }
  const { api, warnings } = await resolveConn(t, elements)
  assert.equal(api, undefined)
  assert.deepEqual(
    warnings.map(describeFinding),
    Object.keys(ofCalls).map(
      (attribute) =>
        `endpointConnection/conn ${attribute}: It has no effect without host, or hostFrom of the oAuthConfig. Set one of them, or take this attribute out.`,
    ),
  )
})

test('a wrong host is one mistake, without warnings about attributes of calls', async (t) => {
  const endpoint = { ...ofCalls, host: 'api.example.com' }
  const elements = { ...exampleElements(exampleIssuer, { endpoint }), authData, proxyConfig: { theProxy } }
  assertLines(await findingsOf(t, elements), [
    /^endpointConnection\/conn host: It must be a scheme and a host without a path/,
  ])
})

test('a wrong hostFrom is one mistake, without warnings about attributes of calls', async (t) => {
  const changes = { endpoint: { domainBasePath: '/orders' }, oAuth: { hostFrom: 'instance_url' } }
  assertLines(await findingsOf(t, exampleElements(exampleIssuer, changes)), [
    /^oAuthConfig\/theConfig hostFrom: It must be an object with member/,
  ])
})

test('elements that only the endpointConnection names are checked too, including their secret names', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    endpoint: { host, sslCertsRef: 'api', proxyConfigRef: 'theProxy' },
  })
  const withMistakes = {
    ...elements,
    ssl: { ...elements['ssl'], api: { trustStoreRef: 'apiCa', keyStoreRef: 'nowhere', typo: 1 } },
    keyStore: { ...elements['keyStore'], apiCa: { location: '/etc/ca.pem' } },
    proxyConfig: { theProxy: { ...theProxy, noproxy: '*' } },
    authData: { proxyUser: { user: 'tokenwell', passwordSecret: 'hunter2' } },
  }
  const patterns = [
    /^ssl\/api typo: /,
    /^ssl\/api keyStoreRef: There is no keyStore element with the id "nowhere"/,
    /^keyStore\/apiCa location: It must be the name of a secret under tokenwell\/local\//,
    /^proxyConfig\/theProxy noproxy: .*Did you mean noProxy\?/,
    /^authData\/proxyUser passwordSecret: It must be the name of a secret under tokenwell\/local\/(?!.*hunter2)/,
  ]
  assertLines(await mistakesOf(t, withMistakes), patterns)
  assertLines(await findingsOf(t, withMistakes), patterns)
})

test("a user with a colon can't authenticate to a proxy", async (t) => {
  const elements = exampleElements(exampleIssuer, { endpoint: { host, proxyConfigRef: 'theProxy' } })
  const withColon = { proxyUser: { ...authData.proxyUser, user: 'token:well' } }
  assertLines(await mistakesOf(t, { ...elements, authData: withColon, proxyConfig: { theProxy } }), [
    /^proxyConfig\/theProxy basicAuthRef: The user of authData\/proxyUser has a colon: .*RFC 7617 section 2/,
  ])
})
