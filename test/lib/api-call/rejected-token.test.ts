import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiAnswer } from '../../../lib/api-call/api-endpoint.ts'
import { isTokenRejected } from '../../../lib/api-call/rejected-token.ts'

function answer(status: number, challenge?: string | readonly string[]): ApiAnswer {
  const headers = challenge === undefined ? {} : { 'www-authenticate': challenge }
  return { status, headers, body: new Uint8Array() }
}

const invalidToken = 'Bearer error="invalid_token"'

test('only a 401 rejects a token, whatever else the answer says', () => {
  for (const status of [200, 400, 402, 403, 407, 500])
    for (const rejection of ['any_401', 'invalid_token'] as const)
      assert.equal(isTokenRejected(answer(status, invalidToken), rejection), false, String(status))
})

test('with the rule any_401 every 401 rejects the token', () => {
  for (const challenge of [undefined, '', 'Basic', 'Bearer error="insufficient_scope"', invalidToken])
    assert.equal(isTokenRejected(answer(401, challenge), 'any_401'), true, challenge)
})

test('with the rule invalid_token only a Bearer challenge with that error rejects the token', () => {
  const rejecting = [
    invalidToken,
    'Basic, Bearer error=invalid_token',
    ['Basic realm="x"', invalidToken],
    ['BEARER Error="invalid_token"'],
  ]
  const others = [
    undefined,
    '',
    'Bearer',
    'Bearer error="insufficient_scope"',
    'Bearer error="INVALID_TOKEN"',
    'DPoP error="invalid_token"',
    'Bearer, DPoP error="invalid_token"',
    ['Basic', 'DPoP error="invalid_token"'],
    [],
  ]
  for (const challenge of rejecting)
    assert.equal(isTokenRejected(answer(401, challenge), 'invalid_token'), true, String(challenge))
  for (const challenge of others)
    assert.equal(isTokenRejected(answer(401, challenge), 'invalid_token'), false, String(challenge))
})
