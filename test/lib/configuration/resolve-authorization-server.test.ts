import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'

test('TLS is what the server names, else what sslDefault names, else defaultSSLConfig, else the list of Node.js', async (t) => {
  const withSsl = async (server: Record<string, unknown>, more: RawElements) => {
    const elements = exampleElements(exampleIssuer, { server })
    return (await resolveConn(t, { ...elements, ...more })).authorizationServer.tls
  }
  const keyStore = {
    named: { location: 'tokenwell/local/named-ca' },
    byDefault: { location: 'tokenwell/local/default-ca' },
    standIn: { location: 'tokenwell/local/stand-in-ca' },
    client: { location: 'tokenwell/local/client' },
  }
  const ssl = {
    named: { trustStoreRef: 'named', keyStoreRef: 'client', sslProtocol: 'TLSv1.3' },
    byDefault: { trustStoreRef: 'byDefault' },
    defaultSSLConfig: { trustStoreRef: 'standIn' },
  }
  const sslDefault = { default: { sslRef: 'byDefault' } }

  assert.deepEqual(await withSsl({ sslCertsRef: 'named' }, { keyStore, ssl, sslDefault }), {
    minimumVersion: 'TLSv1.3',
    trustStore: 'tokenwell/local/named-ca',
    clientCertificate: 'tokenwell/local/client',
  })
  const versionTwo = { minimumVersion: 'TLSv1.2' }
  assert.deepEqual(await withSsl({}, { keyStore, ssl, sslDefault }), {
    ...versionTwo,
    trustStore: 'tokenwell/local/default-ca',
  })
  assert.deepEqual(await withSsl({}, { keyStore, ssl }), { ...versionTwo, trustStore: 'tokenwell/local/stand-in-ca' })
  assert.deepEqual(await withSsl({}, { keyStore, ssl: {} }), versionTwo)
})

test('http to the loopback address is accepted with allowLoopbackHttp', async (t) => {
  for (const host of ['localhost:8080', '127.0.0.1', '127.1.2.3:1', '[::1]:8080']) {
    const server = { tokenEndpoint: `http://${host}/token`, allowLoopbackHttp: 'true' }
    const connection = await resolveConn(t, exampleElements(exampleIssuer, { server }))
    assert.equal(connection.authorizationServer.tokenEndpoint, `http://${host}/token`)
  }
})

const authData = { proxyUser: { user: 'tokenwell', passwordSecret: 'tokenwell/local/proxy-password' } }
const theProxy = { host: 'proxy.example.com', port: 3128, basicAuthRef: 'proxyUser' }

test('the proxy of the authorization server is used for the token endpoint, not for the API', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    server: { proxyConfigRef: 'theProxy' },
    endpoint: { host: 'https://api.example.com' },
  })
  const connection = await resolveConn(t, { ...elements, authData, proxyConfig: { theProxy } })
  assert.deepEqual(connection.authorizationServer.proxy, {
    id: 'theProxy',
    host: 'proxy.example.com',
    port: 3128,
    credentials: { user: 'tokenwell', passwordSecret: 'tokenwell/local/proxy-password' },
  })
  assert.ok(connection.api && !('proxy' in connection.api))
})

test('a token endpoint that noProxy names is reached directly, at its own port', async (t) => {
  for (const [noProxy, isDirect] of [
    ['as.example.com:8443', true],
    ['as.example.com:443', false],
  ] as const) {
    const server = { tokenEndpoint: 'https://as.example.com:8443/token', proxyConfigRef: 'theProxy' }
    const proxyConfig = { theProxy: { ...theProxy, noProxy } }
    const connection = await resolveConn(t, { ...exampleElements(exampleIssuer, { server }), authData, proxyConfig })
    assert.equal('proxy' in connection.authorizationServer, !isDirect)
  }
})

test('it is a mistake to send http through a proxy', async (t) => {
  const server = { tokenEndpoint: 'http://localhost/token', allowLoopbackHttp: true, proxyConfigRef: 'theProxy' }
  const elements = { ...exampleElements(exampleIssuer, { server }), authData }
  assertLines(await mistakesOf(t, { ...elements, proxyConfig: { theProxy } }), [
    /^authorizationServer\/theServer proxyConfigRef: A request over http:\/\/ must not leave this machine .*add localhost to noProxy of proxyConfig\/theProxy/,
  ])
  const proxyConfig = { theProxy: { ...theProxy, noProxy: 'localhost:80' } }
  assert.equal('proxy' in (await resolveConn(t, { ...elements, proxyConfig })).authorizationServer, false)
})
