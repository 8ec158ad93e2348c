import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { type AttributeValue, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { dynamodbRecords } from '../../../../lib/adapters/aws/dynamodb-records.ts'
import type { RecordStore } from '../../../../lib/fleet/record-store.ts'
import { RecordStoreError, recordNameText } from '../../../../lib/fleet/record-store.ts'
import { someRecord, someRecordName, testRecordStoreContract } from '../../../contract/record-store.ts'
import { awsError, startAwsProxy } from '../../../support/servers/aws-proxy.ts'
import { startBlackHoleListener } from '../../../support/servers/black-hole-listener.ts'
import { type DynamodbServer, pointSdkAt, startDynalite } from '../../../support/servers/dynalite.ts'
import { startTcpProxy } from '../../../support/servers/tcp-proxy.ts'
import { emulatedTables, startTable } from './emulated-tables.ts'

const tableName = 'records'
const attemptMilliseconds = 1_000
/** The time limit of an attempt on a busy machine. */
const inTimeMilliseconds = 8_000

const openStore = (attempt = 10_000) => dynamodbRecords({ tableName, attemptMilliseconds: attempt })

for (const emulated of emulatedTables(tableName, () => openStore())) testRecordStoreContract(...emulated)

/** The same with a proxy for TCP connections. */
async function startTableBehindTcp(t: TestContext) {
  const server = await startDynalite(t)
  await server.createTable(tableName)
  const proxy = await startTcpProxy(t, Number(new URL(server.endpoint).port))
  pointSdkAt(t, `http://127.0.0.1:${proxy.port}`)
  return { server, proxy }
}

/** A read of one record, a read of two, and a write, all at once. */
function everyCall(store: RecordStore): Promise<unknown>[] {
  return [
    store.read([someRecordName()]),
    store.read([someRecordName(), someRecordName()]),
    store.write(someRecordName(), someRecord(), undefined),
  ]
}

async function fails(call: Promise<unknown>, message: RegExp, { isThrottled = false } = {}): Promise<void> {
  const startedAt = performance.now()
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RecordStoreError, inspect(error))
    assert.match(error.message, message)
    assert.equal(error.isThrottled, isThrottled)
    return true
  })
  assert.ok(performance.now() - startedAt < inTimeMilliseconds)
}

/** Asserts that every call of a store fails with this message. */
async function allFail(
  store: RecordStore,
  message: RegExp,
  throttling?: { readonly isThrottled: boolean },
): Promise<void> {
  await Promise.all(everyCall(store).map((call) => fails(call, message, throttling)))
}

async function putItem({ client }: DynamodbServer, item: Record<string, AttributeValue>): Promise<void> {
  await client.send(new PutItemCommand({ TableName: tableName, Item: item }))
}

test('an item has its name as key, its fields unchanged, and a ttl in whole seconds that is never too early', async (t) => {
  const { server } = await startTable(t, tableName)
  const name = someRecordName({ group: 'my.conn-1_a', id: 'token#abc' })
  const record = { version: 'the-version', removableFrom: 1_800_000_000_001, fields: { text: 'a', refreshAt: 1.5 } }
  await openStore().write(name, record, undefined)
  const key = { name: { S: 'my.conn-1_a/token#abc' } }
  const { Item: item } = await server.client.send(new GetItemCommand({ TableName: tableName, Key: key }))
  assert.deepEqual(item, {
    ...key,
    version: { S: 'the-version' },
    removableFrom: { N: '1800000000001' },
    ttl: { N: '1800000001' },
    text: { S: 'a' },
    refreshAt: { N: '1.5' },
  })
})

test('one GetItem reads one record and one BatchGetItem reads several, consistently and each name once', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  const [a, b] = [someRecordName(), someRecordName()]
  await store.read([a])
  await store.read([a, a])
  await store.read([a, b, a])
  await store.read([])
  const [keyA, keyB] = [a, b].map((name) => ({ name: { S: recordNameText(name) } }))
  const one = { TableName: tableName, Key: keyA, ConsistentRead: true }
  assert.deepEqual(
    proxy.requests.map(({ operation, body }) => [operation, body]),
    [
      ['GetItem', one],
      ['GetItem', one],
      ['BatchGetItem', { RequestItems: { [tableName]: { Keys: [keyA, keyB], ConsistentRead: true } } }],
    ],
  )
})

test('connections are reused by the next calls', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  for (let index = 0; index < 20; index++) await store.read([someRecordName()])
  await store.write(someRecordName(), someRecord(), undefined)
  // An answer may arrive just before its connection is free again.
  assert.ok(proxy.connections().made < 10, inspect(proxy.connections()))
})

test('an item past its ttl is still read, because DynamoDB deletes it at some later time', async (t) => {
  const { server } = await startTable(t, tableName)
  const name = someRecordName()
  const [version, removableFrom, ttl] = [{ S: 'v' }, { N: '1000' }, { N: '1' }]
  await putItem(server, { name: { S: recordNameText(name) }, version, removableFrom, ttl, text: { S: 'a' } })
  assert.deepEqual(await openStore().read([name]), [{ version: 'v', removableFrom: 1000, fields: { text: 'a' } }])
})

test('an item that is not a record of Tokenwell has no fields, and can be replaced', async (t) => {
  const { server } = await startTable(t, tableName)
  const store = openStore()
  const [version, removableFrom] = [{ S: 'theirs' }, { N: '1' }]
  const items: Record<string, AttributeValue>[] = [
    {},
    { version: { N: '1' }, removableFrom },
    { version: { BOOL: true } },
    { version },
    { version, removableFrom: { S: 'tomorrow' }, text: { S: 'a' } },
    { version, removableFrom, text: { BOOL: true } },
    { version, removableFrom, text: { M: { text: { S: 'a' } } } },
  ]
  for (const item of items) {
    const [name, record] = [someRecordName(), someRecord()]
    await putItem(server, { ...item, name: { S: recordNameText(name) } })
    const [read] = await store.read([name])
    const expected = item['version'] === version ? { version: 'theirs', removableFrom: 0, fields: {} } : undefined
    assert.deepEqual(read, expected, inspect(item))
    assert.equal(await store.write(name, record, read?.version), true, inspect(item))
    assert.deepEqual(await store.read([name]), [record])
  }
})

test('the error for a missing table names it', async (t) => {
  const { endpoint } = await startDynalite(t)
  pointSdkAt(t, endpoint)
  await allFail(openStore(), /^The DynamoDB table records does not exist/)
})

test('a table with another key is reported by the read before each write', async (t) => {
  const { proxy } = await startTable(t, tableName)
  proxy.answerAll(awsError(400, 'com.amazon.coral.validate#ValidationException'))
  const store = openStore()
  for (const names of [[someRecordName()], [someRecordName(), someRecordName()]])
    await fails(
      store.read(names),
      /table records rejected the request \(ValidationException\)\. Check that its only key/,
    )
})

test('every error of DynamoDB for an item that it cannot store is about that record', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  for (const name of ['ValidationException', 'SerializationException', 'RequestEntityTooLargeException']) {
    proxy.answerAll(awsError(400, `com.amazon.coral.validate#${name}`))
    await assert.rejects(store.write(someRecordName({ group: 'conn' }), someRecord(), undefined), (error) => {
      assert.ok(error instanceof RecordStoreError)
      assert.deepEqual([error.isNotTaken, error.isThrottled], [true, false])
      assert.match(error.message, new RegExp(`table records rejected a record of conn \\(${name}\\)`))
      return true
    })
  }
})

test('the error for a missing right says what to allow', async (t) => {
  const { proxy } = await startTable(t, tableName)
  proxy.answerAll(awsError(400, 'com.amazon.coral.service#AccessDeniedException'))
  await allFail(openStore(), /table records was denied \(AccessDeniedException\)\. Allow/)
})

test('a throttled request changes nothing, and is not repeated', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  const names = [
    'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
    'com.amazon.coral.availability#ThrottlingException',
    'com.amazonaws.dynamodb.v20120810#RequestLimitExceeded',
    'com.amazon.coral.service#ThrottlingError',
    'com.amazonaws.dynamodb.v20120810#TransactionConflictException',
    'com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException',
  ]
  for (const refusal of [...names.map((name) => awsError(400, name)), { status: 429, body: 'slow down' }]) {
    proxy.answerAll(refusal)
    const before = proxy.requests.length
    await allFail(store, /records throttles requests/, { isThrottled: true })
    assert.equal(proxy.requests.length - before, 3)
  }
})

test('an answer without some of the records counts as throttling', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  const [a, b] = [someRecordName(), someRecordName()]
  const unread = { [tableName]: { Keys: [{ name: { S: recordNameText(b) } }], ConsistentRead: true } }
  proxy.answerNext({ status: 200, body: { Responses: { [tableName]: [] }, UnprocessedKeys: unread } })
  await fails(store.read([a, b]), /records throttles requests/, { isThrottled: true })
  assert.deepEqual(await store.read([a, b]), [undefined, undefined])
})

test('a server error is an outage, not throttling', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  const troubles = [
    awsError(500, 'InternalServerError'),
    { status: 503, body: '<html>' },
    { status: 200, body: '<html>' },
  ]
  for (const trouble of troubles) {
    proxy.answerAll(trouble)
    const before = proxy.requests.length
    await allFail(store, /table records did not answer in time or cannot be reached/)
    assert.equal(proxy.requests.length - before, 3)
  }
})

test('no error shows what was written or read', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  const name = someRecordName({ id: 'the-planted-id' })
  const body = JSON.stringify({ __type: 'ValidationException', message: 'the-planted-text' })
  for (const answer of [
    { status: 400, body },
    { status: 200, body: 'the-planted-text' },
    { status: 500, body },
  ]) {
    proxy.answerAll(answer)
    const record = someRecord({ text: 'the-planted-text' })
    for (const call of [() => store.read([name]), () => store.write(name, record, undefined)])
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof RecordStoreError)
        assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /planted/)
        return true
      })
  }
})

test('a refused connection fails in time', async (t) => {
  const { endpoint } = await startAwsProxy(t, '')
  pointSdkAt(t, endpoint.replace(/\d+$/, '1'))
  await allFail(openStore(attemptMilliseconds), /cannot be reached \(ECONNREFUSED\)/)
})

test('a dropped connection fails in time', async (t) => {
  pointSdkAt(t, await startBlackHoleListener(t))
  await allFail(openStore(attemptMilliseconds), /did not answer in time/)
})

test('a call without a complete answer fails in time, and the next call works', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore(attemptMilliseconds)
  for (const silence of ['held', 'held in the middle'] as const) {
    proxy.answerNext(silence, silence, silence)
    await allFail(store, /did not answer in time/)
    await Promise.all(everyCall(store))
  }
})

test('credentials that never arrive do not delay the call beyond its time limit', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const credentials = await startTcpProxy(t, 1)
  credentials.hold()
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name]
  process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `http://127.0.0.1:${credentials.port}`
  await allFail(openStore(attemptMilliseconds), /did not answer in time/)
  assert.equal(proxy.requests.length, 0)
})

test('a connection that was closed unnoticed is replaced within the read', async (t) => {
  const { proxy } = await startTableBehindTcp(t)
  const store = openStore()
  const [name, record] = [someRecordName(), someRecord()]
  await store.write(name, record, undefined)
  for (const names of [[name], [name, someRecordName()]]) {
    proxy.cutWhenUsed()
    const [read] = await store.read(names)
    assert.deepEqual(read, record)
  }
})

test('a read is repeated only once, and a write never', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  proxy.answerAll('reset')
  await fails(store.read([someRecordName()]), /cannot be reached/)
  assert.equal(proxy.requests.length, 2)
  await fails(store.write(someRecordName(), someRecord(), undefined), /cannot be reached/)
  assert.equal(proxy.requests.length, 3)
})

test('a write whose answer is lost fails, and the next read shows whether it was done', async (t) => {
  const { proxy } = await startTableBehindTcp(t)
  const store = openStore(attemptMilliseconds)
  const [name, record] = [someRecordName(), someRecord()]
  await store.read([name])
  proxy.delay(2 * attemptMilliseconds)
  await fails(store.write(name, record, undefined), /did not answer in time/)
  proxy.delay(0)
  assert.deepEqual(await store.read([name]), [record])
})
