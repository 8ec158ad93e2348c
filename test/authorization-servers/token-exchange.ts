import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { decodeJwt } from 'jose'
import type { RawElements } from '../support/elements/elements.ts'
import { startIssueTokenWithJavaServer } from '../support/functions/issue-token-with-java-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import type { ConfigurableAuthorizationServer as Server } from '../support/servers/configurable-authorization-server.ts'
import { elementsBySecret } from './client-authentication.ts'

/**
 * RFC 8693: a caller sends a token of this server, which the connection `subject` gets, and gets another token for it.
 * @param subject how the connection gets the token
 */
export async function exchangesACallersToken(
  t: TestContext,
  server: Server,
  subject: { readonly oAuth: Record<string, unknown>; readonly form?: Record<string, string> },
) {
  const set = await startIssueTokenWithJavaServer(t, server, elementsOf(server, subject.oAuth))
  const form = String(new URLSearchParams(subject.form))
  const { body: first } = await set.http(tokenRequest('subject', form))
  const subjectToken = String(first['access_token'])

  const exchange = String(new URLSearchParams({ subject_token: subjectToken }))
  const { status, body } = await set.http(tokenRequest('exchange', exchange))
  assert.equal(status, 200, JSON.stringify(body))
  assert.notEqual(body['access_token'], subjectToken)
  assert.equal(body['issued_token_type'], 'urn:ietf:params:oauth:token-type:access_token')
  assert.equal(decodeJwt(String(body['access_token'])).sub, decodeJwt(subjectToken).sub)
  const again = await set.http(tokenRequest('exchange', exchange))
  assert.deepEqual([again.body['source'], again.body['access_token']], ['memory', body['access_token']])

  const refused = await set.http(tokenRequest('exchange', 'subject_token=not-a-token'))
  assert.equal(refused.status, 400, JSON.stringify(refused.body))
}

function elementsOf(server: Server, subject: Record<string, unknown>): RawElements {
  const elements = elementsBySecret(server)
  const { theConfig } = elements['oAuthConfig'] ?? {}
  const exchange = { grantType: 'token-exchange', subjectTokenType: 'access_token', requestedTokenType: 'access_token' }
  return {
    ...elements,
    oAuthConfig: { subject: { ...theConfig, ...subject }, exchange: { ...theConfig, ...exchange } },
    endpointConnection: {
      subject: { authenticationConfigRef: 'subject' },
      exchange: { authenticationConfigRef: 'exchange' },
    },
  }
}
