import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type StrictSnowflake,
  snowflakeFingerprint,
  startStrictSnowflake,
} from '../support/servers/strict-snowflake.ts'
import { type Call, callByHand, clock, now, otherRsa, rsa, withClaims } from './hand-made-call.ts'

const fingerprint = snowflakeFingerprint(rsa.publicKey)
const claims = { iss: `ORG-ACCOUNT.USER.${fingerprint}`, sub: 'ORG-ACCOUNT.USER', iat: now, exp: now + 3600 }
const call: Call = {
  method: 'POST',
  path: '/api/v2/statements?requestId=1',
  headers: {
    'user-agent': 'a client',
    accept: 'application/json',
    'content-type': 'application/json',
    'x-snowflake-authorization-token-type': 'KEYPAIR_JWT',
  },
  body: { statement: 'select 1' },
  header: { alg: 'RS256', typ: 'JWT' },
  claims,
  key: rsa.privateKey,
}

async function strictSnowflake(t: TestContext, more = {}): Promise<StrictSnowflake> {
  const snowflake = await startStrictSnowflake(t, { account: 'ORG-ACCOUNT', user: 'USER', ...clock, ...more })
  snowflake.register(rsa.publicKey)
  return snowflake
}

const missing = 'JWT_TOKEN_MISSING_ISSUE_OR_EXPIRATION_TIME'
const ended = 'JWT_TOKEN_INVALID_EXPIRATION_TIME'
const mismatch = 'JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH'

const invalidTokens: Readonly<Record<string, readonly [Call, reason: string]>> = {
  'no Authorization': [{ headers: { authorization: undefined } }, 'JWT_TOKEN_INVALID'],
  'the scheme Snowflake': [{ scheme: 'Snowflake' }, 'JWT_TOKEN_INVALID'],
  'no JWT': [{ changed: () => 'a.b' }, 'JWT_TOKEN_INVALID'],
  'another algorithm': [{ header: { alg: 'PS256' } }, 'JWT_TOKEN_INVALID_ALGORITHM'],
  'a further header': [{ header: { jku: 'https://as.example/jwks' } }, 'JWT_TOKEN_INVALID'],
  'another account': [{ claims: { iss: `OTHER.USER.${fingerprint}` } }, 'JWT_TOKEN_ACCOUNT_MISMATCH'],
  'an account in lower case': [{ claims: { iss: `org-account.USER.${fingerprint}` } }, 'JWT_TOKEN_ACCOUNT_MISMATCH'],
  'a period in the account': [{ claims: { iss: `ORG.ACCOUNT.USER.${fingerprint}` } }, 'JWT_TOKEN_ACCOUNT_MISMATCH'],
  'another user': [{ claims: { iss: `ORG-ACCOUNT.OTHER.${fingerprint}` } }, 'JWT_TOKEN_INVALID_USER_IN_ISSUER'],
  'an issuer without fingerprint': [{ claims: { iss: 'ORG-ACCOUNT.USER' } }, mismatch],
  'the fingerprint of another key': [
    { claims: { iss: `ORG-ACCOUNT.USER.${snowflakeFingerprint(otherRsa.publicKey)}` } },
    mismatch,
  ],
  'another key': [{ key: otherRsa.privateKey }, 'JWT_TOKEN_INVALID_SIGNATURE'],
  'claims that were not signed': [{ changed: withClaims({ ...claims, exp: now + 60 }) }, 'JWT_TOKEN_INVALID_SIGNATURE'],
  'no begin': [{ claims: { iat: undefined } }, missing],
  'no end': [{ claims: { exp: undefined } }, missing],
  'a begin in 61 s': [{ claims: { iat: now + 61 } }, 'JWT_TOKEN_INVALID_ISSUE_TIME'],
  'an end in the past': [{ claims: { iat: now - 60, exp: now } }, ended],
  'a begin an hour ago': [{ claims: { iat: now - 3600, exp: now + 60 } }, ended],
  'another subject': [{ claims: { sub: 'USER' } }, 'JWT_TOKEN_INVALID'],
  'a subject in lower case': [{ claims: { sub: 'org-account.user' } }, 'JWT_TOKEN_INVALID'],
  'an audience': [{ claims: { aud: 'snowflakecomputing.com' } }, 'JWT_TOKEN_INVALID'],
  'a jti': [{ claims: { jti: 'the-id' } }, 'JWT_TOKEN_INVALID'],
}

for (const [deviation, [changes, reason]] of Object.entries(invalidTokens))
  test(`Snowflake refuses a JWT with ${deviation}`, async (t) => {
    const snowflake = await strictSnowflake(t)
    const { status, body } = await callByHand(snowflake, call, changes)
    assert.equal(status, 401)
    assert.equal(body['code'], '390144')
    const [, uuid = ''] = /^JWT token is invalid\. \[([\da-f-]{36})\]$/.exec(String(body['message'])) ?? []
    assert.equal(snowflake.loginFailure(uuid), reason)
    assert.equal(snowflake.accepted.length, 0)
  })

const type = 'x-snowflake-authorization-token-type'
const otherRequests: Readonly<Record<string, readonly [Call, status: number, code?: string]>> = {
  'another path': [{ path: '/api/v2/hello' }, 404],
  'a GET': [{ method: 'GET', body: undefined }, 405],
  'no User-Agent': [{ headers: { 'user-agent': undefined } }, 400, '391903'],
  'no Accept': [{ headers: { accept: undefined } }, 400, '391902'],
  'XML as Accept': [{ headers: { accept: 'application/xml' } }, 400, '391902'],
  'a form as Content-Type': [{ headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
  'the type of OAuth tokens': [{ headers: { [type]: 'OAUTH' } }, 401, '390303'],
  'a body that is not JSON': [{ body: 'select 1' }, 400, '390142'],
  'a body without statement': [{ body: { sql: 'select 1' } }, 400, '390142'],
}

for (const [deviation, [changes, status, code]] of Object.entries(otherRequests))
  test(`Snowflake refuses a request with ${deviation}`, async (t) => {
    const snowflake = await strictSnowflake(t)
    const answer = await callByHand(snowflake, call, changes)
    assert.deepEqual([answer.status, answer.body['code']], [status, code])
    assert.equal(snowflake.accepted.length, 0)
  })

test('Snowflake executes a statement, by one JWT for nearly an hour, with its type or without', async (t) => {
  let seconds = now
  const snowflake = await strictSnowflake(t, { now: () => seconds * 1000 })
  const { status, body } = await callByHand(snowflake, call)
  assert.deepEqual([status, body['code']], [200, '090001'])
  assert.equal((await callByHand(snowflake, call, { claims: { iat: now + 60 } })).status, 200)
  seconds += 3599
  assert.equal((await callByHand(snowflake, call, { headers: { [type]: undefined } })).status, 200)
  assert.equal((await callByHand(snowflake, call, { claims: { exp: now + 7200 } })).status, 200)
  assert.equal(snowflake.accepted.length, 4)
})

test('Snowflake can refuse a JWT that is older than 60 seconds', async (t) => {
  const snowflake = await strictSnowflake(t, { issuedWithinSeconds: 60 })
  const statusOf = async (iat: number) => (await callByHand(snowflake, call, { claims: { iat } })).status
  assert.deepEqual([await statusOf(now - 60), await statusOf(now - 61)], [200, 401])
  assert.deepEqual(snowflake.refusals, ['JWT_TOKEN_INVALID_ISSUE_TIME'])
})
