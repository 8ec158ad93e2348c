import { BatchGetItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

/* It reads one secret and then two records, because their names depend on the secret. */

const [tableName = '', ...names] = process.argv.slice(2)
const secrets = new SecretsManagerClient()
await secrets.send(new GetSecretValueCommand({ SecretId: 'tokenwell/local/cache', VersionStage: 'AWSCURRENT' }))

const keys = names.map((name) => ({ name: { S: name } }))
const dynamodb = new DynamoDBClient({ maxAttempts: 1 })
const read = new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys: keys, ConsistentRead: true } } })
const { Responses: items } = await dynamodb.send(read)
process.stdout.write(`cache ${items?.[tableName]?.find((item) => item['sealedToken'])?.['sealedToken']?.S}`)
process.exit()
