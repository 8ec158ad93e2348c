import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import type { SentAssertion } from '../../../lib/signing/assertion.ts'
import { repeatsAssertion, type SignedRequest, unsigned } from '../../../lib/token-endpoint/signed-request.ts'
import { createTokensInVirtualTime, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ0aGVDbGllbnQifQ.c2lnbmF0dXJl'
const sent: SentAssertion = { header: { alg: 'RS256' }, claims: {}, validity: { from: 0, until: 1 } }
const secrets = [new Secret(jwt)]
const aToken = new Secret('a token')

const ofClient: SignedRequest = { ...unsigned, client: { ...unsigned.client, secrets, assertion: sent } }
const ofGrant: SignedRequest = { ...unsigned, grant: { ...unsigned.grant, secrets, assertions: [sent] } }

test('a JWT of the request is found in a token and in a member that callers get', () => {
  for (const request of [ofClient, ofGrant]) {
    assert.equal(repeatsAssertion(request, new Secret(jwt), []), true)
    assert.equal(repeatsAssertion(request, aToken, [5, `https://a.example/?${jwt}`]), true)
    assert.equal(repeatsAssertion(request, aToken, [true, jwt.slice(1)]), false)
  }
})

test("a client secret, a user's password and a caller's own token are not taken for a JWT of Tokenwell", () => {
  const bySecret: SignedRequest = { ...unsigned, client: { ...unsigned.client, secrets } }
  const ofCaller: SignedRequest = { ...unsigned, grant: { ...unsigned.grant, secrets } }
  for (const request of [bySecret, ofCaller, unsigned])
    assert.equal(repeatsAssertion(request, new Secret(jwt), []), false)
})

test('a server that answers with the assertion that it was sent gets it to no caller', async () => {
  for (const member of ['access_token', 'scope']) {
    const { time, get } = createTokensInVirtualTime(({ assertion }) => virtualToken({ [member]: assertion }))
    await assert.rejects(time.until(get()), (error: Error) => !String(error.stack).includes('eyJ'), member)
  }
})
