import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { connect, createServer, type SecureVersion } from 'node:tls'
import { createServerCertificate } from '../../../../infra/local/certificate-authority.ts'
import { listen } from '../../../../infra/local/listen.ts'
import { someRecordName } from '../../../contract/record-store.ts'
import { allowOldTls } from '../../../support/process/this-process.ts'
import { openStore } from './open-store.ts'

/** A server that records the TLS version of each connection, and closes it. */
async function startServer(t: TestContext, maxVersion: SecureVersion) {
  const { certificate: cert, privateKey: key, caCertificate: ca } = await createServerCertificate(['localhost'])
  const versions: (string | null)[] = []
  const options = { cert, key, minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const server = createServer(options, (socket) => {
    versions.push(socket.getProtocol())
    socket.on('error', () => {}).end()
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => server.close())
  return { port, ca, versions, store: openStore({ url: `valkeys://localhost:${port}`, ca }) }
}

test('a Valkey server that speaks at most TLS 1.1 is never reached, whatever this process speaks by default', async (t) => {
  allowOldTls(t)
  const { port, ca, versions, store } = await startServer(t, 'TLSv1.1')
  const plain = connect({ port, host: 'localhost', ca })
  await once(plain, 'secureConnect')
  assert.equal(plain.getProtocol(), 'TLSv1.1', 'the defaults of this process allow it')
  plain.destroy()
  await assert.rejects(store.read([someRecordName()]), /cannot be reached or closed the connection \(ERR_SSL_\w+\)/)
  assert.deepEqual(versions, ['TLSv1.1'], 'only the plain client got there')
})

test('a Valkey server with TLS 1.2 is reached', async (t) => {
  const { versions, store } = await startServer(t, 'TLSv1.2')
  await assert.rejects(store.read([someRecordName()]), /closed the connection/)
  assert.ok(versions.length > 0 && versions.every((version) => version === 'TLSv1.2'), versions.join())
})
