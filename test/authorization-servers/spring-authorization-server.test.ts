import { test } from 'node:test'
import { isEdwardsAlgorithm, signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
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
  getsTokensBoundToItsSelfSignedCertificate,
  namesTheCertificateByItsThumbprint,
  sendsAssertionsOfOtherShapes,
  sendsItsSecretByBasic,
  sendsItsSecretInTheBody,
  signsByEachAlgorithm,
} from './client-authentication.ts'
import { acceptsSignaturesOfKms } from './kms-keys.ts'
import { exchangesACallersToken } from './token-exchange.ts'

/** All algorithms except those with an Ed25519 key. The server has no password grant either. */
const algorithms = signatureAlgorithms.filter((algorithm) => !isEdwardsAlgorithm(algorithm))

test('issue-token gets tokens from Spring Authorization Server', async (t) => {
  const server = await startIfThere(t, () => startSpringAuthorizationServer(t))
  if (!server) return
  await t.test('with an assertion signed by each algorithm that it accepts', (t) =>
    signsByEachAlgorithm(t, server, algorithms),
  )
  await t.test('with assertions that keys in KMS have signed', (t) => acceptsSignaturesOfKms(t, server))
  await t.test("with the certificate's x5t#S256 in the header of the assertion", (t) =>
    namesTheCertificateByItsThumbprint(t, server),
  )
  await t.test('with a short-lived assertion, one without iat, a certificate, and more members of the header', (t) =>
    sendsAssertionsOfOtherShapes(t, server, { omit: 'iat' }),
  )
  await t.test('with a client secret in HTTP Basic authentication', (t) => sendsItsSecretByBasic(t, server))
  await t.test('with a client secret in the body', (t) => sendsItsSecretInTheBody(t, server))
  await t.test('bound to the TLS certificate that the client presents', (t) =>
    getsTokensBoundToItsCertificate(t, server),
  )
  await t.test('bound to a self-signed TLS certificate that is registered', (t) =>
    getsTokensBoundToItsSelfSignedCertificate(t, server, server.selfSignedCertificate),
  )
  await t.test('in exchange for a token that a caller sends', (t) => exchangesACallersToken(t, server, { oAuth: {} }))
  await t.test('during a key rotation, with the published JWK set and without a failed request', (t) =>
    rotatesItsKeyWithoutAFailedToken(t, server),
  )
  await t.test('with the new client secret after the former one was refused', (t) => findsItsNewSecret(t, server))
  await t.test('in place of a token that was revoked', (t) => replacesARevokedToken(t, server))
  await t.test('again once its disabled client is enabled', (t) => isRefusedWhileItsClientIsDisabled(t, server))
  await t.test("while the server's clock is 60 s ahead", (t) => getsTokensWhileTheServersClockIsOff(t, server, 60))
  await t.test("while the server's clock is 60 s behind", (t) => getsTokensWhileTheServersClockIsOff(t, server, -60))
  await t.test('again after a restart of the server', (t) => getsTokensAgainAfterARestart(t, server))
})
