import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { SQSBatchResponse } from 'aws-lambda'
import { bundleFunction } from '../../../infra/bundle.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type LambdaInstance, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { createQueue } from '../../support/servers/moto-queue.ts'

/* The built function as Lambda runs it. Events reach it over EventBridge and SQS in moto. */

const folder = await temporaryFolder({ after })
const [issueToken, refreshToken] = [
  await bundleFunction('issue-token', folder),
  await bundleFunction('refresh-token', folder),
]

const busName = 'tokenwell-local'
const ourTypes = ['TokenRefreshRequested', 'TokenRejected', 'ConnectionChanged', 'ClearTokenCache']
const theirTypes = ['TokenRefreshed', 'TokenRefreshFailed', 'ConnectionRefused']

interface Answer {
  readonly access_token: string
  readonly token_id: string
  readonly source: string
}

/** Both functions with one shared cache, and the queue between them. Undefined if moto is not available. */
async function startPair(t: TestContext, changes: ElementChanges = {}) {
  const ground = await startAwsForLambda(t)
  if (!ground) return undefined
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => exampleElements(issuer, changes))
  const queue = await createQueue(t, ground.moto)
  await queue.createBus(busName, { 'detail-type': [...ourTypes, ...theirTypes] })
  const environment = {
    ...(await ground.move(set.workspace)),
    TOKENWELL_EVENTS: `eventbridge:${busName}`,
    TOKENWELL_DEAD_LETTERS: `sqs:${queue.url}`,
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
    TOKENWELL_MEMORY_SECONDS: '0',
  }
  const caller = await startLambdaInstance(t, issueToken, environment)
  const refresher = await startLambdaInstance(t, refreshToken, environment)
  return {
    ...{ set, ground, queue, refresher },
    async ask(): Promise<Answer> {
      const { answer } = await caller.invoke({ connection: 'conn' })
      return answer as Answer
    },
    caller,
  }
}

/** A batch as SQS delivers it. */
function batch(bodies: readonly (string | object)[], attempt = 1): object {
  return {
    Records: bodies.map((body, index) => ({
      messageId: `message-${index}`,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      attributes: { ApproximateReceiveCount: String(attempt) },
      eventSource: 'aws:sqs',
    })),
  }
}

async function deliver(refresher: LambdaInstance, bodies: readonly (string | object)[], attempt?: number) {
  const { answer, ...invocation } = await refresher.invoke(batch(bodies, attempt))
  return { ...invocation, failed: (answer as SQSBatchResponse).batchItemFailures.map((each) => each.itemIdentifier) }
}

const typesOf = (bodies: readonly string[]) => bodies.map((body) => JSON.parse(body)['detail-type'])

test('a stale token is handed out, its event renews it, and the next caller gets the new one', async (t) => {
  const pair = await startPair(t, { server: { maximumLifetimeSeconds: 20 } })
  if (!pair) return
  const { set, queue, refresher, ask } = pair
  const first = await ask()
  await setTimeout(15_400)
  const [stale, staleToo] = [await ask(), await ask()]
  assert.deepEqual([stale.access_token, staleToo.access_token], [first.access_token, first.access_token])
  assert.equal(set.tokenRequests(), 1)

  const [event, ...more] = (await queue.receive()).map(({ body }) => body)
  assert.deepEqual([more, typesOf([event ?? ''])], [[], ['TokenRefreshRequested']], 'one for both callers')
  // One after the other, because moto's table may let two writers win a race.
  const delivery = await deliver(refresher, [event ?? ''])
  const again = await deliver(refresher, [event ?? ''])
  assert.deepEqual([...delivery.failed, ...again.failed], [])
  assert.equal(set.tokenRequests(), 2, 'twice the same event is one token request')

  const next = await ask()
  assert.notEqual(next.access_token, first.access_token)
  assert.equal(next.source, 'cache')
  assert.equal(set.tokenRequests(), 2)
  assert.deepEqual(typesOf((await queue.receive()).map(({ body }) => body)), ['TokenRefreshed'])
  const events = assertCatalogued(linesOf(refresher), [delivery, again])
  assert.equal(events.filter((each) => each === 'event_answered').length, 2)
  t.diagnostic(
    `init ${Math.round(refresher.initMilliseconds)} ms, with the renewal ${Math.round(delivery.milliseconds)} ms`,
  )
})

test('a rejected token is replaced without a caller', async (t) => {
  const pair = await startPair(t)
  if (!pair) return
  const { set, queue, refresher, ask, caller } = pair
  const { token_id: tokenId, access_token: rejected } = await ask()
  const path = '/connections/conn/token'
  const { answer } = await caller.invoke({
    version: '2.0',
    rawPath: path,
    rawQueryString: `token_id=${tokenId}`,
    headers: {},
    requestContext: { http: { method: 'DELETE', path }, stage: '$default' },
    isBase64Encoded: false,
  })
  assert.equal((answer as { statusCode: number }).statusCode, 204)
  const bodies = (await queue.receive()).map(({ body }) => body)
  assert.deepEqual(typesOf(bodies), ['TokenRejected'])
  await deliver(refresher, bodies)
  assert.equal(set.tokenRequests(), 2)
  const next = await ask()
  assert.notEqual(next.access_token, rejected)
  assert.equal(next.source, 'cache')
})

test('a changed parameter: the new token is there before the old one ends; other changes end none', async (t) => {
  const pair = await startPair(t)
  if (!pair) return
  const { set, ground, queue, refresher, ask } = pair
  const { access_token: old } = await ask()
  const change = async (changes: ElementChanges) => {
    const issuer = set.server.issuer
    await ground.moto.putElements(exampleElements(issuer, changes))
    const detail = { operation: 'Update', name: '/tokenwell/local/oAuthTokenConfig/theTokenConfig', type: 'String' }
    await deliver(refresher, [{ source: 'aws.ssm', 'detail-type': 'Parameter Store Change', detail }])
    const bodies = (await queue.receive()).map(({ body }) => body)
    assert.deepEqual(typesOf(bodies), ['ConnectionChanged'])
    assert.deepEqual((await deliver(refresher, bodies)).failed, [])
    return ask()
  }
  const slower = await change({ server: { receiveTimeout: '5s' } })
  assert.deepEqual([slower.access_token, set.tokenRequests()], [old, 1])

  const changed = await change({ tokenConfig: { claims: { department: 'returns' } } })
  assert.notEqual(changed.access_token, old)
  assert.deepEqual([changed.source, set.tokenRequests()], ['cache', 2])
})

test('an unreadable message moves to the dead letters at once, and a failing one at its third delivery, each with the reason', async (t) => {
  const pair = await startPair(t)
  if (!pair) return
  const { queue, refresher, ask } = pair
  const { token_id: tokenId } = await ask()
  await pair.set.server.close()
  const rejected = { source: 'me', 'detail-type': 'TokenRejected', detail: { connection: 'conn', tokenId } }
  assert.deepEqual((await deliver(refresher, ['{', rejected])).failed, ['message-1'])
  const [unreadable, ...others] = await queue.receive()
  assert.equal(unreadable?.body, '{')
  assert.match(unreadable?.attributes['reason'] ?? '', /^The event cannot be read: /)
  assert.deepEqual(typesOf(others.map(({ body }) => body)), ['TokenRefreshFailed'])

  await setTimeout(100)
  assert.deepEqual((await deliver(refresher, [rejected], 3)).failed, [])
  const letters = (await queue.receive()).filter(({ attributes }) => attributes['reason'] !== undefined)
  assert.deepEqual(
    letters.map(({ body }) => JSON.parse(body)),
    [rejected],
  )
  assert.match(letters[0]?.attributes['reason'] ?? '', /theServer|token endpoint/)
})

test('an hourly reconciliation logs and counts the days until a certificate in Secrets Manager expires', async (t) => {
  const pair = await startPair(t)
  if (!pair) return
  const { queue, refresher, ask } = pair
  await ask()
  assert.deepEqual(
    (await deliver(refresher, [{ source: 'me', 'detail-type': 'ReconcileElements', detail: {} }])).failed,
    [],
  )
  const bodies = (await queue.receive()).map(({ body }) => body)
  assert.deepEqual(typesOf(bodies), ['ConnectionChanged'])
  const check = async () => {
    const before = linesOf(refresher).length
    assert.deepEqual((await deliver(refresher, bodies)).failed, [])
    return linesOf(refresher).slice(before)
  }
  // The CA of the fixture is valid for 365 days.
  const [line] = (await check()).filter(({ message }) => message === 'secret_expiry_checked')
  assert.deepEqual([line?.['secret'], line?.['daysLeft']], ['tokenwell/local/authorization-server-ca', 364])
  const days = linesOf(refresher).filter((each) => '_aws' in each && 'SecretExpiresInDays' in each)
  assert.deepEqual(
    days.map((each) => each['SecretExpiresInDays']),
    [364],
  )
  assert.deepEqual(
    (await check()).filter(({ message }) => message === 'secret_expiry_checked'),
    [],
    'not again for the next connection with this secret',
  )
})
