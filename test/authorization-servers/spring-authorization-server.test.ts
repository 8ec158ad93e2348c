import { test } from 'node:test'
import { signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { startSpringAuthorizationServer } from '../support/servers/spring-authorization-server.ts'
import {
  findsItsNewSecret,
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

/** All but EdDSA. There is no password grant either. */
const algorithms = signatureAlgorithms.filter((algorithm) => algorithm !== 'EdDSA')

test('issue-token gets tokens from Spring Authorization Server', async (t) => {
  const server = await startIfThere(t, () => startSpringAuthorizationServer(t))
  if (!server) return
  await t.test('with an assertion by each algorithm that it takes', (t) => signsByEachAlgorithm(t, server, algorithms))
  await t.test("with the certificate's x5t#S256 in the header of the assertion", (t) =>
    namesTheCertificateByItsThumbprint(t, server),
  )
  await t.test('with a client secret by Basic', (t) => sendsItsSecretByBasic(t, server))
  await t.test('with a TLS certificate, to which they are bound', (t) => getsTokensBoundToItsCertificate(t, server))
  await t.test('through a rotation of its key, by our JWK set, without a failed token', (t) =>
    rotatesItsKeyWithoutAFailedToken(t, server),
  )
  await t.test('after a refusal of the former client secret, by the new one', (t) => findsItsNewSecret(t, server))
  await t.test('in place of a token that was revoked', (t) => replacesARevokedToken(t, server))
  await t.test('again once its disabled client is enabled', (t) => isRefusedWhileItsClientIsDisabled(t, server))
  await t.test('while the clock there is 60 s ahead', (t) => getsTokensWhileTheServersClockIsOff(t, server, 60))
  await t.test('while the clock there is 60 s behind', (t) => getsTokensWhileTheServersClockIsOff(t, server, -60))
  await t.test('again after a restart there', (t) => getsTokensAgainAfterARestart(t, server))
})
