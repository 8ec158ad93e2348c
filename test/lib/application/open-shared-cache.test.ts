import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CachePlace, openSharedCache } from '../../../lib/application/open-store.ts'
import type { SecretCache } from '../../../lib/secret/secret-cache.ts'
import { someRecord, someRecordName } from '../../contract/record-store.ts'

const noSecrets: SecretCache = {
  get: () => Promise.reject(new Error('memory needs no secret')),
  getPrevious: () => Promise.reject(new Error('memory needs no secret')),
  refresh: () => Promise.reject(new Error('memory needs no secret')),
  forget() {},
  readAllAgain() {},
}

const open = (place: CachePlace) =>
  openSharedCache({ place, secretName: 'tokenwell/test/cache', budgetMilliseconds: 250 }, noSecrets, 'test')

test('functions that open memory with the same name share records and keys', async () => {
  const [one, other] = [open({ kind: 'memory', name: 'one' }), open({ kind: 'memory', name: 'one' })]
  const [name, record] = [someRecordName(), { ...someRecord(), dueAt: 1 }]
  assert.equal(await one.store.write(name, record, undefined), true)
  assert.deepEqual(await other.store.read([name]), [record])
  assert.deepEqual(await other.store.due(1, 10), [name])
  assert.equal(await one.sealing.digest('some key'), await other.sealing.digest('some key'))
})

test('memory with another name is separate, and memory without a name is never shared', async () => {
  const openings = [open({ kind: 'memory', name: 'a' }), open({ kind: 'memory', name: 'b' })]
  openings.push(open({ kind: 'memory' }), open({ kind: 'memory' }))
  const [name] = [someRecordName()]
  for (const { store } of openings) {
    assert.deepEqual(await store.read([name]), [undefined])
    assert.equal(await store.write(name, { ...someRecord(), dueAt: 1 }, undefined), true)
  }
  const digests = await Promise.all(openings.map(({ sealing }) => sealing.digest('some key')))
  assert.equal(new Set(digests).size, 4)
})
