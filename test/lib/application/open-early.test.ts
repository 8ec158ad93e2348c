import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEarly } from '../../../lib/application/open-store-ports.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'

const sealing = withoutSealing(new Uint8Array(32))
const noStore = { write: async () => true, due: async () => [] }
const never = () => new Promise<never>(() => {})

test("the cache's keys are read and its store is opened in parallel, without reading a record", async () => {
  const opened: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  await openEarly({
    sealing: {
      ...sealing,
      async digest(text) {
        opened.push('keys')
        await promise
        return sealing.digest(text)
      },
    },
    store: {
      ...noStore,
      async read(names) {
        opened.push(`${names.length} records`)
        resolve()
        return []
      },
    },
    pause: never,
  })
  assert.deepEqual(opened, ['keys', '0 records'])
})

test('a failure is left to the first request', async () => {
  const fail = async () => {
    throw new Error('nobody there')
  }
  await openEarly({ sealing: { ...sealing, digest: fail }, store: { ...noStore, read: fail }, pause: never })
})

test('a store that never answers is waited for 2 s', async () => {
  const pauses: number[] = []
  await openEarly({
    sealing: { ...sealing, digest: never },
    store: { ...noStore, read: never },
    async pause(milliseconds) {
      pauses.push(milliseconds)
    },
  })
  assert.deepEqual(pauses, [2_000])
})
