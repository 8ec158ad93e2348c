import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { Context } from 'aws-lambda'
import type { DeploymentAnswer } from '../../../functions/put-elements/handler.ts'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { type Handler, loadFunction } from '../../support/functions/load-function.ts'
import type { Exercise } from './exercise-all-functions.ts'

/* A deployment as CloudFormation makes it: files of elements in S3, and an address that takes the answers. */

const Bucket = 'assets'
/** Not the ARN: moto can't check the signature of a path with an encoded colon. */
const ownName = 'put-elements'
const fifteenMinutes = 900_000
/** Less than the function keeps for its last step. */
const almostNothing = 60_000

/** Uploads the elements of the workspace, and the same with one more. Returns where the answers go. */
export async function prepareDeployment(t: TestContext, elementsPath: string): Promise<string> {
  const { endpointConnection: { dangling: _dangling, ...endpointConnection } = {}, ...others }: RawElements =
    JSON.parse(await readFile(elementsPath, 'utf8'))
  const fewer = { ...others, endpointConnection }
  const files = { fewer, more: { ...fewer, proxyConfig: { unused: { host: 'proxy.example', port: 3128 } } } }
  const s3 = new S3Client()
  t.after(() => s3.destroy())
  const place = { LocationConstraint: 'eu-central-1' } as const
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: place }))
  for (const [Key, elements] of Object.entries(files))
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: JSON.stringify(elements) }))
  const server = createServer((request, response) => void takeAnswer(request).then(() => response.end()))
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

const answers: DeploymentAnswer[] = []

async function takeAnswer(request: IncomingMessage): Promise<void> {
  answers.push(JSON.parse(await text(request)))
}

/** A deployment that takes over parameters, an update that deletes one, and a run that is over before its work. */
export async function exercisePutElements({ set, environment, expect }: Exercise): Promise<void> {
  const handler = await loadFunction('put-elements', set.workspace, environment)
  const origin = String(environment['TOKENWELL_EMULATOR'])
  const created = await deploy(handler, origin, { RequestType: 'Create', key: 'more' })
  expect('creation', created, 'SUCCESS')
  const PhysicalResourceId = '/tokenwell/local'
  const update = { RequestType: 'Update', PhysicalResourceId, key: 'fewer', from: 'more' }
  expect('update', await deploy(handler, origin, update), 'SUCCESS')
  const again = { RequestType: 'Update', PhysicalResourceId, key: 'more', from: 'fewer' }
  const continued = await deploy(handler, origin, again, almostNothing)
  // moto checks the right first, and then does not find the function.
  expect('continuation', continued.replace(/.*cannot continue.*\((\w+)\).*/, '$1'), 'ResourceNotFoundException')
}

async function deploy(
  handler: Handler,
  origin: string,
  { key, from, ...members }: { readonly key: string; readonly from?: string } & Readonly<Record<string, string>>,
  milliseconds = fifteenMinutes,
): Promise<string> {
  const event = {
    ...members,
    ...{ StackId: 'stack', RequestId: 'request', LogicalResourceId: 'resource', ResponseURL: `${origin}/answer` },
    ResourceProperties: { bucket: Bucket, key, takesOverParameters: 'true' },
    ...(from !== undefined && { OldResourceProperties: { bucket: Bucket, key: from } }),
  }
  const context: Context = {
    ...createLocalContext(Date.now()),
    invokedFunctionArn: ownName,
    getRemainingTimeInMillis: () => milliseconds,
  }
  await handler(event, context)
  const answer = answers.pop()
  return answer?.Reason ?? answer?.Status ?? 'no answer'
}
