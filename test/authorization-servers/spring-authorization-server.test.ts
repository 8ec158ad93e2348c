import { test } from 'node:test'
import { signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { startSpringAuthorizationServer } from '../support/servers/spring-authorization-server.ts'
import {
  getsTokensAgainAfterARestart,
  getsTokensWhileTheServersClockIsOff,
  isRefusedWhileItsClientIsDisabled,
  replacesARevokedToken,
  rotatesItsKeyWithoutAFailedToken,
} from './changes.ts'
import {
  getsTokensBoundToItsCertificate,
  namesTheCertificateByItsThumbprint,
  sendsItsSecretByBasic,
  signsByEachAlgorithm,
} from './client-authentication.ts'

/* It has no password grant, and takes no EdDSA. */

const algorithms = signatureAlgorithms.filter((algorithm) => algorithm !== 'EdDSA')

test('before Spring Authorization Server the function', async (t) => {
  const server = await startIfThere(t, () => startSpringAuthorizationServer(t))
  if (!server) return
  await t.test('signs by each of its algorithms', (t) => signsByEachAlgorithm(t, server, algorithms))
  await t.test('names its certificate by x5t#S256', (t) => namesTheCertificateByItsThumbprint(t, server))
  await t.test('sends its secret by Basic', (t) => sendsItsSecretByBasic(t, server))
  await t.test('gets tokens bound to its TLS certificate', (t) => getsTokensBoundToItsCertificate(t, server))
  await t.test('rotates its key without a failed token', (t) => rotatesItsKeyWithoutAFailedToken(t, server))
  await t.test('replaces a revoked token', (t) => replacesARevokedToken(t, server))
  await t.test('is refused while its client is disabled', (t) => isRefusedWhileItsClientIsDisabled(t, server))
  await t.test('gets tokens while its clock is 60 s ahead', (t) => getsTokensWhileTheServersClockIsOff(t, server, 60))
  await t.test('gets tokens while its clock is 60 s behind', (t) => getsTokensWhileTheServersClockIsOff(t, server, -60))
  await t.test('gets tokens again after a restart', (t) => getsTokensAgainAfterARestart(t, server))
})
