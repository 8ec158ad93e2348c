import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { undiciApiEndpoint } from '../../../../lib/adapters/http/undici-api-endpoint.ts'
import { ApiCallError } from '../../../../lib/api-call/api-endpoint.ts'
import type { ProtectedApi } from '../../../../lib/configuration/api.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../../lib/secret/secret-cache.ts'
import { startScriptedApi } from '../../../support/servers/scripted-api.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

/** An endpoint for a real API, and one call of it. */
async function startEndpoint(t: TestContext) {
  const server = await startScriptedApi(t)
  const trusted = singleVersionSecrets(async () => new Secret(server.certificate.caCertificate))
  const endpoint = undiciApiEndpoint(createSecretCache(trusted, Date.now), Date.now)
  const api: ProtectedApi = {
    origin: server.origin,
    basePath: '',
    tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/test/trust' },
    connectTimeoutMilliseconds: 10_000,
    receiveTimeoutMilliseconds: 10_000,
  }
  const limits = { receiveMilliseconds: 10_000, totalMilliseconds: 10_000, maximumIdleMilliseconds: 60_000 }
  const call = async (
    credentials: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const secrets = Object.fromEntries(Object.entries(credentials).map(([name, text]) => [name, new Secret(text)]))
    return await endpoint.send(
      api,
      { connection: 'conn', method: 'GET', target: '/', headers, credentials: secrets },
      limits,
    )
  }
  return { server, call }
}

test('a header of the caller is never sent beside a credential that a server could read as the same', async (t) => {
  const { server, call } = await startEndpoint(t)
  const forged = {
    'X-Token': 'forged',
    x_token: 'forged',
    'X.Token': 'forged',
    AUTHORIZATION: 'forged',
    'x-other': 'kept',
  }
  await call({ authorization: 'Basic dTpw', 'x-token': 'the token' }, forged)
  const { authorization, 'x-token': token, 'x-other': other } = server.requests[0]?.headers ?? {}
  assert.deepEqual([authorization, token, other], ['Basic dTpw', 'the token', 'kept'])
  assert.doesNotMatch(String(server.requests[0]?.rawHeaders), /forged/)
})

test('a credential that is not a header value, or is for a header of another purpose, is never sent or shown', async (t) => {
  const { server, call } = await startEndpoint(t)
  const unfit: readonly Readonly<Record<string, string>>[] = [
    ...['the-token\r\nX-Admin: yes', 'the-token\n', ' the-token', 'the-token-\u00e4', ''].map((text) => ({
      'x-token': text,
    })),
    ...[
      'host',
      'Transfer-Encoding',
      'content-length',
      'connection',
      'cookie',
      'x-amzn-trace-id',
      'X-Forwarded-For',
      'proxy-authorization',
    ].map((name) => ({ [name]: 'the-token' })),
  ]
  for (const credentials of unfit) {
    const name = Object.keys(credentials).join()
    await assert.rejects(call(credentials), (error) => {
      assert(error instanceof ApiCallError)
      assert.deepEqual([error.code, error.wasSent], ['http_protocol_error', false])
      assert.match(error.message, new RegExp(`^The credential for the header ${name} cannot be sent in it\\.`))
      assert.doesNotMatch(`${error.message} ${error.publicMessage}`, /the-token/)
      return true
    })
  }
  assert.equal(server.requests.length, 0)
})

test('a connection reuses its sockets to an API for the same transport, and shares them with no other connection', async (t) => {
  const server = await startScriptedApi(t)
  const secrets = createSecretCache(
    singleVersionSecrets(async () => new Secret(server.certificate.caCertificate)),
    Date.now,
  )
  const endpoint = undiciApiEndpoint(secrets, Date.now)
  const api: ProtectedApi = {
    origin: server.origin,
    basePath: '/one',
    tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/test/trust' },
    connectTimeoutMilliseconds: 10_000,
    receiveTimeoutMilliseconds: 10_000,
  }
  const call = (to: ProtectedApi, connection = 'conn') =>
    endpoint.send(
      to,
      {
        connection,
        method: 'GET',
        target: '/',
        headers: {},
        credentials: { authorization: new Secret('Bearer the token') },
      },
      { receiveMilliseconds: 10_000, totalMilliseconds: 10_000, maximumIdleMilliseconds: 60_000 },
    )

  await call(api)
  await call({ ...api, basePath: '/other', receiveTimeoutMilliseconds: 1 })
  assert.equal(server.connections(), 1)

  await call(api, 'other')
  await call(api, 'other')
  assert.equal(server.connections(), 2)
  await call({ ...api, tls: { ...api.tls, minimumVersion: 'TLSv1.3' } })
  assert.equal(server.connections(), 3)
  await call({ ...api, connectTimeoutMilliseconds: 9_000 })
  assert.equal(server.connections(), 4)
  await assert.rejects(call({ ...api, tls: { minimumVersion: 'TLSv1.2' } }), { code: 'tls_certificate_error' })
  const proxy = { id: 'theProxy', host: '127.0.0.1', port: 1 }
  await assert.rejects(call({ ...api, proxy }), { code: 'destination_unavailable' })
})
