import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import type { AuthorizationServer } from '../../infra/local/authorization-server.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { type Ministack, startMinistack } from '../support/servers/ministack.ts'
import { type AwsAccount, createAwsAccount } from './aws-account.ts'
import { findCdkCommand, synthesize } from './cdk-command.ts'
import { adaptToMinistack, type LeftOut } from './emulated-template.ts'
import { startStageAuthorizationServer } from './stage-authorization-server.ts'
import { createStageCalls, type StageCalls } from './stage-calls.ts'

/** The stage and the address that infra/README.md shows. Nothing answers at this name. The authorization server finds the JWK set at the API's own URL instead. */
const stage = 'prod'
const publicUrl = 'https://tokens.example.com'
export const stackName = `Tokenwell-${stage}`

/** A stage in an emulated account, and an authorization server that reads the keys of its client from that stage. */
export interface DeployedStage extends StageCalls {
  readonly ministack: Ministack
  readonly account: AwsAccount
  readonly server: AuthorizationServer
  /** What is not deployed as it is in the template. */
  readonly leftOut: LeftOut
  /** The outputs of the stack. */
  output(name: string): string
  /** Synthesizes the stage with these elements and settings, and deploys it. Returns what `cdk diff` printed before. */
  deploy(elements: RawElements, settings?: readonly string[]): Promise<string>
  /** @returns the names of the stacks that it destroyed */
  destroy(): Promise<string>
  putEvent(type: string, detail: object): Promise<void>
}

export interface StageOptions {
  /** The jwtBuilder of each client that the authorization server knows. */
  readonly clients?: Readonly<Record<string, string>>
  /** The elements of the first deployment. */
  readonly elements?: (issuer: string) => RawElements
  /** Settings of the first deployment. */
  readonly settings?: readonly string[]
  /** Writes the stage to a folder, instead of `npm run synth`. */
  readonly synthesize?: typeof synthesize
  /** Whether `deploy` runs `cdk diff`. It does so by default. */
  readonly showsDifference?: boolean
}

/** Elements of the connection `conn`, whose keys Tokenwell makes. */
export function stageElements(issuer: string): RawElements {
  return {
    ...exampleElements(issuer),
    keyStore: { theTrust: { location: `tokenwell/${stage}/authorization-server-ca` } },
  }
}

/**
 * Bootstraps an emulated account and deploys the stage to it.
 * @throws {MissingServerError} if ministack or the CDK's command line is missing
 */
export async function deployStage(t: TestContext, options: StageOptions = {}): Promise<DeployedStage> {
  const { clients = { theClient: 'theBuilder' }, elements: firstElements = stageElements } = options
  const ministack = await startMinistack(t)
  const cdk = findCdkCommand(ministack.commandEnvironment)
  const account = createAwsAccount(ministack)
  let outputs: Readonly<Record<string, string>> = {}
  const output = (name: string) => outputs[name] ?? assert.fail(`the stack has no output ${name}`)
  const calls = createStageCalls(t, { ministack, account, stage, output })
  const { server, caCertificate } = await startStageAuthorizationServer(t, {
    publicUrl,
    clients,
    readKeySet: calls.keySet,
  })
  await calls.createSecret('authorization-server-ca', caCertificate)
  await cdk.run('bootstrap', '')
  await letFunctionsReadAssets(ministack)

  let app = ''
  let leftOut: LeftOut = { resources: [], widenedActions: [] }
  const deploy: DeployedStage['deploy'] = async (elements, settings = []) => {
    const folder = await temporaryFolder(t, { 'elements.json': JSON.stringify(elements) })
    app = join(folder, 'cdk.out')
    await (options.synthesize ?? synthesize)(app, join(folder, 'elements.json'), settings)
    leftOut = await adaptToMinistack(app)
    const outputsFile = join(folder, 'outputs.json')
    const difference = options.showsDifference === false ? '' : await cdk.diff(app)
    await cdk.run('deploy', app, ['--require-approval', 'never', '--outputs-file', outputsFile])
    outputs = JSON.parse(await readFile(outputsFile, 'utf8'))[stackName]
    return difference
  }
  await deploy(firstElements(server.issuer), options.settings)

  return {
    ...calls,
    ministack,
    account,
    server,
    get leftOut() {
      return leftOut
    },
    output,
    deploy,
    async destroy() {
      const names = await cdk.run('ls', app)
      await cdk.run('destroy', app, ['--force'])
      return names.trim()
    },
    putEvent: eventSender(t, ministack, output),
  }
}

function eventSender(
  t: TestContext,
  { endpoint, region, root: credentials }: Ministack,
  output: DeployedStage['output'],
): DeployedStage['putEvent'] {
  const bus = new EventBridgeClient({ endpoint, region, credentials })
  t.after(() => bus.destroy())
  return async function putEvent(type, detail) {
    const entry = { Source: 'operator', DetailType: type, Detail: JSON.stringify(detail) }
    const { FailedEntryCount } = await bus.send(
      new PutEventsCommand({ Entries: [{ ...entry, EventBusName: output('EventBusName') }] }),
    )
    assert.equal(FailedEntryCount, 0)
  }
}

/** The bucket that `cdk bootstrap` makes denies requests without TLS. ministack's functions make such requests. */
export async function letFunctionsReadAssets({ endpoint, accountId, region, root, request }: Ministack): Promise<void> {
  const url = `${endpoint}/cdk-hnb659fds-assets-${accountId}-${region}?policy`
  const { status } = await request(url, { method: 'DELETE', service: 's3', signedBy: root })
  assert.equal(status, 204)
}

/** Repeats a look until it finds something. */
export async function eventually<T>(what: string, seconds: number, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = Date.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > giveUpAt) throw new Error(`${what} did not happen within ${seconds} s`)
    await pause(1_000)
  }
}
