import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import type { ClientCredentials } from '../../../lib/token-endpoint/client-authentication.ts'
import { createTokenRequestForm } from '../../../lib/token-endpoint/token-request-form.ts'

const nothing = { scope: [], resource: [], further: {} }
const byHeader: ClientCredentials = { parameters: [], headers: {}, secrets: [], sendsClientId: false }
const byAssertion: ClientCredentials = {
  ...byHeader,
  parameters: [
    ['client_assertion_type', 'the-type'],
    ['client_assertion', new Secret('the.assertion.itself')],
  ],
}

test('a request with only a grant names it and nothing else', () => {
  assert.equal(
    createTokenRequestForm('client_credentials', nothing, byHeader).reveal(),
    'grant_type=client_credentials',
  )
})

test('each parameter has its name from the RFCs, scopes are one parameter, and resources are several', () => {
  const parameters = {
    scope: ['read', 'write'],
    resource: ['https://a.example', 'https://b.example'],
    audience: 'the-audience',
    username: 'alice',
    password: new Secret('p&s w'),
    further: { a: '1', b: '2=3' },
  }
  assert.deepEqual(
    [...new URLSearchParams(createTokenRequestForm('password', parameters, byAssertion).reveal())],
    [
      ['grant_type', 'password'],
      ['client_assertion_type', 'the-type'],
      ['client_assertion', 'the.assertion.itself'],
      ['username', 'alice'],
      ['password', 'p&s w'],
      ['scope', 'read write'],
      ['resource', 'https://a.example'],
      ['resource', 'https://b.example'],
      ['audience', 'the-audience'],
      ['a', '1'],
      ['b', '2=3'],
    ],
  )
})

test('one parameter alone brings no other one along, and an empty text counts as a value', () => {
  const one = (changes: object) =>
    createTokenRequestForm('password', { ...nothing, ...changes }, byHeader)
      .reveal()
      .replace('grant_type=password&', '')
  assert.equal(one({ username: '' }), 'username=')
  assert.equal(one({ password: new Secret('') }), 'password=')
  assert.equal(one({ audience: '' }), 'audience=')
  assert.equal(one({ scope: ['a'] }), 'scope=a')
  assert.equal(one({ resource: ['a'] }), 'resource=a')
  assert.equal(one({ further: { a: '' } }), 'a=')
})
