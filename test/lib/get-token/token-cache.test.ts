import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { someSealing, testTokenCacheContract } from '../../contract/shared-token-cache.ts'

testTokenCacheContract('memory', async () => ({
  store: memoryRecords({ maximumRecords: 1_000 }),
  sealing: someSealing(),
}))
