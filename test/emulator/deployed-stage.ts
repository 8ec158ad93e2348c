import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { GetParametersByPathCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { type AuthorizationServer, startAuthorizationServer } from '../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import { overhearAnswer } from '../support/output/canary.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { type Credentials, type Ministack, startMinistack } from '../support/servers/ministack.ts'
import { type AwsAccount, createAwsAccount } from './aws-account.ts'
import { findCdkCommand, synthesize } from './cdk-command.ts'
import { adaptToMinistack, type LeftOut } from './emulated-template.ts'

/** The stage and the address that infra/README.md shows. Nothing answers at this name. The authorization server finds the JWK set at the API's own URL instead. */
const stage = 'prod'
const publicUrl = 'https://tokens.example.com'
const stackName = `Tokenwell-${stage}`

export interface TokenAnswer {
  readonly status: number
  readonly access_token?: string
  readonly source?: string
  readonly message?: string
  readonly error?: string
}

/** A stage in an emulated account, and an authorization server that reads the keys of its client from that stage. */
export interface DeployedStage {
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
  /** Makes a role that may get tokens of these connections. */
  callerOf(name: string, connections: readonly string[]): Promise<Credentials>
  /** Requests a token. Without credentials, the request has no signature. */
  getToken(connection: string, signedBy?: Credentials): Promise<TokenAnswer>
  /** The `kid` of each key in the JWK set of a jwtBuilder. */
  publishedKeys(jwtBuilder: string): Promise<readonly string[]>
  putEvent(type: string, detail: object): Promise<void>
  putElements(elements: RawElements): Promise<void>
  /** The paths of the stage's parameters, without the stage. */
  parameters(): Promise<readonly string[]>
  /** Whether the secret exists, by its name in the stage. */
  hasSecret(name: string): Promise<boolean>
  /** Rotates the key of a jwtBuilder as Secrets Manager does. ministack's own RotateSecret calls no function. */
  rotate(jwtBuilder: string): Promise<void>
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
export async function deployStage(t: TestContext): Promise<DeployedStage> {
  const ministack = await startMinistack(t)
  const cdk = findCdkCommand(ministack.commandEnvironment)
  const account = createAwsAccount(ministack)
  const clients = createClients(t, ministack)
  let outputs: Readonly<Record<string, string>> = {}
  const output = (name: string) => outputs[name] ?? assert.fail(`the stack has no output ${name}`)
  const getKeySet = (jwtBuilder: string) =>
    ministack.request(`${output('ApiUrl')}/jwt/${jwtBuilder}/jwk`, { service: 'execute-api' })

  const certificate = await createServerCertificate(['localhost'])
  const server = await startServer(t, certificate, async () => (await getKeySet('theBuilder')).text())
  const SecretString = certificate.caCertificate
  await clients.secrets.send(
    new CreateSecretCommand({ Name: `tokenwell/${stage}/authorization-server-ca`, SecretString }),
  )
  await cdk.run('bootstrap', '')
  await letFunctionsReadAssets(ministack)

  let app = ''
  let leftOut: LeftOut = { resources: [], widenedActions: [] }
  const deploy: DeployedStage['deploy'] = async (elements, settings = []) => {
    const folder = await temporaryFolder(t, { 'elements.json': JSON.stringify(elements) })
    app = join(folder, 'cdk.out')
    await synthesize(app, join(folder, 'elements.json'), settings)
    leftOut = await adaptToMinistack(app)
    const outputsFile = join(folder, 'outputs.json')
    const difference = await cdk.diff(app)
    await cdk.run('deploy', app, ['--require-approval', 'never', '--outputs-file', outputsFile])
    outputs = JSON.parse(await readFile(outputsFile, 'utf8'))[stackName]
    return difference
  }
  await deploy(stageElements(server.issuer))

  return {
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
    callerOf(name, connections) {
      const [host = ''] = new URL(output('ApiUrl')).hostname.split('.')
      const api = `arn:aws:execute-api:${ministack.region}:${ministack.accountId}:${host}/$default`
      const Resource = connections.map((connection) => `${api}/POST/connections/${connection}/token`)
      return account.assumeNewRole(name, { Effect: 'Allow', Action: 'execute-api:Invoke', Resource })
    },
    async getToken(connection, signedBy) {
      const answer = await ministack.request(`${output('ApiUrl')}/connections/${connection}/token`, {
        method: 'POST',
        service: 'execute-api',
        ...(signedBy && { signedBy }),
      })
      const body = JSON.parse(await answer.text())
      overhearAnswer(body)
      return { status: answer.status, ...body }
    },
    async publishedKeys(jwtBuilder) {
      const answer = await getKeySet(jwtBuilder)
      const { keys = [] } = (await answer.json()) as { keys?: readonly { kid: string }[] }
      return keys.map(({ kid }) => kid)
    },
    async rotate(jwtBuilder) {
      const names = await account.functionNames()
      const rotateKey = names.find((name) => name.includes('RotateKey')) ?? assert.fail('there is no rotate-key')
      const { ARN } = await clients.secrets.send(
        new DescribeSecretCommand({ SecretId: `tokenwell/${stage}/jwk/${jwtBuilder}` }),
      )
      const token = randomUUID()
      for (const Step of rotationSteps)
        await account.invoke(rotateKey, { Step, SecretId: ARN, ClientRequestToken: token })
      // ministack does not move this label to the next version, as AWS does, but leaves it on both.
      const label = { VersionStage: 'AWSPENDING', RemoveFromVersionId: token }
      await clients.secrets.send(new UpdateSecretVersionStageCommand({ SecretId: ARN, ...label }))
    },
    ...clients.operations(output),
  }
}

function createClients(t: TestContext, { endpoint, region, root }: Ministack) {
  const settings = { endpoint, region, credentials: root }
  const secrets = new SecretsManagerClient(settings)
  const parameterStore = new SSMClient(settings)
  const bus = new EventBridgeClient(settings)
  t.after(() => {
    for (const client of [secrets, parameterStore, bus]) client.destroy()
  })
  const operations = (output: DeployedStage['output']) => ({
    async putEvent(type: string, detail: object) {
      const entry = { Source: 'operator', DetailType: type, Detail: JSON.stringify(detail) }
      const { FailedEntryCount } = await bus.send(
        new PutEventsCommand({ Entries: [{ ...entry, EventBusName: output('EventBusName') }] }),
      )
      assert.equal(FailedEntryCount, 0)
    },
    async putElements(elements: RawElements) {
      for (const [kind, byId] of Object.entries(elements))
        for (const [id, element] of Object.entries(byId)) {
          const Name = `/tokenwell/${stage}/${kind}/${id}`
          await parameterStore.send(new PutParameterCommand({ Name, Type: 'String', Value: JSON.stringify(element) }))
        }
    },
    async parameters() {
      const Path = `/tokenwell/${stage}/`
      const { Parameters = [] } = await parameterStore.send(
        new GetParametersByPathCommand({ Path, Recursive: true, MaxResults: 10 }),
      )
      return Parameters.map(({ Name = '' }) => Name.slice(Path.length)).sort()
    },
    hasSecret(name: string) {
      return secrets.send(new DescribeSecretCommand({ SecretId: `tokenwell/${stage}/${name}` })).then(
        ({ DeletedDate }) => DeletedDate === undefined,
        () => false,
      )
    },
  })
  return { secrets, operations }
}

/** The bucket that `cdk bootstrap` makes denies requests without TLS. ministack's functions make such requests. */
async function letFunctionsReadAssets({ endpoint, accountId, region, root, request }: Ministack): Promise<void> {
  const url = `${endpoint}/cdk-hnb659fds-assets-${accountId}-${region}?policy`
  const { status } = await request(url, { method: 'DELETE', service: 's3', signedBy: root })
  assert.equal(status, 204)
}

type ServerCertificate = Awaited<ReturnType<typeof createServerCertificate>>

async function startServer(
  t: TestContext,
  certificate: ServerCertificate,
  readKeySet: () => Promise<string>,
): Promise<AuthorizationServer> {
  const client = {
    client_id: 'theClient',
    token_endpoint_auth_method: 'private_key_jwt' as const,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    jwks_uri: `${publicUrl}/jwt/theBuilder/jwk`,
  }
  const server = await startAuthorizationServer({
    port: 0,
    certificate,
    users: new Map(),
    clients: async () => [client],
    fetch: async () => new Response(await readKeySet(), { headers: { 'content-type': 'application/json' } }),
  })
  t.after(() => server.close())
  return server
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
