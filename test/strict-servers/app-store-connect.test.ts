import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { startStrictAppStoreConnect } from '../support/servers/strict-app-store-connect.ts'
import type { StrictServerOfKeys } from '../support/servers/strict-server.ts'
import { type Call, callByHand, clock, now, rsa, withClaims } from './hand-made-call.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const claims = { iss: 'the-issuer', aud: 'appstoreconnect-v1', iat: now, exp: now + 1200 }
const call: Call = {
  path: '/v1/apps?limit=1',
  header: { alg: 'ES256', kid: '2X9R4HXF34', typ: 'JWT' },
  claims,
  key: ec.privateKey,
}

async function strictApi(t: TestContext, issuerId: string | undefined = 'the-issuer'): Promise<StrictServerOfKeys> {
  const api = await startStrictAppStoreConnect(t, { ...(issuerId !== '' && { issuerId }), ...clock })
  api.register('2X9R4HXF34', ec.publicKey)
  return api
}

const issuer = /iss is not that of the key/
const end = /exp is missing, no whole number or past/
const begin = /iat is missing, no whole number or in the future/
const scope = /scope does not allow/

const deviations: Readonly<Record<string, readonly [Call, reason: RegExp]>> = {
  'no Authorization': [{ headers: { authorization: undefined } }, /no JWT/],
  'the scheme Basic': [{ scheme: 'Basic' }, /no JWT/],
  'no JWT': [{ changed: () => 'a.b' }, /no JWT/],
  'another algorithm': [{ header: { alg: 'RS256' }, key: rsa.privateKey }, /did not sign it by ES256/],
  'no kid': [{ header: { kid: undefined } }, /kid/],
  'an unknown kid': [{ header: { kid: 'another' } }, /kid/],
  'no typ': [{ header: { typ: undefined } }, /typ is not JWT/],
  'a further header': [{ header: { jku: 'https://as.example/jwks' } }, /header has jku/],
  'another key': [{ key: otherEc.privateKey }, /did not sign it/],
  'claims that were not signed': [{ changed: withClaims({ ...claims, exp: now + 60 }) }, /did not sign it/],
  'another issuer': [{ claims: { iss: 'another' } }, issuer],
  'no issuer': [{ claims: { iss: undefined } }, issuer],
  'a subject': [{ claims: { sub: 'the-issuer' } }, /sub is not/],
  'another audience': [{ claims: { aud: 'https://api.appstoreconnect.apple.com' } }, /aud is not/],
  'a list as audience': [{ claims: { aud: ['appstoreconnect-v1'] } }, /aud is not/],
  'a jti': [{ claims: { jti: 'the-id' } }, /jti are not documented/],
  'an nbf': [{ claims: { nbf: now } }, /nbf are not documented/],
  'no begin': [{ claims: { iat: undefined } }, begin],
  'a begin in 1 s': [{ claims: { iat: now + 1 } }, begin],
  'no end': [{ claims: { exp: undefined } }, end],
  'an end in the past': [{ claims: { exp: now } }, end],
  'an end in 1201 s': [{ claims: { exp: now + 1201 } }, /more than 20 minutes/],
  'a scope for another path': [{ claims: { scope: ['GET /v1/builds'] } }, scope],
  'a scope for another method': [{ claims: { scope: ['POST /v1/apps'] } }, scope],
  'a scope for another query': [{ claims: { scope: ['GET /v1/apps?limit=2'] } }, scope],
  'a scope as a text': [{ claims: { scope: 'GET /v1/apps' } }, scope],
}

for (const [deviation, [changes, reason]] of Object.entries(deviations))
  test(`App Store Connect refuses a JWT with ${deviation}`, async (t) => {
    const api = await strictApi(t)
    const { status, body } = await callByHand(api, call, changes)
    assert.equal(status, 401)
    const [{ code, status: inBody, title }] = body['errors'] as [Record<string, string>]
    assert.deepEqual(
      { code, inBody, title },
      { code: 'NOT_AUTHORIZED', inBody: '401', title: 'Authentication credentials are missing or invalid.' },
    )
    assert.equal(api.accepted.length, 0)
    assert.match(api.refusals.join(), reason)
  })

test('App Store Connect accepts a JWT of 20 minutes, several times, and one whose scope has the request', async (t) => {
  const api = await strictApi(t)
  const allowed = { claims: { scope: ['GET /v1/builds', 'GET /v1/apps?limit=1'] } }
  for (const changes of [{}, {}, allowed, { claims: { scope: ['GET /v1/apps'] } }])
    assert.equal((await callByHand(api, call, changes)).status, 200)
  assert.equal(api.accepted.length, 4)
})

test('App Store Connect accepts the key of one person without an iss, with the sub user', async (t) => {
  const api = await strictApi(t, '')
  const personal = { iss: undefined, sub: 'user' }
  assert.equal((await callByHand(api, call, { claims: personal })).status, 200)
  assert.equal((await callByHand(api, call)).status, 401)
  assert.equal((await callByHand(api, call, { claims: { iss: undefined } })).status, 401)
})

test('App Store Connect answers 404 to an unknown resource', async (t) => {
  const { status, body } = await callByHand(await strictApi(t), call, { path: '/v1/others' })
  assert.equal(status, 404)
  assert.equal((body['errors'] as [{ code: string }])[0].code, 'NOT_FOUND')
})
