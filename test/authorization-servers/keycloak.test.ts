import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { startIssueTokenWithJavaServer } from '../support/functions/issue-token-with-java-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import type { ConfigurableAuthorizationServer } from '../support/servers/configurable-authorization-server.ts'
import { startKeycloak } from '../support/servers/keycloak.ts'
import { keycloakUser } from '../support/servers/keycloak-admin.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import {
  findsItsNewSecret,
  getsTokensAgainAfterARestart,
  getsTokensWhileTheServersClockIsOff,
  isRefusedWhileItsClientIsDisabled,
  replacesARevokedToken,
  rotatesItsKeyWithoutAFailedToken,
} from './changes.ts'
import {
  elementsBySecret,
  getsTokensBoundToItsCertificate,
  namesTheCertificateByItsThumbprint,
  sendsItsSecretByBasic,
  signsByEachAlgorithm,
} from './client-authentication.ts'

test('issue-token gets tokens from Keycloak', async (t) => {
  const server = await startIfThere(t, () => startKeycloak(t))
  if (!server) return
  await t.test('with an assertion by each algorithm that it takes', (t) =>
    signsByEachAlgorithm(t, server, signatureAlgorithms),
  )
  await t.test("with the certificate's x5t#S256 in the header of the assertion", (t) =>
    namesTheCertificateByItsThumbprint(t, server),
  )
  await t.test('with a client secret by Basic', (t) => sendsItsSecretByBasic(t, server))
  await t.test('with a TLS certificate, to which they are bound', (t) => getsTokensBoundToItsCertificate(t, server))
  await t.test('for a user and a password', (t) => getsATokenForAUser(t, server))
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

async function getsATokenForAUser(t: TestContext, server: ConfigurableAuthorizationServer): Promise<void> {
  const { oAuthConfig, ...elements } = elementsBySecret(server)
  const theConfig = { ...oAuthConfig?.['theConfig'], grantType: 'password' }
  const set = await startIssueTokenWithJavaServer(t, server, { ...elements, oAuthConfig: { theConfig } })
  const ask = (user: Record<string, string>) => set.http(tokenRequest('conn', String(new URLSearchParams(user))))

  const { status, body } = await ask(keycloakUser)
  assert.equal(status, 200, JSON.stringify(body))
  const said = await server.introspect(String(body['access_token']), set.client())
  assert.deepEqual([said['active'], said['username']], [true, keycloakUser.username])

  const refused = await ask({ ...keycloakUser, password: 'another password' })
  assert.deepEqual([refused.status, refused.body['error']], [400, 'invalid_grant'])
}
