import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { Valkey } from 'iovalkey'
import { openConnection } from '../../../../lib/adapters/valkey/valkey-connection.ts'
import { findDue } from '../../../../lib/adapters/valkey/valkey-due.ts'
import type { RecordStore, StoredRecord } from '../../../../lib/fleet/record-store.ts'
import { dueShardOf, type RecordName, RecordStoreError, recordNameText } from '../../../../lib/fleet/record-store.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { arbitraryLife, liveAsSaid, testDueContract } from '../../../contract/due-records.ts'
import { someRecord, someRecordName } from '../../../contract/record-store.ts'
import { startIfThere } from '../../../support/servers/real-server.ts'
import { startTcpProxy } from '../../../support/servers/tcp-proxy.ts'
import { startValkey, type ValkeyServer } from '../../../support/servers/valkey.ts'
import { openClient, openStore } from './open-store.ts'

testDueContract('Valkey', async (t) => {
  const server = await startIfThere(t, () => startValkey(t))
  return server && (() => openStore(server))
})

testDueContract('Valkey with TLS and a password', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { tls: true, password: 'the-password' }))
  return server && (() => openStore(server))
})

function testWithServer(title: string, run: (client: Valkey, server: ValkeyServer, t: TestContext) => Promise<void>) {
  test(title, async (t) => {
    const server = await startIfThere(t, () => startValkey(t))
    if (server) await run(openClient(t, server), server, t)
  })
}

const keyOf = ({ group, id }: RecordName) => `tokenwell:test:{${group}}:${id}`
const hintsKey = (name: RecordName) => `tokenwell:test:{due:${dueShardOf(recordNameText(name))}}`
const markKey = (name: RecordName) => `${hintsKey(name)}:${recordNameText(name)}`

/** The time of the hint, or null without a hint. */
async function hintOf(client: Valkey, name: RecordName): Promise<string | null> {
  return client.zscore(hintsKey(name), recordNameText(name))
}

async function forgetMarks(client: Valkey): Promise<void> {
  const marks = await client.keys('tokenwell:test:{due:*}:*')
  if (marks.length > 0) await client.del(marks)
}

async function put(store: RecordStore, dueAt?: number, name = someRecordName()) {
  const record: StoredRecord = { ...someRecord(), ...(dueAt !== undefined && { dueAt }) }
  assert.equal(await store.write(name, record, undefined), true)
  return { name, record }
}

async function change(store: RecordStore, name: RecordName, [before, dueAt]: readonly [StoredRecord, number?]) {
  const record: StoredRecord = { ...someRecord(), ...(dueAt !== undefined && { dueAt }) }
  assert.equal(await store.write(name, record, before.version), true)
  return record
}

async function fails(call: Promise<unknown>, message: RegExp, { isThrottled = false } = {}): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RecordStoreError, inspect(error))
    assert.match(error.message, message)
    assert.equal(error.isThrottled, isThrottled)
    return true
  })
}

testWithServer(
  'a record that is due says so itself, and one set of its stage says when to look',
  async (client, server) => {
    const name = someRecordName({ group: 'my.conn-1_a', id: 'token#abc' })
    const { record } = await put(openStore(server), 1_800_000_000_000.5, name)
    const { version, removableFrom, dueAt, fields } = record
    assert.equal(await client.get(keyOf(name)), `${version}\n${JSON.stringify({ removableFrom, dueAt, fields })}`)
    const set = 'tokenwell:test:{due:4}'
    assert.deepEqual((await client.keys('*')).sort(), [set, `${set}:my.conn-1_a/token#abc`, keyOf(name)].sort())
    assert.deepEqual(await client.zrange(set, 0, -1, 'WITHSCORES'), ['my.conn-1_a/token#abc', '1800000000000.5'])
    const markedFor = await client.pttl(markKey(name))
    assert.ok(markedFor > 30_000 && markedFor <= 60_000, String(markedFor))
  },
)

testWithServer(
  'a record that is never due costs one command, and leaves nothing but itself',
  async (client, server) => {
    const { name } = await put(openStore(server))
    assert.deepEqual(await client.keys('*'), [keyOf(name)])
  },
)

testWithServer('mark and hint are written before the record, all in one round trip', async (client, server, t) => {
  const proxy = await startTcpProxy(t, server.port)
  const store = openStore({ url: `valkey://localhost:${proxy.port}` })
  await store.read([someRecordName()])
  const monitor = await client.monitor()
  t.after(() => monitor.disconnect())
  const commands: string[] = []
  monitor.on('monitor', (_time: string, [command = '', key = '']: string[], source: string) => {
    if (source !== 'lua') commands.push(`${command.toLowerCase()} ${key}`)
  })
  // Until then no answer comes back, so nothing was sent in response to one.
  const answerAt = performance.now() + 5_000
  proxy.delay(5_000)
  const [name, record] = [someRecordName(), { ...someRecord(), dueAt: 1 }]
  const writing = store.write(name, record, undefined).catch(() => {})
  while ((await client.exists(keyOf(name))) === 0) await wait(5)
  assert.ok(performance.now() < answerAt)
  assert.deepEqual(
    commands.filter((each) => !each.startsWith('exists')).map((each) => each.replace(/^(eval) .*/s, '$1')),
    [`set ${markKey(name)}`, `zadd ${hintsKey(name)}`, 'eval'],
  )
  proxy.cut()
  await writing
})

testWithServer('of two racing writers the earlier time becomes the hint, whoever wins', async (client, server) => {
  const store = openStore(server)
  const { name } = await put(store, 100)
  for (const [dueAt, expected] of [
    [200, '100'],
    [50, '50'],
    [70, '50'],
  ] as const) {
    assert.equal(await store.write(name, { ...someRecord(), dueAt }, 'another'), false)
    assert.equal(await hintOf(client, name), expected)
  }
  assert.deepEqual(await store.due(99, 10), [])
  assert.deepEqual(await store.due(100, 10), [name])
})

testWithServer('a hint without a due record of Tokenwell is removed by the next search', async (client, server) => {
  const store = openStore(server)
  const [gone, never, foreign] = [await put(store, 100), await put(store, 100), await put(store, 100)]
  const there = await put(store, 100)
  await client.del(keyOf(gone.name))
  await change(store, never.name, [never.record])
  await client.set(keyOf(foreign.name), 'theirs\n{"removableFrom":1,"dueAt":"soon","fields":{}}')
  await client.zadd('tokenwell:test:{due:0}', 1, 'no name of ours')
  await forgetMarks(client)

  assert.deepEqual(await store.due(99, 10), [])
  assert.equal(await hintOf(client, gone.name), '100', 'not due, and not looked at')
  assert.deepEqual(await store.due(100, 10), [there.name])
  for (const { name } of [gone, never, foreign]) assert.equal(await hintOf(client, name), null)
  assert.equal(await hintOf(client, there.name), '100')
  assert.deepEqual(await client.zrange('tokenwell:test:{due:0}', '-inf', 50, 'BYSCORE'), [])
})

testWithServer('a hint that is too early is moved by the next search', async (client, server) => {
  const store = openStore(server)
  const [soon, late] = [await put(store, 100), await put(store, 100)]
  await change(store, soon.name, [soon.record, 150])
  await change(store, late.name, [late.record, 10_000])
  assert.deepEqual([await hintOf(client, soon.name), await hintOf(client, late.name)], ['100', '100'])
  await forgetMarks(client)
  assert.deepEqual(await store.due(200, 10), [soon.name])
  assert.deepEqual([await hintOf(client, soon.name), await hintOf(client, late.name)], ['150', '10000'])
})

testWithServer('a due record is found, however many hints are removed before it', async (client, server) => {
  const store = openStore(server)
  for (let at = 0; at < 80; at++) {
    const { name, record } = await put(store, at)
    await change(store, name, at % 2 ? [record] : [record, 10_000])
  }
  const due: RecordName[] = []
  for (let at = 100; at < 120; at++) due.push((await put(store, at)).name)
  await forgetMarks(client)
  assert.deepEqual(await store.due(500, 20), due)
})

testWithServer('a hint whose record is still on its way is kept for a minute', async (client, server) => {
  const store = openStore(server)
  const [name, record] = [someRecordName(), { ...someRecord(), dueAt: 100 }]
  // The state during another instance's write: mark and hint are there, and it does not yet know that it lost a race.
  const hinted = async () => {
    assert.equal(await store.write(name, record, 'another'), false)
    assert.equal(await hintOf(client, name), '100')
  }
  await hinted()
  assert.deepEqual(await store.due(200, 10), [])
  assert.equal(await store.write(name, { ...record, dueAt: 50 }, 'another'), false)
  const { dueAt: _none, ...unlisted } = record
  assert.equal(await store.write(name, unlisted, undefined), true)
  assert.deepEqual(await store.due(200, 10), [])
  assert.equal(await hintOf(client, name), '50')

  // Now the record is written.
  const { version, removableFrom, fields } = record
  await client.set(keyOf(name), `${version}\n${JSON.stringify({ removableFrom, dueAt: 100, fields })}`)
  assert.deepEqual(await store.due(99, 10), [])
  assert.deepEqual(await store.due(100, 10), [name])
})

testWithServer('due records are found after any order of writes and removed hints', async (client, server) => {
  const opened = openStore(server)
  // The same state more than a minute later.
  const store: RecordStore = { ...opened, due: (...query) => forgetMarks(client).then(() => opened.due(...query)) }
  await fc.assert(
    fc.asyncProperty(arbitraryLife, async (life) => {
      await client.flushall()
      await liveAsSaid(store, life)
    }),
    { numRuns: 200, endOnFailure: true },
  )
})

testWithServer('an instance that read long ago and was frozen since removes no hint', async (client, server, t) => {
  const { name } = await put(openStore(server), 100)
  await client.del(keyOf(name))
  await forgetMarks(client)
  const own = openConnection(
    { host: '127.0.0.1', port: server.port, isTls: false },
    { read: async () => ({}) },
    () => {},
  )
  t.after(() => own.close())
  const looker = await own.opened
  const [seconds = 0] = await client.time()
  const look = async (secondsAgo: number) => {
    looker.time = async () => [Number(seconds) - secondsAgo, 0]
    await findDue({ client: looker, stage: 'test', read: async (names) => names.map(() => undefined) }, 100, 10)
    return hintOf(client, name)
  }
  assert.equal(await look(32), '100')
  assert.equal(await look(0), null)
})

testWithServer(
  'what is due is looked up by as many commands as there are shards and groups',
  async (client, server) => {
    const store = openStore(server)
    for (const group of ['a', 'b', 'a', 'b', 'b']) await put(store, 100, someRecordName({ group }))
    await put(store, 1_000, someRecordName({ group: 'c' }))
    await client.config('RESETSTAT')
    assert.equal((await store.due(500, 10)).length, 5)
    const stats = await client.info('commandstats')
    const counts = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, n]) => `${name} ${n}`)
    assert.deepEqual(counts.filter((each) => /^(mget|zrange|zadd|zrem|eval\w*) /.test(each)).sort(), [
      'mget 2',
      'zrange 8',
    ])
  },
)

testWithServer('another stage has other due records', async (_client, server) => {
  const [store, other] = [openStore(server), openStore(server, { stage: 'prod' })]
  const { name } = await put(store, 100)
  assert.deepEqual(await other.due(200, 10), [])
  await put(other, 200, name)
  assert.deepEqual([await store.due(199, 10), await other.due(199, 10)], [[name], []])
})

testWithServer('a user needs only the documented rights on the keys of its stage', async (client, server) => {
  const said = ['+mget', '+eval', '+evalsha', '+set', '+time', '+zadd', '+zrange', '+zrem']
  await client.acl('SETUSER', 'tokenwell', 'on', '>the-password', ...said, '~tokenwell:test:*')
  const credentials = { read: async () => ({ username: 'tokenwell', password: new Secret('the-password') }) }
  const store = openStore(server, { credentials })
  const [moved, gone] = [await put(store, 100), await put(store, 100)]
  await change(store, moved.name, [moved.record, 150])
  await change(store, gone.name, [gone.record])
  await forgetMarks(client)
  assert.deepEqual(await store.due(200, 10), [moved.name])
  assert.deepEqual([await hintOf(client, moved.name), await hintOf(client, gone.name)], ['150', null])

  await fails(openStore(server, { credentials, stage: 'prod' }).due(1, 1), /NOPERM.* \+zadd \+zrange \+zrem and/)
  await client.acl('SETUSER', 'tokenwell', '-zadd')
  await fails(store.write(someRecordName(), { ...someRecord(), dueAt: 1 }, undefined), /NOPERM/)
  assert.equal(await store.write(someRecordName(), someRecord(), undefined), true)
})

test('no command spans two slots of a cluster', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { cluster: true }))
  if (!server) return
  const client = openClient(t, server)
  await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  while (!/cluster_state:ok/.test(await client.cluster('INFO'))) await wait(50)

  const store = openStore(server)
  const written = await Promise.all(Array.from({ length: 40 }, (_, index) => put(store, index)))
  for (const { name, record } of written.slice(20)) await change(store, name, [record, 1_000])
  for (const { name } of written.slice(30)) await client.del(keyOf(name))
  for (const { name } of written) await client.del(markKey(name))
  const expected = written.slice(0, 20).map(({ name }) => name)
  assert.deepEqual(await store.due(500, 100), expected)
  for (const { name } of written.slice(20, 30)) assert.equal(await hintOf(client, name), '1000')
  for (const { name } of written.slice(30)) assert.equal(await hintOf(client, name), null)
})

testWithServer('a connection that was closed unnoticed is replaced within the call', async (_client, server, t) => {
  const proxy = await startTcpProxy(t, server.port)
  const store = openStore({ url: `valkey://localhost:${proxy.port}` })
  const { name } = await put(store, 100)
  proxy.cutWhenUsed()
  assert.deepEqual(await store.due(100, 10), [name])
})

testWithServer(
  'a call to a server that does not answer fails in time, and a later call works',
  async (_client, server, t) => {
    const proxy = await startTcpProxy(t, server.port)
    const store = openStore({ url: `valkey://localhost:${proxy.port}` }, { attemptMilliseconds: 1_000 })
    const { name } = await put(store, 100)
    proxy.hold()
    await fails(store.due(100, 10), /did not answer within 1000 ms/)
    proxy.release()
    assert.deepEqual(await store.due(100, 10), [name])
  },
)

testWithServer('a server that is busy with a script counts as throttling', async (client, server, t) => {
  const other = openClient(t, server)
  const store = openStore(server)
  await store.due(1, 1)
  await client.config('SET', 'busy-reply-threshold', '50')
  const endless = other.eval('while true do end', 0).catch(() => {})
  await wait(200)
  await fails(store.due(1, 1), /is busy running a script \(BUSY\)/, { isThrottled: true })
  await client.script('KILL')
  await endless
})
