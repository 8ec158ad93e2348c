import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { buildConnector } from 'undici'
import {
  createHttpConnectionPool,
  type HttpConnection,
  type HttpConnectionPool,
  isOpen,
} from '../../../../lib/adapters/http/http-connection-pool.ts'
import { type ScriptedApi, startScriptedApi } from '../../../support/servers/scripted-api.ts'

const longest = 60_000

interface TheConnections {
  readonly api: ScriptedApi
  readonly connections: HttpConnectionPool
  readonly clock: { now: number }
}

async function theConnections(t: TestContext): Promise<TheConnections> {
  const api = await startScriptedApi(t)
  // Without it Node.js would send the client a Keep-Alive header with its time-out.
  api.server.keepAliveTimeout = 0
  const clock = { now: 1_700_000_000_000 }
  const connect = buildConnector({ ca: api.certificate.caCertificate, allowH2: false })
  const connections = createHttpConnectionPool(api.origin, connect, longest, () => clock.now)
  t.after(() => connections.close())
  return { api, connections, clock }
}

async function call({ client }: HttpConnection): Promise<void> {
  const { statusCode, body } = await client.request({ method: 'GET', path: '/' })
  assert.equal(statusCode, 200)
  await body.dump()
}

/** A connection that has served one call. */
async function used(connections: HttpConnectionPool): Promise<HttpConnection> {
  const connection = await connections.take(longest)
  await call(connection)
  return connection
}

test('the first call opens a connection, and the next call uses it', async (t) => {
  const { api, connections } = await theConnections(t)
  const connection = await connections.take(longest)
  assert.equal(connection.socket, undefined)
  await call(connection)
  const { socket } = connection
  assert.ok(socket)
  await connections.giveBack(connection)
  const again = await connections.take(longest)
  assert.equal(again, connection)
  await call(again)
  assert.equal(again.socket, socket)
  assert.equal(api.connections(), 1)
})

test('a connection can be opened before its first call, which then uses it', async (t) => {
  const { api, connections } = await theConnections(t)
  const connection = await connections.take(longest)
  assert.equal(isOpen(connection), false)
  await connections.open(connection)
  assert.ok(isOpen(connection))
  await connections.open(connection)
  const { socket } = connection
  await call(connection)
  assert.equal(connection.socket, socket)
  assert.equal(api.connections(), 1)
})

test('a connection that cannot be opened says why, and one that ended says why', async (t) => {
  const { api, connections } = await theConnections(t)
  const distrusting = createHttpConnectionPool(api.origin, buildConnector({ allowH2: false }), longest, Date.now)
  t.after(() => distrusting.close())
  await assert.rejects(distrusting.open(await distrusting.take(longest)), { code: /SELF_SIGNED|UNABLE_TO_VERIFY/ })

  const connection = await connections.take(longest)
  await connections.open(connection)
  const ended = once(connection.client, 'disconnect')
  connection.socket?.destroy(new Error('the wire is cut'))
  await ended
  assert.equal(isOpen(connection), false)
  assert.equal(connection.endedBy?.message, 'the wire is cut')
})

test('a connection is kept if the answer comes before the socket reports that the request was sent', async (t) => {
  const { connections } = await theConnections(t)
  const connection = await used(connections)
  let left = 300
  Object.defineProperty(connection.socket, 'writableLength', { get: () => left })
  setImmediate(() => {
    left = 0
  })
  await connections.giveBack(connection)
  assert.equal(await connections.take(longest), connection)

  left = 300
  await connections.giveBack(connection)
  assert.notEqual(await connections.take(longest), connection, 'what is still being sent a turn later is on its way')
})

test('no two calls share a connection, and the most recently used connection is used first', async (t) => {
  const { connections } = await theConnections(t)
  const [one, other] = [await connections.take(longest), await connections.take(longest)]
  assert.notEqual(one, other)
  await Promise.all([call(one), call(other)])
  await connections.giveBack(other)
  await connections.giveBack(one)
  assert.equal(await connections.take(longest), one)
  assert.equal(await connections.take(longest), other)
})

test('a connection that is idle for too long by the clock is not used, even if no timer ran', async (t) => {
  const { connections, clock } = await theConnections(t)
  const connection = await used(connections)
  await connections.giveBack(connection)
  clock.now += 2_000
  assert.notEqual(await connections.take(2_000), connection)
  assert.equal(await connections.take(2_001), connection)
  await connections.giveBack(connection)
  assert.notEqual(await connections.take(0), connection, 'none that was used before')
})

test('no call uses a connection that the API has closed', async (t) => {
  const { api, connections } = await theConnections(t)
  const [idle, underWay] = [await connections.take(longest), await connections.take(longest)]
  await Promise.all([call(idle), call(underWay)])
  await connections.giveBack(idle)
  const closed = Promise.all([once(idle.client, 'disconnect'), once(underWay.client, 'disconnect')])
  for (const { socket } of api.requests) socket.destroy()
  await closed
  await connections.giveBack(underWay)
  const next = await connections.take(longest)
  assert.ok(next !== idle && next !== underWay)
  await call(next)
  assert.equal(idle.client.destroyed && underWay.client.destroyed, true)
})

test('no call uses a connection that the API closed while the process was busy or frozen', async (t) => {
  const { api, connections } = await theConnections(t)
  const connection = await used(connections)
  await connections.giveBack(connection)
  await setTimeout(40)
  api.requests[0]?.socket.destroy()
  const next = await connections.take(longest)
  assert.notEqual(next, connection)
  await connections.open(next)
  await call(next)
  assert.equal(connection.client.destroyed, true)
})

test('no call uses a connection that received any bytes while it was idle', async (t) => {
  for (const isResting of [true, false])
    for (const bytes of ['\r\n', '\n', 'H', 'HTTP/1.1 408 Request Timeout\r\n\r\n']) {
      const { api, connections } = await theConnections(t)
      const connection = await used(connections)
      await connections.giveBack(connection)
      if (!isResting) await setTimeout(40)
      api.requests[0]?.socket.write(bytes)
      if (!isResting) await setTimeout(40)
      const next = await connections.take(longest)
      assert.notEqual(next, connection, JSON.stringify(bytes))
      assert.equal(connection.client.destroyed, true)
      await call(next)
    }
})

test('a rested idle connection is preferred, and a call waits for a resting one instead of opening another', async (t) => {
  const { api, connections } = await theConnections(t)
  const [one, other] = [await connections.take(longest), await connections.take(longest)]
  await Promise.all([call(one), call(other)])
  await connections.giveBack(one)
  await setTimeout(40)
  await connections.giveBack(other)
  assert.equal(await connections.take(longest), one)
  assert.equal(await connections.take(longest), other)
  assert.equal(api.connections(), 2)
})

test('a discarded connection is closed at once', async (t) => {
  const { api, connections } = await theConnections(t)
  const connection = await used(connections)
  const [request] = api.requests
  assert.ok(request)
  const closed = once(request.socket, 'close', { signal: AbortSignal.timeout(10_000) })
  connections.discard(connection)
  await closed
  assert.notEqual(await connections.take(longest), connection)
})

test('at most 64 connections are idle, and connections that are idle for too long are closed', async (t) => {
  const { connections, clock } = await theConnections(t)
  const all = await Promise.all(Array.from({ length: 65 }, () => connections.take(longest)))
  await Promise.all(all.map(call))
  for (const each of all) await connections.giveBack(each)
  assert.deepEqual(
    all.map(({ client }) => client.destroyed),
    all.map((_, index) => index === 0),
  )
  const last = await connections.take(longest)
  clock.now += 60_001
  await connections.giveBack(last)
  assert.equal(all[1]?.client.destroyed, true)
  assert.equal(last.client.destroyed, false)
})

test('close() closes idle connections at once, and others when they are given back', async (t) => {
  const { connections } = await theConnections(t)
  const [idle, underWay] = [await connections.take(longest), await connections.take(longest)]
  await Promise.all([call(idle), call(underWay)])
  await connections.giveBack(idle)
  await connections.close()
  assert.equal(idle.client.destroyed, true)
  assert.equal(underWay.client.destroyed, false)
  await call(underWay)
  await connections.giveBack(underWay)
  assert.equal(underWay.client.destroyed, true)
})
