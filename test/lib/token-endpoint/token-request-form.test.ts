import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { JwtBearerGrant, PlainGrant } from '../../../lib/configuration/connection.ts'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSignedAssertions } from '../../../lib/signing/assertion.ts'
import { createGrantForm } from '../../../lib/token-endpoint/grants/create-grant-form.ts'
import type { GrantParameters } from '../../../lib/token-endpoint/grants/grant-form.ts'
import { createTokenRequestForm } from '../../../lib/token-endpoint/token-request-form.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'
import { theSigner } from '../../support/virtual/virtual-ports.ts'

const at = { now: 1_700_000_000_000, jwtId: 'the-jwt-id' }
const moments = [at, at] as const
const nothing: GrantParameters = { scope: [], resource: [], further: {} }
const everything: GrantParameters = {
  scope: ['read', 'write'],
  resource: ['https://a.example', 'https://b.example'],
  audience: 'the-audience',
  further: { a: '1', b: '2=3' },
}
const byHeader = { parameters: [] }
const byAssertion = {
  parameters: [
    ['client_assertion_type', 'the-type'],
    ['client_assertion', new Secret('the.assertion.itself')],
  ],
} as const

async function bodyOf(
  type: PlainGrant['type'],
  parameters: GrantParameters,
  client: typeof byAssertion | typeof byHeader,
) {
  const form = await createGrantForm({ grant: { type } }, parameters, moments)
  return createTokenRequestForm({ grantType: type, client, grant: form }).form.reveal()
}

test('a request with only a grant names it and nothing else', async () => {
  assert.equal(await bodyOf('client_credentials', nothing, byHeader), 'grant_type=client_credentials')
})

test('each parameter has its name from the RFCs, scopes are one parameter, and resources are several', async () => {
  const parameters = { ...everything, username: 'alice', password: new Secret('p&s w') }
  assert.deepEqual(
    [...new URLSearchParams(await bodyOf('password', parameters, byAssertion))],
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

test('one parameter alone brings no other one along, and an empty text counts as a value', async () => {
  const one = async (changes: object) =>
    (await bodyOf('password', { ...nothing, ...changes }, byHeader)).replace('grant_type=password&', '')
  assert.equal(await one({ username: '' }), 'username=')
  assert.equal(await one({ password: new Secret('') }), 'password=')
  assert.equal(await one({ audience: '' }), 'audience=')
  assert.equal(await one({ scope: ['a'] }), 'scope=a')
  assert.equal(await one({ resource: ['a'] }), 'resource=a')
  assert.equal(await one({ further: { a: '' } }), 'a=')
})

test('a password is sent for the grant type password alone, and counts as a secret', async () => {
  const user = { ...nothing, username: 'alice', password: new Secret('hunter2') }
  assert.equal(await bodyOf('client_credentials', user, byHeader), 'grant_type=client_credentials')
  const { secrets, assertions } = await createGrantForm({ grant: { type: 'password' } }, user, moments)
  assert.deepEqual(
    secrets.map((secret) => secret.reveal()),
    ['hunter2'],
  )
  assert.deepEqual(assertions, [])
})

test('a grant without password and assertion has nothing that a server could repeat', async () => {
  for (const type of ['client_credentials', 'password'] as const) {
    const { secrets, assertions } = await createGrantForm({ grant: { type } }, everything, moments)
    assert.deepEqual([secrets, assertions], [[], []], type)
  }
})

/** The claims and the other parameters of a grant whose assertion has these parameters as claims. */
async function assertionOf(assertionParameters: JwtBearerGrant['assertionParameters'], parameters = everything) {
  const assertion = plainAssertion({ issuer: 'theClient', subject: 'alice', claims: { tenant: 't' } })
  const grant: JwtBearerGrant = { type: jwtBearer, assertion, assertionParameters }
  const form = await createGrantForm(
    { grant, maker: createSignedAssertions(assertion, theSigner) },
    parameters,
    moments,
  )
  const body = new URLSearchParams(
    createTokenRequestForm({ grantType: jwtBearer, client: byHeader, grant: form }).form.reveal(),
  )
  const jwt = body.get('assertion') ?? ''
  body.delete('assertion')
  assert.deepEqual(
    form.secrets.map((secret) => secret.reveal()),
    [jwt],
    'a server may repeat it',
  )
  return { claims: decodeJwt(jwt), others: [...body], sent: form.assertions[0] }
}

test('the grant jwt-bearer has an assertion, and the parameters beside it (RFC 7523 section 2.1)', async () => {
  const { claims, others, sent } = await assertionOf({})
  assert.deepEqual(claims, {
    iss: 'theClient',
    aud: 'https://as.example',
    exp: 1_700_000_120,
    jti: 'the-jwt-id',
    tenant: 't',
    sub: 'alice',
    iat: 1_700_000_000,
  })
  assert.deepEqual(sent?.claims, claims)
  assert.deepEqual(others, [
    ['grant_type', jwtBearer],
    ['scope', 'read write'],
    ['resource', 'https://a.example'],
    ['resource', 'https://b.example'],
    ['audience', 'the-audience'],
    ['a', '1'],
    ['b', '2=3'],
  ])
})

test('scope and resource can be claims instead, as a text or as a list', async () => {
  const asText = await assertionOf({ scope: 'text', resource: 'text' })
  assert.equal(asText.claims['scope'], 'read write')
  assert.equal(asText.claims['resource'], 'https://a.example https://b.example')
  const asList = await assertionOf({ scope: 'list', resource: 'list' })
  assert.deepEqual(asList.claims['scope'], ['read', 'write'])
  assert.deepEqual(asList.claims['resource'], ['https://a.example', 'https://b.example'])
  for (const { others } of [asText, asList])
    assert.deepEqual(
      others.map(([name]) => name),
      ['grant_type', 'audience', 'a', 'b'],
    )
  const oneOfBoth = await assertionOf({ resource: 'list' })
  assert.equal('scope' in oneOfBoth.claims, false)
  assert.deepEqual(oneOfBoth.others[1], ['scope', 'read write'])
})

test('scopes have the separator of the server, in the body and in a text claim, and resources are separated by blanks', async () => {
  const parameters = { ...everything, scopeSeparator: ',' }
  const form = new URLSearchParams(await bodyOf('client_credentials', parameters, byHeader))
  assert.equal(form.get('scope'), 'read,write')
  const { claims } = await assertionOf({ scope: 'text', resource: 'text' }, parameters)
  assert.deepEqual([claims['scope'], claims['resource']], ['read,write', 'https://a.example https://b.example'])
  const asList = await assertionOf({ scope: 'list' }, parameters)
  assert.deepEqual(asList.claims['scope'], ['read', 'write'])
})

test('without scope and resource there is no such claim', async () => {
  const { claims } = await assertionOf({ scope: 'list', resource: 'text' }, nothing)
  assert.deepEqual(
    Object.keys(claims).filter((name) => name === 'scope' || name === 'resource'),
    [],
  )
})

test('a claim of the request is signed, and the log does not see it', async () => {
  const { claims, sent } = await assertionOf({}, { ...nothing, claims: { employee: 'bob', tenant: 'of-the-caller' } })
  assert.deepEqual([claims['employee'], claims['tenant']], ['bob', 'of-the-caller'])
  const { employee: _, tenant: __, ...others } = claims
  assert.deepEqual(sent?.claims, others)
})

test('an assertion without a subject has no sub', async () => {
  const { subject: _, ...withoutSubject } = plainAssertion()
  const grant: JwtBearerGrant = { type: jwtBearer, assertion: withoutSubject, assertionParameters: {} }
  const form = await createGrantForm(
    { grant, maker: createSignedAssertions(withoutSubject, theSigner) },
    nothing,
    moments,
  )
  assert.equal('sub' in (form.assertions[0]?.claims ?? {}), false)
})

test('parameters go into the query where the server wants that, but never a secret and nothing of the client', async () => {
  const grantType = 'password'
  const parameters = { ...everything, username: 'alice', password: new Secret('hunter2') }
  const grant = await createGrantForm({ grant: { type: grantType } }, parameters, moments)
  const every = ['grant_type', 'scope', 'resource', 'a', 'password', 'client_assertion', 'client_assertion_type', 'x']
  const { form, query } = createTokenRequestForm({ grantType, client: byAssertion, grant, inQuery: every })
  assert.equal(
    query?.reveal(),
    'grant_type=password&scope=read%20write&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example&a=1',
  )
  assert.deepEqual(
    [...new URLSearchParams(form.reveal()).keys()],
    ['client_assertion_type', 'client_assertion', 'username', 'password', 'audience', 'b'],
  )
  const { query: none } = createTokenRequestForm({ grantType, client: byHeader, grant, inQuery: ['x'] })
  assert.equal(none, undefined)
})
