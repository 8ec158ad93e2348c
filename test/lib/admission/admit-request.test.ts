import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { admit, admitGrantType, admitRequest } from '../../../lib/admission/admit-request.ts'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import type { LocalConnection, ServedConnection, TokenConnection } from '../../../lib/configuration/connection.ts'
import { jwtBearer, tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { unchangingConnections } from '../../support/virtual/virtual-ports.ts'

const asked = (members: Partial<TokenRequest> = {}): TokenRequest => ({ connection: 'conn', further: {}, ...members })
const setting = (
  parameters: Partial<ServedConnection['parameters']>,
  changes: Partial<ServedConnection> = {},
): ServedConnection => ({
  ...plainConnection,
  parameters: { ...plainConnection.parameters, ...parameters },
  ...changes,
})

function refuses(connection: TokenConnection, request: Partial<TokenRequest>, message: RegExp): void {
  assert.throws(
    () => admitRequest(connection, asked(request)),
    (error) => {
      assert.ok(error instanceof InvalidRequestError, String(error))
      assert.deepEqual(
        [error.code, error.error, error.publicMessage],
        ['invalid_request', 'invalid_request', error.message],
      )
      assert.match(error.message, message)
      return true
    },
  )
}

const tooMuch =
  / asks for more than this connection allows\. Leave it out, or ask for a part of the configured values\.$/
const closed = / cannot be set by a request for this connection\. Leave it out\.$/

test('a parameter that a request leaves out has the value of the element', () => {
  const parameters = { scope: ['a'], resource: ['r'], audience: 'x', further: { tenant: 't' } }
  assert.deepEqual(admitRequest(setting(parameters), asked()), parameters)
  assert.deepEqual(admitRequest(plainConnection, asked()), { scope: [], resource: [], further: {} })
})

test('a request may ask for a part of a value of the element, and for nothing else', () => {
  const connection = setting({ scope: ['a', 'b'], resource: ['r', 's'], audience: 'x', further: { tenant: 't' } })
  const part = { scope: ['b'], resource: ['s'], audience: 'x', further: { tenant: 't' } }
  assert.deepEqual(admitRequest(connection, asked(part)), part)
  refuses(connection, { scope: ['a', 'c'] }, tooMuch)
  refuses(connection, { resource: ['q'] }, tooMuch)
  refuses(connection, { audience: 'y' }, tooMuch)
  refuses(connection, { audience: '' }, tooMuch)
  refuses(connection, { further: { tenant: 'u' } }, /^tenant asks for more/)
})

test('a request may set scope, resource or audience where the element sets none, and no other parameter', () => {
  const all = { scope: ['a'], resource: ['r'], audience: 'x' }
  assert.deepEqual(admitRequest(plainConnection, asked(all)), { ...all, further: {} })
  for (const name of ['tenant', 'constructor', '__proto__'])
    refuses(plainConnection, { further: JSON.parse(`{"${name}":"x"}`) }, closed)
})

test('with requestMay a request may set what it lists, those values or any, and nothing else', () => {
  const connection = setting({ audience: 'x' }, { requestMay: { scope: ['a'], tenant: true, audience: ['y'] } })
  const all = { scope: ['a'], audience: 'y', further: { tenant: 'anything' } }
  assert.deepEqual(admitRequest(connection, asked(all)), { ...all, resource: [] })
  assert.equal(admitRequest(connection, asked({ audience: 'x' })).audience, 'x', 'what the element sets')
  refuses(connection, { scope: ['b'] }, /^scope asks for more/)
  refuses(connection, { audience: 'z' }, tooMuch)
  refuses(connection, { resource: ['r'] }, /^resource cannot be set/)
  refuses(connection, { further: { other: 'x' } }, closed)
  refuses(connection, { further: { toString: 'x' } }, closed)
})

test('a grant type must be the one of the connection, or absent', () => {
  for (const grantType of [undefined, 'password'])
    admitGrantType('password', asked(grantType === undefined ? {} : { grantType }))
  assert.throws(() => admitRequest(plainConnection, asked({ grantType: 'password' })), {
    error: 'unsupported_grant_type',
    message: 'grant_type must be client_credentials for this connection. Leave it out, or send client_credentials.',
  })
})

const [username, password] = ['alice', new Secret('p')]
const ofUsers = setting({}, { grant: { type: 'password' } })

test('a user and a password are required for the grant type password, and refused for any other', () => {
  const user = { username, password }
  assert.deepEqual(admitRequest(ofUsers, asked(user)), { scope: [], resource: [], ...user, further: {} })
  refuses(ofUsers, { password }, /^username is missing\. A request for this connection must have one\.$/)
  refuses(ofUsers, { username }, /^password is missing\. A request for this connection must have one\.$/)
  refuses(plainConnection, { username }, /^username cannot be used: .* is client_credentials\. Leave it out\.$/)
  refuses(plainConnection, { password }, /^password cannot be used: /)
})

test('requestMay can list the users', () => {
  const listing = { ...ofUsers, requestMay: { username: ['alice'] } }
  assert.equal(admitRequest(listing, asked({ username, password })).username, 'alice')
  refuses(listing, { username: 'bob', password }, /^username asks for more/)
  const others = { ...ofUsers, requestMay: { scope: true as const } }
  assert.equal(admitRequest(others, asked({ username: 'bob', password })).username, 'bob')
})

test('a request is checked against the current elements', async () => {
  const { parameters, connection } = await admit(unchangingConnections(plainConnection), asked({ scope: ['a'] }))
  assert.deepEqual([parameters.scope, connection], [['a'], plainConnection])
})

test('a grant by assertion leaves nothing open to a request, and callers name no other grant than client_credentials', () => {
  const assertion = plainAssertion()
  const grant = { type: jwtBearer, assertion, assertionParameters: {} } as const
  const connection = setting({}, { grant })
  for (const request of [{ scope: ['a'] }, { resource: ['urn:a'] }, { audience: 'a' }])
    refuses(connection, request, /cannot be set by a request for this connection/)
  refuses(connection, { scope: ['Stryker was here'] }, /^scope cannot be set/)
  admitRequest(connection, asked({ grantType: 'client_credentials' }))
  assert.throws(() => admitRequest(connection, asked({ grantType: 'password' })), { error: 'unsupported_grant_type' })
  admitRequest(ofUsers, asked({ username, password, grantType: 'password' }))
})

const callers = (type?: string) => ({ token: new Secret('a-token'), ...(type !== undefined && { type }) })

test('a caller brings the tokens that Tokenwell does not make, with their types or those of the element', () => {
  const untyped: ServedConnection = { ...plainConnection, grant: { type: tokenExchange, subject: {} } }
  const typed: ServedConnection = {
    ...plainConnection,
    grant: { type: tokenExchange, subject: { type: 'urn:a' }, actor: { type: 'urn:b' } },
    requestMay: { actor_token: true },
  }
  assert.deepEqual(admitRequest(untyped, asked({ subjectToken: callers('urn:x') })).subjectToken, callers('urn:x'))
  const both = admitRequest(typed, asked({ subjectToken: callers(), actorToken: callers('urn:b') }))
  assert.deepEqual([both.subjectToken, both.actorToken], [callers('urn:a'), callers('urn:b')])
  refuses(untyped, {}, /^subject_token is missing\. A request for this connection must have one\.$/)
  refuses(untyped, { subjectToken: callers() }, /^subject_token_type is missing\. Send the type/)
  refuses(typed, { subjectToken: callers('urn:b') }, /^subject_token_type must be urn:a for this connection\./)
  refuses(typed, { subjectToken: callers(), actorToken: callers('urn:a') }, /^actor_token_type must be urn:b for this/)
  refuses(
    untyped,
    { subjectToken: callers('urn:x'), actorToken: callers('urn:x') },
    /^actor_token cannot be set by a req/,
  )
})

test('a connection whose tokens Tokenwell makes, or whose grant is another, takes no token of a caller', () => {
  const made: ServedConnection = {
    ...plainConnection,
    grant: { type: tokenExchange, subject: { type: 'urn:a', assertion: plainAssertion() } },
  }
  assert.deepEqual(admitRequest(made, asked()), { scope: [], resource: [], further: {} })
  refuses(made, { subjectToken: callers('urn:a') }, /^subject_token cannot be used: Tokenwell makes that of this conn/)
  refuses(plainConnection, { subjectToken: callers('urn:a') }, /^subject_token cannot be used: the grant type of this/)
  refuses(plainConnection, { actorToken: callers('urn:a') }, /^actor_token cannot be used: the grant type of this conn/)
  for (const further of [{ requested_token_type: 'urn:a' }, { audience: 'x' }])
    refuses(made, { further }, / cannot be set by a request for this connection/)
})

test('a caller that sends a subject token may name the grant type token-exchange or client_credentials', () => {
  const withToken = asked({ subjectToken: callers() })
  for (const grantType of [undefined, tokenExchange, 'client_credentials'])
    admitGrantType('client_credentials', { ...withToken, ...(grantType !== undefined && { grantType }) })
  const refused = (request: TokenRequest, message: RegExp) =>
    assert.throws(() => admitGrantType('client_credentials', request), { message })
  refused(asked({ grantType: tokenExchange }), /^subject_token is missing\. The grant type token-exchange needs one\./)
  refused({ ...withToken, grantType: jwtBearer }, /^grant_type must be client_credentials/)
})

test('of authorization_details a request may send whole objects that are set or listed', () => {
  const connection: ServedConnection = {
    ...plainConnection,
    parameters: { ...plainConnection.parameters, further: { authorization_details: '[{"type":"a"},{"type":"b"}]' } },
    requestMay: { authorization_details: ['{"type":"c"}'] },
  }
  const sent = (text: string) =>
    admitRequest(connection, { connection: 'conn', further: { authorization_details: text } }).further
  for (const text of ['[{"type":"b"}]', '[{"type":"a"},{"type":"c"}]'])
    assert.deepEqual(sent(text), { authorization_details: text })
  for (const text of ['[{"type":"d"}]', '[{"type":"a"},{"type":"d"}]', '[{"type":"a","x":1}]', 'x'])
    assert.throws(() => sent(text), /^InvalidRequestError: authorization_details asks for more/)
})

test('a scope that contains the separator of the server is refused, even where every scope is open', () => {
  const authorizationServer = { ...plainConnection.authorizationServer, scopeSeparator: ',' }
  const admit = (scope: readonly string[], server = authorizationServer) =>
    admitRequest({ ...plainConnection, authorizationServer: server }, { connection: 'conn', scope, further: {} })
  assert.deepEqual([admit(['a', 'b']).scope, admit(['a']).scopeSeparator], [['a', 'b'], ','])
  assert.throws(() => admit(['a', 'b,c']), /^InvalidRequestError: scope has a scope that contains ","/)
  const withoutScope = { ...plainConnection, authorizationServer }
  assert.deepEqual(admitRequest(withoutScope, { connection: 'conn', further: {} }).scope, [])
  const named = admitRequest(plainConnection, { connection: 'conn', scope: ['undefined'], further: {} })
  assert.deepEqual(named.scope, ['undefined'])
  const plain = admitRequest(plainConnection, { connection: 'conn', scope: ['b,c'], further: {} })
  assert.deepEqual([plain.scope, 'scopeSeparator' in plain], [['b,c'], false])
})

test('only authorization_details are compared as JSON values', () => {
  const spaced = '[{"type": "a"}]'
  const connection = { ...plainConnection, requestMay: { extra: [spaced] } }
  const admit = (extra: string) => admitRequest(connection, { connection: 'conn', further: { extra } })
  assert.deepEqual(admit(spaced).further, { extra: spaced })
  assert.throws(() => admit('[{"type":"a"}]'), /^InvalidRequestError: extra asks for more/)
})

test('a token that is not OAuth 2.0 has no scope, resource or audience that a request could set', () => {
  const tokenServer: ServedConnection = {
    ...plainConnection,
    grant: {
      type: 'authToken',
      request: { method: 'POST', credentials: { in: 'nowhere' }, parameterHeaders: { 'x-tenant': 'tenant' } },
      response: { token: { in: 'text' } },
      reuse: 'all',
    },
  }
  const { authorizationServer: _, clientId: __, clientAuthentication: ___, ...rest } = plainConnection
  const local: LocalConnection = {
    ...rest,
    grant: { type: 'authTokenLocal', assertion: plainAssertion(), reuse: 'all' },
    lifetime: { assumedLifetimeSeconds: 300 },
  }
  for (const connection of [tokenServer, local])
    for (const added of [{ scope: ['a'] }, { resource: ['r'] }, { audience: 'x' }]) refuses(connection, added, closed)
  const listing: ServedConnection = { ...tokenServer, requestMay: { tenant: true } }
  assert.deepEqual(admitRequest(listing, asked({ further: { tenant: 'north' } })).further, { tenant: 'north' })
  refuses(listing, { further: { tenant: 'n\u00f6rth' } }, /^tenant cannot be sent/)
})

test('the user and the password of a caller must fit the place that the element has for them', () => {
  const connection: ServedConnection = {
    ...plainConnection,
    grant: {
      type: 'authToken',
      request: { method: 'POST', credentials: { in: 'header', header: 'authorization' }, credentialsFrom: 'caller' },
      response: { token: { in: 'text' } },
      reuse: 'all',
    },
  }
  const password = new Secret('p')
  assert.equal(admitRequest(connection, asked({ username: 'alice', password })).username, 'alice')
  refuses(connection, { username: 'alice:b', password }, /^username has a colon/)
})
