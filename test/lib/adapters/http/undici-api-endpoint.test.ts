import assert from 'node:assert/strict'
import { test } from 'node:test'
import { undiciApiEndpoint } from '../../../../lib/adapters/http/undici-api-endpoint.ts'
import type { ProtectedApi } from '../../../../lib/configuration/api.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../../lib/secret/secret-cache.ts'
import { startScriptedApi } from '../../../support/servers/scripted-api.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

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
