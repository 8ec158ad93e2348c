import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startStrictGoogleApi } from '../support/servers/strict-google-api.ts'
import type { StrictServerOfKeys } from '../support/servers/strict-server.ts'
import { type Call, callByHand, clock, now, otherRsa, rsa, withClaims } from './hand-made-call.ts'

const email = 'robot@project.iam.gserviceaccount.com'
const audience = 'https://pubsub.googleapis.com/'
const scope = 'https://www.googleapis.com/auth/pubsub'
const claims = { iss: email, sub: email, aud: audience, iat: now, exp: now + 3600 }
const call: Call = {
  path: '/v1/projects/project/topics',
  header: { alg: 'RS256', typ: 'JWT', kid: 'thePrivateKeyId' },
  claims,
  key: rsa.privateKey,
}

async function strictApi(t: TestContext): Promise<StrictServerOfKeys> {
  const api = await startStrictGoogleApi(t, { email, audience, scopes: [scope], ...clock })
  api.register('thePrivateKeyId', rsa.publicKey)
  return api
}

const both = /not both the e-mail address/
const begin = /iat is missing, no whole number or in the future/
const end = /exp is missing, no whole number or past/

const deviations: Readonly<Record<string, readonly [Call, reason: RegExp]>> = {
  'no Authorization': [{ headers: { authorization: undefined } }, /no JWT/],
  'the scheme OAuth': [{ scheme: 'OAuth' }, /no JWT/],
  'no JWT': [{ changed: () => 'a.b' }, /no JWT/],
  'another algorithm': [{ header: { alg: 'PS256' } }, /did not sign it/],
  'no kid': [{ header: { kid: undefined } }, /kid/],
  'an unknown kid': [{ header: { kid: 'another' } }, /kid/],
  'another key': [{ key: otherRsa.privateKey }, /did not sign it/],
  'claims that were not signed': [{ changed: withClaims({ ...claims, exp: now + 60 }) }, /did not sign it/],
  'another issuer': [{ claims: { iss: 'another' } }, both],
  'no subject': [{ claims: { sub: undefined } }, both],
  'another audience': [{ claims: { aud: 'https://oauth2.googleapis.com/token' } }, /aud is not this API/],
  'an audience without its slash': [{ claims: { aud: audience.slice(0, -1) } }, /aud is not this API/],
  'a list as audience': [{ claims: { aud: [audience] } }, /aud is not this API/],
  'neither audience nor scope': [{ claims: { aud: undefined } }, /and not both/],
  'audience and scope': [{ claims: { scope } }, /and not both/],
  'an unknown scope': [{ claims: { aud: undefined, scope: `${scope} other` } }, /scope is not known/],
  'a jti': [{ claims: { jti: 'the-id' } }, /jti are not documented/],
  'no begin': [{ claims: { iat: undefined } }, begin],
  'a begin in 1 s': [{ claims: { iat: now + 1 } }, begin],
  'no end': [{ claims: { exp: undefined } }, end],
  'an end in the past': [{ claims: { iat: now - 1, exp: now } }, end],
  'a life of 3601 s': [{ claims: { exp: now + 3601 } }, /more than an hour/],
}

for (const [deviation, [changes, reason]] of Object.entries(deviations))
  test(`the Google API refuses a JWT with ${deviation}`, async (t) => {
    const api = await strictApi(t)
    const { status, headers, body } = await callByHand(api, call, changes)
    assert.equal(status, 401)
    assert.match(String(headers['www-authenticate']), /error="invalid_token"/)
    assert.equal((body['error'] as { status: string }).status, 'UNAUTHENTICATED')
    assert.equal(api.accepted.length, 0)
    assert.match(api.refusals.join(), reason)
  })

test('the Google API accepts a JWT with its audience or with a scope, several times', async (t) => {
  const api = await strictApi(t)
  for (const changes of [{}, {}, { claims: { aud: undefined, scope } }])
    assert.equal((await callByHand(api, call, changes)).status, 200)
  assert.equal(api.accepted.length, 3)
})
