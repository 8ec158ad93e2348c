import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import {
  connectionRecordName,
  publishedKeysRecordName,
  RecordStoreError,
  tokenRecordName,
} from '../../../lib/fleet/record-store.ts'
import {
  createPublicationStore,
  readPublication,
  writePublication,
} from '../../../lib/key-lifecycle/publication-store.ts'
import type { Publication, PublishedKey } from '../../../lib/key-lifecycle/published-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'

const now = () => 1_800_000_000_000
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** With its private members, as by a fault of ours. */
function aLeakingKey(kid: string, until?: number): PublishedKey {
  const jwk = {
    ...generateKey('RS256', 2048).export({ format: 'jwk' }),
    kid,
    use: 'sig',
    alg: 'RS256',
    k: 'hunter2',
    oth: 'hunter2',
  }
  return { jwk: jwk as never, publishedAt: now(), ...(until !== undefined && { until }) }
}

function publicationStoreOver(store: RecordStore) {
  let ids = 0
  const pause = () => new Promise<void>(() => {})
  const breaker = createCircuitBreaker({ budgetMilliseconds: 100, now, random: () => 0, pause, log() {} })
  return createPublicationStore({ store, breaker, now, randomId: () => `version-${ids++}` })
}

const keys = (...published: readonly PublishedKey[]): Publication => ({ kind: 'keys', keys: published })

test('no private member gets into the record, nor out of one that holds it', () => {
  const leaking = keys(aLeakingKey('a'), aLeakingKey('b', now() + 5))
  const record = writePublication(leaking, 'version', now())
  const written = JSON.parse(String(record.fields['jwks'])).keys
  for (const name of privateMembers)
    assert.ok(
      written.every((key: object) => !(name in key)),
      name,
    )

  const jwks = JSON.stringify({ keys: [{ ...aLeakingKey('a').jwk, publishedAt: 5 }] })
  const read = readPublication({ ...record, fields: { jwks } })
  assert(read?.kind === 'keys')
  assert.deepEqual(Object.keys(read.keys[0]?.jwk ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
})

test('what is written is read again, and stays for ten years', () => {
  const { jwk } = aLeakingKey('a')
  const { kty, n, e, kid, use, alg } = jwk as unknown as Record<string, string>
  const clean = { kty, n, e, kid, use, alg } as never
  for (const publication of [
    keys({ jwk: clean, publishedAt: 5 }, { jwk: clean, publishedAt: 6, until: 7 }),
    keys(),
    { ...keys(), tryAt: 8 } as const,
    { kind: 'shared_key', algorithm: 'HS384' } as const,
  ]) {
    const record = writePublication(publication, 'version', now())
    assert.deepEqual(readPublication(record), publication)
    assert.equal(record.dueAt, 'tryAt' in publication ? publication.tryAt : undefined)
    assert.ok(record.removableFrom > now() + 9 * 365 * 86_400_000)
  }
})

test('what somebody else has put there is nothing, or as much of it as is a public key', () => {
  const read = (fields: Record<string, string | number>) => readPublication({ version: 'a', removableFrom: 0, fields })
  for (const fields of [{}, { jwks: 'hunter2' }, { jwks: 'null' }, { jwks: '{}' }, { jwks: 5 }, { sharedKey: 'RS0' }])
    assert.equal(read(fields), undefined, JSON.stringify(fields))
  const { jwk } = aLeakingKey('a')
  const some = read({ jwks: JSON.stringify({ keys: [null, 'text', { kty: 'RSA' }, jwk] }) })
  assert(some?.kind === 'keys')
  assert.deepEqual(
    some.keys.map(({ jwk: { kid }, publishedAt }) => [kid, publishedAt]),
    [['a', Infinity]],
    'and as nobody knows since when it is there, it has not been there for long',
  )
})

test('a connection that is called keys has other records', () => {
  assert.notEqual(publishedKeysRecordName('connection').id, connectionRecordName('keys').id)
  assert.notEqual(publishedKeysRecordName('abc').id, tokenRecordName('keys', 'abc').id)
  assert.deepEqual(publishedKeysRecordName('a.b-C_1'), { group: 'keys', id: 'jwks#a.b-C_1' })
})

test('who meets a change of somebody else decides anew, from what is there then', async () => {
  const store = memoryRecords({ maximumRecords: 10 })
  const [mine, theirs] = [publicationStoreOver(store), publicationStoreOver(store)]
  const seen: number[] = []
  const after = await mine.change(
    'theBuilder',
    async (before) => {
      const there = before?.kind === 'keys' ? before.keys : []
      seen.push(there.length)
      if (seen.length === 1) await theirs.change('theBuilder', async () => keys(aLeakingKey('theirs')), now())
      return keys(...there, aLeakingKey('mine'))
    },
    now(),
  )
  assert.deepEqual(seen, [0, 1])
  assert(after?.kind === 'keys')
  assert.equal(after.keys.length, 2)
  const there = await theirs.read('theBuilder', now())
  assert(there?.kind === 'keys')
  assert.deepEqual(
    there.keys.map(({ jwk: { kid } }) => kid),
    ['theirs', 'mine'],
  )
})

test('what is the same is not written, and what is undecided neither', async () => {
  const records = memoryRecords({ maximumRecords: 10 })
  let writes = 0
  const publicationStore = publicationStoreOver({
    ...records,
    write(...values) {
      writes++
      return records.write(...values)
    },
  })
  const publication = keys(aLeakingKey('a'))
  for (let count = 0; count < 3; count++) await publicationStore.change('theBuilder', async () => publication, now())
  assert.equal(writes, 1)
  const tried = { ...keys(aLeakingKey('a')), tryAt: 5 } as Publication
  for (let count = 0; count < 2; count++) await publicationStore.change('tried', async () => tried, now())
  for (let count = 0; count < 2; count++)
    await publicationStore.change('tried', async () => ({ ...tried, tryAt: 6 }), now())
  assert.equal(writes, 3, 'another time for a trial is another publication')
  await publicationStore.change('theBuilder', async () => 'unchanged', now())
  await publicationStore.change('other', async (before) => before ?? 'unchanged', now())
  assert.equal(writes, 3)
  assert.equal(await publicationStore.read('other', now()), undefined)
})

test('a store that fails, or never takes it, is an error and no endless loop', async () => {
  const records = memoryRecords({ maximumRecords: 10 })
  const failing = publicationStoreOver({
    ...records,
    read: () => Promise.reject(new RecordStoreError('it does not answer')),
  })
  await assert.rejects(failing.read('theBuilder', now()), {
    name: 'CacheUnavailableError',
    message: 'it does not answer',
  })
  const never = publicationStoreOver({ ...records, write: async () => false })
  await assert.rejects(
    never.change('theBuilder', async () => keys(aLeakingKey('a')), now()),
    { name: 'CacheUnavailableError' },
  )
})
