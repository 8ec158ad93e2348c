import {
  type AttributeValue,
  BatchGetItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetParametersCommand, SSMClient } from '@aws-sdk/client-ssm'
import { tokenByHttps } from './token-by-https.ts'

/* The calls that issue-token makes for a token that is in no cache, in the same order and with nothing in between. */

const [issuer = '', table = '', token = ''] = process.argv.slice(2)
const [connection, mark] = ['floor/connection', 'secrets/secrets#mark']
const coolDowns = ['server', 'client', 'connection', 'token'].map((name) => `cool-downs/cool-down#${name}`)
const secrets = new SecretsManagerClient()
const parameters = new SSMClient()
const dynamodb = new DynamoDBClient({ maxAttempts: 1 })

async function readSecret(name: string): Promise<string> {
  const command = new GetSecretValueCommand({ SecretId: `tokenwell/local/${name}`, VersionStage: 'AWSCURRENT' })
  return (await secrets.send(command)).SecretString ?? ''
}

async function readElements(...names: string[]): Promise<void> {
  const Names = names.map((name) => `/tokenwell/local/${name}`)
  await parameters.send(new GetParametersCommand({ Names, WithDecryption: true }))
}

async function read(...names: string[]): Promise<void> {
  const keys = names.map((name) => ({ name: { S: name } }))
  await dynamodb.send(new BatchGetItemCommand({ RequestItems: { [table]: { Keys: keys, ConsistentRead: true } } }))
}

async function write(name: string, fields: Record<string, AttributeValue>): Promise<void> {
  const times = { removableFrom: { N: '1795948446000' }, ttl: { N: '1795948446' } }
  const item = { ...times, name: { S: name }, version: { S: '0123456789abcdefghijkl' }, ...fields }
  await dynamodb.send(new PutItemCommand({ TableName: table, Item: item }))
}

await readSecret('cache')
await read(token, connection)
await write(token, { leaseOwner: { S: '0123456789abcdefghijkl' }, leaseUntil: { N: '1795948446000' } })
await readElements('endpointConnection/conn')
await readElements('oAuthConfig/theConfig')
await readElements('authorizationServer/theServer', 'oAuthTokenConfig/theTokenConfig')
await readElements('sslDefault/default', 'ssl/defaultSSLConfig', 'jwtBuilder/theBuilder')
await dynamodb.send(new GetItemCommand({ TableName: table, Key: { name: { S: mark } }, ConsistentRead: true }))
await read(...coolDowns)
const { keys } = JSON.parse(await readSecret('jwk/theBuilder'))
const obtained = await tokenByHttps(issuer, { key: keys[0], format: 'jwk' })
await write(connection, { variants: { S: token.repeat(4) } })
await read(token, connection)
await write(token, { sealedToken: { S: obtained } })
process.stdout.write(`server ${obtained}`)
process.exit()
