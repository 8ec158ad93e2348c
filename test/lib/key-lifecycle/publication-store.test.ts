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
import { PublicationKeyError } from '../../../lib/key-lifecycle/publication-key.ts'
import { createPublicationStore } from '../../../lib/key-lifecycle/publication-store.ts'
import type { Publication, PublishedKey } from '../../../lib/key-lifecycle/published-keys.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { createPublicationKey, putPublication, thePublicationKey } from '../../support/virtual/publications.ts'

const now = () => 1_800_000_000_000

function aKey(kid: string, until?: number): PublishedKey {
  const { kty, n, e } = generateKey('RS256', 2048).export({ format: 'jwk' })
  const jwk = { kty, n, e, kid, use: 'sig', alg: 'RS256' }
  return { jwk: jwk as never, publishedAt: now(), ...(until !== undefined && { until }) }
}

function publicationStoreOver(store: RecordStore, events: LogEvent[] = []) {
  let ids = 0
  const pause = () => new Promise<void>(() => {})
  const breaker = createCircuitBreaker({ budgetMilliseconds: 100, now, random: () => 0, pause, log() {} })
  return createPublicationStore({
    ...{ store, breaker, now, publicationKey: thePublicationKey },
    randomId: () => `version-${ids++}`,
    log: (event) => void events.push(event),
  })
}

const keys = (...published: readonly PublishedKey[]): Publication => ({ kind: 'keys', keys: published })

test('a connection with the name keys has other records', () => {
  assert.notEqual(publishedKeysRecordName('connection').id, connectionRecordName('keys').id)
  assert.notEqual(publishedKeysRecordName('abc').id, tokenRecordName('keys', 'abc').id)
  assert.deepEqual(publishedKeysRecordName('a.b-C_1'), { group: 'keys', id: 'jwks#a.b-C_1' })
})

test('after a change by another process, the decision is made anew from the present record', async () => {
  const store = memoryRecords({ maximumRecords: 10 })
  const [mine, theirs] = [publicationStoreOver(store), publicationStoreOver(store)]
  const seen: number[] = []
  const after = await mine.change(
    'theBuilder',
    async (before) => {
      const there = before?.kind === 'keys' ? before.keys : []
      seen.push(there.length)
      if (seen.length === 1) await theirs.change('theBuilder', async () => keys(aKey('theirs')), now())
      return keys(...there, aKey('mine'))
    },
    now(),
  )
  assert.deepEqual(seen, [0, 1])
  assert(after?.publication.kind === 'keys')
  assert.equal(after.publication.keys.length, 2)
  const there = await theirs.read('theBuilder', now())
  assert(there?.publication.kind === 'keys')
  assert.deepEqual(
    there.publication.keys.map(({ jwk: { kid } }) => kid),
    ['theirs', 'mine'],
  )
})

test('an unchanged publication is not written', async () => {
  const records = memoryRecords({ maximumRecords: 10 })
  let writes = 0
  const publicationStore = publicationStoreOver({
    ...records,
    write(...values) {
      writes++
      return records.write(...values)
    },
  })
  const publication = keys(aKey('a'))
  for (let count = 0; count < 3; count++) await publicationStore.change('theBuilder', async () => publication, now())
  assert.equal(writes, 1)
  const tried = { ...publication, tryAt: 5 } as Publication
  for (let count = 0; count < 2; count++) await publicationStore.change('tried', async () => tried, now())
  for (let count = 0; count < 2; count++)
    await publicationStore.change('tried', async () => ({ ...tried, tryAt: 6 }), now())
  assert.equal(writes, 3, 'another time for a trial is another publication')
  await publicationStore.change('theBuilder', async () => 'unchanged', now())
  await publicationStore.change('other', async (before) => before ?? 'unchanged', now())
  assert.equal(writes, 3)
  assert.equal(await publicationStore.read('other', now()), undefined)
})

test('a store that fails, or never accepts the record, causes an error and no endless loop', async () => {
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
    never.change('theBuilder', async () => keys(aKey('a')), now()),
    { name: 'CacheUnavailableError' },
  )
})

test("no key of a publication without Tokenwell's signature stays, whatever end it names, and an alarm is raised", async () => {
  const forgers = createPublicationKey()
  for (const until of [undefined, now() + 10 * 365 * 86_400_000]) {
    const events: LogEvent[] = []
    const store = memoryRecords({ maximumRecords: 10 })
    const publicationStore = publicationStoreOver(store, events)
    await putPublication(store, 'theBuilder', keys(aKey('theirs', until)), now(), forgers)
    assert.equal(await publicationStore.read('theBuilder', now()), undefined)
    const seen: (Publication | undefined)[] = []
    const after = await publicationStore.change(
      'theBuilder',
      async (before) => {
        seen.push(before)
        return before ?? 'unchanged'
      },
      now(),
    )
    assert.deepEqual([seen, after?.publication], [[keys()], keys()], 'it is replaced by what is ours, be it nothing')
    const refused = { event: 'publication_refused', jwtBuilder: 'theBuilder', why: 'wrong_signature' }
    assert.deepEqual(events, [refused, refused])
    assert.deepEqual((await publicationStore.read('theBuilder', now()))?.publication, keys())
  }
})

test('while the key for publications cannot be used, nothing is written and no record is accepted', async () => {
  const store = memoryRecords({ maximumRecords: 10 })
  const unusable = () => Promise.reject(new PublicationKeyError('KMS asks to wait.', { isPassing: true }))
  const breaker = createCircuitBreaker({
    budgetMilliseconds: 100,
    now,
    random: () => 0,
    pause: async () => {},
    log() {},
  })
  const publicationKey = { publicKey: unusable, sign: unusable }
  const publicationStore = createPublicationStore({ store, breaker, now, publicationKey, randomId: () => '', log() {} })
  const change = () => publicationStore.change('theBuilder', async () => keys(aKey('a')), now())
  await assert.rejects(change(), PublicationKeyError)
  assert.deepEqual(await store.read([publishedKeysRecordName('theBuilder')]), [undefined])
  await putPublication(store, 'theBuilder', keys(aKey('a')), now())
  await assert.rejects(change(), PublicationKeyError)
  await assert.rejects(publicationStore.read('theBuilder', now()), PublicationKeyError)
})
