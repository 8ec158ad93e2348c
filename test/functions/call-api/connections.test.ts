import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { callBy, startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import type { Script, ScriptedApi } from '../../support/servers/scripted-api.ts'
import { trustApi } from '../../support/servers/scripted-api.ts'

/* Which TCP connection a call uses, and when the call is repeated. */

/**
 * For these requests the TCP connection ends without a byte of an answer. The client can't tell that from a connection that was
 * closed before.
 */
const endsAt =
  (...indices: readonly number[]): Script =>
  ({ socket }, _response, index) => {
    if (!indices.includes(index)) return { body: 'yes' }
    socket.destroy()
    return undefined
  }

test('consecutive calls use one TCP connection', async (t) => {
  const { call, api, handler } = await startCallApiWithScriptedServers(t)
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) assert.equal((await call({ method })).status, 200)
  assert.equal(api.connections(), 1)
  await Promise.all(Array.from({ length: 5 }, () => callBy(handler)))
  const opened = api.connections()
  assert.ok(opened <= 5, String(opened))
  await Promise.all(Array.from({ length: 5 }, () => callBy(handler)))
  assert.equal(api.connections(), opened, 'each was given back')
})

test('an idempotent call over a reused TCP connection that is closed is repeated over a new one', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
    const { call, api } = await startCallApiWithScriptedServers(t, endsAt(1))
    await call()
    const log = captureLog(t)
    assert.equal((await call({ method, body: 'x' })).status, 200, method)
    assert.equal(api.requests.length, 3)
    assert.equal(api.connections(), 2)
    assert.deepEqual(
      log.flatMap((event) => (event.event === 'api_call_repeated' ? event.reason : [])),
      ['dead_connection'],
    )
  }
})

test('the call is repeated over a new TCP connection, even if others are idle', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, endsAt(2))
  await Promise.all([call(), call()])
  assert.equal(api.connections(), 2)
  assert.equal((await call()).status, 200)
  assert.equal(api.connections(), 3)
})

test('the call is repeated once, not twice', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, endsAt(1, 2))
  await call()
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [502, 'connection_terminated'])
  assert.equal(api.requests.length, 3)
})

test('if the repeated call fails before it is sent, the API may still have acted on the first one', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
    if (index === 0) return {}
    api.server.close()
    socket.destroy()
    return undefined
  })
  await call()
  const log = captureLog(t)
  const { proxyError, body } = await call({ method: 'PUT', body: 'x' })
  assert.equal(proxyError, 'connection_refused')
  assert.match(body.toString(), /The API may have acted on the request\./)
  assert.deepEqual(
    log.flatMap((event) => (event.event === 'api_call_failed' ? event.code : [])),
    ['connection_terminated', 'connection_refused'],
  )
})

test('a call that is not idempotent is never repeated', async (t) => {
  for (const method of ['POST', 'PATCH']) {
    const { call, api } = await startCallApiWithScriptedServers(t, endsAt(1))
    await call()
    const { status, proxyError, body } = await call({ method })
    assert.deepEqual([status, proxyError], [502, 'connection_terminated'])
    assert.match(body.toString(), /The API may have acted on the request\./)
    assert.equal(api.requests.length, 2)
    assert.equal(api.connections(), 1)
    assert.equal((await call({ method })).status, 200, 'the dead one is used no more')
  }
})

test('a call that is not idempotent uses no TCP connection that was idle for 2 s; other calls do', async (t) => {
  const { call, api, age } = await startCallApiWithScriptedServers(t)
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

test('after a minute an idle TCP connection is not used any more, even if no timer has run', async (t) => {
  const { call, api, age } = await startCallApiWithScriptedServers(t)
  await call()
  age(60_000)
  await call()
  assert.equal(api.connections(), 2)
})

test('a TCP connection that the API closes, or announces to close, is not used again', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({
    headers: index === 0 ? { connection: 'close' } : {},
  }))
  await call()
  assert.equal((await call({ method: 'POST' })).status, 200)
  assert.equal(api.connections(), 2)
  api.server.closeIdleConnections()
  await setTimeout(50)
  assert.equal((await call({ method: 'POST' })).status, 200)
  assert.equal(api.connections(), 3)
  assert.equal(api.requests.length, 3)
})

test('a TCP connection with a timed-out call is not used again', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, ({ url }) => (url === '/slow' ? undefined : {}), {
    elements: { endpoint: { receiveTimeout: '300ms' } },
  })
  await call()
  assert.equal((await call({ path: '/slow' })).proxyError, 'http_response_timeout')
  assert.equal((await call()).status, 200)
  assert.equal(api.connections(), 2)
})

test('after a change of the trust store, an API is called over new TCP connections, and running calls end normally', async (t) => {
  const held: (() => void)[] = []
  const { call, api, age, workspace } = await startCallApiWithScriptedServers(t, ({ url }, response) => {
    if (url !== '/slow') return {}
    held.push(() => response.end('slow'))
    return undefined
  })
  const slow = Array.from({ length: 3 }, () => call({ path: '/slow', milliseconds: 600_000 }))
  while (held.length < 3) await setTimeout(20)
  await call()
  const other = await createServerCertificate(['localhost'])
  await trustApi(workspace, `${api.certificate.caCertificate}${other.caCertificate}`)
  age(50_000)
  await call()
  assert.equal(api.connections(), 4, 'the old secret serves on for a while')
  age(300_000)
  await call()
  await call()
  assert.equal(api.connections(), 5)
  for (const release of held) release()
  for (const answer of await Promise.all(slow)) assert.equal(answer.body.toString(), 'slow')
  while ((await openConnections(api)) > 1) await setTimeout(20)
  await call()
  assert.equal(api.connections(), 5, 'those of before are used no more')
})

function openConnections({ server }: ScriptedApi): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
}
