import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { TokenExchangeGrant } from '../../../lib/configuration/connection.ts'
import { tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSignedAssertions } from '../../../lib/signing/assertion.ts'
import type { GrantForm, GrantParameters } from '../../../lib/token-endpoint/grants/grant-form.ts'
import { tokenExchangeForm } from '../../../lib/token-endpoint/grants/token-exchange.ts'
import { createTokenRequestForm } from '../../../lib/token-endpoint/token-request-form.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'
import { theSigner } from '../../support/virtual/virtual-ports.ts'

const at = { now: 1_700_000_000_000, jwtId: 'the-jwt-id' }
const byHeader = { parameters: [] }
const everything: GrantParameters = {
  scope: ['read', 'write'],
  resource: ['https://a.example', 'https://b.example'],
  audience: 'the-audience',
  further: {},
}

function bodyOf(grant: GrantForm): string {
  return createTokenRequestForm({ grantType: tokenExchange, client: byHeader, grant }).form.reveal()
}

test('a token exchange has the token of its subject and of its actor, each with its type (RFC 8693 section 2.1)', async () => {
  const two = [
    { ...at, jwtId: 'id-0' },
    { ...at, jwtId: 'id-1' },
  ] as const
  const [subject, actor] = ['alice', 'bob'].map((name) => plainAssertion({ subject: name }))
  const grant: TokenExchangeGrant = {
    type: tokenExchange,
    subject: { type: 'urn:subject', ...(subject && { assertion: subject }) },
    actor: { type: 'urn:actor', ...(actor && { assertion: actor }) },
  }
  const form = await tokenExchangeForm(
    {
      grant,
      ...(subject && { subjectMaker: createSignedAssertions(subject, theSigner) }),
      ...(actor && { actorMaker: createSignedAssertions(actor, theSigner) }),
    },
    { ...everything, further: { requested_token_type: 'urn:requested' } },
    two,
  )
  const body = new URLSearchParams(bodyOf(form))
  const tokens = ['subject_token', 'actor_token'].map((name) => body.get(name) ?? '')
  assert.deepEqual(
    tokens.map((token) => decodeJwt(token)).map(({ sub, jti }) => [sub, jti]),
    [
      ['alice', 'id-0'],
      ['bob', 'id-1'],
    ],
  )
  assert.deepEqual(
    form.secrets.map((secret) => secret.reveal()),
    tokens,
    'a server may repeat them',
  )
  assert.deepEqual(
    form.assertions.map(({ claims }) => claims['sub']),
    ['alice', 'bob'],
  )
  assert.deepEqual(
    [...body].filter(([name]) => !['subject_token', 'actor_token'].includes(name)),
    [
      ['grant_type', tokenExchange],
      ['subject_token_type', 'urn:subject'],
      ['actor_token_type', 'urn:actor'],
      ['scope', 'read write'],
      ['resource', 'https://a.example'],
      ['resource', 'https://b.example'],
      ['audience', 'the-audience'],
      ['requested_token_type', 'urn:requested'],
    ],
  )
})

test("a caller's tokens are sent with their types, count as secrets, and have no place in the log", async () => {
  const token = (text: string, type?: string) => ({ token: new Secret(text), ...(type !== undefined && { type }) })
  const parameters = { scope: [], resource: [], further: {}, subjectToken: token('the-subject', 'urn:subject') }
  const one = await tokenExchangeForm({ grant: { type: tokenExchange, subject: {} } }, parameters, [at, at])
  const both = await tokenExchangeForm(
    { grant: { type: tokenExchange, subject: {} } },
    { ...parameters, actorToken: token('the-actor') },
    [at, at],
  )
  const grantType = `grant_type=${encodeURIComponent(tokenExchange)}`
  assert.equal(bodyOf(one), `${grantType}&subject_token=the-subject&subject_token_type=urn%3Asubject`)
  assert.equal(bodyOf(both), `${bodyOf(one)}&actor_token=the-actor`)
  assert.deepEqual(
    both.secrets.map((secret) => secret.reveal()),
    ['the-subject', 'the-actor'],
  )
  assert.deepEqual([one.assertions, both.assertions], [[], []])
})

test('without a token and without a signer nothing is sent for it', async () => {
  const parameters = { scope: [], resource: [], further: {} }
  const grant: TokenExchangeGrant = { type: tokenExchange, subject: { assertion: plainAssertion() }, actor: {} }
  assert.deepEqual(await tokenExchangeForm({ grant }, parameters, [at, at]), {
    parameters: [],
    secrets: [],
    assertions: [],
  })
})
