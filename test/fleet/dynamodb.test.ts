import { startAwsProxy } from '../support/servers/aws-proxy.ts'
import { startDynalite } from '../support/servers/dynalite.ts'
import { testLocalStampede } from './local-stampede.ts'
import { testFleet } from './scenarios.ts'
import type { StartBackend } from './shared-fleet.ts'
import { testStampede } from './stampede.ts'

const table = 'tokens'

const startBackend: StartBackend = async (t) => {
  const dynamodb = await startDynalite(t)
  await dynamodb.createTable(table)
  const counting = await startAwsProxy(t, dynamodb.endpoint)
  return {
    port: Number(new URL(counting.endpoint).port),
    environment: (port) => ({
      TOKENWELL_CACHE: `dynamodb:${table}`,
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'testing',
      AWS_SECRET_ACCESS_KEY: 'testing',
    }),
    reads: async () => counting.requests.filter(({ operation }) => /GetItem$/.test(operation)).length,
  }
}

testFleet('DynamoDB', startBackend)
testStampede('DynamoDB', startBackend)
testLocalStampede('DynamoDB', startBackend)
