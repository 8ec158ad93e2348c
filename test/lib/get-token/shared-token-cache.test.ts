import { randomBytes } from 'node:crypto'
import { dynamodbRecords } from '../../../lib/adapters/aws/dynamodb-records.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { valkeyRecords } from '../../../lib/adapters/valkey/valkey-records.ts'
import { createSealing, type Sealing } from '../../../lib/fleet/sealing.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { testTokenCacheContract } from '../../contract/shared-token-cache.ts'
import { pointSdkAt, startDynalite } from '../../support/servers/dynalite.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { startValkey } from '../../support/servers/valkey.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const attemptMilliseconds = 10_000

function theSealing(): Sealing {
  const someKey = () => randomBytes(32).toString('base64url')
  const secret = new Secret(
    JSON.stringify({ namingKey: someKey(), encryptionKeys: [{ kid: 'the-key', k: someKey() }] }),
  )
  return createSealing(
    createSecretCache(
      singleVersionSecrets(async () => secret),
      Date.now,
    ),
    'tokenwell/test/cache',
  )
}

testTokenCacheContract('memory', async () => ({
  store: memoryRecords({ maximumRecords: 1_000 }),
  sealing: theSealing(),
}))

testTokenCacheContract('DynamoDB', async (t) => {
  const server = await startDynalite(t)
  await server.createTable('records')
  pointSdkAt(t, server.endpoint)
  return { store: dynamodbRecords({ tableName: 'records', attemptMilliseconds }), sealing: theSealing() }
})

testTokenCacheContract('Valkey', async (t) => {
  const server = await startIfThere(t, () => startValkey(t))
  if (!server) return undefined
  const credentials = { read: async () => ({}) }
  const store = valkeyRecords({ url: server.url, stage: 'test', attemptMilliseconds, credentials })
  return { store, sealing: theSealing() }
})
