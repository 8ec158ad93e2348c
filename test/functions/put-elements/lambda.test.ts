import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, type TestContext, test } from 'node:test'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { DescribeParametersCommand, GetParametersByPathCommand, type Parameter } from '@aws-sdk/client-ssm'
import type { DeploymentAnswer } from '../../../functions/put-elements/handler.ts'
import { bundleFunction } from '../../../infra/bundle.ts'
import { listen } from '../../../infra/local/listen.ts'
import { deployedDescription } from '../../../lib/configuration/deployment.ts'
import { elementTexts } from '../../../lib/configuration/element-plan.ts'
import { exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { createWorkspace } from '../../support/functions/function-caller.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type Invocation, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { startAwsProxy } from '../../support/servers/aws-proxy.ts'
import { startMoto } from '../../support/servers/moto.ts'
import { startIfThere } from '../../support/servers/real-server.ts'

/* The built function as Lambda runs it, with the events of CloudFormation, files in S3 and parameters in Parameter Store. */

const bundle = await bundleFunction('put-elements', await temporaryFolder({ after }))
const fifteenMinutes = { timeoutMilliseconds: 900_000 }

const small = exampleElements(exampleIssuer)
/** Above the 4,096 bytes of a standard parameter. */
const large = exampleElements(exampleIssuer, { tokenConfig: { claims: { text: 'x'.repeat(6_000) } } })

/** Undefined if moto is not available. */
async function startDeployment(t: TestContext, more: Readonly<Record<string, string>> = {}) {
  const ground = await startAwsForLambda(t)
  if (!ground) return undefined
  const environment = await ground.move(await createWorkspace(t, small))
  const { parameterStore, putElements } = ground.moto
  const s3 = new S3Client()
  t.after(() => s3.destroy())
  await s3.send(
    new CreateBucketCommand({ Bucket: 'assets', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
  )

  const answers: DeploymentAnswer[] = []
  async function takeAnswer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    assert.deepEqual([request.method, request.headers['content-type']], ['PUT', undefined])
    answers.push(JSON.parse(await text(request)))
    response.end()
  }
  const cloudformation = createServer((request, response) => void takeAnswer(request, response))
  const port = await listen(cloudformation, 0, '127.0.0.1')
  t.after(() => cloudformation.close())

  const origin = `http://127.0.0.1:${port}`
  const own = { TOKENWELL_STAGE: 'test', TOKENWELL_PUBLIC_URL: 'https://tokens.example', TOKENWELL_EMULATOR: origin }
  const stage = { ...environment, ...own, ...more }
  const instance = await startLambdaInstance(t, bundle, stage)
  const invocations: Invocation[] = []
  return {
    ...{ instance, invocations, putElements, answers },
    startAnother: () => startLambdaInstance(t, bundle, stage),
    async upload(key: string, elements: RawElements): Promise<void> {
      const Body = JSON.stringify(elements).replaceAll('tokenwell/local/', 'tokenwell/test/')
      await s3.send(new PutObjectCommand({ Bucket: 'assets', Key: key, Body }))
    },
    async deploy(RequestType: string, key: string, more: object = {}, options: object = fifteenMinutes) {
      const event = {
        ...{ RequestType, StackId: 'stack', RequestId: 'request', LogicalResourceId: 'resource' },
        ResponseURL: `${origin}/answer?signature=x`,
        ResourceProperties: { bucket: 'assets', key, keepsParameters: 'false', takesOverParameters: 'false' },
        ...more,
      }
      invocations.push(await instance.invoke(event, options))
      return answers.pop()
    },
    async parameters(): Promise<Map<string, string>> {
      const found: Parameter[] = []
      let NextToken: string | undefined
      do {
        const page = await parameterStore.send(
          new GetParametersByPathCommand({ Path: '/tokenwell/test', Recursive: true, NextToken }),
        )
        found.push(...(page.Parameters ?? []))
        NextToken = page.NextToken
      } while (NextToken)
      return new Map(found.map(({ Name = '', Value = '' }) => [Name.slice('/tokenwell/test/'.length), Value]))
    },
    async describe() {
      const filter = { Key: 'Path', Option: 'Recursive', Values: ['/tokenwell/test'] }
      const command = new DescribeParametersCommand({ ParameterFilters: [filter], MaxResults: 50 })
      return (await parameterStore.send(command)).Parameters ?? []
    },
  }
}

const written = (elements: RawElements) =>
  sorted(elementTexts(JSON.parse(JSON.stringify(elements).replaceAll('tokenwell/local/', 'tokenwell/test/'))))

test('a deployment creates, changes and deletes parameters, and an element may grow above 4 KB and shrink again', async (t) => {
  const deployment = await startDeployment(t)
  if (!deployment) return
  const { upload, deploy, parameters, describe, instance, invocations } = deployment
  await upload('small.json', small)
  await upload('large.json', large)
  const created = await deploy('Create', 'small.json')
  assert.deepEqual([created?.Status, created?.Reason], ['SUCCESS', undefined])
  assert.deepEqual(sorted(await parameters()), written(small))
  for (const { Description, Tier, Name } of await describe()) {
    assert.equal(Description, deployedDescription, 'so that the rule leaves out its event')
    assert.notEqual(Tier, 'Advanced', Name)
  }

  const PhysicalResourceId = created?.PhysicalResourceId
  for (const [key, from, elements] of [
    ['large.json', 'small.json', large],
    ['small.json', 'large.json', small],
  ] as const) {
    const OldResourceProperties = { bucket: 'assets', key: from }
    const answer = await deploy('Update', key, { PhysicalResourceId, OldResourceProperties })
    assert.deepEqual([answer?.Status, answer?.Reason], ['SUCCESS', undefined])
    assert.deepEqual(sorted(await parameters()), written(elements))
  }
  assert.equal((await deploy('Delete', 'small.json', { PhysicalResourceId }))?.Status, 'SUCCESS')
  assert.equal((await parameters()).size, 0)
  const events = assertCatalogued(linesOf(instance), invocations)
  assert.equal(events.filter((each) => each === 'elements_written').length, 4)
})

test('parameters that exist and a missing file fail the deployment, and CloudFormation is told why', async (t) => {
  const deployment = await startDeployment(t)
  if (!deployment) return
  const { upload, deploy, putElements, parameters } = deployment
  const missing = await deploy('Create', 'missing.json')
  assert.equal(missing?.Status, 'FAILED')
  assert.match(String(missing?.Reason), /s3:\/\/assets\/missing\.json do not exist \(NoSuchKey\)/)
  await putElements({ keyStore: { theTrust: { location: 'tokenwell/test/by-hand' } } }, 'test')
  await upload('small.json', small)
  const answer = await deploy('Create', 'small.json')
  assert.equal(answer?.Status, 'FAILED')
  assert.match(
    String(answer?.Reason),
    /^1 of the parameters exist already, such as \/tokenwell\/test\/keyStore\/theTrust/,
  )
  await deploy('Delete', 'small.json', { PhysicalResourceId: answer?.PhysicalResourceId })
  assert.deepEqual([...(await parameters()).keys()], ['keyStore/theTrust'])
})

test('work that is left at the end of a run is done by another instance, which Lambda starts with the same event', async (t) => {
  const lambda = await startInvokeApi(t)
  const slow = await startSlowParameterStore(t)
  if (!slow) return
  const deployment = await startDeployment(t, { ...lambda.environment, ...slow.environment })
  if (!deployment) return
  const { upload, deploy, parameters, startAnother, answers, invocations } = deployment
  const users = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`user${index}`, user]))
  const many = { ...small, authData: users }
  await upload('many.json', many)
  // Three seconds are left before the reserve for the last step.
  assert.equal(await deploy('Create', 'many.json', {}, { timeoutMilliseconds: 93_000 }), undefined, 'nobody is told')
  const first = await parameters()
  assert.ok(first.size > 0 && first.size < written(many).length, `${first.size} are written`)

  const [invocation, ...others] = lambda.invocations.splice(0)
  assert.deepEqual([invocation?.type, others.length], ['Event', 0])
  assert.match(String(invocation?.functionName), /^arn:aws:lambda:.*:function:put-elements$/)
  const another = await startAnother()
  invocations.push(await another.invoke(invocation?.event ?? {}, fifteenMinutes))
  assert.deepEqual(
    answers.map(({ Status, Reason }) => [Status, Reason]),
    [['SUCCESS', undefined]],
  )
  assert.deepEqual(sorted(await parameters()), written(many))
  assert.equal(slow.puts(), written(many).length, 'the second run does only the rest')
})

test('a run without time left asks Lambda to continue, and a failure to do so fails the deployment', async (t) => {
  const deployment = await startDeployment(t)
  if (!deployment) return
  const { upload, deploy } = deployment
  await upload('small.json', small)
  const answer = await deploy('Create', 'small.json', {}, { timeoutMilliseconds: 60_000 })
  assert.equal(answer?.Status, 'FAILED')
  // moto does not know the function.
  assert.match(String(answer?.Reason), /^The function arn:.*put-elements cannot continue to write the elements \(Res/)
})

const user = { user: 'someone', passwordSecret: 'tokenwell/local/password' }

/** Lambda's API for invocations. It only notes them: the test invokes an instance, as Lambda would after the end of the run. */
async function startInvokeApi(t: TestContext) {
  const invocations: { readonly functionName: string; readonly type: unknown; readonly event: object }[] = []
  async function take({ url = '', headers, ...request }: IncomingMessage, body: string, response: ServerResponse) {
    const [, name = ''] = /^\/2015-03-31\/functions\/(.+)\/invocations$/.exec(url) ?? []
    assert.equal(request.method, 'POST')
    assert.match(String(headers.authorization), /^AWS4-HMAC-SHA256 Credential=.*\/lambda\/aws4_request/)
    const type = headers['x-amz-invocation-type']
    invocations.push({ functionName: decodeURIComponent(name), type, event: JSON.parse(body) })
    response.writeHead(202).end()
  }
  const server = createServer((request, response) => void text(request).then((body) => take(request, body, response)))
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { invocations, environment: { AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${port}` } }
}

/** The puts of one step take longer than the run has. It ends the step, and does not begin another one. */
async function startSlowParameterStore(t: TestContext) {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  const proxy = await startAwsProxy(t, moto.endpoint)
  proxy.answerAll(({ operation }) => (operation === 'PutParameter' ? { afterMilliseconds: 350 } : undefined))
  return {
    environment: { AWS_ENDPOINT_URL_SSM: proxy.endpoint },
    puts: () => proxy.counts()['PutParameter'],
  }
}

function sorted(texts: ReadonlyMap<string, string>): (readonly [string, string])[] {
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1))
}
