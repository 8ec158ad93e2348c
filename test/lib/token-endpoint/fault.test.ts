import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { faultOf } from '../../../lib/token-endpoint/fault.ts'
import { RefusedError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

const base: TokenRequest = { connection: 'conn', further: {} }

test('each error code tells whether the caller, the elements or the client caused the refusal', async (t) => {
  const connection = await resolveConn(t, exampleElements('https://as.example'))
  const byPassword = await resolveConn(t, exampleElements('https://as.example', { oAuth: { grantType: 'password' } }))
  const rows = [
    ['invalid_scope', {}, 'elements'],
    ['invalid_scope', { scope: ['a'] }, 'caller'],
    ['invalid_scope', { resource: ['urn:a'], audience: 'a' }, 'elements'],
    ['invalid_target', {}, 'elements'],
    ['invalid_target', { scope: ['a'] }, 'elements'],
    ['invalid_target', { resource: ['urn:a'] }, 'caller'],
    ['invalid_target', { audience: 'a' }, 'caller'],
    ['invalid_authorization_details', { further: { tenant: 'x' } }, 'elements'],
    ['invalid_authorization_details', { further: { authorization_details: '[]' } }, 'caller'],
    ['invalid_grant', { scope: ['a'] }, 'client'],
    ['invalid_client', { scope: ['a'] }, 'client'],
    ['invalid_request', { scope: ['a'] }, 'client'],
    ['invalid_request', { further: { tenant: 'x' } }, 'caller'],
    ['unauthorized_client', {}, 'client'],
    ['a code of its own', {}, 'client'],
  ] as const
  for (const [error, members, fault] of rows)
    assert.equal(faultOf(error, connection, { ...base, ...members }), fault, `${error} ${JSON.stringify(members)}`)
  assert.equal(faultOf('invalid_grant', byPassword, base), 'caller')
  assert.equal(faultOf('invalid_client', byPassword, base), 'client')
})

test('whatever the code, a token server may mean the user or the password that a request brought', async (t) => {
  const connectionWith = async (tokenRequest: object) =>
    await resolveConn(t, {
      ...exampleElements('https://as.example', { endpoint: { authenticationConfigRef: 'theToken' } }),
      oAuthConfig: {},
      authToken: { theToken: { authServerRef: 'theServer', tokenRequest, tokenResponse: { responseFormat: 'Text' } } },
    })
  const byCaller = await connectionWith({ credentialsFrom: 'caller' })
  const byElements = await connectionWith({})
  const request = { ...base, username: 'alice', password: new Secret('p') }
  for (const code of ['http_401', 'http_403', 'http_400', 'http_422', 'invalid_client', 'BAD_LOGIN']) {
    const refusal = new RefusedError('', code, faultOf(code, byCaller, request), { isOfCredentials: true })
    assert.deepEqual([refusal.fault, refusal.mayBeOfCredentials, refusal.mayBeOfRequest], ['caller', false, true], code)
    assert.notEqual(faultOf(code, byElements, base), 'caller')
  }
  for (const code of ['http_404', 'http_415']) assert.equal(faultOf(code, byCaller, request), 'elements')
})
