import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { CreateTableCommand, DeleteItemCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { dynamodbRecords } from '../../../../lib/adapters/aws/dynamodb-records.ts'
import type { RecordStore } from '../../../../lib/fleet/record-store.ts'
import { type RecordName, RecordStoreError, recordNameText } from '../../../../lib/fleet/record-store.ts'
import { testDueContract } from '../../../contract/due-records.ts'
import { someRecord, someRecordName } from '../../../contract/record-store.ts'
import { awsError } from '../../../support/servers/aws-proxy.ts'
import { type DynamodbServer, pointSdkAt, startDynalite } from '../../../support/servers/dynalite.ts'
import { startTcpProxy } from '../../../support/servers/tcp-proxy.ts'
import { emulatedTables, startTable } from './emulated-tables.ts'

const tableName = 'records'

const openStore = (attemptMilliseconds = 10_000) => dynamodbRecords({ tableName, attemptMilliseconds })

for (const emulated of emulatedTables(tableName, () => openStore())) testDueContract(...emulated)

async function putDue(store: RecordStore, dueAt: number, name = someRecordName()): Promise<RecordName> {
  assert.equal(await store.write(name, { ...someRecord(), dueAt }, undefined), true)
  return name
}

async function itemOf({ client }: DynamodbServer, name: RecordName) {
  const command = new GetItemCommand({ TableName: tableName, Key: { name: { S: recordNameText(name) } } })
  return (await client.send(command)).Item ?? {}
}

async function fails(call: Promise<unknown>, message: RegExp, { isThrottled = false } = {}): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RecordStoreError, inspect(error))
    assert.match(error.message, message)
    assert.equal(error.isThrottled, isThrottled)
    return true
  })
}

test('an item with a due time has a shard that is always the same, and no other item has one', async (t) => {
  const { server } = await startTable(t, tableName)
  const store = openStore()
  const name = { group: 'my.conn-1_a', id: 'token#abc' }
  const record = { ...someRecord(), dueAt: 1_800_000_000_000.5 }
  await store.write(name, record, undefined)
  const { dueAt, dueShard } = await itemOf(server, name)
  assert.deepEqual([dueAt, dueShard], [{ N: '1800000000000.5' }, { S: '4' }])

  await store.write(name, someRecord(), record.version)
  assert.deepEqual(Object.keys(await itemOf(server, name)).sort(), ['name', 'removableFrom', 'text', 'ttl', 'version'])
})

test('each shard is one query with the requested limit', async (t) => {
  const { proxy } = await startTable(t, tableName)
  assert.deepEqual(await openStore().due(1_800_000_000_000, 25), [])
  const expected = ['0', '1', '2', '3', '4', '5', '6', '7'].map((shard) => ({
    TableName: tableName,
    IndexName: 'due',
    KeyConditionExpression: '#shard = :shard AND #dueAt <= :until',
    ExpressionAttributeNames: { '#shard': 'dueShard', '#dueAt': 'dueAt' },
    ExpressionAttributeValues: { ':shard': { S: shard }, ':until': { N: '1800000000000' } },
    Limit: 25,
  }))
  assert.deepEqual(new Set(proxy.requests.map(({ body }) => body)), new Set(expected))
  assert.deepEqual(proxy.counts(), { Query: 8 })
})

test('a partial answer is continued to the limit or the end of its shard', async (t) => {
  const { server, proxy } = await startTable(t, tableName)
  const name = await putDue(openStore(), 1_000)
  const { dueShard = { S: '' } } = await itemOf(server, name)
  // DynamoDB ends a page after one megabyte. This page contains no record of Tokenwell, and another page follows.
  for (let index = 0; index < 7; index++) {
    const item = { name: { S: `no name of ours ${index}` }, dueShard, dueAt: { N: String(index) } }
    await server.client.send(new PutItemCommand({ TableName: tableName, Item: item }))
  }
  assert.deepEqual(await openStore().due(2_000, 2), [name])
  const ofShard = proxy.requests.filter(({ body }) => inspect(body, { depth: 5 }).includes(`S: '${dueShard.S}'`))
  assert.ok(ofShard.length >= 4, `${ofShard.length} queries`)
})

test('a deleted item is not due any more', async (t) => {
  const { server } = await startTable(t, tableName)
  const store = openStore()
  const [gone, there] = [await putDue(store, 1), await putDue(store, 2)]
  const key = { name: { S: recordNameText(gone) } }
  await server.client.send(new DeleteItemCommand({ TableName: tableName, Key: key }))
  assert.deepEqual(await store.due(2, 10), [there])
})

test('an item with an invalid due time has no fields, and can be replaced', async (t) => {
  const { server } = await startTable(t, tableName)
  const [name, record] = [someRecordName(), someRecord()]
  const [version, removableFrom] = [{ S: 'theirs' }, { N: '1' }]
  // The index rejects it, but a table without an index accepts it.
  await server.client.send(
    new CreateTableCommand({
      TableName: 'other',
      AttributeDefinitions: [{ AttributeName: 'name', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'name', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  )
  const item = { name: { S: recordNameText(name) }, version, removableFrom, dueAt: { S: 'soon' }, text: { S: 'a' } }
  await server.client.send(new PutItemCommand({ TableName: 'other', Item: item }))
  const store = dynamodbRecords({ tableName: 'other', attemptMilliseconds: 10_000 })
  await fails(
    store.due(1, 1),
    /table other rejected the query \(ValidationException\)\. Check that it has an index due with the keys/,
  )
  assert.deepEqual(await store.read([name]), [{ version: 'theirs', removableFrom: 0, fields: {} }])
  assert.equal(await store.write(name, record, 'theirs'), true)
})

test('the errors for missing rights to the index and to the table are different', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  proxy.answerAll(awsError(400, 'com.amazon.coral.service#AccessDeniedException'))
  await fails(
    store.due(1, 1),
    /^Access to the index due of the DynamoDB table records was denied \(AccessDeniedException\)\. Allow dynamodb:Query on the index/,
  )
  for (const call of [store.read([someRecordName()]), store.write(someRecordName(), someRecord(), undefined)])
    await fails(
      call,
      /denied \(AccessDeniedException\)\. Allow dynamodb:GetItem, dynamodb:BatchGetItem and dynamodb:PutItem on it, and/,
    )
})

test('the error for a missing table describes its index', async (t) => {
  const { endpoint } = await startDynalite(t)
  pointSdkAt(t, endpoint)
  await fails(openStore().due(1, 1), /^The DynamoDB table records does not exist .*dueShard \(S\) and dueAt \(N\)\.$/)
})

test('throttling of the index and its outage are different errors', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore()
  proxy.answerAll(awsError(400, 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException'))
  await fails(store.due(1, 1), /records throttles requests/, { isThrottled: true })
  proxy.answerAll(awsError(500, 'InternalServerError'))
  await fails(store.due(1, 1), /did not answer in time or cannot be reached/)
  proxy.answerAll('held')
  await fails(openStore(500).due(1, 1), /did not answer in time/)
})

test('a shard without an answer fails the call in time', async (t) => {
  const { proxy } = await startTable(t, tableName)
  const store = openStore(1_000)
  const name = await putDue(store, 1)
  proxy.answerNext('held')
  await fails(store.due(1, 10), /did not answer in time/)
  assert.deepEqual(await store.due(1, 10), [name])
})

test('connections that were closed unnoticed are replaced within the call', async (t) => {
  const server = await startDynalite(t)
  await server.createTable(tableName)
  const proxy = await startTcpProxy(t, Number(new URL(server.endpoint).port))
  pointSdkAt(t, `http://127.0.0.1:${proxy.port}`)
  const store = openStore()
  const name = await putDue(store, 1)
  assert.deepEqual(await store.due(1, 10), [name])
  proxy.cutWhenUsed()
  assert.deepEqual(await store.due(1, 10), [name])
})
