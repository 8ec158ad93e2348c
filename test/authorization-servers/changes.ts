import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { elementsAt, startIssueTokenWithJavaServer } from '../support/functions/issue-token-with-java-server.ts'
import { tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { type RotatingKeys, startRotatingKeys } from '../support/functions/rotating-keys.ts'
import type { ConfigurableAuthorizationServer as Server } from '../support/servers/configurable-authorization-server.ts'
import { elementsBySecret } from './client-authentication.ts'

/*
 * Tests in which something changes while the function runs: keys, the server, its client or its clock. Each exported
 * function is one test.
 */

/** Longer than a server waits before it reads a JWK set again for an unknown `kid`. Keycloak waits 10 s. */
const publishAheadSeconds = 12
const askedEveryMilliseconds = 250
/** More time than an instance needs until it signs with a new key. */
const longestMilliseconds = 60_000

export async function rotatesItsKeyWithoutAFailedToken(t: TestContext, server: Server) {
  const environment = { TOKENWELL_CACHE: `memory:${randomUUID()}`, TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }
  let keys: RotatingKeys | undefined
  const elements = elementsAt(server, { builder: { signatureAlgorithm: 'ES256', publishAheadSeconds } })
  const set = await startIssueTokenWithJavaServer(t, server, elements, {
    environment,
    async describe({ jwks: _, ...client }, workspace) {
      keys = await startRotatingKeys(t, workspace, environment, server.certificate)
      await keys.rotate()
      return { ...client, jwks_uri: keys.jwksUri }
    },
  })
  assert(keys)
  const { rotate, keySetRequests } = keys
  assert.equal((await set.newToken()).status, 200)
  const readBefore = keySetRequests()
  assert.ok(readBefore > 0, "the server did not read Tokenwell's JWK set")

  const { signsFrom } = await rotate()
  const isKeyKnown = () => Date.now() > signsFrom && keySetRequests() > readBefore
  while (!isKeyKnown() && Date.now() < signsFrom + longestMilliseconds) {
    const { status, body } = await set.newToken()
    assert.equal(status, 200, JSON.stringify(body))
    await pause(askedEveryMilliseconds)
  }
  assert.ok(keySetRequests() > readBefore, 'the server did not read the JWK set again for the new key')
  assert.deepEqual(set.failures(), [])
}

/**
 * A request with the former secret is refused, and a second attempt finds the new one. Keycloak's `unauthorized_client`
 * may be about caller parameters. Then the connection's own request finds the new secret first.
 */
export async function findsItsNewSecret(t: TestContext, server: Server) {
  for (const ask of ['as the elements say', 'with caller parameters']) {
    const set = await startIssueTokenWithJavaServer(t, server, elementsBySecret(server))
    assert.equal((await set.http(tokenRequest('conn'))).status, 200)
    const secret = randomBytes(48).toString('base64url')
    await writeSecret(set.workspace, 'client-secret', secret)
    await server.register({ ...set.client(), client_secret: secret })

    const isOwn = ask === 'as the elements say'
    const { status, body } = isOwn ? await set.http(tokenRequest('again')) : await set.newToken()
    assert.equal(status, 200, `${ask}: ${JSON.stringify(body)}`)
    assert.ok(set.events.some(({ event }) => event === 'newer_secret_found'))
  }
}

export async function getsTokensAgainAfterARestart(t: TestContext, server: Server) {
  const set = await startIssueTokenWithJavaServer(t, server, elementsAt(server))
  assert.equal((await set.newToken()).status, 200)
  await server.stop()
  try {
    assert.equal((await set.newToken()).body['error'], 'temporarily_unavailable')
  } finally {
    await server.start()
  }
  assert.equal((await set.newTokenAtLast()).status, 200)
}

export async function isRefusedWhileItsClientIsDisabled(t: TestContext, server: Server) {
  const set = await startIssueTokenWithJavaServer(t, server, elementsAt(server))
  assert.equal((await set.newToken()).status, 200)
  await server.setEnabled('theClient', false)
  const { status, body } = await set.newToken()
  assert.equal(status, 502)
  assert.match(String(body['error_description']), /refused this connection's client \(invalid_client\)/)

  await server.setEnabled('theClient', true)
  assert.equal((await set.newTokenAtLast()).status, 200)
}

/** Revokes a token (RFC 7009). The caller then reports it as rejected. */
export async function replacesARevokedToken(t: TestContext, server: Server) {
  const set = await startIssueTokenWithJavaServer(t, server, elementsBySecret(server))
  const isActive = async (body: Record<string, unknown>) =>
    (await server.introspect(String(body['access_token']), set.client()))['active']
  const { body: revoked } = await set.http(tokenRequest('conn'))
  assert.equal(await isActive(revoked), true)
  await server.revoke(String(revoked['access_token']), set.client())
  assert.equal(await isActive(revoked), false)

  const { status, body } = await set.http(tokenRequest('conn', '', `rejected_token_id=${revoked['token_id']}`))
  assert.equal(status, 200)
  assert.notEqual(body['token_id'], revoked['token_id'])
  assert.equal(await isActive(body), true)
}

export async function getsTokensWhileTheServersClockIsOff(t: TestContext, server: Server, secondsAhead: number) {
  const set = await startIssueTokenWithJavaServer(t, server, elementsAt(server))
  await server.setClock(secondsAhead)
  try {
    const { status, body } = await set.http(tokenRequest('conn'))
    assert.equal(status, 200, JSON.stringify(body))
  } finally {
    await server.setClock(0)
  }
}
