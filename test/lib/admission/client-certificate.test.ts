import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AccessDeniedError } from '../../../lib/admission/access-denied.ts'
import { CertificateMissingError, demandCertificateSubject } from '../../../lib/admission/client-certificate.ts'
import { ConfigurationError, UnknownConnectionError } from '../../../lib/configuration/finding.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { unchangingConnections } from '../../support/virtual/virtual-ports.ts'

const listed = unchangingConnections({ ...plainConnection, clientCertificateSubjects: ['CN=orders', 'CN=stock'] })
const failing = (error: Error) => ({ ...listed, get: () => Promise.reject(error) })

test('a certificate opens the connections that list its subject', async () => {
  for (const subject of ['CN=orders', 'CN=stock']) await demandCertificateSubject(listed, 'conn', subject)
})

test('any other subject is refused, and so is every subject where none is listed or the connection is unknown', async () => {
  const none = unchangingConnections(plainConnection)
  const unknown = failing(new UnknownConnectionError('conn'))
  for (const connections of [listed, none, unknown])
    for (const subject of ['CN=orders,O=other', 'Stryker was here'])
      await assert.rejects(demandCertificateSubject(connections, 'conn', subject), (error) => {
        assert.ok(error instanceof AccessDeniedError)
        assert.deepEqual(
          [error.code, error.publicMessage],
          [
            'access_denied',
            `The client certificate of ${subject} has no access to the connection conn. To allow it, the operator adds this subject to clientCertificateSubjects in endpointConnection/conn.`,
          ],
        )
        return true
      })
})

test('elements that cannot be read are no refusal', async () => {
  const error = new ConfigurationError([])
  await assert.rejects(demandCertificateSubject(failing(error), 'conn', 'CN=orders'), error)
})

test('a missing certificate is an error that says what to send', () => {
  const { code, publicMessage } = new CertificateMissingError()
  assert.equal(code, 'certificate_missing')
  assert.match(publicMessage, /no client certificate\. .*send a certificate in the TLS handshake\.$/)
})
