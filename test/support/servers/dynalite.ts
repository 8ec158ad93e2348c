import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import dynalite from 'dynalite'
import { createTokenTable } from '../../../infra/local/stores.ts'
import { setEnvironment } from '../process/this-process.ts'

export interface DynamodbServer {
  readonly endpoint: string
  /** A separate client that a test uses to read and write the table. */
  readonly client: DynamoDBClient
  /** Creates a table as the stack does. */
  createTable(name: string): Promise<void>
}

/** DynamoDB in this process, on a free port. */
export async function startDynalite(t: Pick<TestContext, 'after'>): Promise<DynamodbServer> {
  const server = dynalite({ createTableMs: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return dynamodbAt(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** DynamoDB that already runs at that endpoint, in any emulator. */
export function dynamodbAt(t: Pick<TestContext, 'after'>, endpoint: string): DynamodbServer {
  const client = new DynamoDBClient({
    endpoint,
    region: environment.AWS_REGION,
    credentials: { accessKeyId: environment.AWS_ACCESS_KEY_ID, secretAccessKey: environment.AWS_SECRET_ACCESS_KEY },
  })
  t.after(() => client.destroy())
  return {
    endpoint,
    client,
    createTable: (name) => createTokenTable(client, name),
  }
}

const environment = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'testing',
  AWS_SECRET_ACCESS_KEY: 'testing',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
} as const

/** Environment variables that point an SDK client at DynamoDB at that URL, and hide the machine's own configuration. */
export function dynamodbEnvironment(endpoint: string): Readonly<Record<string, string>> {
  return { ...environment, AWS_ENDPOINT_URL_DYNAMODB: endpoint }
}

/** Points the SDK of this process there until the test ends. Call it once per test. */
export function pointSdkAt(t: TestContext, endpoint: string): void {
  setEnvironment(t, dynamodbEnvironment(endpoint))
}
