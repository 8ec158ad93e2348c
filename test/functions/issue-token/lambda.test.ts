import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { bundleFunction } from '../../../infra/bundle.ts'
import { listen } from '../../../infra/local/listen.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { createHttpEvent, type HttpRequest, tokenRequest } from '../../support/functions/load-function.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import {
  FunctionError,
  type InvokeOptions,
  type LambdaInstance,
  startLambdaInstance,
} from '../../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { startTcpProxy } from '../../support/servers/tcp-proxy.ts'

/* The built function as Lambda runs it: with AWS's own runtime client, in a separate process, with moto as AWS. */

const folder = await temporaryFolder({ after })
const bundle = await bundleFunction('issue-token', folder)

async function sendHttp(instance: LambdaInstance, request: HttpRequest, options?: InvokeOptions) {
  const { answer, ...invocation } = await instance.invoke(createHttpEvent(request), options)
  const { statusCode, body } = answer as APIGatewayProxyStructuredResultV2
  return { ...invocation, status: statusCode, body: JSON.parse(body ?? '{}') as Readonly<Record<string, unknown>> }
}

test("an event returns a token; the next one comes from memory, and a cold instance's from the cache", async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const environment = await ground.move(set.workspace)

  const one = await startLambdaInstance(t, bundle, environment)
  const first = await sendHttp(one, tokenRequest('conn'))
  assert.equal(first.status, 200)
  assert.equal(first.body['source'], 'server')
  const second = await sendHttp(one, tokenRequest('conn'))
  assert.equal(second.body['source'], 'memory')
  assert.equal(second.body['access_token'], first.body['access_token'])

  const other = await startLambdaInstance(t, bundle, environment)
  const cold = await sendHttp(other, tokenRequest('conn'))
  assert.equal(cold.body['source'], 'cache')
  assert.equal(cold.body['access_token'], first.body['access_token'])

  const { answer } = await other.invoke({ connection: 'conn' })
  const { source, access_token: token } = answer as Readonly<Record<string, unknown>>
  assert.deepEqual([source, token], ['memory', first.body['access_token']], 'direct invocation')
  assert.equal(set.tokenRequests(), 1)

  const ms = (milliseconds: number) => `${Math.round(milliseconds)} ms`
  for (const [what, instance, answered] of [
    ['from the server', one, first],
    ['from the cache', other, cold],
  ] as const)
    t.diagnostic(
      `cold start: init ${ms(instance.initMilliseconds)}, with the first answer, ${what}, ` +
        `${ms(instance.initMilliseconds + answered.milliseconds)}; the next one takes ${ms(second.milliseconds)}`,
    )
})

test("an instance reads the cache's keys in its init, and needs no Secrets Manager after that", async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const environment = await ground.move(set.workspace)
  await sendHttp(await startLambdaInstance(t, bundle, environment), tokenRequest('conn'))

  const secretsManager = await startTcpProxy(t, Number(new URL(ground.moto.endpoint).port))
  const endpoint = { AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${secretsManager.port}` }
  const cold = await startLambdaInstance(t, bundle, { ...environment, ...endpoint })
  assert.equal(secretsManager.connections(), 1)
  secretsManager.hold()
  const { body } = await sendHttp(cold, tokenRequest('conn'))
  assert.equal(body['source'], 'cache')
})

test('an unknown connection is a 404 and not a function error, and so is an unknown event', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const instance = await startLambdaInstance(t, bundle, await ground.move(set.workspace))
  const unknown = await sendHttp(instance, tokenRequest('nowhere'))
  assert.equal(unknown.status, 404)
  assert.equal(unknown.body['request_id'], unknown.requestId)

  const { answer, requestId } = await instance.invoke({ Records: [] })
  const { status, request_id: told } = answer as Readonly<Record<string, unknown>>
  assert.deepEqual([status, told], [400, requestId])
})

test('a missing variable is an error of the init that names it', async (t) => {
  await assert.rejects(
    startLambdaInstance(t, bundle, {
      TOKENWELL_STAGE: 'prod',
      TOKENWELL_PUBLIC_URL: 'https://tokenwell.example',
      TOKENWELL_ELEMENTS: 'parameter-store',
      TOKENWELL_SECRETS: 'secrets-manager',
    }),
    (error) => {
      assert(error instanceof FunctionError)
      assert.match(error.message, /^TOKENWELL_CACHE must be [^;]+\.$/)
      assert.match(error.output, /TOKENWELL_CACHE must be/, 'the log says so, too')
      return true
    },
  )
})

test('the function answers 504 itself before its time-out', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const server = await startIssueTokenWithScriptedServer(t, exampleElements, () => undefined)
  const instance = await startLambdaInstance(t, bundle, await ground.move(server.workspace))
  const answered = await sendHttp(instance, tokenRequest('conn'), { timeoutMilliseconds: 4_000 })
  assert.equal(answered.status, 504)
  assert.equal(server.requests.length, 1)
  t.diagnostic(`of 4 s it took ${Math.round(answered.milliseconds)} ms`)
})

test('it logs events of the catalogue, each with the request id, and no token, assertion or key', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const server = await startIssueTokenWithScriptedServer(t, exampleElements, ({ form }) =>
    form.has('scope')
      ? { status: 401, body: { error: 'invalid_client', error_description: form.get('client_assertion') } }
      : tokenAnswer(),
  )
  const instance = await startLambdaInstance(t, bundle, await ground.move(server.workspace))
  const issued = await sendHttp(instance, tokenRequest('conn'))
  const refused = await sendHttp(instance, tokenRequest('conn', 'scope=refused'))
  const direct = await instance.invoke({ connection: 'nowhere' })
  assert.deepEqual([issued.status, refused.status], [200, 502])

  const lines = linesOf(instance)
  const events = assertCatalogued(lines, [issued, refused, direct])
  assert.deepEqual(events, [
    ...['connection_resolved', 'client_authenticated', 'token_obtained', 'token_issued'],
    ...['client_authenticated', 'token_request_refused', 'token_request_failed', 'cool_down_begun'],
    'request_failed',
    'request_failed',
  ])
  // After the tests of this file, the whole output is searched for the planted secrets.
  assert.ok(lines.every(({ service }) => service === 'tokenwell-local'))
})

test('without the shared cache a token is issued, and a metric shows the failure', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const environment = await ground.move(set.workspace)
  const nobody = `http://127.0.0.1:${await closedPort()}`
  const instance = await startLambdaInstance(t, bundle, { ...environment, AWS_ENDPOINT_URL_DYNAMODB: nobody })
  const answered = await sendHttp(instance, tokenRequest('conn'))
  assert.equal(answered.status, 200)
  assert.equal(answered.body['source'], 'server')

  const [metric, ...furtherMetrics] = linesOf(instance).filter((line) => line['CacheBudgetExceeded'] !== undefined)
  assert.deepEqual(furtherMetrics, [])
  assert.equal(metric?.['CacheBudgetExceeded'], 1)
  assert.match(JSON.stringify(metric?.['_aws']), /"Namespace":"Tokenwell".*"Name":"CacheBudgetExceeded","Unit":"Count"/)
  assert.ok(assertCatalogued(linesOf(instance), [answered]).includes('cache_passed_over'))
})

test('an instance works after a pause of seconds in which its idle TCP connections were closed', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  set.server.server.keepAliveTimeout = 1_000
  const instance = await startLambdaInstance(t, bundle, await ground.move(set.workspace))
  const before = await sendHttp(instance, tokenRequest('conn'))
  assert.equal(before.status, 200)

  await setTimeout(5_000)
  const held = await sendHttp(instance, tokenRequest('conn'))
  assert.equal(held.body['source'], 'memory')
  assert.ok(Number(held.body['expires_in']) <= Number(before.body['expires_in']) - 4, 'time went on')

  await setTimeout(3_000)
  const renewed = await sendHttp(instance, tokenRequest('conn', '', `rejected_token_id=${before.body['token_id']}`))
  assert.equal(renewed.body['source'], 'server')
  assert.equal(set.tokenRequests(), 2)
})

/** A port without a server. */
async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server, 0, '127.0.0.1')
  server.close()
  return port
}
