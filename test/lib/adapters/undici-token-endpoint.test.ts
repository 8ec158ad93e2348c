import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { test } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { listen } from '../../../infra/local/listen.ts'
import { undiciTokenEndpoint } from '../../../lib/adapters/undici-token-endpoint.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { theConnection } from '../../support/the-tokens.ts'

test('a trust store that was mended is read again, within 5 minutes at the latest', async (t) => {
  const [certificate, other] = [
    await createServerCertificate(['localhost']),
    await createServerCertificate(['localhost']),
  ]
  const server = createServer({ cert: certificate.certificate, key: certificate.privateKey }, (_request, response) => {
    response.end('{}')
  })
  const port = await listen(server, 0, 'localhost')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })

  let trusted = other.caCertificate
  let now = 0
  const endpoint = undiciTokenEndpoint({ get: async () => new Secret(trusted) }, () => now)
  const post = () =>
    endpoint.post(
      {
        ...theConnection.authorizationServer,
        tokenEndpoint: `https://localhost:${port}/token`,
        tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/ca' },
      },
      { headers: {}, form: new Secret('a=b'), timeouts: { receiveMilliseconds: 5_000, totalMilliseconds: 5_000 } },
    )

  await assert.rejects(post(), {
    code: 'unreachable',
    isLasting: true,
    message: /no CA of the trust store tokenwell\/local\/ca/,
  })
  trusted = certificate.caCertificate
  now = 299_999
  await assert.rejects(post())
  now = 300_000
  assert.equal((await post()).status, 200)
})
