import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createServer } from 'node:tls'
import { inspect, promisify } from 'node:util'
import { createServerCertificate } from '../../../../infra/local/certificate-authority.ts'
import { listen } from '../../../../infra/local/listen.ts'
import type { RecordName, RecordStore } from '../../../../lib/fleet/record-store.ts'
import { RecordStoreError } from '../../../../lib/fleet/record-store.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { SecretError } from '../../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../../lib/signing/signing-key.ts'
import { someRecord, someRecordName, testRecordStoreContract } from '../../../contract/record-store.ts'
import { root } from '../../../support/process/local-run.ts'
import { startBlackHoleListener } from '../../../support/servers/black-hole-listener.ts'
import { startIfThere } from '../../../support/servers/real-server.ts'
import { startTcpProxy } from '../../../support/servers/tcp-proxy.ts'
import { startValkey, type ValkeyServer } from '../../../support/servers/valkey.ts'
import { openClient, openStore, type StoreOptions } from './open-store.ts'

const attemptMilliseconds = 1_000
/** The time limit of an attempt on a busy machine. */
const inTimeMilliseconds = 8_000

testRecordStoreContract('Valkey', async (t) => {
  const server = await startIfThere(t, () => startValkey(t))
  return server && (() => openStore(server))
})

testRecordStoreContract('Valkey with TLS and a password', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { tls: true, password: 'the-password' }))
  return server && (() => openStore(server))
})

/** A test that is skipped without a Valkey server. */
function testWithServer(title: string, run: (t: TestContext, server: ValkeyServer) => Promise<void>): void {
  test(title, async (t) => {
    const server = await startIfThere(t, () => startValkey(t))
    if (server) await run(t, server)
  })
}

async function startBehindProxy(t: TestContext, server: ValkeyServer, options: Partial<StoreOptions> = {}) {
  const proxy = await startTcpProxy(t, server.port)
  const store = openStore({ ...server, url: server.url.replace(/\d+$/, String(proxy.port)) }, options)
  return { proxy, store }
}

const keyOf = ({ group, id }: RecordName) => `tokenwell:test:{${group}}:${id}`
const writeOne = (store: RecordStore) => store.write(someRecordName(), someRecord(), undefined)
const readOne = (store: RecordStore) => store.read([someRecordName()])

async function fails(
  call: Promise<unknown>,
  message: RegExp,
  { isThrottled = false, isNotTaken = false } = {},
): Promise<void> {
  const startedAt = performance.now()
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RecordStoreError, inspect(error))
    assert.match(error.message, message)
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /the-(other-)?password|the text|token#/)
    assert.deepEqual([error.isThrottled, error.isNotTaken], [isThrottled, isNotTaken])
    return true
  })
  assert.ok(performance.now() - startedAt < inTimeMilliseconds)
}

testWithServer(
  'a record is one string under a key that names stage, group and id, and goes when it may',
  async (t, server) => {
    const client = openClient(t, server)
    const name = someRecordName({ group: 'my.conn-1_a', id: 'token#abc' })
    const record = {
      version: 'the-version',
      removableFrom: Date.now() + 100_000.5,
      fields: { text: 'a', refreshAt: 1.5 },
    }
    await openStore(server).write(name, record, undefined)
    assert.deepEqual(await client.keys('*'), ['tokenwell:test:{my.conn-1_a}:token#abc'])
    const { removableFrom, fields } = record
    assert.equal(await client.get(keyOf(name)), `the-version\n${JSON.stringify({ removableFrom, fields })}`)
    assert.equal(await client.pexpiretime(keyOf(name)), Math.ceil(removableFrom))
  },
)

test('the keys of a group share a slot, and no read command spans two slots', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { cluster: true }))
  if (!server) return
  const client = openClient(t, server)
  await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383)
  while (!/cluster_state:ok/.test(await client.cluster('INFO'))) await wait(50)

  const store = openStore(server)
  const names = ['a', 'b'].flatMap((group) => ['generation', 'token#1'].map((id) => ({ group, id })))
  const records = names.map((_, index) => someRecord({ index }))
  for (const [index, record] of records.entries())
    assert.equal(await store.write(names[index] ?? someRecordName(), record, undefined), true)
  assert.deepEqual(await store.read(names), records)
  const slots = await Promise.all(names.map((name) => client.cluster('KEYSLOT', keyOf(name))))
  assert.deepEqual([slots[0] === slots[1], slots[2] === slots[3], slots[0] === slots[2]], [true, true, false])
})

testWithServer('a record that may be removed at once is removed after some seconds', async (t, server) => {
  const client = openClient(t, server)
  const name = someRecordName()
  await openStore(server).write(name, { ...someRecord(), removableFrom: 1 }, undefined)
  const left = await client.pttl(keyOf(name))
  assert.ok(left > 0 && left <= 10_000, String(left))
})

testWithServer('one command reads a group, and the script is sent once', async (t, server) => {
  const client = openClient(t, server)
  const store = openStore(server)
  const names = ['a', 'b', 'c'].map((id) => ({ group: 'g', id }))
  for (const name of names) await store.write(name, someRecord(), undefined)
  await client.config('RESETSTAT')
  await store.read([...names, ...names])
  await store.write({ group: 'g', id: 'd' }, someRecord(), undefined)
  const counts = [...(await client.info('commandstats')).matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, n]) => [
    name,
    n,
  ])
  assert.deepEqual(
    counts.filter(([name]) => ['mget', 'eval', 'evalsha'].includes(name ?? '')).sort(),
    [
      ['evalsha', '1'],
      ['mget', '2'],
    ],
    'one of them by the script',
  )
})

testWithServer('a server that has lost the script gets it again', async (t, server) => {
  const client = openClient(t, server)
  const store = openStore(server)
  await writeOne(store)
  await client.script('FLUSH')
  assert.equal(await writeOne(store), true)
})

testWithServer('a value that is not a record of Tokenwell has no fields, and can be replaced', async (t, server) => {
  const client = openClient(t, server)
  const store = openStore(server)
  const foreign = { version: 'theirs', removableFrom: 0, fields: {} }
  const values = [
    ['', undefined],
    ['theirs', undefined],
    ['\n{}', undefined],
    ['not ours\n{}', undefined],
    ['theirs\n', foreign],
    ['theirs\n{"fields', foreign],
    ['theirs\nnull', foreign],
    ['theirs\n{"removableFrom":"1","fields":{}}', foreign],
    ['theirs\n{"removableFrom":1,"fields":{"text":{}}}', foreign],
    ['theirs\n{"removableFrom":1,"fields":[]}', foreign],
  ] as const
  for (const [value, expected] of values) {
    const [name, record] = [someRecordName(), someRecord()]
    await client.set(keyOf(name), value)
    const [read] = await store.read([name])
    assert.deepEqual(read, expected, value)
    assert.equal(await store.write(name, record, read?.version), true, value)
    assert.deepEqual(await store.read([name]), [record])
  }
  const [list, record] = [someRecordName(), someRecord()]
  await client.lpush(keyOf(list), 'a')
  assert.deepEqual(await store.read([list]), [undefined])
  assert.equal(await store.write(list, record, undefined), true)
  assert.deepEqual(await store.read([list]), [record])
})

testWithServer('two stages have separate records', async (_t, server) => {
  const [store, other] = [openStore(server), openStore(server, { stage: 'prod' })]
  const [name, record] = [someRecordName(), someRecord()]
  await store.write(name, record, undefined)
  assert.deepEqual(await other.read([name]), [undefined])
  assert.equal(await other.write(name, someRecord(), undefined), true)
  assert.deepEqual(await store.read([name]), [record])
})

testWithServer('calls share one connection, and concurrent first calls open it once', async (t, server) => {
  const { proxy, store } = await startBehindProxy(t, server)
  await Promise.all([readOne(store), writeOne(store), readOne(store)])
  await readOne(store)
  assert.equal(proxy.connections(), 1)
})

testWithServer('a user needs only the documented rights on the keys of its stage', async (t, server) => {
  const client = openClient(t, server)
  const rights = ['+mget', '+eval', '+evalsha', '+set', '+time', '+zadd', '+zrange', '+zrem', '~tokenwell:test:*']
  await client.acl('SETUSER', 'tokenwell', 'on', '>the-password', ...rights)
  const credentials = { read: async () => ({ username: 'tokenwell', password: new Secret('the-password') }) }
  const [name, record] = [someRecordName(), someRecord()]
  const store = openStore(server, { credentials })
  assert.equal(await store.write(name, record, undefined), true)
  assert.deepEqual(await store.read([name]), [record])

  const elsewhere = openStore(server, { credentials, stage: 'prod' })
  await fails(readOne(elsewhere), /denied the user a command or key \(NOPERM\)\. Allow/)
  await fails(writeOne(elsewhere), /NOPERM/)
})

testWithServer(
  'a password that is wrong, missing or not wanted is told, and the right one is found later',
  async (t, server) => {
    const client = openClient(t, server)
    let password: string | undefined = 'the-password'
    const credentials = { read: async () => (password === undefined ? {} : { password: new Secret(password) }) }
    const store = openStore(server, { credentials })
    for (const call of [readOne, writeOne])
      await fails(call(store), /rejected the command \(ERR\)\. .* that it has a password if the secret holds one/)

    await client.config('SET', 'requirepass', 'the-other-password')
    for (const call of [readOne, writeOne])
      await fails(call(store), /^The Valkey server localhost:\d+ rejected the user name and password \(WRONGPASS\)/)
    password = undefined
    for (const call of [readOne, writeOne]) await fails(call(store), /requires a password \(NOAUTH\)/)
    password = 'the-other-password'
    for (const call of [readOne, writeOne]) await call(store)
  },
)

testWithServer('a user without a password is authenticated as that user', async (t, server) => {
  const client = openClient(t, server)
  const store = openStore(server, { credentials: { read: async () => ({ username: 'tokenwell' }) } })
  await fails(readOne(store), /WRONGPASS/)
  await client.acl('SETUSER', 'tokenwell', 'on', 'nopass', '~tokenwell:other:*', '+@all')
  await fails(readOne(store), /NOPERM/)
})

test('a certificate that is not trusted, or is for another host, ends the connection', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { tls: true, password: 'the-password' }))
  if (!server) return
  const { url, port, password = '', ca = '' } = server
  await fails(readOne(openStore({ url, password })), /is not trusted \(\w+\)\. Add the CA/)
  await fails(
    readOne(openStore({ url: `valkeys://127.0.0.1:${port}`, password, ca })),
    /certificate for another host name/,
  )
  await fails(readOne(openStore({ url: `valkey://localhost:${port}`, password })), /cannot be reached or closed/)
  assert.deepEqual(await readOne(openStore({ url: url.replace('valkeys', 'rediss'), password, ca })), [undefined])
})

test('a TLS server gets the host name (SNI)', async (t) => {
  const { certificate, privateKey, caCertificate } = await createServerCertificate(['localhost'])
  const names: string[] = []
  const SNICallback = (name: string, done: (error: Error | null) => void) => {
    names.push(name)
    done(null)
  }
  const server = createServer({ cert: certificate, key: privateKey, SNICallback }, (socket) => socket.destroy())
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => server.close())
  await fails(readOne(openStore({ url: `valkeys://localhost:${port}`, ca: caCertificate })), /closed the connection/)
  assert.deepEqual(names, ['localhost'])
})

test('no environment variable turns off the check of certificates', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { tls: true }))
  if (!server) return
  t.mock.method(process, 'emitWarning', () => {})
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
  await fails(readOne(openStore({ url: server.url })), /is not trusted/)
})

test('if the server refuses connections, every call fails in time and nothing is printed', async (t) => {
  const prints = [t.mock.method(console, 'error'), t.mock.method(console, 'warn')]
  const store = openStore({ url: 'valkey://127.0.0.1:1' }, { attemptMilliseconds })
  for (const call of [readOne, writeOne, readOne]) await fails(call(store), /cannot be reached.*ECONNREFUSED/)
  assert.deepEqual(
    prints.map(({ mock }) => mock.callCount()),
    [0, 0],
  )
})

test('if connections are dropped, every call fails in time, with and without TLS', async (t) => {
  const url = (await startBlackHoleListener(t)).replace('http', 'valkey')
  for (const each of [url, url.replace('valkey', 'valkeys')]) {
    const store = openStore({ url: each }, { attemptMilliseconds })
    await Promise.all([readOne, writeOne].map((call) => fails(call(store), /did not answer within 1000 ms/)))
  }
})

testWithServer('a call to a server that does not answer fails in time, and a later call works', async (t, server) => {
  const { proxy, store } = await startBehindProxy(t, server, { attemptMilliseconds })
  proxy.hold()
  await fails(readOne(store), /did not answer within 1000 ms/)
  proxy.release()
  await readOne(store)
  proxy.hold()
  await Promise.all(
    [readOne, writeOne].map((call) => fails(call(store), /did not answer within|closed the connection/)),
  )
  proxy.release()
  await writeOne(store)
  await readOne(store)
})

test('a call to a server that does not answer the TLS handshake fails in time', async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { tls: true }))
  if (!server) return
  const { proxy, store } = await startBehindProxy(t, server, { attemptMilliseconds })
  proxy.hold()
  await fails(readOne(store), /did not answer within 1000 ms/)
  proxy.release()
  await readOne(store)
})

testWithServer(
  'credentials that never arrive do not delay the call beyond its time limit, and no connection is made of them later',
  async (t, server) => {
    const late = Promise.withResolvers<object>()
    const { proxy, store } = await startBehindProxy(t, server, {
      attemptMilliseconds,
      credentials: { read: () => late.promise },
    })
    await fails(readOne(store), /did not answer within/)
    late.resolve({})
    await wait(100)
    assert.equal(proxy.connections(), 0)
    await readOne(store)
  },
)

testWithServer("the error for an unreadable secret contains the secret's own message", async (_t, server) => {
  const errors = [
    new SecretError('secret_missing', 'The secret s does not exist.'),
    new KeyStoreError('s', 'does not exist.'),
  ]
  for (const error of errors)
    await fails(
      readOne(openStore(server, { credentials: { read: () => Promise.reject(error) } })),
      /used\. The secret s does not exist\.$/,
    )
})

testWithServer(
  'a connection that was closed unnoticed is replaced within a read, and by the call after a write',
  async (t, server) => {
    const { proxy, store } = await startBehindProxy(t, server)
    const [name, record] = [someRecordName(), someRecord()]
    await store.write(name, record, undefined)
    proxy.cutWhenUsed()
    assert.deepEqual(await store.read([name]), [record])
    proxy.cutWhenUsed()
    await fails(store.write(name, someRecord(), record.version), /closed the connection/)
    assert.equal(await store.write(name, someRecord(), record.version), true)
  },
)

testWithServer('a write whose answer is lost fails, and the next read shows whether it was done', async (t, server) => {
  const { proxy, store } = await startBehindProxy(t, server, { attemptMilliseconds })
  const [name, record] = [someRecordName(), someRecord()]
  await store.read([name])
  proxy.delay(3 * attemptMilliseconds)
  await fails(store.write(name, record, undefined), /did not answer within/)
  proxy.delay(0)
  assert.deepEqual(await store.read([name]), [record])
})

testWithServer('the next call reconnects to a restarted server', async (t, server) => {
  const { proxy, store } = await startBehindProxy(t, server)
  const name = someRecordName()
  for (const target of [openStore(server), store]) {
    await target.write(name, someRecord(), undefined)
    await server.stop()
    await fails(target.read([name]), /cannot be reached or closed/)
    await server.restart()
    assert.deepEqual(await target.read([name]), [undefined])
    assert.equal(await target.write(name, someRecord(), undefined), true)
    await server.restart()
    assert.deepEqual(await target.read([name]), [undefined])
  }
  assert.ok(proxy.connections() > 1)
})

testWithServer(
  'a server that has become a replica is told, and another connection tried at the next call',
  async (t, server) => {
    const client = openClient(t, server)
    const { proxy, store } = await startBehindProxy(t, server)
    await writeOne(store)
    await client.replicaof('127.0.0.1', 1)
    await fails(writeOne(store), /is a replica \(READONLY\)\. Use the URL of the primary/)
    await client.replicaof('NO', 'ONE')
    assert.equal(await writeOne(store), true)
    assert.equal(proxy.connections(), 2)
  },
)

testWithServer(
  'a server that is busy with a script counts as throttling, and the connection is kept',
  async (t, server) => {
    const [client, other] = [openClient(t, server), openClient(t, server)]
    const { proxy, store } = await startBehindProxy(t, server)
    await readOne(store)
    await client.config('SET', 'busy-reply-threshold', '50')
    const endless = other.eval('while true do end', 0).catch(() => {})
    await wait(200)
    for (const call of [readOne, writeOne])
      await fails(call(store), /is busy running a script \(BUSY\)/, { isThrottled: true })
    await client.script('KILL')
    await endless
    for (const call of [readOne, writeOne]) await call(store)
    assert.equal(proxy.connections(), 1)
  },
)

testWithServer('a server without free memory rejects writes, and reads still work', async (t, server) => {
  const client = openClient(t, server)
  const { proxy, store } = await startBehindProxy(t, server)
  await readOne(store)
  await client.config('SET', 'maxmemory', '1')
  await fails(writeOne(store), /has no memory left \(OOM\)/, { isNotTaken: true })
  await readOne(store)
  assert.equal(proxy.connections(), 1)
})

testWithServer('an idle connection does not keep the process alive', async (_t, server) => {
  const source = `
    import { valkeyRecords } from './lib/adapters/valkey/valkey-records.ts'
    const store = valkeyRecords({ url: '${server.url}', stage: 'test', attemptMilliseconds: 60_000, credentials: { read: async () => ({}) } })
    const record = { version: 'v', removableFrom: Date.now() + 60_000, fields: {} }
    console.log(await store.write({ group: 'g', id: 'a' }, record, undefined))`
  const words = ['--input-type=module', '-e', source]
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root, timeout: 30_000 })
  assert.equal(stdout, 'true\n')
})

test('an invalid URL is rejected at once, and the error does not repeat it', () => {
  const urls = {
    'valkey://localhost:6379/0': /with nothing after the port/,
    'valkey://localhost?password=the-password': /with nothing after the port/,
    'http://localhost:6379': /must be valkey:\/\/host:port/,
    'the-password': /must be valkey:\/\/host:port/,
    'valkey://': /must be valkey:\/\/host:port/,
    'valkey://user:the-password@localhost:6379': /Remove them: they belong in the secret/,
    'valkeys://:the-password@localhost:6379': /Remove them: they belong in the secret/,
    'valkey://:the-password#more@localhost:6379': /must be|Remove them/,
  }
  for (const [url, message] of Object.entries(urls))
    assert.throws(
      () => openStore({ url }),
      (error) =>
        error instanceof Error && message.test(error.message) && !/the-password|localhost/.test(inspect(error)),
      url,
    )
  for (const url of ['valkey://localhost', 'redis://localhost:1', 'rediss://[::1]:1/', 'valkeys://a.b:1'])
    openStore({ url })
})
