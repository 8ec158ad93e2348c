import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import {
  testClockStart as startedAt,
  startIssueTokenByTestClock,
} from '../../support/functions/issue-token-by-test-clock.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'

/* The whole use case with a real token endpoint, on a clock that the test moves. */

const request: CallerRequest = { caller: 'direct', connection: 'conn', further: {} }

test('every step is an event with its fields, and no event has the token or the assertion', async (t) => {
  const { getToken, server, log, within } = await startIssueTokenByTestClock(t, {
    secretMilliseconds: 40,
    serverMilliseconds: 70,
  })
  const { token } = await getToken(request, within(25_000))
  await getToken(request, within(25_000))
  const connection = 'conn'
  assert.deepEqual(log, [
    { event: 'connection_resolved', connection, milliseconds: 0 },
    { event: 'client_authenticated', connection, method: 'private_key_jwt', milliseconds: 0 },
    { event: 'token_obtained', connection, authorizationServer: 'theServer', milliseconds: 70 },
    { event: 'token_issued', caller: 'direct', connection, tokenId: token.id, source: 'server', secondsLeft: 299 },
    { event: 'token_issued', caller: 'direct', connection, tokenId: token.id, source: 'memory', secondsLeft: 299 },
  ])
  const text = JSON.stringify(log)
  assert.ok(!text.includes(token.accessToken.reveal()))
  assert.ok(!text.includes(server.requests[0]?.form.get('client_assertion') ?? 'eyJ'))
})

test('a lifetime counts from the time of sending, not from the signature or the answer', async (t) => {
  const { getToken, within } = await startIssueTokenByTestClock(t, {
    secretMilliseconds: 5_000,
    serverMilliseconds: 3_000,
  })
  const { token, secondsLeft } = await getToken(request, within(25_000))
  assert.equal(token.issuedAt, startedAt + 5_000)
  assert.equal(token.expiresAt, startedAt + 305_000)
  assert.equal(secondsLeft, 297)
})

test('a token with one second left is handed out, and a token with a millisecond less is not', async (t) => {
  const answer = () => tokenAnswer({ expires_in: 1 })
  const inTime = await startIssueTokenByTestClock(t, { answer })
  assert.equal((await inTime.getToken(request, inTime.within(25_000))).secondsLeft, 1)
  const late = await startIssueTokenByTestClock(t, { answer, serverMilliseconds: 1 })
  await assert.rejects(late.getToken(request, late.within(25_000)), (error) => {
    assert.ok(error instanceof CoolingDownError && error.failure instanceof UnreachableError, String(error))
    assert.equal(error.retryAfterSeconds, 1)
    return true
  })
})

test('without enough time for an answer no request is sent', async (t) => {
  const { getToken, server, within } = await startIssueTokenByTestClock(t)
  await assert.rejects(getToken(request, within(1_000)), TimedOutError)
  assert.equal(server.requests.length, 0)
  assert.equal((await getToken(request, within(25_000))).source, 'server')
})

test('the time for the signature is taken from the time for the request', async (t) => {
  const { getToken, server, within } = await startIssueTokenByTestClock(t, { secretMilliseconds: 20_000 })
  await assert.rejects(getToken(request, within(20_500)), /No time is left/)
  assert.equal(server.requests.length, 0)
})

test('the scope is the one that the server names, or else the requested one', async (t) => {
  const scoped: CallerRequest = { ...request, scope: ['a', 'b'] }
  const scopeOf = async (asked: CallerRequest, members: object) => {
    const { getToken, within } = await startIssueTokenByTestClock(t, { answer: () => tokenAnswer({ ...members }) })
    return (await getToken(asked, within(25_000))).token.scope
  }
  assert.equal(await scopeOf(scoped, { scope: 'a' }), 'a')
  assert.equal(await scopeOf(scoped, {}), 'a b')
  assert.equal(await scopeOf(request, { scope: 'c' }), 'c')
  assert.equal(await scopeOf(request, {}), undefined)
})

test('a slow read of the signing secret is no evidence about the server: no cool-down begins', async (t) => {
  const { getToken, server, within, log } = await startIssueTokenByTestClock(t, { secretMilliseconds: 24_000 })
  await assert.rejects(getToken(request, within(25_000)), TimedOutError)
  assert.equal(server.requests.length, 0)
  assert.ok(!log.some(({ event }) => event === 'cool_down_begun'))
  assert.equal((await getToken(request, within(25_000))).source, 'server', 'the key is known now')
})

test("a refusal is logged with the sent assertion, client and elements, and with the server's words", async (t) => {
  const { getToken, server, within, log } = await startIssueTokenByTestClock(t, {
    answer: () => ({
      status: 401,
      headers: { date: new Date(startedAt).toUTCString() },
      body: { error: 'invalid_client', error_description: 'no such key. Trace 17.' },
    }),
  })
  await assert.rejects(getToken(request, within(25_000)))
  const refusals = log.filter(({ event }) => event === 'token_request_refused')
  const [header, claims] = (server.requests[0]?.form.get('client_assertion') ?? '')
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  assert.equal(typeof header.kid, 'string')
  assert.deepEqual(refusals, [
    {
      event: 'token_request_refused',
      connection: 'conn',
      authorizationServer: 'theServer',
      tokenEndpoint: `${server.issuer}/token`,
      status: 401,
      error: 'invalid_client',
      reason: 'The authorization server theServer refused the token request: invalid_client (no such key. Trace 17).',
      elements: [
        'endpointConnection/conn',
        'oAuthConfig/theConfig',
        'authorizationServer/theServer',
        'ssl/defaultSSLConfig',
        'keyStore/theTrust',
        'oAuthTokenConfig/theTokenConfig',
        'jwtBuilder/theBuilder',
      ],
      clientId: 'theClient',
      sendsClientId: false,
      assertion: {
        ...{ alg: header.alg, kid: header.kid, typ: header.typ },
        ...{ iss: claims.iss, sub: claims.sub, aud: claims.aud, iat: claims.iat, exp: claims.exp },
      },
    },
  ])
})
