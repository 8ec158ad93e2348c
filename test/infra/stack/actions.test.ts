import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { copyToEmulator } from '../../../infra/local/stores.ts'
import { dynamodbRecords } from '../../../lib/adapters/aws/dynamodb-records.ts'
import { kmsPublicationKey } from '../../../lib/adapters/aws/kms-publication-key.ts'
import { elementsFileOf } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { startCaller } from '../../support/functions/function-caller.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { loadFunction } from '../../support/functions/load-function.ts'
import { setEnvironment } from '../../support/process/this-process.ts'
import { type EchoApi, startEchoApi } from '../../support/servers/echo-api.ts'
import { type Moto, startMoto } from '../../support/servers/moto.ts'
import { someRole, withPermissionsLookedAt } from '../../support/servers/moto-permissions.ts'
import { createQueue } from '../../support/servers/moto-queue.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { putPublication } from '../../support/virtual/publications.ts'
import {
  collectDegradations,
  type Exercise,
  exerciseCallApi,
  exerciseIssueToken,
  exercisePublishKeys,
  exerciseRefreshToken,
  exerciseRotateKey,
  exerciseWarmTokens,
} from './exercise-all-functions.ts'
import { exercisePutElements, prepareDeployment } from './exercise-put-elements.ts'
import { createTestStack, resourcesOf } from './test-stack.ts'

/*
 * The functions' own code in a role that is allowed the actions of the template and no others. moto looks at actions; which
 * resources they are for, grants.test.ts says.
 */

/** Actions of Lambda itself and of the X-Ray daemon, not of the functions. */
const byLambdaItself = /^(logs:|xray:|sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes)$)/
const busName = 'tokenwell-local'

const functions = {
  IssueToken: exerciseIssueToken,
  CallApi: exerciseCallApi,
  WarmTokens: exerciseWarmTokens,
  RefreshToken: exerciseRefreshToken,
  PublishKeys: exercisePublishKeys,
  RotateKey: exerciseRotateKey,
  ElementsPut: exercisePutElements,
} as const
type FunctionId = keyof typeof functions
const startWithNoToken: readonly FunctionId[] = ['IssueToken', 'CallApi', 'ElementsPut']

for (const id of Object.keys(functions) as FunctionId[]) {
  test(`${id} can do all its work with the actions of the template`, async (t) => {
    const ground = await startGround(t)
    if (!ground) return
    assert.deepEqual(await ground.run(id, await actionsOfTemplate(t, id)), [])
  })

  test(`${id} uses each of its rights: without any one of them a part of its work fails`, async (t) => {
    const ground = await startGround(t)
    if (!ground) return
    const actions = await actionsOfTemplate(t, id)
    for (const action of actions) {
      const failures = await ground.run(
        id,
        actions.filter((each) => each !== action),
      )
      t.diagnostic(`${action}: ${failures.join('; ')}`)
      assert.notDeepEqual(failures, [], `${action} is not needed`)
    }
  })
}

async function actionsOfTemplate(t: TestContext, id: FunctionId): Promise<string[]> {
  const elements = await elementsFileOf(t, { keyStore: { key: { location: 'tokenwell/test/key' } } })
  const { stack } = createTestStack(t, { elements })
  // A function that invokes itself has a second policy.
  const policies = Object.entries(resourcesOf(stack, 'AWS::IAM::Policy')).filter(([name]) =>
    name.startsWith(`Tokens${id}`),
  )
  const actions = policies.flatMap(([, { Properties }]) => {
    const { Statement: statements } = Properties['PolicyDocument'] as { Statement: { Action: string | string[] }[] }
    return statements.flatMap(({ Action }) => Action)
  })
  assert.ok(actions.length > 4)
  return actions.filter((action) => !byLambdaItself.test(action))
}

async function startGround(t: TestContext) {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  setEnvironment(t, moto.environment)
  return {
    /** Returns descriptions of what went wrong. */
    async run(id: FunctionId, actions: readonly string[]): Promise<string[]> {
      await moto.reset()
      const queue = await createQueue(t, moto)
      await queue.createBus(busName, { 'detail-type': ['Unknown'] })
      const api = await startEchoApi(t)
      const set = await startIssueTokenWithOidcProvider(t, (issuer) => someElements(api, issuer))
      await api.trustIn(set.workspace)
      const environment: Record<string, string> = {
        ...(await copyToEmulator(set.workspace)).environment,
        TOKENWELL_EVENTS: `eventbridge:${busName}`,
        TOKENWELL_DEAD_LETTERS: `sqs:${queue.url}`,
        TOKENWELL_MEMORY_SECONDS: '0',
        TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
      }
      const tokenId = startWithNoToken.includes(id) ? '' : await someTokenId(set.workspace, environment)
      if (id === 'ElementsPut')
        environment['TOKENWELL_EMULATOR'] = await prepareDeployment(t, set.workspace.elementsPath)
      if (id === 'PublishKeys') await publishAll(set.workspace, environment)
      if (id === 'WarmTokens') await publishKeyToTry(environment)
      const failures: string[] = []
      const expect: Exercise['expect'] = (what, actual, expected) => {
        if (actual !== expected) failures.push(`${what}: ${String(actual)}`)
      }
      const deeds = () => functions[id]({ set, api, environment, expect }, tokenId)
      await collectDegradations(failures, () => runAs(moto, actions, deeds))
      return failures
    },
  }
}

function someElements(api: EchoApi, issuer: string): RawElements {
  // Long enough that a cache hit is fresh, and short enough that a warm run renews it.
  const elements = api.elements(issuer, { server: { maximumLifetimeSeconds: 100 } })
  const dangling = { authenticationConfigRef: 'theConfg' }
  return { ...elements, endpointConnection: { ...elements['endpointConnection'], dangling } }
}

/** The keys of a jwtBuilder that no connection uses. */
async function publishKeyToTry(environment: Readonly<Record<string, string>>): Promise<void> {
  const { TOKENWELL_CACHE: cache, TOKENWELL_PUBLICATION_KEY: place } = environment
  const [, tableName = ''] = String(cache).split(':')
  const store = dynamodbRecords({ tableName, attemptMilliseconds: 10_000 })
  const publication = { kind: 'keys', keys: [], tryAt: Date.now() } as const
  const signer = kmsPublicationKey({ keyId: String(place).replace(/^kms:/, '') })
  await putPublication(store, 'unused', publication, Date.now(), signer)
}

async function someTokenId(...place: Parameters<typeof startCaller>): Promise<string> {
  const { token_id: tokenId } = await (await startCaller(...place)).invoke({ connection: 'conn' })
  return String(tokenId)
}

async function publishAll(...place: Parameters<typeof startCaller>): Promise<void> {
  const handler = await loadFunction('refresh-token', ...place)
  const body = JSON.stringify({ source: 'tokenwell-local', 'detail-type': 'ReconcileElements', detail: {} })
  const message = { messageId: 'message', body, attributes: { ApproximateReceiveCount: '1' } }
  await handler({ Records: [message] }, createLocalContext(Date.now()))
}

async function runAs(moto: Moto, actions: readonly string[], run: () => Promise<void>): Promise<void> {
  const credentials = await someRole(moto.endpoint, actions)
  const before = { ...process.env }
  Object.assign(process.env, credentials)
  try {
    await withPermissionsLookedAt(moto.endpoint, run)
  } finally {
    for (const name of Object.keys(credentials)) delete process.env[name]
    Object.assign(process.env, before)
  }
}
