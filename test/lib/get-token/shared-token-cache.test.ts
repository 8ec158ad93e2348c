import { dynamodbRecords } from '../../../lib/adapters/aws/dynamodb-records.ts'
import { valkeyRecords } from '../../../lib/adapters/valkey/valkey-records.ts'
import { someSealing, testTokenCacheContract } from '../../contract/shared-token-cache.ts'
import { pointSdkAt, startDynalite } from '../../support/servers/dynalite.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { startValkey } from '../../support/servers/valkey.ts'

const attemptMilliseconds = 10_000

testTokenCacheContract('DynamoDB', async (t) => {
  const server = await startDynalite(t)
  await server.createTable('records')
  pointSdkAt(t, server.endpoint)
  return { store: dynamodbRecords({ tableName: 'records', attemptMilliseconds }), sealing: someSealing() }
})

testTokenCacheContract('Valkey', async (t) => {
  const server = await startIfThere(t, () => startValkey(t))
  if (!server) return undefined
  const credentials = { read: async () => ({}) }
  const store = valkeyRecords({ url: server.url, stage: 'test', attemptMilliseconds, credentials })
  return { store, sealing: someSealing() }
})
