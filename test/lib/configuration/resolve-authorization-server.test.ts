import assert from 'node:assert/strict'
import { test } from 'node:test'
import { theConnection, theIssuer } from '../../support/element-store.ts'
import { type RawElements, theElements } from '../../support/elements.ts'

test('TLS is what the server names, else what sslDefault names, else defaultSSLConfig, else the list of Node.js', async (t) => {
  const withSsl = async (server: Record<string, unknown>, more: RawElements) => {
    const elements = theElements(theIssuer, { server })
    return (await theConnection(t, { ...elements, ...more })).authorizationServer.tls
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

test('http to the loopback address is accepted on one machine, on request', async (t) => {
  for (const host of ['localhost:8080', '127.0.0.1', '127.1.2.3:1', '[::1]:8080']) {
    const server = { tokenEndpoint: `http://${host}/token`, allowLoopbackHttp: 'true' }
    const connection = await theConnection(t, theElements(theIssuer, { server }))
    assert.equal(connection.authorizationServer.tokenEndpoint, `http://${host}/token`)
  }
})

test('what is reached without TLS is on this machine, and reached without a proxy', async (t) => {
  const proxyConfig = { theProxy: { host: 'proxy.example', port: 3128 } }
  const proxyOf = async (server: Record<string, unknown>) => {
    const elements = theElements(theIssuer, { server: { proxyConfigRef: 'theProxy', ...server } })
    return (await theConnection(t, { ...elements, proxyConfig })).authorizationServer.proxy
  }
  assert.deepEqual(await proxyOf({}), { id: 'theProxy', ...proxyConfig.theProxy })
  assert.equal(await proxyOf({ tokenEndpoint: 'http://localhost:8080/token', allowLoopbackHttp: true }), undefined)
})
