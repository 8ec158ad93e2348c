import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { type Ministack, startMinistack } from '../support/servers/ministack.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { findCdkCommand, synthesize } from './cdk-command.ts'
import { letFunctionsReadAssets, stageElements } from './deployed-stage.ts'
import { adaptToMinistack } from './emulated-template.ts'

/*
 * First deployments that fail halfway, each for another reason. CloudFormation rolls each of them back, and the next one begins as if
 * there had been none. So an operator just removes the reason and deploys again. The CDK's command line makes the first and the last
 * of them. The others are made with the same template and the same uploaded files, which takes less time.
 */

const stackName = 'Tokenwell-prod'
/** What stays when the stack is deleted. */
const retained = ['AWS::Logs::LogGroup', 'AWS::SecretsManager::Secret']

test('a first deployment that fails leaves nothing behind, wherever it fails, and the next one succeeds', async (t) => {
  const ministack = await startIfThere(t, () => startMinistack(t))
  if (!ministack) return
  const account = createEmptyAccount(ministack)
  const cdk = findCdkCommand(ministack.commandEnvironment)
  const { app, template } = await synthesizeStage(t)
  await cdk.run('bootstrap', '')
  await letFunctionsReadAssets(ministack)
  const before = await account.leftBehind()
  const deploy = () => cdk.run('deploy', app, ['--require-approval', 'never'])

  async function seeRollback(reason: RegExp): Promise<void> {
    const { status, created, reasons } = await account.lastDeployment()
    assert.equal(status, 'ROLLBACK_COMPLETE')
    assert.match(reasons, reason)
    const notYet = retained.filter((type) => !created.has(type))
    assert.deepEqual(notYet, [], 'it failed before there was anything to leave behind')
    assert.deepEqual(await account.leftBehind(), before)
  }

  await t.test('put-elements refuses an element, because its parameter exists', async () => {
    const Name = '/tokenwell/prod/jwtBuilder/theBuilder'
    await account.call('ssm', 'AmazonSSM.PutParameter', { Name, Type: 'String', Value: '{}' })
    await assert.rejects(deploy, /1 of the parameters exist already/)
    await account.call('ssm', 'AmazonSSM.DeleteParameters', { Names: [Name] })
    await seeRollback(/1 of the parameters exist already/)
  })

  await t.test('the function that a custom resource invokes fails', async () => {
    await account.deploy(
      withChangedFunction(template, 'TokensRefreshToken', ({ Environment }) => {
        Environment.Variables['TOKENWELL_CACHE'] = 'no-such-place'
      }),
    )
    // Of a process that ends at once, ministack shows the message only if it is read in time, or else one of two errors of its own.
    await seeRollback(
      /TokensSignedBeforeShown[\s\S]*(TOKENWELL_CACHE must be|Worker process exited immediately|no attribute &#x27;stdin&#x27;)/,
    )
  })

  await t.test('the account refuses a resource, because its name is taken', async () => {
    await account.call('events', 'AWSEvents.CreateEventBus', { Name: 'tokenwell-prod' })
    await account.deploy(template)
    await account.call('events', 'AWSEvents.DeleteEventBus', { Name: 'tokenwell-prod' })
    await seeRollback(/EventBus already exists: tokenwell-prod/)
  })

  await t.test('without a reason to fail, the same deployment succeeds', async () => {
    await deploy()
    assert.equal((await account.lastDeployment()).status, 'CREATE_COMPLETE')
    assert.ok((await account.leftBehind()).secrets.includes('tokenwell/prod/jwk/theBuilder'))
  })

  await t.test('without a domain, the functions have the URL of the HTTP API as their public URL', async () => {
    const { ApiUrl = '', JwkSetUrl } = await account.outputs()
    assert.equal(JwkSetUrl, `${ApiUrl}/jwt/<jwtBuilder>/jwk`)
    assert.deepEqual(await account.publicUrls(), new Set([ApiUrl]))
    const { status } = await ministack.request(`${ApiUrl}/jwt/theBuilder/jwk`, { service: 'execute-api' })
    assert.equal(status, 404, 'the first rotation has not been')
  })
})

async function synthesizeStage(t: TestContext): Promise<{ app: string; template: string }> {
  const elements = JSON.stringify(stageElements('https://as.example.com'))
  const folder = await temporaryFolder(t, { 'elements.json': elements })
  const app = join(folder, 'cdk.out')
  await synthesize(app, join(folder, 'elements.json'), ['publicUrl='])
  await adaptToMinistack(app)
  return { app, template: await readFile(join(app, `${stackName}.template.json`), 'utf8') }
}

interface FunctionResource {
  readonly Type: string
  readonly Properties: FunctionProperties
}

interface FunctionProperties {
  readonly Code: { S3Key: string }
  readonly Environment: { readonly Variables: Record<string, string> }
}

/** The template with other properties of the function whose logical id begins so. */
function withChangedFunction(
  text: string,
  beginning: string,
  change: (properties: FunctionProperties) => void,
): string {
  const template: { Resources: Record<string, FunctionResource> } = JSON.parse(text)
  const [found, ...others] = Object.entries(template.Resources).filter(
    ([id, { Type }]) => Type === 'AWS::Lambda::Function' && id.startsWith(beginning),
  )
  assert.ok(found && others.length === 0, beginning)
  change(found[1].Properties)
  return JSON.stringify(template)
}

function createEmptyAccount({ endpoint, accountId, region, root: signedBy, request }: Ministack) {
  async function send(service: string, path: string, method: string, body?: object | string, headers = {}) {
    const text = typeof body === 'object' ? JSON.stringify(body) : body
    const given = { method, service, signedBy, headers, ...(text !== undefined && { body: text }) }
    const answer = await request(`${endpoint}${path}`, given)
    const content = await answer.text()
    assert.equal(answer.ok, true, content)
    return content
  }
  async function call(service: string, target: string, body: object): Promise<object> {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target }
    return JSON.parse(await send(service, '/', 'POST', body, headers))
  }
  function cloudFormation(Action: string, more: Record<string, string> = {}): Promise<string> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const parameters = { Action, Version: '2010-05-15', StackName: stackName, ...more }
    return send('cloudformation', '/', 'POST', String(new URLSearchParams(parameters)), headers)
  }
  const status = async () => /<StackStatus>(\w+)</.exec(await cloudFormation('DescribeStacks'))?.[1] ?? ''
  async function allEvents(): Promise<string> {
    let events = ''
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: string = await cloudFormation('DescribeStackEvents', next === '' ? {} : { NextToken: next })
      events += page
      next = /<NextToken>([^<]+)</.exec(page)?.[1]
    }
    return events
  }
  return {
    call,
    /** Deletes the stack that was rolled back, as the CDK does, and creates it again. */
    async deploy(template: string): Promise<void> {
      await cloudFormation('DeleteStack')
      const path = `/cdk-hnb659fds-assets-${accountId}-${region}/template.json`
      await send('s3', path, 'PUT', template)
      const TemplateURL = `${endpoint}${path}`
      await cloudFormation('CreateStack', { TemplateURL, 'Capabilities.member.1': 'CAPABILITY_IAM' })
      while ((await status()).endsWith('_IN_PROGRESS')) await pause(100)
    },
    /** What the next deployment would find, and what would cost money. */
    async leftBehind() {
      const parameters = { Path: '/tokenwell/', Recursive: true }
      return {
        secrets: namesIn(await call('secretsmanager', 'secretsmanager.ListSecrets', { IncludePlannedDeletion: true })),
        logs: namesIn(await call('logs', 'Logs_20140328.DescribeLogGroups', {})).filter(isOfThisStack),
        tables: await call('dynamodb', 'DynamoDB_20120810.ListTables', {}),
        parameters: namesIn(await call('ssm', 'AmazonSSM.GetParametersByPath', parameters)),
      }
    },
    async outputs(): Promise<Readonly<Record<string, string>>> {
      const pairs = (await cloudFormation('DescribeStacks')).matchAll(
        /<OutputKey>([^<]+)<\/OutputKey><OutputValue>([^<]+)</g,
      )
      const decoded = (text: string) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>')
      return Object.fromEntries([...pairs].map(([, name = '', value = '']) => [name, decoded(value)]))
    },
    /** What the functions of the stage have as their public URL. */
    async publicUrls() {
      const { Functions } = JSON.parse(await send('lambda', '/2015-03-31/functions/', 'GET'))
      const variables: Record<string, string>[] = Functions.map(
        ({ Environment }: Partial<FunctionProperties>) => Environment?.Variables ?? {},
      )
      return new Set(variables.filter((each) => each['TOKENWELL_STAGE']).map((each) => each['TOKENWELL_PUBLIC_URL']))
    },
    async lastDeployment() {
      const members = (await allEvents()).split('</member>')
      const typeOf = (event: string) => /<ResourceType>([\w:]+)</.exec(event)?.[1] ?? ''
      const created = members.filter((event) => event.includes('>CREATE_COMPLETE<')).map(typeOf)
      const failed = members.filter((event) => event.includes('>CREATE_FAILED<'))
      return { status: await status(), created: new Set(created), reasons: failed.join('\n') }
    },
  }
}

/** The CDK's own function for custom resources has a log group that Lambda makes, on AWS too. Its name is no obstacle. */
function isOfThisStack(logGroup: string): boolean {
  return !logGroup.startsWith('/aws/lambda/')
}

function namesIn(answer: object): string[] {
  return [...JSON.stringify(answer).matchAll(/"(?:Name|logGroupName)":"([^"]+)"/g)].map(([, name = '']) => name).sort()
}
