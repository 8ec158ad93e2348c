import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import {
  bearerOf,
  type CallApiWithScriptedServers,
  startCallApiWithScriptedServers,
} from '../../support/functions/call-api-with-scripted-servers.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import type { Script, ScriptedAnswer } from '../../support/servers/scripted-api.ts'

/* Which 401 rejects the token, and what happens then. */

const invalidToken = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: 'no' }
const some401 = { status: 401, headers: { 'www-authenticate': 'Bearer realm="invalid_token"' }, body: 'no' }

/** An API that accepts the first token once, and then rejects it. */
function refusesFirst(refusal: ScriptedAnswer = invalidToken): Script {
  let first: string | undefined
  return ({ headers }, _response, index) => {
    first ??= bearerOf(headers)
    return index > 0 && bearerOf(headers) === first ? refusal : { body: 'yes' }
  }
}

/** A first call obtains a token, which is old enough to be replaced afterwards. */
async function afterTenSeconds(calls: CallApiWithScriptedServers): Promise<void> {
  await calls.call()
  calls.age(11_000)
}

test('the token is replaced and the call repeated once, whatever its method is', async (t) => {
  for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
    const calls = await startCallApiWithScriptedServers(t, refusesFirst())
    await afterTenSeconds(calls)
    const log = captureLog(t)
    const answer = await calls.call({ method, path: '/orders', body: 'the body' })
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'yes'])
    const [, refused, repeated] = calls.api.requests
    assert.equal(refused?.body.toString(), 'the body')
    assert.equal(repeated?.body.toString(), 'the body')
    assert.equal(repeated.url, '/orders')
    assert.notEqual(bearerOf(repeated.headers), bearerOf(refused.headers))
    assert.equal(calls.tokens.requests.length, 2)
    assert.deepEqual(
      log.flatMap((event: LogEvent) => (event.event === 'api_call_repeated' ? event.reason : [])),
      ['token_rejected'],
    )
  }
})

test('a second 401 is returned unchanged', async (t) => {
  const calls = await startCallApiWithScriptedServers(t, () => invalidToken)
  await afterTenSeconds(calls)
  const answer = await calls.call()
  assert.equal(answer.status, 401)
  assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"')
  assert.equal(answer.proxyError, undefined)
  assert.equal(calls.api.requests.length, 3)
  assert.equal(calls.tokens.requests.length, 2)
})

test('a 401 for a token younger than 10 s is returned unchanged, and the token stays', async (t) => {
  const calls = await startCallApiWithScriptedServers(t, () => invalidToken)
  assert.equal((await calls.call()).status, 401)
  calls.age(9_000)
  assert.equal((await calls.call()).status, 401)
  assert.equal(calls.api.requests.length, 2)
  assert.equal(calls.tokens.requests.length, 1)
})

test('by default a 401 without invalid_token is returned unchanged', async (t) => {
  const challenges = [
    'Bearer realm="invalid_token"',
    'Bearer error="insufficient_scope", error_description="not invalid_token"',
    'Basic error="invalid_token"',
    'invalid_token',
  ]
  for (const challenge of challenges) {
    const calls = await startCallApiWithScriptedServers(t, () => ({
      status: 401,
      headers: { 'www-authenticate': challenge },
    }))
    await afterTenSeconds(calls)
    assert.equal((await calls.call()).status, 401)
    assert.equal(calls.api.requests.length, 2, challenge)
  }
  const without = await startCallApiWithScriptedServers(t, () => ({ status: 401 }))
  await afterTenSeconds(without)
  assert.equal((await without.call()).status, 401)
  assert.equal(without.api.requests.length, 2)
})

test('a challenge among several, or in a separate header, counts', async (t) => {
  for (const challenge of [
    'Basic realm="x", Bearer error="invalid_token"',
    ['Basic realm="x"', 'bearer error=invalid_token'],
  ]) {
    const calls = await startCallApiWithScriptedServers(
      t,
      refusesFirst({ status: 401, headers: { 'www-authenticate': challenge } }),
    )
    await afterTenSeconds(calls)
    assert.equal((await calls.call()).status, 200)
  }
})

test('a 403 with invalid_token does not reject the token', async (t) => {
  const calls = await startCallApiWithScriptedServers(t, () => ({ ...invalidToken, status: 403 }))
  await afterTenSeconds(calls)
  assert.equal((await calls.call()).status, 403)
  assert.equal(calls.api.requests.length, 2)
})

test('with tokenRetryCheckLevel 1 every 401 rejects the token', async (t) => {
  for (const tokenRetryCheckLevel of [1, '1']) {
    const calls = await startCallApiWithScriptedServers(t, refusesFirst({ ...some401, headers: {} }), {
      elements: { oAuth: { tokenRetryCheckLevel } },
    })
    await afterTenSeconds(calls)
    assert.equal((await calls.call()).status, 200)
    assert.equal(calls.api.requests.length, 3)
  }
})

test('tokenRetryCheckLevel 2 is a configuration error, as in z/OS Connect', async (t) => {
  const log = captureLog(t)
  const calls = await startCallApiWithScriptedServers(t, undefined, {
    elements: { oAuth: { tokenRetryCheckLevel: 2 } },
  })
  const answer = await calls.call()
  assert.deepEqual([answer.status, answer.proxyError], [500, 'proxy_internal_error'])
  assert.match(
    JSON.stringify(log),
    /oAuthConfig\/theConfig tokenRetryCheckLevel: The value 2 is not implemented, neither in Tokenwell nor in z\/OS Connect\./,
  )
  assert.equal(calls.api.requests.length, 0)
})

test('if no new token can be obtained, the caller gets that error', async (t) => {
  const calls = await startCallApiWithScriptedServers(t, () => invalidToken, {
    tokens: (_request, _response, index) =>
      index === 0 ? tokenAnswer() : { status: 400, body: { error: 'unauthorized_client' } },
  })
  await afterTenSeconds(calls)
  const answer = await calls.call()
  assert.deepEqual([answer.status, answer.proxyError], [502, 'proxy_internal_error'])
  assert.match(answer.body.toString(), /refused this connection's client/)
})

test('1,000 rejected calls at once cause one token request', async (t) => {
  const calls = await startCallApiWithScriptedServers(t, refusesFirst())
  await afterTenSeconds(calls)
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => calls.call()))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.equal(calls.tokens.requests.length, 2)
})
