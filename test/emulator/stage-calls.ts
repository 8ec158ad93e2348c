import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { GetParametersByPathCommand, type Parameter, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { discoveryRoutes } from '../../lib/http-interface/server-metadata.ts'
import { rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import type { RawElements } from '../support/elements/elements.ts'
import { overhearAnswer } from '../support/output/canary.ts'
import type { Credentials, Ministack } from '../support/servers/ministack.ts'
import type { AwsAccount } from './aws-account.ts'

export interface TokenAnswer {
  readonly status: number
  readonly access_token?: string
  readonly source?: string
  readonly message?: string
  readonly error?: string
}

export interface Description {
  readonly status: number
  readonly issuer?: string
  readonly token_endpoint?: string
}

export interface StageOfAccount {
  readonly ministack: Ministack
  readonly account: AwsAccount
  readonly stage: string
  /** An output of the stack that was deployed last. */
  readonly output: (name: string) => string
}

/** What callers and operators do with a stage, however it was deployed. */
export interface StageCalls {
  /** Makes a role that may get tokens of these connections, and read their descriptions. */
  callerOf(name: string, connections: readonly string[]): Promise<Credentials>
  /** Requests a token. Without credentials, the request has no signature. */
  getToken(connection: string, signedBy?: Credentials): Promise<TokenAnswer>
  /** Asks for the documents that describe a connection as a token endpoint. Without credentials, the requests have no signature. */
  describe(connection: string, signedBy?: Credentials): Promise<readonly Description[]>
  /** Makes a role that may invoke these aliases of `issue-token`. */
  directCallerOf(name: string, aliases: readonly string[]): Promise<Credentials>
  /** Invokes `issue-token` by an alias, or without one. Without credentials, the account's root does. The status is that of the answer, or of AWS if it denies the invocation. */
  invokeIssueToken(alias: string | undefined, event: object, signedBy?: Credentials): Promise<TokenAnswer>
  /** The JWK set of a jwtBuilder as text. */
  keySet(jwtBuilder: string): Promise<string>
  /** The `kid` of each key in the JWK set of a jwtBuilder. */
  publishedKeys(jwtBuilder: string): Promise<readonly string[]>
  /** Rotates the key of a jwtBuilder as Secrets Manager does. ministack's own RotateSecret calls no function. */
  rotate(jwtBuilder: string): Promise<void>
  putElements(elements: RawElements): Promise<void>
  /** The version of each parameter of the stage, by its path without the stage. */
  parameterVersions(): Promise<ReadonlyMap<string, number>>
  /** Creates a secret, by its name in the stage. */
  createSecret(name: string, text: string): Promise<void>
  /** Whether the secret exists, by its name in the stage. */
  hasSecret(name: string): Promise<boolean>
}

export function createStageCalls(
  t: { after(end: () => void): void },
  { ministack, account, stage, output }: StageOfAccount,
): StageCalls {
  const { endpoint, region, accountId, root: credentials } = ministack
  const settings = { endpoint, region, credentials }
  const secrets = new SecretsManagerClient(settings)
  const parameterStore = new SSMClient(settings)
  t.after(() => {
    for (const client of [secrets, parameterStore]) client.destroy()
  })
  const parametersPath = `/tokenwell/${stage}/`
  const secretId = (name: string) => `tokenwell/${stage}/${name}`
  const keySet = async (jwtBuilder: string) => {
    const url = `${output('ApiUrl')}/jwt/${jwtBuilder}/jwk`
    return (await ministack.request(url, { service: 'execute-api' })).text()
  }

  return {
    callerOf(name, connections) {
      const [host = ''] = new URL(output('ApiUrl')).hostname.split('.')
      const api = `arn:aws:execute-api:${region}:${accountId}:${host}/$default`
      const Resource = connections.flatMap((connection) => [
        `${api}/POST/connections/${connection}/token`,
        ...descriptionsOf(connection).map((path) => `${api}/GET${path}`),
      ])
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
    async describe(connection, signedBy) {
      return await Promise.all(
        descriptionsOf(connection).map(async (path) => {
          const signed = { service: 'execute-api', ...(signedBy && { signedBy }) }
          const answer = await ministack.request(`${output('ApiUrl')}${path}`, signed)
          return { status: answer.status, ...JSON.parse(await answer.text()) }
        }),
      )
    },
    directCallerOf(name, aliases) {
      const issueToken = `arn:aws:lambda:${region}:${accountId}:function:${output('FunctionName')}`
      const Resource = aliases.map((alias) => `${issueToken}:${alias}`)
      return account.assumeNewRole(name, { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource })
    },
    async invokeIssueToken(alias, event, signedBy = credentials) {
      const invoked = [output('FunctionName'), ...(alias === undefined ? [] : [alias])].join(':')
      const answer = await ministack.request(`${endpoint}/2015-03-31/functions/${invoked}/invocations`, {
        method: 'POST',
        service: 'lambda',
        body: JSON.stringify(event),
        signedBy,
      })
      const body = JSON.parse(await answer.text())
      overhearAnswer(body)
      return { status: answer.status, ...body }
    },
    keySet,
    async publishedKeys(jwtBuilder) {
      const { keys = [] }: { keys?: readonly { kid: string }[] } = JSON.parse(await keySet(jwtBuilder))
      return keys.map(({ kid }) => kid)
    },
    async rotate(jwtBuilder) {
      const names = await account.functionNames()
      const rotateKey = names.find((name) => name.includes('RotateKey')) ?? assert.fail('there is no rotate-key')
      const { ARN } = await secrets.send(new DescribeSecretCommand({ SecretId: secretId(`jwk/${jwtBuilder}`) }))
      const token = randomUUID()
      for (const Step of rotationSteps)
        await account.invoke(rotateKey, { Step, SecretId: ARN, ClientRequestToken: token })
      // ministack does not move this label to the next version, as AWS does, but leaves it on both.
      const label = { VersionStage: 'AWSPENDING', RemoveFromVersionId: token }
      await secrets.send(new UpdateSecretVersionStageCommand({ SecretId: ARN, ...label }))
    },
    async putElements(elements) {
      for (const [kind, byId] of Object.entries(elements))
        for (const [id, element] of Object.entries(byId)) {
          const Name = `${parametersPath}${kind}/${id}`
          await parameterStore.send(new PutParameterCommand({ Name, Type: 'String', Value: JSON.stringify(element) }))
        }
    },
    async parameterVersions() {
      const found: Parameter[] = []
      let NextToken: string | undefined
      do {
        const page = await parameterStore.send(
          new GetParametersByPathCommand({ Path: parametersPath, Recursive: true, MaxResults: 10, NextToken }),
        )
        found.push(...(page.Parameters ?? []))
        NextToken = page.NextToken
      } while (NextToken)
      const versions = found.map(({ Name = '', Version = 0 }) => [Name.slice(parametersPath.length), Version] as const)
      return new Map(versions.sort(([one], [other]) => (one < other ? -1 : 1)))
    },
    async createSecret(name, SecretString) {
      await secrets.send(new CreateSecretCommand({ Name: secretId(name), SecretString }))
    },
    hasSecret(name) {
      return secrets.send(new DescribeSecretCommand({ SecretId: secretId(name) })).then(
        ({ DeletedDate }) => DeletedDate === undefined,
        () => false,
      )
    },
  }
}

function descriptionsOf(connection: string): readonly string[] {
  return discoveryRoutes().map(({ path }) => path.replace('{connection}', connection))
}
