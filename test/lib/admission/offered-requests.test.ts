import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { admitRequest } from '../../../lib/admission/admit-request.ts'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import { offeredRequests } from '../../../lib/admission/offered-requests.ts'
import type { Connection, TokenConnection } from '../../../lib/configuration/connection.ts'
import { jwtBearer, tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'

const theJwt = { assertion: plainAssertion() }
const withBody = { method: 'POST', credentials: { in: 'body' } }
const callersToken = { token: new Secret('a.b.c'), type: 'urn:ietf:params:oauth:token-type:jwt' }
/** What a caller sends beside the grant type. */
const sentWith: Readonly<Record<string, Partial<TokenRequest>>> = {
  client_credentials: {},
  password: { username: 'alice', password: new Secret('s') },
  [tokenExchange]: { subjectToken: callersToken },
}

const connectionWith = (changes: object) => ({ ...plainConnection, ...changes }) as TokenConnection
const parametersWith = (...scope: string[]) => ({ parameters: { scope, resource: [], further: {} } })

function isAdmitted(connection: TokenConnection, request: Partial<TokenRequest>): boolean {
  try {
    admitRequest(connection, { connection: 'conn', further: {}, ...request })
    return true
  } catch (error) {
    assert(error instanceof InvalidRequestError)
    return false
  }
}

test('the grant type that is offered is one that a request is admitted with, whatever grant gets the token', () => {
  for (const [grant, expected] of [
    [{ type: 'client_credentials' }, 'client_credentials'],
    [{ type: 'password' }, 'password'],
    [{ type: jwtBearer, assertionParameters: {}, ...theJwt }, 'client_credentials'],
    [{ type: tokenExchange, subject: theJwt }, 'client_credentials'],
    [{ type: tokenExchange, subject: {} }, tokenExchange],
    [{ type: 'authToken', request: withBody }, 'client_credentials'],
    [{ type: 'authToken', request: { ...withBody, credentialsFrom: 'caller' } }, 'password'],
    [{ type: 'authTokenLocal', ...theJwt }, 'client_credentials'],
  ] as const) {
    const connection = connectionWith({ grant })
    assert.deepEqual(offeredRequests(connection).grantTypes, [expected], JSON.stringify(grant))
    assert.ok(isAdmitted(connection, { grantType: expected, ...sentWith[expected] }), JSON.stringify(grant))
    for (const [other, sent] of Object.entries(sentWith))
      if (other !== expected && other !== 'client_credentials')
        assert.ok(!isAdmitted(connection, { grantType: other, ...sent }), `${JSON.stringify(grant)} ${other}`)
  }
})

test('scopes are offered where a request may ask for these and no others', () => {
  const bearer = { grant: { type: jwtBearer, assertionParameters: {}, ...theJwt } }
  for (const [changes, expected] of [
    [parametersWith(), undefined],
    [parametersWith('a', 'b'), ['a', 'b']],
    [{ ...parametersWith('a'), requestMay: { scope: ['b'] } }, ['a', 'b']],
    [{ ...parametersWith('a'), requestMay: { scope: true } }, undefined],
    [{ ...parametersWith(), requestMay: { scope: ['b'] } }, ['b']],
    [{ ...parametersWith(), requestMay: {} }, undefined],
    [{ ...parametersWith(), ...bearer }, undefined],
    [{ ...parametersWith('a'), ...bearer }, ['a']],
  ] as const) {
    const connection = connectionWith(changes)
    const { scopes } = offeredRequests(connection)
    assert.deepEqual(scopes, expected, JSON.stringify(changes))
    if (!scopes) continue
    for (const scope of scopes) assert.ok(isAdmitted(connection, { scope: [scope] }), scope)
    assert.ok(!isAdmitted(connection, { scope: ['another'] }))
  }
})

test('nothing is offered where the token endpoint refuses every request, and the error says what to send', () => {
  const forUsers = connectionWith({
    grant: { type: jwtBearer, assertionParameters: {}, claimsFromRequest: { sub: true }, ...theJwt },
  })
  assert.throws(() => offeredRequests(forUsers), /Send POST \/connections\/conn\/as\/\{subject\}\/token\./)
  const tokenless: Connection = { name: 'conn', elements: [] }
  assert.throws(() => offeredRequests(tokenless), /has no token: the calls of conn have basic authentication/)
})

test("a connection whose user is that of the caller's JWT, or whose requests set other claims, is offered", () => {
  for (const claimsFromRequest of [{ sub: { fromCaller: 'email' } }, { tenant: ['a', 'b'] }]) {
    const grant = { type: jwtBearer, assertionParameters: {}, claimsFromRequest, ...theJwt }
    assert.deepEqual(offeredRequests(connectionWith({ grant })), { grantTypes: ['client_credentials'] })
  }
})
