import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import {
  CreateTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  KMSClient,
  NotFoundException,
} from '@aws-sdk/client-kms'
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { decodeUtf8 } from '../../lib/base/decoding.ts'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { secretText } from '../../lib/secret/secret.ts'
import { makeCacheKeys, makeSecret } from './make-secrets.ts'
import { LocalRunError, type Print } from './terminal.ts'
import type { Workspace } from './workspace.ts'

const services = ['SSM', 'SECRETS_MANAGER', 'DYNAMODB', 'KMS']
const tableWaitSeconds = 30

/**
 * The environment variables that tell a function where its elements, secrets and tokens are: in the files of a workspace and in
 * memory, or in an AWS emulator.
 */
export async function prepareStores(
  workspace: Workspace,
  { isAws, print }: { readonly isAws: boolean; readonly print: Print },
): Promise<Readonly<Record<string, string>>> {
  if (isAws) {
    const { parameters, secrets, tableName, environment } = await copyToEmulator(workspace)
    print(`  aws        ${parameters} parameters, ${secrets} secrets and the table ${tableName} at AWS_ENDPOINT_URL`)
    return environment
  }
  const { elementsPath, secretsFolder } = workspace
  return {
    TOKENWELL_ELEMENTS: elementsPath,
    TOKENWELL_SECRETS: secretsFolder,
    TOKENWELL_CACHE: 'memory:local',
    TOKENWELL_PUBLICATION_KEY: join(dirname(secretsFolder), 'publication-key.pem'),
  }
}

/** How many elements and secrets were copied, and the environment variables that point to them. */
export interface EmulatorStores {
  readonly parameters: number
  readonly secrets: number
  readonly tableName: string
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Copies the elements and secrets of a workspace to Parameter Store and Secrets Manager, and creates a table for its tokens
 * and a key for its publications.
 * It overwrites existing elements and secrets. The SDK's endpoint variables name the emulator. It never writes to an AWS account.
 * @throws {LocalRunError} if these variables are not set
 */
export async function copyToEmulator(workspace: Workspace): Promise<EmulatorStores> {
  demandEmulator()
  const { stage } = workspace.deployment
  await makeSecret(workspace, `${secretPrefix({ stage })}cache`, makeCacheKeys)
  const tableName = `tokenwell-${stage}`
  const [parameters, secrets, keyId] = await Promise.all([
    putElements(workspace),
    putSecrets(workspace),
    createPublicationKey(new KMSClient(), `alias/tokenwell-${stage}-publications`),
    createTokenTable(new DynamoDBClient(), tableName),
  ])
  return {
    ...{ parameters, secrets, tableName },
    environment: {
      TOKENWELL_ELEMENTS: 'parameter-store',
      TOKENWELL_SECRETS: 'secrets-manager',
      TOKENWELL_CACHE: `dynamodb:${tableName}`,
      TOKENWELL_PUBLICATION_KEY: `kms:${keyId}`,
    },
  }
}

function demandEmulator(): void {
  const { env } = process
  if (!env['AWS_ENDPOINT_URL'] && !services.every((service) => env[`AWS_ENDPOINT_URL_${service}`]))
    throw new LocalRunError(
      'AWS_ENDPOINT_URL is not set. Set it to an AWS emulator such as moto (http://127.0.0.1:5000), because this run writes elements, secrets and a table.',
    )
  if (env['AWS_PROFILE'] || env['AWS_ACCESS_KEY_ID']) return
  // An emulator requires credentials, but accepts any.
  Object.assign(env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' })
  env['AWS_REGION'] ??= 'us-east-1'
}

async function putElements({ elementsPath, deployment }: Workspace): Promise<number> {
  const client = new SSMClient()
  const elements = await readElements(elementsPath)
  for (const [name, value] of elements) {
    const Name = `/tokenwell/${deployment.stage}/${name}`
    await client.send(new PutParameterCommand({ Name, Value: value, Type: 'String', Overwrite: true }))
  }
  return elements.length
}

/** The text of each element, by `<kind>/<id>`. */
async function readElements(path: string): Promise<[string, string][]> {
  if ((await stat(path)).isDirectory()) {
    const files = (await filesIn(path)).filter((file) => file.endsWith('.json'))
    return Promise.all(
      files.map(async (file) => [file.slice(0, -5), decodeUtf8(await readFile(join(path, file))) ?? '']),
    )
  }
  const { $schema: _editors, ...kinds } = JSON.parse(decodeUtf8(await readFile(path)) ?? '') as Record<string, object>
  return Object.entries(kinds).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]): [string, string] => [`${kind}/${id}`, JSON.stringify(element)]),
  )
}

async function putSecrets({ secretsFolder, deployment }: Workspace): Promise<number> {
  const client = new SecretsManagerClient()
  const files = await filesIn(secretsFolder)
  for (const file of files) {
    const name = secretPrefix(deployment) + file
    const text = secretText(await readFile(join(secretsFolder, file))) ?? ''
    await client.send(new CreateSecretCommand({ Name: name, SecretString: text })).catch((error) => {
      if (!(error instanceof ResourceExistsException)) throw error
      return client.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }))
    })
  }
  return files.length
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'))
}

/** Creates a key like the one of the stack, unless a key with this alias exists. Returns the alias. */
async function createPublicationKey(client: KMSClient, alias: string): Promise<string> {
  const isThere = await client.send(new DescribeKeyCommand({ KeyId: alias })).then(
    () => true,
    (error) => {
      if (!(error instanceof NotFoundException)) throw error
      return false
    },
  )
  if (isThere) return alias
  const command = new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const { KeyMetadata: created } = await client.send(command)
  await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: created?.KeyId }))
  return alias
}

/** Creates a table like the one of the stack, without its TTL. An existing table stays as it is. */
export async function createTokenTable(client: DynamoDBClient, name: string): Promise<void> {
  const command = new CreateTableCommand({
    TableName: name,
    AttributeDefinitions: [
      { AttributeName: 'name', AttributeType: 'S' },
      { AttributeName: 'dueShard', AttributeType: 'S' },
      { AttributeName: 'dueAt', AttributeType: 'N' },
    ],
    KeySchema: [{ AttributeName: 'name', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'due',
        KeySchema: [
          { AttributeName: 'dueShard', KeyType: 'HASH' },
          { AttributeName: 'dueAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    BillingMode: 'PAY_PER_REQUEST',
  })
  await client.send(command).catch((error) => {
    if (!(error instanceof ResourceInUseException)) throw error
  })
  await waitUntilTableExists({ client, maxWaitTime: tableWaitSeconds, minDelay: 1 }, { TableName: name })
}
