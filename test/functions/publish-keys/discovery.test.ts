import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from 'aws-lambda'
import { createHandler } from '../../../functions/publish-keys/handler.ts'
import { discoveryRoutes } from '../../../lib/http-interface/server-metadata.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'

const pathsFor = (connection: string) => discoveryRoutes().map(({ path }) => path.replace('{connection}', connection))

test('publish-keys describes every name alike, without a look at any element or record', async () => {
  const handler = createHandler({
    application: {
      readPublishedKeys: () => assert.fail('it reads a record'),
    },
    deployment: { publicUrl: 'https://tokens.example' },
    now: Date.now,
    log: () => assert.fail('it writes to the log'),
  })
  const ask = async (path: string, method = 'GET') => {
    return await handler(createHttpEvent({ method, path }), { awsRequestId: 'x' } as Context)
  }
  const bodies = new Set<string>()
  for (const name of ['orders', 'nowhere', '__proto__', 'constructor'])
    for (const path of pathsFor(name)) {
      const { statusCode, headers, body = '' } = await ask(path)
      assert.deepEqual([statusCode, headers['cache-control']], [200, 'public, max-age=300'])
      bodies.add(body.replaceAll(name, '<name>'))
    }
  assert.equal(bodies.size, 3, 'one for each document')
  const [, path = ''] = pathsFor('orders')
  const issuer = 'https://tokens.example/connections/orders'
  assert.deepEqual(JSON.parse((await ask(path)).body ?? ''), {
    issuer,
    token_endpoint: `${issuer}/token`,
    token_endpoint_auth_methods_supported: ['none'],
    grant_types_supported: ['client_credentials', 'password', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    response_types_supported: [],
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [],
  })
  assert.equal((await ask('/connections/a%20b/.well-known/jwks.json')).statusCode, 400)
  assert.equal((await ask(path, 'HEAD')).statusCode, 404)
  for (const other of ['/connections/orders/token', '/connections'])
    assert.equal((await ask(other)).statusCode, 404, other)
})
