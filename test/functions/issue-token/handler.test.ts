import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { contextFor } from '../../support/functions/alias.ts'
import {
  type IssueTokenByTestClock,
  startIssueTokenByTestClock,
} from '../../support/functions/issue-token-by-test-clock.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'
import { createHttpEvent, type HttpRequest, tokenRequest } from '../../support/functions/load-function.ts'
import { someTokenMemory } from '../../support/virtual/some-token.ts'

const drop = { method: 'DELETE', path: '/connections/conn/token', query: 'token_id=AAAAAAAAAAAAAAAAAAAAAA' }

/** The handler's answer if Lambda leaves it this much time. */
async function answerOf({ handler }: IssueTokenByTestClock, request: HttpRequest, remainingMilliseconds = 29_000) {
  const context = { ...createLocalContext(Date.now()), getRemainingTimeInMillis: () => remainingMilliseconds }
  const { statusCode, headers, body } = (await handler(
    createHttpEvent(request),
    context,
  )) as APIGatewayProxyStructuredResultV2
  return { status: statusCode, headers, body: JSON.parse(body || '{}'), requestId: context.awsRequestId }
}

test('no answer is cached on its way: not a token, an error, a list, or an empty answer', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  for (const request of [
    tokenRequest('conn'),
    tokenRequest('nowhere'),
    drop,
    { method: 'GET', path: '/connections' },
  ]) {
    const { headers } = await set.http(request)
    assert.equal(headers['cache-control'], 'no-store', JSON.stringify(request))
    assert.equal(headers['pragma'], 'no-cache')
  }
})

test('an error, its log event and its invocation have one request id, and only the event has the whole reason', async (t) => {
  const stage = await startIssueTokenByTestClock(t, {
    answer: () => ({ status: 401, body: { error: 'invalid_client', error_description: 'no such key' } }),
  })
  const { status, body, requestId } = await answerOf(stage, tokenRequest('conn'))
  assert.equal(status, 502)
  assert.equal(body.request_id, requestId)
  assert.doesNotMatch(body.error_description, /no such key/)
  assert.match(body.error_description, /invalid_client/)
  const event = stage.log.at(-1)
  assert.ok(event?.event === 'request_failed')
  const { reason, ...rest } = event
  assert.match(
    reason,
    /^The authorization server theServer refused the token request: invalid_client \(no such key\)\..* Check the client theClient of the connection conn: the log event token_request_refused has what was sent\./,
  )
  assert.doesNotMatch(body.error_description, /theClient/)
  assert.deepEqual(rest, { event: 'request_failed', code: 'refused', status: 502, requestId, connection: 'conn' })
})

test("a server's description reaches the caller in the characters of RFC 6749 section 5.2", async (t) => {
  const words = { error: 'invalid_scope', error_description: 'no "a" in \\b' }
  const stage = await startIssueTokenByTestClock(t, { answer: () => ({ status: 400, body: words }) })
  const { body } = await answerOf(stage, tokenRequest('conn', 'scope=a'))
  assert.match(body.error_description, /invalid_scope \(no 'a' in \?b\)/)
})

for (const [what, answer, code, reason] of [
  ['an answer that is none', { body: 'oops' }, 'unreadable_answer', /4 characters that are not a JSON object/],
  ['an answer with another token type', tokenAnswer({ token_type: 'DPoP' }), 'unreadable_answer', /token_type/],
  ['a server that asks to wait', { status: 429 }, 'unreachable', /answered with status 429/],
] as const)
  test(`${what}: the caller learns that it failed, and the operator why`, async (t) => {
    const stage = await startIssueTokenByTestClock(t, { answer: () => answer })
    const { body } = await answerOf(stage, tokenRequest('conn'))
    assert.doesNotMatch(body.error_description, reason)
    const event = stage.log.at(-1)
    assert.ok(event?.event === 'request_failed')
    assert.equal(event.code, code)
    assert.match(event.reason, reason)
  })

test('a direct invocation learns no more about an error than an HTTP caller', async (t) => {
  const stage = await startIssueTokenByTestClock(t, {
    answer: () => ({ status: 401, body: { error: 'invalid_client' } }),
  })
  const answer = (await stage.handler({ connection: 'conn' }, contextFor({ connection: 'conn' }))) as object
  assert.deepEqual(Object.keys(answer).sort(), ['error', 'error_description', 'request_id', 'retry_after', 'status'])
})

test('a request has 25 s, including a second for the answer', async (t) => {
  const inTime = await startIssueTokenByTestClock(t, { secretMilliseconds: 22_000 })
  assert.equal((await answerOf(inTime, tokenRequest('conn'))).status, 200)
  const late = await startIssueTokenByTestClock(t, { secretMilliseconds: 24_000 })
  assert.equal((await answerOf(late, tokenRequest('conn'))).status, 504)
  assert.equal(late.server.requests.length, 0)
})

test('if Lambda leaves less than 25 s, a request has half a second less than that', async (t) => {
  const inTime = await startIssueTokenByTestClock(t, { secretMilliseconds: 3_000 })
  assert.equal((await answerOf(inTime, tokenRequest('conn'), 4_600)).status, 200)
  const late = await startIssueTokenByTestClock(t, { secretMilliseconds: 3_000 })
  assert.equal((await answerOf(late, tokenRequest('conn'), 4_400)).status, 504)
  assert.equal(late.server.requests.length, 0)
})

test('if Lambda leaves almost no time, no token request is made', async (t) => {
  const stage = await startIssueTokenByTestClock(t)
  const { status, headers } = await answerOf(stage, tokenRequest('conn'), 1_000)
  assert.equal(status, 504)
  assert.equal(headers?.['retry-after'], '5')
  assert.equal(stage.server.requests.length, 0)
  assert.equal((await answerOf(stage, tokenRequest('conn'), 10_000)).status, 200)
})

function stageWithFault(t: TestContext): Promise<IssueTokenByTestClock> {
  return startIssueTokenByTestClock(t, {
    onSecret() {
      throw new TypeError('tr0ub4dor is in here\nand    at the next line')
    },
  })
}

test('an unexpected error is a 500 that tells the caller nothing, and the operator where it happened', async (t) => {
  const stage = await stageWithFault(t)
  const { status, body } = await answerOf(stage, tokenRequest('conn'))
  assert.equal(status, 500)
  assert.equal(body.error, 'server_error')
  const event = stage.log.at(-1)
  assert.ok(event?.event === 'request_failed')
  assert.equal(event.code, 'unexpected')
  assert.match(event.reason, /^TypeError at .*issue-token-by-test-clock\.ts:\d+/)
  assert.doesNotMatch(JSON.stringify([body, event]), /tr0ub4dor|next line/)
  const list = await answerOf(stage, { method: 'GET', path: '/connections' })
  assert.equal(list.body.connections[0].last_failure, 'unexpected')
})

test('a DELETE that failed is not a 204', async (t) => {
  const broken = () => {
    throw new Error('a fault of ours')
  }
  const stage = await startIssueTokenByTestClock(t, {
    memory: { ...someTokenMemory(1), invalidate: broken },
  })
  assert.equal((await answerOf(stage, drop)).status, 500)
})

test('the error for an unknown route lists the routes', async (t) => {
  const { body } = await answerOf(await startIssueTokenByTestClock(t), { method: 'GET', path: '/' })
  assert.match(
    body.error_description,
    /POST \/connections\/\{connection\}\/token, POST .*\/as\/\{subject\}\/token, DELETE .*, GET \/connections, GET \/\.well-known\/oauth-authorization-server\/connections\/\{connection\}, GET .*\/openid-configuration, GET .*\/jwks\.json\.$/,
  )
})

test('an object with only one member of an HTTP event is a direct invocation', async (t) => {
  const stage = await startIssueTokenByTestClock(t)
  for (const member of ['requestContext', 'version']) {
    const event = { connection: 'conn', [member]: 'x' }
    const answer = await stage.handler(event, contextFor(event))
    assert.deepEqual((answer as Record<string, unknown>)['ignored'], [member])
  }
})

test('the log event has the connection of the alias, or the requested one if that is a valid name', async (t) => {
  const stage = await startIssueTokenByTestClock(t)
  for (const [asked, alias, named] of [
    ['nowhere', 'c-nowhere', 'nowhere'],
    ['a b', 'c-conn', 'conn'],
    [['conn'], 'c-conn', 'conn'],
    ['nowhere', '_live', 'nowhere'],
    ['a b', '_live', undefined],
    [['conn'], '_live', undefined],
    [undefined, '_live', undefined],
  ]) {
    await stage.handler({ connection: asked }, createLocalContext(Date.now(), `issue-token:${alias}`))
    const event = stage.log.at(-1)
    assert.ok(event?.event === 'request_failed')
    assert.equal(event.connection, named)
  }
})
