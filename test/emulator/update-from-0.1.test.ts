import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { overhear } from '../support/output/canary.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import type { StackResource } from './aws-account.ts'
import { synthesize } from './cdk-command.ts'
import { type DeployedStage, deployStage, stackName } from './deployed-stage.ts'
import { earlierElements, readTemplateResources, type TemplateResources, writeEarlierStack } from './earlier-stack.ts'
import { lookDuring } from './look-during.ts'

/*
 * A stage of version 0.1 is updated in place, in the two deployments that infra/operations.md describes. While each of them runs, a
 * caller asks for its token again and again. All checks share one account, and follow one another. What CloudFormation does on AWS with
 * a property that changes is not shown by the emulator, so the templates are compared as well.
 */

/** The resources that hold something, or that callers, operators or authorization servers know by their names. */
const lastingTypes = [
  'AWS::ApiGatewayV2::Api',
  'AWS::DynamoDB::Table',
  'AWS::Events::EventBus',
  'AWS::KMS::Key',
  'AWS::Logs::LogGroup',
  'AWS::SQS::Queue',
  'AWS::SSM::Parameter',
  'AWS::SecretsManager::Secret',
]

/** If one of these changes, CloudFormation replaces the resource, or its value. */
const lastingProperties: Readonly<Record<string, readonly string[]>> = {
  'AWS::ApiGatewayV2::Api': ['ProtocolType'],
  'AWS::DynamoDB::Table': ['TableName', 'KeySchema'],
  'AWS::Events::EventBus': ['Name'],
  'AWS::KMS::Key': ['KeySpec', 'KeyUsage'],
  'AWS::Logs::LogGroup': ['LogGroupName'],
  'AWS::SQS::Queue': ['QueueName', 'FifoQueue'],
  'AWS::SSM::Parameter': ['Name', 'Type', 'Value'],
  'AWS::SecretsManager::Secret': ['Name', 'SecretString', 'GenerateSecretString'],
}

/** The access log has another name since 0.2. Its former group stays, with its lines. */
const renamedLog = 'TokensHttpAccessLog79BE2305'

interface Deployment {
  readonly template: TemplateResources
  readonly resources: ReadonlyMap<string, StackResource>
}

test('a stage of version 0.1 is updated in place, and no token, key or parameter is missing meanwhile', async (t) => {
  const templates: TemplateResources[] = []
  const deployed = await startIfThere(t, () => deployEarlierStage(t, templates))
  if (!deployed) return
  const { account, server } = deployed
  let tokenRequests = 0
  server.server.on('request', ({ url }: { url?: string }) => {
    if (url?.startsWith('/token')) tokenRequests++
  })
  const elements = earlierElements(server.issuer)
  const names = Object.entries(elements).flatMap(([kind, byId]) => Object.keys(byId).map((id) => `${kind}/${id}`))
  const caller = await deployed.callerOf('a-caller', ['conn'])
  let token: string | undefined
  let keys: readonly string[] = []

  async function readDeployment(): Promise<Deployment> {
    const template = templates.at(-1) ?? assert.fail('nothing is deployed')
    return { template, resources: await account.stackResources(stackName) }
  }

  /** Whether each record of a token in the table has a MAC. */
  async function macsOfTokens(): Promise<readonly boolean[]> {
    const table = [...(await account.stackResources(stackName)).values()].find(
      ({ type }) => type === 'AWS::DynamoDB::Table',
    )
    const items = await account.tableItems(table?.physicalId ?? '')
    return items.filter((item) => 'sealedToken' in item).map((item) => 'mac' in item)
  }

  /** Deploys. At every moment the caller gets the same token, each parameter is there, and the same keys are published. */
  async function update(stage: DeployedStage, settings: readonly string[]): Promise<Deployment> {
    const looks = await lookDuring(stage.deploy(elements, settings), async () => ({
      answer: await unlessInterrupted(
        () => stage.getToken('conn', caller),
        ({ status, error }) => status === 502 && error === undefined,
      ),
      versions: await stage.parameterVersions(),
      keys: await unlessInterrupted(
        () => stage.publishedKeys('theBuilder'),
        ({ length }) => length === 0,
      ),
    }))
    assert.ok(looks.length > 10)
    for (const look of looks) {
      assert.deepEqual([look.answer.status, look.answer.access_token], [200, token], JSON.stringify(look.answer.error))
      assert.deepEqual([[...look.versions.keys()], look.keys], [names.toSorted(), keys])
    }
    const versions = looks.map((look) => [...look.versions.values()])
    for (const [index, after] of versions.slice(1).entries())
      for (const [parameter, before] of versions[index]?.entries() ?? [])
        assert.ok((after[parameter] ?? 0) >= before, 'a parameter was deleted and written again')
    const sources = new Set(looks.map(({ answer }) => answer.source))
    assert.deepEqual([...sources].sort(), ['cache', 'memory'], 'new instances find the token in the shared cache')
    assert.equal(tokenRequests, 1)
    return await readDeployment()
  }

  let earlier: Deployment
  await t.test(
    'a deployment that skips the first of the two is refused, and nothing of the stage is lost',
    async () => {
      earlier = await readDeployment()
      const before = await deployed.parameterVersions()
      assert.deepEqual([...before.keys()], names.toSorted())
      await assert.rejects(deployed.deploy(elements), /parameters exist already.*upgrade in two deployments/s)
      templates.pop()
      assert.deepEqual(await deployed.parameterVersions(), before)
      assertLasting(earlier, await readDeployment(), lastingTypes)
    },
  )

  await t.test('version 0.1 publishes a key, issues a token, and keeps it in the table', async () => {
    await deployed.rotate('theBuilder')
    keys = await deployed.publishedKeys('theBuilder')
    assert.equal(keys.length, 1)
    const answer = await deployed.getToken('conn', caller)
    assert.deepEqual([answer.status, answer.source, tokenRequests], [200, 'server', 1], JSON.stringify(answer.error))
    token = answer.access_token
    assert.deepEqual(await macsOfTokens(), [false])
  })

  let first: Deployment | undefined
  await t.test('the first deployment replaces nothing, and reads the records of 0.1', async () => {
    first = await update(deployed, ['readRecordsOf=0.1'])
    assertLasting(earlier, first, lastingTypes)
    assert.deepEqual(await macsOfTokens(), [true])
    for (const { Type, DeletionPolicy } of first.template.values())
      if (Type === 'AWS::SSM::Parameter') assert.match(DeletionPolicy ?? '', /^Retain/)
    await account.logLines(earlier.resources.get(renamedLog)?.physicalId ?? '')
  })

  await t.test('the second deployment releases the parameters from the stack, and they stay', async () => {
    assert.ok(first, 'the first deployment failed')
    const before = await deployed.parameterVersions()
    const second = await update(deployed, [])
    assertLasting(
      first,
      second,
      lastingTypes.filter((type) => type !== 'AWS::SSM::Parameter'),
    )
    assert.deepEqual(await deployed.parameterVersions(), before)
    const released = [...first.template].filter(([, { Type }]) => Type === 'AWS::SSM::Parameter').map(([id]) => id)
    const skipped = await account.logicalIdsWithStatus(stackName, 'DELETE_SKIPPED')
    assert.deepEqual(skipped.toSorted(), [renamedLog, ...released].toSorted())
    assert.ok(released.every((id) => !second.template.has(id) && !second.resources.has(id)))
  })

  await t.test('no secret is in a log', async () => {
    for (const name of ['FunctionLog', 'RefreshTokenLog', 'PublishKeysLog', 'RotateKeyLog'])
      overhear(JSON.stringify(await account.logLines(deployed.output(name))))
  })
})

/** The first deployment is the stack of 0.1. Each further one is today's stack. */
async function deployEarlierStage(t: TestContext, templates: TemplateResources[]): Promise<DeployedStage> {
  return await deployStage(t, {
    elements: earlierElements,
    showsDifference: false,
    async synthesize(folder, elements, settings) {
      if (templates.length > 0) await synthesize(folder, elements, settings)
      else await writeEarlierStack(folder, await issuerOf(elements))
      templates.push(await readTemplateResources(folder))
    },
  })
}

async function issuerOf(elementsFile: string): Promise<string> {
  const { authorizationServer } = JSON.parse(await readFile(elementsFile, 'utf8'))
  return authorizationServer.theServer.issuer
}

/**
 * ministack ends an instance in the middle of a call when it changes the function, and answers without a word of Tokenwell. AWS lets
 * the call end. So the call is made once more.
 */
async function unlessInterrupted<T>(call: () => Promise<T>, isInterrupted: (answer: T) => boolean): Promise<T> {
  const answer = await call()
  return isInterrupted(answer) ? await call() : answer
}

/** Each resource of these types is in both deployments, and is the same one. */
function assertLasting(before: Deployment, after: Deployment, types: readonly string[]): void {
  const lasting = [...before.template].filter(([, { Type }]) => types.includes(Type))
  assert.ok(lasting.length > 10)
  for (const [id, resource] of lasting) {
    if (id === renamedLog) continue
    const properties = lastingProperties[resource.Type] ?? []
    const valuesIn = ({ template }: Deployment) => properties.map((name) => template.get(id)?.Properties?.[name])
    assert.deepEqual([after.template.get(id)?.Type, ...valuesIn(after)], [resource.Type, ...valuesIn(before)], id)
    assert.ok(after.resources.has(id), id)
    assert.deepEqual(after.resources.get(id), before.resources.get(id), id)
  }
}
