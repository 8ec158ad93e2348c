import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createWorkspace, startCaller } from '../support/functions/function-caller.ts'
import { elementsAt, startIssueTokenWithJavaServer } from '../support/functions/issue-token-with-java-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import { setEnvironment } from '../support/process/this-process.ts'
import type { ConfigurableAuthorizationServer } from '../support/servers/configurable-authorization-server.ts'
import { type Keycloak, startKeycloak } from '../support/servers/keycloak.ts'
import { keycloakUser } from '../support/servers/keycloak-admin.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { startStageIdentity } from '../support/servers/stage-identity.ts'
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
  sendsAssertionsOfOtherShapes,
  sendsItsSecretByBasic,
  sendsItsSecretInTheBody,
  signsByEachAlgorithm,
} from './client-authentication.ts'
import { acceptsSignaturesOfKms } from './kms-keys.ts'
import { exchangesACallersToken } from './token-exchange.ts'

/** It knows Ed25519 by the name EdDSA only. */
const algorithms = signatureAlgorithms.filter((algorithm) => algorithm !== 'Ed25519')

test('issue-token gets tokens from Keycloak', async (t) => {
  const server = await startIfThere(t, () => startKeycloak(t))
  if (!server) return
  await t.test('with an assertion signed by each algorithm that it accepts', (t) =>
    signsByEachAlgorithm(t, server, algorithms),
  )
  await t.test('with assertions that keys in KMS have signed', (t) => acceptsSignaturesOfKms(t, server))
  await t.test("with the certificate's x5t#S256 in the header of the assertion", (t) =>
    namesTheCertificateByItsThumbprint(t, server),
  )
  await t.test('with a short-lived assertion, a certificate in place of kid, and more members of the header', (t) =>
    sendsAssertionsOfOtherShapes(t, server, { x5c: true, omit: 'kid' }),
  )
  await t.test('with a client secret in HTTP Basic authentication', (t) => sendsItsSecretByBasic(t, server))
  await t.test('with a client secret in the body', (t) => sendsItsSecretInTheBody(t, server))
  await t.test('bound to the TLS certificate that the client presents', (t) =>
    getsTokensBoundToItsCertificate(t, server),
  )
  await t.test('for a user with a password', (t) => getsATokenForAUser(t, server))
  await t.test('for a user whom an assertion names, as a trusted issuer', (t) => getsATokenByItsAssertion(t, server))
  await t.test('with an assertion that AWS signs, as a client that trusts the issuer of an account', (t) =>
    getsATokenByAwsIdentity(t, server),
  )
  await t.test("in exchange for a user's token that a caller sends", (t) =>
    exchangesACallersToken(t, server, { oAuth: { grantType: 'password' }, form: keycloakUser }),
  )
  await t.test('during a key rotation, with the published JWK set and without a failed request', (t) =>
    rotatesItsKeyWithoutAFailedToken(t, server),
  )
  await t.test('with the new client secret after the former one was refused', (t) => findsItsNewSecret(t, server))
  await t.test('in place of a token that was revoked', (t) => replacesARevokedToken(t, server))
  await t.test('again once its disabled client is enabled', (t) => isRefusedWhileItsClientIsDisabled(t, server))
  await t.test("while the server's clock is 60 s ahead", (t) => getsTokensWhileTheServersClockIsOff(t, server, 60))
  await t.test("while the server's clock is 60 s behind", (t) => getsTokensWhileTheServersClockIsOff(t, server, -60))
  await t.test("and logs Keycloak's message about a mistake", (t) => logsWhatItSaysOfAMistake(t, server))
  await t.test('again after a restart of the server', (t) => getsTokensAgainAfterARestart(t, server))
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

/**
 * Keycloak's JWT authorization grant, as lib/configuration/providers.md shows it: one key signs for the issuer that the realm trusts,
 * another one for the client.
 */
async function getsATokenByItsAssertion(t: TestContext, server: Keycloak): Promise<void> {
  const elements = elementsAt(server, { oAuth: { grantType: 'jwt-bearer', assertionTokenRef: 'theAssertion' } })
  const theIssuer = { issuer: 'https://tokenwell.example.com', jwkEnabled: true, expiresInSeconds: 60 }
  const theAssertion = { tokenGeneratorRef: 'theIssuer', tokenSubject: 'alice-at-tokenwell' }
  const set = await startIssueTokenWithJavaServer(t, server, {
    ...elements,
    jwtBuilder: { ...elements['jwtBuilder'], theIssuer },
    oAuthTokenConfig: { ...elements['oAuthTokenConfig'], theAssertion },
    endpointConnection: { ...elements['endpointConnection'], again: { authenticationConfigRef: 'theConfig' } },
  })
  await server.trustIssuer(theIssuer.issuer, theAssertion.tokenSubject, set.client().jwks ?? {})

  // Keycloak takes each assertion once.
  for (const connection of ['conn', 'again']) {
    const { status, body } = await set.http(tokenRequest(connection))
    assert.equal(status, 200, JSON.stringify(body))
    const { azp, preferred_username: user } = decodeJwt(String(body['access_token']))
    assert.deepEqual([azp, user], ['theClient', keycloakUser.username])
  }
  assert.deepEqual(set.failures(), [])
}

/** A client without a key, as lib/configuration/keyless.md shows it. Keycloak fetches AWS's keys from the issuer. */
async function getsATokenByAwsIdentity(t: TestContext, server: Keycloak): Promise<void> {
  const { issuer, tokenEndpoint, certificate } = server
  const identity = await startStageIdentity(t, { certificate, audiences: [issuer] })
  setEnvironment(t, identity.environment)
  await server.trustAwsIdentity('theAwsClient', identity.sts.issuer.issuer, identity.roleArn)
  const { jwtBuilder: _, ...elements } = exampleElements(issuer, {
    tokenConfig: { tokenGeneratorRef: 'theIdentity', tokenSubject: undefined },
    server: { tokenEndpoint, connectionTimeout: '4s', receiveTimeout: '12s' },
    oAuth: { clientId: 'theAwsClient' },
  })
  for (const signingAlgorithm of ['RS256', 'ES384']) {
    const awsWebIdentity = { theIdentity: { audience: issuer, signingAlgorithm } }
    const caller = await startCaller(await createWorkspace(t, { ...elements, awsWebIdentity }, certificate))
    const { status, body } = await caller.http(tokenRequest('conn'))
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(decodeJwt(String(body['access_token']))['azp'], 'theAwsClient')
  }
  assert.deepEqual(identity.sts.issuer.requests, ['GET /.well-known/jwks.json'])
}

/** A mistake in a jwtBuilder, and Keycloak's message about it. */
const mistakes: readonly (readonly [builder: (issuer: string) => Record<string, unknown>, words: string])[] = [
  [() => ({ audiences: 'https://another.example.com' }), 'Invalid token audience'],
  [(issuer) => ({ audiences: [issuer, 'https://another.example.com'] }), 'Multiple audiences not allowed'],
  [() => ({ jti: false }), 'Token jti claim is required'],
]

async function logsWhatItSaysOfAMistake(t: TestContext, server: ConfigurableAuthorizationServer): Promise<void> {
  for (const [builder, words] of mistakes) {
    const set = await startIssueTokenWithJavaServer(t, server, elementsAt(server, { builder: builder(server.issuer) }))
    assert.equal((await set.http(tokenRequest('conn'))).status, 502)
    const said = set.events.flatMap((event) => (event.event === 'token_request_refused' ? [event] : []))
    assert.deepEqual(
      said.map(({ status, error }) => [status, error]),
      [[400, 'invalid_client']],
    )
    assert.ok(said[0]?.reason.includes(words), said[0]?.reason)
  }
}
