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

test('before Keycloak the function', async (t) => {
  const server = await startIfThere(t, () => startKeycloak(t))
  if (!server) return
  await t.test('signs by each of its algorithms', (t) => signsByEachAlgorithm(t, server, signatureAlgorithms))
  await t.test('names its certificate by x5t#S256', (t) => namesTheCertificateByItsThumbprint(t, server))
  await t.test('sends its secret by Basic', (t) => sendsItsSecretByBasic(t, server))
  await t.test('gets tokens bound to its TLS certificate', (t) => getsTokensBoundToItsCertificate(t, server))
  await t.test('gets a token for a user and a password', (t) => getsATokenForAUser(t, server))
  await t.test('rotates its key without a failed token', (t) => rotatesItsKeyWithoutAFailedToken(t, server))
  await t.test('replaces a revoked token', (t) => replacesARevokedToken(t, server))
  await t.test('is refused while its client is disabled', (t) => isRefusedWhileItsClientIsDisabled(t, server))
  await t.test('gets tokens while its clock is 60 s ahead', (t) => getsTokensWhileTheServersClockIsOff(t, server, 60))
  await t.test('gets tokens again after a restart', (t) => getsTokensAgainAfterARestart(t, server))
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
