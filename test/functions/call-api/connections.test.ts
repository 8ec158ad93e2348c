import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Script } from '../../support/api-server.ts'
import { callBy, startTheCalls } from '../../support/the-calls.ts'
import { hearLog } from '../../support/the-log.ts'

/* Which connection a call goes over, and when it is made again. */

/** Of these requests the connection ends without a byte of an answer: to the client it looks as if it had been dead. */
const endsAt =
  (...indices: readonly number[]): Script =>
  ({ socket }, _response, index) => {
    if (!indices.includes(index)) return { body: 'yes' }
    socket.destroy()
    return undefined
  }

test('calls one after the other go over one connection, whatever connection of the elements they are for', async (t) => {
  const { call, api, handler } = await startTheCalls(t)
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) assert.equal((await call({ method })).status, 200)
  assert.equal(api.connections(), 1)
  await Promise.all(Array.from({ length: 5 }, () => callBy(handler)))
  const opened = api.connections()
  assert.ok(opened <= 5, String(opened))
  await Promise.all(Array.from({ length: 5 }, () => callBy(handler)))
  assert.equal(api.connections(), opened, 'each was given back')
})

test('an idempotent call over a used connection that turns out dead is made once more, over a new one', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
    const { call, api } = await startTheCalls(t, endsAt(1))
    await call()
    const log = hearLog(t)
    assert.equal((await call({ method, body: 'x' })).status, 200, method)
    assert.equal(api.requests.length, 3)
    assert.equal(api.connections(), 2)
    assert.deepEqual(
      log.flatMap((event) => (event.event === 'api_call_repeated' ? event.reason : [])),
      ['dead_connection'],
    )
  }
})

test('it is made once more, not twice', async (t) => {
  const { call, api } = await startTheCalls(t, endsAt(1, 2))
  await call()
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [502, 'connection_terminated'])
  assert.equal(api.requests.length, 3)
})

test('what can not be done twice is never done twice', async (t) => {
  for (const method of ['POST', 'PATCH']) {
    const { call, api } = await startTheCalls(t, endsAt(1))
    await call()
    const { status, proxyError, body } = await call({ method })
    assert.deepEqual([status, proxyError], [502, 'connection_terminated'])
    assert.match(body.toString(), /It may have done what it was asked to\./)
    assert.equal(api.requests.length, 2)
    assert.equal(api.connections(), 1)
    assert.equal((await call({ method })).status, 200, 'the dead one is used no more')
  }
})

test('what can not be done twice goes over no connection that was idle for 2 s; the rest does', async (t) => {
  const { call, api, age } = await startTheCalls(t)
  await call()
  age(1_500)
  await call({ method: 'POST' })
  assert.equal(api.connections(), 1)
  age(2_000)
  await call({ method: 'GET' })
  assert.equal(api.connections(), 1)
  age(2_000)
  await call({ method: 'POST' })
  assert.equal(api.connections(), 2)
  await call({ method: 'PATCH' })
  assert.equal(api.connections(), 2)
})

test('after a minute nothing goes over it any more, though no timer has run', async (t) => {
  const { call, api, age } = await startTheCalls(t)
  await call()
  age(60_000)
  await call()
  assert.equal(api.connections(), 2)
})

test('a connection that the API closes after its answer, or says that it will, is not used again', async (t) => {
  const { call, api } = await startTheCalls(t, (_request, _response, index) => ({
    headers: index === 0 ? { connection: 'close' } : {},
  }))
  await call()
  assert.equal((await call({ method: 'POST' })).status, 200)
  assert.equal(api.connections(), 2)
  api.server.closeIdleConnections()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal((await call({ method: 'POST' })).status, 200)
  assert.equal(api.connections(), 3)
  assert.equal(api.requests.length, 3)
})

test('other timeouts of one origin share no connection, and go by their own', async (t) => {
  const { call, api } = await startTheCalls(t, ({ url }) => (url === '/slow' ? undefined : {}), {
    elements: { endpoint: { receiveTimeout: '300ms' } },
  })
  await call()
  assert.equal((await call({ path: '/slow' })).proxyError, 'http_response_timeout')
  assert.equal((await call()).status, 200)
  assert.equal(api.connections(), 2, 'one that timed out is used no more')
})
