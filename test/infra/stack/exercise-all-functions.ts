import { randomUUID } from 'node:crypto'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import { startCaller } from '../../support/functions/function-caller.ts'
import type { IssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { createHttpEvent, type Handler, loadFunction, tokenRequest } from '../../support/functions/load-function.ts'
import { withCapturedLog } from '../../support/output/captured-log.ts'
import type { EchoApi } from '../../support/servers/echo-api.ts'

/* Makes each function do everything once that it is for. */

export interface Exercise {
  readonly set: IssueTokenWithOidcProvider
  /** The elements of the connection `conn`, and of `dangling`, which refers to a missing oAuthConfig. */
  readonly api: EchoApi
  readonly environment: Record<string, string>
  /** Describes what went wrong. */
  expect(what: string, actual: unknown, expected: unknown): void
}

/** A token, a cache hit, a reported rejection, the list of connections, and an outage that is shared with the fleet. */
export async function exerciseIssueToken({ set, environment, expect }: Exercise): Promise<void> {
  const [one, other] = [await startCaller(set.workspace, environment), await startCaller(set.workspace, environment)]
  const first = await one.http(tokenRequest('conn'))
  expect('first', first.body['source'], 'server')
  expect('second', (await other.http(tokenRequest('conn'))).body['source'], 'cache')
  const query = `token_id=${first.body['token_id']}`
  expect('rejected', (await one.http({ method: 'DELETE', path: '/connections/conn/token', query })).status, 204)
  expect('third', (await other.http(tokenRequest('conn'))).body['source'], 'server')
  const { status, body } = await one.http({ method: 'GET', path: '/connections' })
  const [listed] = (body['connections'] ?? []) as { usable: boolean }[]
  expect('list', [status, listed?.usable].join(), '200,true')
  await set.server.close()
  expect('outage', (await one.http(tokenRequest('conn', 'scope=other'))).status, 503)
}

/**
 * A call that needs a new token. A call whose token is stale, which is reported, and rejected, so that it is replaced. A call for a
 * missing connection, and a call for a connection whose mistake is named in the log.
 */
export async function exerciseCallApi({ set, api, environment, expect }: Exercise): Promise<void> {
  const call = async (handler: Handler, connection: string) => {
    const event = createHttpEvent({ method: 'GET', path: `/connections/${connection}/api/items` })
    const { statusCode } = (await handler(event, createLocalContext(Date.now()))) as APIGatewayProxyStructuredResultV2
    return statusCode
  }
  const before = await withClockBehind(longAgoMilliseconds, () => loadFunction('call-api', set.workspace, environment))
  expect('first', await call(before, 'conn'), 200)
  api.refuse(api.tokens().at(-1))

  const handler = await loadFunction('call-api', set.workspace, environment)
  expect('second', await call(handler, 'conn'), 200)
  const [first, again, replaced] = api.tokens()
  expect('calls', [api.requests.length, first === again, first === replaced].join(), '3,true,false')
  expect('token requests', set.tokenRequests(), 2)

  expect('unknown', await call(handler, 'nowhere'), 404)
  const reason = await reasonOfFailure(() => call(handler, 'dangling'))
  expect('dangling', /Did you mean "theConfig"\?/.test(reason) || reason, true)
}

/** After this time a token of 100 s is stale, and still valid for some seconds. */
const longAgoMilliseconds = 78_000

/** Code that stores the clock at its creation keeps using it. */
async function withClockBehind<T>(milliseconds: number, run: () => Promise<T>): Promise<T> {
  const { now } = Date
  Date.now = () => now() - milliseconds
  try {
    return await run()
  } finally {
    Date.now = now
  }
}

/** A run that renews a token and reports it, and that tries a new key of a connection that is not kept warm. */
export async function exerciseWarmTokens({ set, environment, expect }: Exercise): Promise<void> {
  const handler = await loadFunction('warm-tokens', set.workspace, environment)
  const run = await handler({}, createLocalContext(Date.now())).catch((error: Error) => error.name)
  expect('run', JSON.stringify(run), JSON.stringify({ due: 1, renewed: 1, failed: 0, left: 0 }))
}

/** A rejected token, changes of an element and a secret, and an unreadable message. */
export async function exerciseRefreshToken({ set, environment, expect }: Exercise, tokenId: string): Promise<void> {
  const handler = await loadFunction('refresh-token', set.workspace, environment)
  const answer = async (event: object | string) => {
    const body = typeof event === 'string' ? event : JSON.stringify(event)
    const message = { messageId: 'message', body, attributes: { ApproximateReceiveCount: '1' } }
    return JSON.stringify(await handler({ Records: [message] }, createLocalContext(Date.now())))
  }
  const source = 'tokenwell-local'
  const name = '/tokenwell/local/endpointConnection/conn'
  const [parameter, secret] = [
    { operation: 'Update', name },
    { name: 'tokenwell/local/k', labelUpdated: 'AWSCURRENT' },
  ]
  const events = {
    rejection: { source, 'detail-type': 'TokenRejected', detail: { connection: 'conn', tokenId } },
    element: { source: 'aws.ssm', 'detail-type': 'Parameter Store Change', detail: parameter },
    secret: { source: 'aws.secretsmanager', 'detail-type': 'Secret Label Updated', detail: secret },
    all: { source, 'detail-type': 'ReconcileElements', detail: {} },
    unreadable: '{',
  }
  for (const [what, event] of Object.entries(events)) expect(what, await answer(event), '{"batchItemFailures":[]}')
  expect('token requests', set.tokenRequests(), 2)
  const deployed = await handler({}, createLocalContext(Date.now())).catch((error: Error) => error.message)
  expect('deployment', JSON.stringify(deployed), '{"batchItemFailures":[]}')
}

/** A JWK set of keys that are already published. */
export async function exercisePublishKeys({ set, environment, expect }: Exercise): Promise<void> {
  const handler = await loadFunction('publish-keys', set.workspace, environment)
  const event = createHttpEvent({ method: 'GET', path: '/jwt/theBuilder/jwk' })
  const { statusCode, body } = (await handler(event, createLocalContext(Date.now()))) as Record<string, unknown>
  expect('status', statusCode, 200)
  expect('keys', JSON.parse(String(body)).keys?.length, 1)
}

/** A rotation of a key in use, and a rotation that is refused and removes its pending version. */
export async function exerciseRotateKey({ set, environment, expect }: Exercise): Promise<void> {
  const handler = await loadFunction('rotate-key', set.workspace, environment)
  const step = (Step: string, ClientRequestToken: string) =>
    handler({ Step, SecretId: 'tokenwell/local/jwk/theBuilder', ClientRequestToken }, createLocalContext(Date.now()))
      .then(() => 'done')
      .catch(({ name, message }: Error) => `${name}: ${message}`)
  const token = randomUUID()
  for (const each of rotationSteps) expect(each, await step(each, token), 'done')
  const refused = await step('createSecret', randomUUID())
  expect('another', refused.replace(/:.*/s, ''), 'RotationRefusedError')
}

/** The log events about failed requests. */
async function reasonOfFailure(run: () => Promise<unknown>): Promise<string> {
  const events = await withCapturedLog(run)
  return events.findLast((event) => event.event === 'request_failed')?.reason ?? ''
}

/** The log events about functions that continue without a resource. */
export async function collectDegradations(failures: string[], run: () => Promise<void>): Promise<void> {
  for (const event of await withCapturedLog(run))
    if (event.event === 'cache_passed_over' || event.event === 'event_not_raised')
      failures.push(`${event.event} ${event.reason}`)
}
