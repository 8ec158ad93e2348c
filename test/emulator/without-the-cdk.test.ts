import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { buildPackage } from '../../infra/package/build-package.ts'
import { writeTemplate } from '../../infra/package/template.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { overhear } from '../support/output/canary.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { startMinistack } from '../support/servers/ministack.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { createAwsAccount } from './aws-account.ts'
import { type AwsCommand, blocksOfPage, findAwsCommand } from './aws-command.ts'
import { adaptToMinistack } from './emulated-template.ts'
import { startStageAuthorizationServer } from './stage-authorization-server.ts'
import { createStageCalls } from './stage-calls.ts'

/*
 * The CloudFormation template for teams without the CDK. The AWS CLI alone deploys it to ministack, by the commands of infra/README.md.
 */

const stage = 'prod'
const publicUrl = 'https://tokens.example.com'
const stackName = 'tokenwell-prod'

// The CDK would check the template before the parameters are in it. template.test.ts and checkers.test.ts check the finished one.
process.env['CDK_VALIDATION'] = 'false'

test('the AWS CLI alone deploys a stage, and a caller gets a token from it', async (t) => {
  const started = await startIfThere(t, async () => {
    const ministack = await startMinistack(t)
    return { ministack, aws: await findAwsCommand(ministack.commandEnvironment) }
  })
  if (!started) return
  const { ministack, aws } = started
  const account = createAwsAccount(ministack)
  const { folder, leftOut } = await writeAdaptedTemplate(t)
  let outputs: Readonly<Record<string, string>> = {}
  const output = (name: string) => outputs[name] ?? assert.fail(`the stack has no output ${name}`)
  const calls = createStageCalls(t, { ministack, account, stage, output })
  const { server, caCertificate } = await startStageAuthorizationServer(t, {
    publicUrl,
    clients: { theClient: 'theBuilder' },
    readKeySet: calls.keySet,
  })
  const [deployment = '', firstKey = ''] = blocksOfPage('Without the CDK')

  await t.test('each resource of the template is deployed, except alarms on computed metrics', () => {
    const others = leftOut.resources.filter(({ Properties }) => Properties?.['Metrics'] === undefined)
    assert.deepEqual(others, [])
  })

  await t.test('the commands of the page deploy the template', async () => {
    await aws.run('aws s3 mb s3://my-bucket', folder)
    const [build, enter, ...commands] = deployment.split('\n')
    assert.deepEqual([build, enter], ['npm run package', 'cd .build/template'])
    await aws.run(commands.join('\n'), folder)
    outputs = await readOutputs(aws, folder)
    assert.equal(output('JwkSetUrl'), `${publicUrl}/jwt/<jwtBuilder>/jwk`)
  })

  await t.test('the commands of the page write elements, and give signing keys a secret and a rotation', async () => {
    await calls.createSecret('authorization-server-ca', caCertificate)
    await putElements(aws, folder, server.issuer)
    await aws.run(firstKey.replaceAll('myBuilder', 'theBuilder'), folder)
    await calls.rotate('theBuilder')
    assert.equal((await calls.publishedKeys('theBuilder')).length, 1)
  })

  await t.test('a role with the right to a connection gets its token, and nobody else', async () => {
    const caller = await calls.callerOf('a-caller', ['conn'])
    const otherCaller = await calls.callerOf('another-caller', ['other'])
    for (const signedBy of [undefined, otherCaller]) {
      const { status, access_token } = await calls.getToken('conn', signedBy)
      assert.deepEqual([status, access_token], [403, undefined])
    }
    const { status, source, access_token: token, error } = await calls.getToken('conn', caller)
    assert.deepEqual([status, source], [200, 'server'], error)
    const again = await calls.getToken('conn', caller)
    assert.deepEqual([again.status, again.access_token], [200, token])
  })

  await t.test('no secret is in a log', async () => {
    for (const name of ['FunctionLog', 'RotateKeyLog']) {
      const lines = await account.logLines(output(name))
      assert.ok(lines.length > 0, name)
      overhear(JSON.stringify(lines))
    }
  })
})

/** What `npm run package` writes to `.build/template`, changed for ministack. */
async function writeAdaptedTemplate(t: TestContext) {
  const built = await temporaryFolder(t)
  const [packageFolder, folder] = [join(built, 'package'), join(built, 'template')]
  await buildPackage(packageFolder)
  writeTemplate(join(packageFolder, 'functions'), folder)
  return { folder, leftOut: await adaptToMinistack(folder, 'template.json') }
}

async function readOutputs(aws: AwsCommand, folder: string): Promise<Readonly<Record<string, string>>> {
  const query = 'Stacks[0].Outputs[].[OutputKey,OutputValue]'
  const printed = await aws.run(
    `aws cloudformation describe-stacks --stack-name ${stackName} --output json --query '${query}'`,
    folder,
  )
  return Object.fromEntries(JSON.parse(printed))
}

/** Each by the command of the page that writes a single element. */
async function putElements(aws: AwsCommand, folder: string, issuer: string): Promise<void> {
  const command = blocksOfPage('Elements without a deployment').find((block) => block.startsWith('aws ssm')) ?? ''
  const elements = {
    ...exampleElements(issuer),
    keyStore: { theTrust: { location: `tokenwell/${stage}/authorization-server-ca` } },
  }
  const commands: string[] = []
  for (const [kind, byId] of Object.entries(elements))
    for (const [id, element] of Object.entries(byId)) {
      await writeFile(join(folder, `${id}.json`), JSON.stringify(element))
      commands.push(command.replaceAll('jwtBuilder/myBuilder', `${kind}/${id}`).replaceAll('myBuilder', id))
    }
  await aws.run(commands.join(''), folder)
}
