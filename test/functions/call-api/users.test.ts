import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import {
  bearerOf,
  type CallApiWithScriptedServersOptions,
  startCallApiWithScriptedServers,
} from '../../support/functions/call-api-with-scripted-servers.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'

/* Calls with a token for the user of the caller's JWT. */

function taking(claimsFromRequest: object): CallApiWithScriptedServersOptions {
  return {
    elements: {
      oAuth: {
        ...{ grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', clientId: 'theClient' },
        ...{ jwtAuthenticationTokenRef: undefined, claimsFromRequest },
      },
      tokenConfig: { tokenSubject: undefined },
    },
    tokens: ({ form }) =>
      tokenAnswer({ access_token: `the-token-of-${decodeJwt(form.get('assertion') ?? '').sub}-${Math.random()}` }),
  }
}
const byJwt = (claims: object) => ({ jwt: { claims, scopes: null } })

test('a call uses the token of the user in the JWT of its caller, and the API rejects and replaces that one alone', async (t) => {
  let isRejected = false
  const calls = await startCallApiWithScriptedServers(
    t,
    () => (isRejected ? { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } } : {}),
    taking({ sub: { fromCaller: 'email' } }),
  )
  for (const email of ['alice', 'bob', 'alice'])
    assert.equal((await calls.call({ authorizer: byJwt({ email }) })).status, 200)
  const tokens = calls.api.requests.map(({ headers }) => bearerOf(headers))
  assert.deepEqual(
    tokens.map((token) => token.split('-')[3]),
    ['alice', 'bob', 'alice'],
  )
  assert.equal(tokens[0], tokens[2])
  calls.age(11_000)
  isRejected = true
  await calls.call({ authorizer: byJwt({ email: 'bob' }) })
  const repeated = calls.api.requests.slice(-2).map(({ headers }) => bearerOf(headers))
  assert.deepEqual(
    repeated.map((token) => token.split('-')[3]),
    ['bob', 'bob'],
  )
  assert.notEqual(repeated[0], repeated[1])
})

test('a call is made for no user that the request would have to name, and for no caller without the claim', async (t) => {
  for (const [claimsFromRequest, status] of [
    [{ sub: true }, 400],
    [{ sub: ['alice'] }, 400],
    [{ tenant: ['north'] }, 400],
    [{ sub: { fromCaller: 'email' } }, 403],
  ] as const) {
    const calls = await startCallApiWithScriptedServers(t, undefined, taking(claimsFromRequest))
    for (const authorizer of [{}, byJwt({ sub: 'alice' })]) {
      const answer = await calls.call({ authorizer, headers: { 'claim.sub': 'alice' }, query: 'claim.sub=alice' })
      assert.equal(answer.status, status, answer.body.toString())
    }
    assert.deepEqual([calls.api.requests.length, calls.tokens.requests.length], [0, 0])
  }
})

const ofLocalToken = (claimsFromRequest: object): CallApiWithScriptedServersOptions => ({
  elements: { endpoint: { authenticationConfigRef: 'theLocalToken' }, builder: { audiences: 'theApi', jti: false } },
  moreElements: () => ({ authTokenLocal: { theLocalToken: { tokenGeneratorRef: 'theBuilder', claimsFromRequest } } }),
})

test('a token that Tokenwell signs for a call has the user of its caller, and a 401 replaces that one alone', async (t) => {
  let isRejected = false
  const setting = ofLocalToken({ sub: { fromCaller: 'email' } })
  const calls = await startCallApiWithScriptedServers(t, () => (isRejected ? { status: 401 } : {}), setting)
  for (const email of ['alice', 'bob', 'alice'])
    assert.equal((await calls.call({ authorizer: byJwt({ email }) })).status, 200)
  const tokensNow = () => calls.api.requests.map(({ headers }) => bearerOf(headers))
  const [alices, bobs, again] = tokensNow()
  assert.deepEqual(
    tokensNow().map((token) => decodeJwt(token).sub),
    ['alice', 'bob', 'alice'],
  )
  assert.equal(again, alices)
  calls.age(11_000)
  isRejected = true
  await calls.call({ authorizer: byJwt({ email: 'bob' }) })
  isRejected = false
  await calls.call({ authorizer: byJwt({ email: 'alice' }) })
  const [rejected, replacing, unharmed] = tokensNow().slice(3)
  assert.equal(rejected, bobs)
  assert.notEqual(replacing, bobs)
  assert.equal(decodeJwt(replacing ?? '').sub, 'bob')
  assert.equal(unharmed, alices)
  assert.equal((await calls.call()).status, 403, 'a caller without a JWT')
  assert.equal(calls.tokens.requests.length, 0)
})

test('no call carries a token that Tokenwell signs for a user whom the request would have to name', async (t) => {
  for (const claimsFromRequest of [{ sub: true }, { sub: ['alice'] }, { tenant: ['north'] }]) {
    const calls = await startCallApiWithScriptedServers(t, undefined, ofLocalToken(claimsFromRequest))
    const answer = await calls.call({ headers: { 'claim.sub': 'alice' }, query: 'claim.sub=alice' })
    assert.deepEqual([answer.status, calls.api.requests.length], [400, 0])
  }
})
