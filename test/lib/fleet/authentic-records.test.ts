import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createAuthenticRecords, type EarlierRecords } from '../../../lib/fleet/authentic-records.ts'
import { createSecretsVersionChanger } from '../../../lib/fleet/change-secrets-version.ts'
import {
  connectionRecordName,
  type RecordFields,
  RecordStoreError,
  type StoredRecord,
  secretsVersionRecordName,
  tokenRecordName,
} from '../../../lib/fleet/record-store.ts'
import { createSealing, type Sealing, withoutSealing } from '../../../lib/fleet/sealing.ts'
import { createSecretsVersion } from '../../../lib/fleet/secrets-version.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { createTokensInVirtualTime, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

const name = tokenRecordName('conn', 'the-digest')
const other = connectionRecordName('conn')
const record: StoredRecord = {
  version: 'v1',
  removableFrom: 1_800_000_000_000.5,
  dueAt: 1_700_000_000_000,
  fields: { text: 'a "text" 東京', empty: '', number: 0.1, negative: -0, large: 1e21 },
}

function theRecords(sealing: Sealing = withoutSealing(randomBytes(32)), earlierRecords: EarlierRecords = 'none') {
  const store = memoryRecords({ maximumRecords: 10 })
  const events: LogEvent[] = []
  const open = (own = sealing) =>
    createAuthenticRecords({ store, sealing: own, earlierRecords, log: (event) => events.push(event) })
  /** Writes as any process with the right to write to the table could. */
  const put = async (change: (there: StoredRecord) => StoredRecord, at = name) => {
    const [there] = await store.read([at])
    assert.ok(await store.write(at, change(there ?? assert.fail('nothing is there')), there?.version))
  }
  const withFields = (change: (fields: RecordFields) => RecordFields) =>
    put((there) => ({ ...there, fields: change(there.fields) }))
  return { store, events, records: open(), open, put, withFields }
}

test('a record is read back without its MAC by every process that has the keys', async () => {
  const { records, open, store, events } = theRecords()
  assert.equal(await records.write(name, record, undefined), true)
  const [stored] = await store.read([name])
  assert.match(String(stored?.fields['mac']), /^2:[A-Za-z0-9_-]{43}$/)
  assert.deepEqual(await open().read([name, other, name]), [record, undefined, record])
  assert.equal(await records.write(name, { ...record, version: 'v2' }, 'v0'), false, 'over the version that is there')
  assert.deepEqual(events, [])
})

test('a record with any change counts as empty at its version: the next write replaces it, and an alarm is raised', async () => {
  const changes: ((there: StoredRecord) => StoredRecord)[] = [
    (there) => ({ ...there, version: 'v2' }),
    (there) => ({ ...there, removableFrom: there.removableFrom + 1 }),
    (there) => ({ ...there, dueAt: 1 }),
    ({ dueAt: _due, ...there }) => there,
    (there) => ({ ...there, fields: { ...there.fields, number: 0.2 } }),
    (there) => ({ ...there, fields: { ...there.fields, text: 'b' } }),
    (there) => ({ ...there, fields: { ...there.fields, more: '' } }),
    ({ fields: { text: _text, ...fields }, ...there }) => ({ ...there, fields }),
    ({ fields: { text = '', ...fields }, ...there }) => ({ ...there, fields: { ...fields, texts: text } }),
    (there) => ({ ...there, fields: { ...there.fields, number: '0.1' } }),
    (there) => ({ ...there, fields: { ...there.fields, mac: '' } }),
    (there) => ({ ...there, fields: { ...there.fields, mac: 0 } }),
    (there) => ({ ...there, fields: { ...there.fields, mac: String(there.fields['mac']).slice(2) } }),
    (there) => ({ ...there, fields: { ...there.fields, mac: `3:${String(there.fields['mac']).slice(2)}` } }),
    (there) => ({ ...there, fields: { ...there.fields, mac: `2:${'A'.repeat(43)}` } }),
  ]
  for (const change of changes) {
    const { records, put, events } = theRecords()
    await records.write(name, record, undefined)
    await put(change)
    const [read] = await records.read([name])
    const { version, dueAt } = change(record)
    const expected = { version, removableFrom: 0, ...(dueAt !== undefined && { dueAt }), fields: {} }
    assert.deepEqual(read, expected, String(change))
    assert.deepEqual(events, [{ event: 'record_not_authentic', record: 'conn/token#the-digest' }])
    const next = { ...record, version: 'v3' }
    assert.equal(await records.write(name, next, read?.version), true)
    assert.deepEqual(await records.read([name]), [next])
  }
})

test('a record that is moved to another name counts as empty', async () => {
  const { records, store, events } = theRecords()
  await records.write(name, record, undefined)
  const [stored] = await store.read([name])
  for (const elsewhere of [other, tokenRecordName('conn', 'another'), tokenRecordName('other', 'the-digest')]) {
    await store.write(elsewhere, stored ?? assert.fail(), undefined)
    assert.deepEqual((await records.read([elsewhere]))[0]?.fields, {})
  }
  assert.equal(events.length, 3)
})

test("unpaired surrogates, which a store may replace, and the order of fields don't change the MAC", async () => {
  const { records, withFields } = theRecords()
  await records.write(name, { ...record, fields: { b: 'a\ud800b', a: 1 } }, undefined)
  await withFields(({ mac = '', ...fields }) => ({ mac, ...Object.fromEntries(Object.entries(fields).reverse()) }))
  assert.deepEqual((await records.read([name]))[0]?.fields, { a: 1, b: 'a\ud800b' })
  await withFields((fields) => ({ ...fields, b: 'a\ufffdb' }))
  assert.deepEqual((await records.read([name]))[0]?.fields, { a: 1, b: 'a\ufffdb' })
})

test('the MAC covers a field of a later version, and a version that does not know the field ignores it', async () => {
  const { records } = theRecords()
  const fields = { ...record.fields, ofTomorrow: 'text' }
  await records.write(name, { ...record, fields }, undefined)
  assert.deepEqual((await records.read([name]))[0]?.fields, fields)
})

test('a record without a MAC counts as empty without an alarm: a process that may write may also delete', async () => {
  const { records, store, events } = theRecords()
  await store.write(name, record, undefined)
  assert.deepEqual(await records.read([name]), [
    { version: record.version, removableFrom: 0, dueAt: record.dueAt, fields: {} },
  ])
  assert.deepEqual(events, [])
})

test('in a record of 0.1 tokens, leases and elements count while the deployment says so, and failures never count', async () => {
  const counts = { sealedToken: 's', generation: 1, leaseOwner: 'one', leaseUntil: 2, fingerprint: 'f', variants: '[]' }
  const others = { failure: '{}', failedAt: 1, coolDownUntil: 2, rejectedAt: 3, until: 4, failures: 5, probeUntil: 6 }
  const { records, store, withFields, events } = theRecords(undefined, '0.1')
  await store.write(name, { ...record, fields: { ...counts, ...others } }, undefined)
  assert.deepEqual(await records.read([name]), [{ ...record, fields: counts, isEarlier: true }])
  await withFields((fields) => ({ ...fields, mac: '' }))
  assert.deepEqual((await records.read([name]))[0]?.fields, {}, 'a wrong MAC is still wrong')
  assert.equal(events.length, 1)
})

test('a record that is too long for a store is sent to no store', async () => {
  const { records, store } = theRecords()
  const long = { ...record, fields: { text: '\u0001'.repeat(60_000) } }
  await assert.rejects(records.write(name, long, undefined), (error) => {
    assert.ok(error instanceof RecordStoreError && error.isNotTaken)
    assert.match(error.message, /^The record conn\/\S+ has \d+ bytes, and the limit is 350000\./)
    return true
  })
  assert.deepEqual(await store.read([name]), [undefined])
})

test('a process that does not know a new naming key reads the secret once before it calls a record not authentic', async () => {
  const clock = { now: 0 }
  let reads = 0
  let namingKey = randomBytes(32)
  const encryptionKeys = [{ kid: 'k', k: randomBytes(32).toString('base64url') }]
  const secrets = singleVersionSecrets(async () => {
    reads++
    return new Secret(JSON.stringify({ namingKey: namingKey.toString('base64url'), encryptionKeys }))
  })
  const openSealing = () =>
    createSealing(
      createSecretCache(secrets, () => clock.now),
      'tokenwell/test/cache',
    )
  const { records, open, withFields, events } = theRecords(openSealing())
  await records.write(other, record, undefined)
  namingKey = randomBytes(32)
  await open(openSealing()).write(name, record, undefined)
  assert.deepEqual(await records.read([name]), [record])
  assert.deepEqual(events, [])

  await withFields((fields) => ({ ...fields, mac: '2:wrong' }))
  const before = reads
  for (let count = 0; count < 50; count++) assert.deepEqual((await records.read([name]))[0]?.fields, {})
  assert.ok(reads - before <= 1, 'wrong MACs cause no repeated read of the secret')
})

test("where the keys can't be read, the shared cache is unavailable", async () => {
  const denied = () => Promise.reject(new SecretError('secret_denied', 'no right to it'))
  const sealing = createSealing(
    createSecretCache(singleVersionSecrets(denied), () => 0),
    'tokenwell/test/cache',
  )
  const { records, store, events } = theRecords(sealing)
  await assert.rejects(records.write(name, record, undefined), SecretError)
  await store.write(name, { ...record, fields: { mac: '2:x' } }, undefined)
  await assert.rejects(records.read([name]), SecretError)
  assert.deepEqual(events, [])

  const process = createTokensInVirtualTime(() => virtualToken(), { store: { ...records, due: async () => [] } })
  assert.equal((await process.time.until(process.get())).source, 'server')
})

test('after a foreign write to the table, each token is requested anew and shared again', async () => {
  const one = createTokensInVirtualTime(() => virtualToken(), { memoryMaximumSeconds: 0 })
  const another = createTokensInVirtualTime(() => virtualToken(), { memoryMaximumSeconds: 0, fleet: one })
  const { time, store } = one
  const { token } = await time.until(one.get())
  const change = { generation: 5_000, refreshAt: 1, coolDownUntil: 9_000, idleMilliseconds: 1 }
  for (const each of [other, await tokenName()]) {
    const [there] = await store.read([each])
    const fields = { ...there?.fields, ...change }
    await store.write(each, { version: 'forged', removableFrom: 9e12, fields }, there?.version)
  }
  const next = await time.until(another.get())
  assert.equal(next.source, 'server')
  assert.notEqual(next.token.id, token.id)
  assert.equal(another.events.filter(({ event }) => event === 'record_not_authentic').length, 2)
  assert.equal((await time.until(one.get())).token.id, next.token.id)

  async function tokenName() {
    return tokenRecordName('conn', String(token.id.split('.')[1]))
  }
})

test('a mark of secrets that was made without the keys changes nothing', async () => {
  const { records, store, put } = theRecords()
  const breaker = { call: <T>(_what: string, send: () => Promise<T>) => send() }
  const randomId = () => randomBytes(16).toString('base64url')
  const parts = { store: records, breaker, now: () => 1, randomId }
  const versions = createSecretsVersion(parts)
  const changer = createSecretsVersionChanger(parts)
  const before = (await versions.read())?.version
  await changer.change(1)
  const moved = (await versions.read())?.version
  assert.notEqual(moved, before)
  await put((there) => ({ ...there, version: 'forged' }), secretsVersionRecordName)
  assert.equal((await versions.read())?.version, before)
  const [there] = await store.read([secretsVersionRecordName])
  await store.write(secretsVersionRecordName, { version: 'v', removableFrom: 9e12, fields: {} }, there?.version)
  assert.equal((await versions.read())?.version, before)
  await changer.change(1)
  assert.notEqual((await versions.read())?.version, before)
})
