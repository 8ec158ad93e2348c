import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { logChannel } from '../../lib/adapters/published-log.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'
import { rotationSteps } from '../../lib/rotation/rotation-request.ts'
import { createHttpEvent, loadFunction, startCaller, type TheSet, tokenRequest } from './the-set.ts'

/* Everything that each function is for, once. */

export interface Deeds {
  readonly set: TheSet
  readonly environment: Record<string, string>
  /** Names what did not go as it should. */
  expect(what: string, actual: unknown, expected: unknown): void
}

/** A token, a hit, a rejection that is told, the list, an outage of which the fleet is told. */
export async function allOfIssueToken({ set, environment, expect }: Deeds): Promise<void> {
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

/** A run that finds a token to renew, renews it and tells of it. */
export async function allOfWarmTokens({ set, environment, expect }: Deeds): Promise<void> {
  const handler = await loadFunction('warm-tokens', set.workspace, environment)
  const run = await handler({}, createLocalContext(Date.now())).catch((error: Error) => error.name)
  expect('run', JSON.stringify(run), JSON.stringify({ due: 1, renewed: 1, failed: 0, left: 0 }))
}

/** A rejected token, changes of an element and a secret, and a message that nobody can read. */
export async function allOfRefreshToken({ set, environment, expect }: Deeds, tokenId: string): Promise<void> {
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
}

/** A JWK set, of keys that are published already. */
export async function allOfPublishKeys({ set, environment, expect }: Deeds): Promise<void> {
  const handler = await loadFunction('publish-keys', set.workspace, environment)
  const event = createHttpEvent({ method: 'GET', path: '/jwt/theBuilder/jwk' })
  const { statusCode, body } = (await handler(event, createLocalContext(Date.now()))) as Record<string, unknown>
  expect('status', statusCode, 200)
  expect('keys', JSON.parse(String(body)).keys?.length, 1)
}

/** A rotation of a key that signs, and one that is refused and takes its pending version back. */
export async function allOfRotateKey({ set, environment, expect }: Deeds): Promise<void> {
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

/** What the log tells of the functions going on without something. */
export async function withWhatIsMissed(failures: string[], run: () => Promise<void>): Promise<void> {
  const hear = (message: unknown) => {
    const event = message as LogEvent
    if (event.event === 'cache_passed_over' || event.event === 'event_not_raised')
      failures.push(`${event.event} ${event.reason}`)
  }
  subscribe(logChannel, hear)
  try {
    await run()
  } finally {
    unsubscribe(logChannel, hear)
  }
}
