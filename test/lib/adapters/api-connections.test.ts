import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { listen } from '../../../infra/local/listen.ts'
import { type ApiConnection, createApiConnections } from '../../../lib/adapters/api-connections.ts'

/* Which connection is taken, by a clock that stands. */

async function start(t: TestContext) {
  const server = createServer((_request, response) => response.end())
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  let time = 0
  const connections = createApiConnections(
    `http://127.0.0.1:${port}`,
    (_options, callback) => {
      const socket = connect(port, '127.0.0.1', () => callback(null, socket))
    },
    () => time,
  )
  t.after(() => connections.close())
  return {
    connections,
    at(milliseconds: number) {
      time = milliseconds
    },
    async isOpen(connection: ApiConnection): Promise<boolean> {
      await setTimeout(20)
      return connection.socket?.destroyed === false
    },
    /** One over which something was asked. */
    async used(): Promise<ApiConnection> {
      const connection = connections.take(0)
      const { body } = await connection.client.request({ method: 'GET', path: '/' })
      await body.dump()
      return connection
    },
  }
}

test('the one that was used last is taken, where it was idle for less than so long', async (t) => {
  const { connections, at, used } = await start(t)
  const [one, other] = [await used(), await used()]
  connections.giveBack(one)
  at(1_000)
  connections.giveBack(other)
  at(2_999)
  assert.equal(connections.take(2_000), other)
  at(3_000)
  assert.notEqual(connections.take(3_000), one)
  assert.equal(connections.take(3_001), one)
  assert.notEqual(connections.take(60_000), other, 'who has taken it has it alone')
})

test('one that was never opened, has been closed, or discarded, is not taken', async (t) => {
  const { connections, used } = await start(t)
  const never = connections.take(0)
  const [gone, closed, discarded, good] = [await used(), await used(), await used(), await used()]
  gone.socket?.destroy()
  await setTimeout(20)
  for (const each of [good, never, gone, closed, discarded]) connections.giveBack(each)
  closed.socket?.destroy()
  connections.discard(discarded)
  await setTimeout(20)
  assert.equal(connections.take(60_000), good)
  assert.ok(![never, gone, closed, discarded].includes(connections.take(60_000)))
})

test('when they are closed, those that are free end at once and the others when they are given back', async (t) => {
  const { connections, used, isOpen } = await start(t)
  const [free, taken] = [await used(), await used()]
  connections.giveBack(free)
  await connections.close()
  assert.deepEqual([await isOpen(free), await isOpen(taken)], [false, true])
  connections.giveBack(taken)
  assert.equal(await isOpen(taken), false)
})

test('64 are kept at most, the oldest goes first, and none that was idle for a minute', async (t) => {
  const { connections, at, used, isOpen } = await start(t)
  const opened = await Promise.all(Array.from({ length: 65 }, used))
  const [first, second] = opened
  assert.ok(first && second)
  for (const each of opened.slice(0, 64)) connections.giveBack(each)
  assert.ok(await isOpen(first))
  for (const each of opened.slice(64)) connections.giveBack(each)
  assert.ok(!(await isOpen(first)))
  assert.ok(await isOpen(second))
  const last = connections.take(60_000)
  at(60_000)
  connections.giveBack(last)
  assert.ok(await isOpen(second))
  const again = connections.take(60_000)
  at(60_001)
  connections.giveBack(again)
  assert.ok(!(await isOpen(second)))
})
