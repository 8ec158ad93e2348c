import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { bundleFunction } from '../../../infra/bundle.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { createHttpEvent, type HttpRequest } from '../../support/functions/load-function.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type InvokeOptions, type LambdaInstance, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { startEchoApi } from '../../support/servers/echo-api.ts'

/* The built function as Lambda runs it, between a real authorization server and a real API, with moto as AWS. */

const folder = await temporaryFolder({ after })
const bundle = await bundleFunction('call-api', folder)

/** Undefined if moto is not available. */
async function startGround(t: TestContext) {
  const ground = await startAwsForLambda(t)
  if (!ground) return undefined
  const api = await startEchoApi(t)
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => api.elements(issuer))
  await api.trustIn(set.workspace)
  return { api, set, environment: await ground.move(set.workspace) }
}

async function call(instance: LambdaInstance, request: Partial<HttpRequest> = {}, options?: InvokeOptions) {
  const event = createHttpEvent({ method: 'GET', path: '/connections/conn/api/items', ...request })
  const { answer, ...invocation } = await instance.invoke(event, options)
  const { statusCode, headers = {}, body = '' } = answer as APIGatewayProxyStructuredResultV2
  return { ...invocation, status: statusCode, headers, body: body === '' ? undefined : JSON.parse(body) }
}

test("an event returns the API's answer; the next call uses the token from memory, and a cold instance the one from the cache", async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const { api, set, environment } = ground
  const one = await startLambdaInstance(t, bundle, environment)
  const body = '{"a":"ä"}'
  const post = {
    method: 'POST',
    query: 'q=1&q=2',
    headers: { 'content-type': 'application/json', authorization: 'AWS4-HMAC-SHA256 of the caller' },
    body,
  }
  const first = await call(one, post)
  assert.deepEqual([first.status, first.body], [200, { method: 'POST', url: '/items?q=1&q=2', body }])
  const second = await call(one)
  assert.deepEqual([second.status, second.body], [200, { method: 'GET', url: '/items', body: '' }])
  const other = await startLambdaInstance(t, bundle, environment)
  const cold = await call(other)
  assert.equal(cold.status, 200)

  const [token = '', ...others] = api.tokens()
  assert.ok(await set.server.provider.ClientCredentials.find(token), "it is one of the authorization server's")
  assert.deepEqual(others, [token, token])
  assert.equal(set.tokenRequests(), 1)
  assert.equal(api.connections(), 2, 'one for each instance')
  const sources = [one, other].map((instance) => linesOf(instance).flatMap(({ source }) => source ?? []))
  assert.deepEqual(sources, [['server', 'memory'], ['cache']])

  const ms = (milliseconds: number) => `${Math.round(milliseconds)} ms`
  for (const [what, instance, answered] of [
    ['a token from the server', one, first],
    ['a token from the cache', other, cold],
  ] as const)
    t.diagnostic(
      `cold start: init ${ms(instance.initMilliseconds)}, with the first answer, by ${what}, ` +
        `${ms(instance.initMilliseconds + answered.milliseconds)}; the next call takes ${ms(second.milliseconds)}`,
    )
})

test('a token that the API rejects is replaced for all instances, and the caller gets the answer to the new one', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const { api, set, environment } = ground
  const one = await startLambdaInstance(t, bundle, environment)
  const first = await call(one)
  api.refuse(api.tokens().at(-1))

  const young = await call(one)
  assert.equal(young.status, 401, 'so young a token is not refused for its age')
  await setTimeout(youngMilliseconds)
  const replaced = await call(one)
  assert.equal(replaced.status, 200)
  const other = await startLambdaInstance(t, bundle, environment)
  assert.equal((await call(other)).status, 200)
  const [refused, , again, newer, elsewhere] = api.tokens()
  assert.deepEqual([again, elsewhere], [refused, newer])
  assert.notEqual(newer, refused)
  assert.equal(set.tokenRequests(), 2)

  const lines = linesOf(one)
  assert.deepEqual(assertCatalogued(lines, [first, young, replaced]), [
    ...['connection_resolved', 'client_authenticated', 'token_obtained', 'token_issued', 'api_called'],
    ...['token_issued', 'api_called'],
    ...['token_issued', 'api_called'],
    ...['client_authenticated', 'token_obtained', 'token_issued', 'api_call_repeated', 'api_called'],
  ])
  const counted = (name: string) => lines.filter((line) => '_aws' in line && line[name] !== undefined).length
  assert.deepEqual([counted('ApiTokensRejected'), counted('ApiCallDuration')], [1, 4])
})

test("an unknown connection and an unreachable API cause answers that are marked as Tokenwell's, not function errors", async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const { api, environment } = ground
  const instance = await startLambdaInstance(t, bundle, environment)
  const unknown = await call(instance, { path: '/connections/nowhere/api/items' })
  assert.deepEqual([unknown.status, unknown.body.request_id], [404, unknown.requestId])
  assert.equal(unknown.headers['proxy-status'], 'tokenwell; error=http_request_error')
  assert.equal(api.connections(), 0)

  await new Promise((closed) => api.server.close(closed))
  const away = await call(instance, { method: 'POST' })
  assert.deepEqual([away.status, away.body.request_id], [502, away.requestId])
  assert.equal(away.headers['proxy-status'], 'tokenwell; error=connection_refused')
  assert.match(away.body.error_description, /The API did not get the request/)
  const events = assertCatalogued(linesOf(instance), [unknown, away])
  assert.deepEqual(events.slice(-2), ['api_call_failed', 'request_failed'])
})

test('the function answers 504 itself before its time-out', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const { api, environment } = ground
  api.server.removeAllListeners('request')
  const instance = await startLambdaInstance(t, bundle, environment)
  const answered = await call(instance, {}, { timeoutMilliseconds: 6_000 })
  assert.deepEqual([answered.status, answered.headers['proxy-status']], [504, 'tokenwell; error=http_response_timeout'])
  t.diagnostic(`of 6 s it took ${Math.round(answered.milliseconds)} ms`)
})

/** For this time a token counts as too young to be replaced. */
const youngMilliseconds = 10_000
