import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServedConnection, ServerToDiscover } from '../../../lib/configuration/connection.ts'
import type { MetadataAnswer, MetadataSource } from '../../../lib/discovery/metadata-source.ts'
import { createTokenEndpoints } from '../../../lib/discovery/token-endpoints.ts'
import type { TokenwellEvent } from '../../../lib/events/event-bus.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import '../../support/virtual/default-ports.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const issuer = 'https://as.example.com'
const hour = 3_600_000

const { tokenEndpoint: _written, ...settings } = plainConnection.authorizationServer
const server: ServerToDiscover = { ...settings, issuer, discovery: { hosts: ['tokens.example.com'], noProxy: [] } }
const connection: ServedConnection = { ...plainConnection, authorizationServer: server }

const naming = (tokenEndpoint: string): MetadataAnswer => ({
  status: 200,
  body: JSON.stringify({ issuer, token_endpoint: tokenEndpoint }),
})

/** A process and a server on a virtual clock. The server answers with what the test sets. */
function start({ latency = 100 } = {}) {
  const time = createVirtualTime()
  const log: LogEvent[] = []
  const raised: TokenwellEvent[] = []
  const far = { answer: naming(`${issuer}/token`) as MetadataAnswer | Error, requests: 0 }
  const source: MetadataSource = {
    async get() {
      far.requests++
      await time.pause(latency)
      if (far.answer instanceof Error) throw far.answer
      return far.answer
    },
  }
  const tokenEndpoints = createTokenEndpoints({
    source,
    events: { isHeard: true, raise: async (events) => void raised.push(...events) },
    now: time.now,
    pause: time.pause,
    log: (event) => void log.push(event),
  })
  const locate = async (which = connection, milliseconds = 20_000) =>
    (await tokenEndpoints.locate(which, time.now() + milliseconds)).authorizationServer.tokenEndpoint
  return { time, log, raised, far, tokenEndpoints, locate }
}

test('a process asks once for all requests that wait, and not again within an hour', async () => {
  const { time, far, locate } = start()
  const located = await time.until(Promise.all(Array.from({ length: 50 }, () => locate())))
  assert.deepEqual(new Set(located), new Set([`${issuer}/token`]))
  await time.advance(hour - 1_000)
  assert.equal(await time.until(locate()), `${issuer}/token`)
  assert.equal(far.requests, 1)
})

test('after an hour a request uses the endpoint that is known, and the next one the endpoint of the new answer', async () => {
  const { time, far, locate } = start()
  await time.until(locate())
  far.answer = naming(`${issuer}/new`)
  await time.advance(hour)
  const before = time.now()
  assert.equal(await time.until(locate()), `${issuer}/token`)
  assert.equal(time.now(), before)
  await time.advance(1_000)
  assert.equal(await time.until(locate()), `${issuer}/new`)
  assert.equal(far.requests, 2)
})

const failures: readonly (readonly [string, MetadataAnswer | Error])[] = [
  ['cannot be reached', new UnreachableError('No server listens there.', { wasSent: false })],
  ['is too slow', new TimedOutError('No answer came.', { isServers: true, wasSent: false })],
  ['answers with 503', { status: 503, body: '' }],
  ['says nothing of use', { status: 200, body: '{}' }],
  ['names a new host', naming('https://new.example.com/token')],
]

for (const [what, answer] of failures)
  test(`the last good answer counts for 24 hours while the issuer ${what}, which is asked once a minute`, async () => {
    const { time, far, locate } = start()
    await time.until(locate())
    far.answer = answer
    await time.advance(hour)
    for (let minute = 0; minute < 23 * 60 - 1; minute += 30) {
      assert.equal(await time.until(locate()), `${issuer}/token`)
      assert.equal(await time.until(locate()), `${issuer}/token`)
      await time.advance(30 * 60_000)
    }
    assert.ok(far.requests <= 48, String(far.requests))
    await time.advance(hour)
    await assert.rejects(time.until(locate()))
  })

test('after a failed token request the next request asks again, at most once a minute', async () => {
  const { time, far, tokenEndpoints, locate } = start()
  await time.until(locate())
  far.answer = naming(`${issuer}/new`)
  tokenEndpoints.doubt(connection)
  assert.equal(await time.until(locate()), `${issuer}/token`)
  await time.advance(60_000)
  assert.equal(await time.until(locate()), `${issuer}/new`)
  assert.equal(await time.until(locate()), `${issuer}/new`)
  assert.equal(far.requests, 2)
})

test('a doubted endpoint still counts where its issuer does not answer', async () => {
  const { time, far, tokenEndpoints, locate } = start()
  await time.until(locate())
  far.answer = new UnreachableError('No server listens there.', { wasSent: false })
  tokenEndpoints.doubt(connection)
  await time.advance(60_000)
  assert.equal(await time.until(locate()), `${issuer}/token`)
})

test('a caller waits no longer than its deadline, and the answer is there for the next one', async () => {
  const { time, far, locate } = start({ latency: 4_000 })
  const from = time.now()
  await assert.rejects(time.until(locate(connection, 2_000)), (error: unknown) => {
    assert(error instanceof TimedOutError)
    assert.equal(error.blames, 'nothing')
    return true
  })
  assert.ok(time.now() - from <= 2_000)
  await time.advance(4_000)
  assert.equal(await time.until(locate()), `${issuer}/token`)
  assert.equal(far.requests, 1)
})

test('a failure is never due to the request of a caller', async () => {
  for (const [, answer] of failures) {
    const { time, far, locate } = start()
    far.answer = answer
    await assert.rejects(time.until(locate()), { mayBeOfRequest: false })
  }
})

test('a failure that Lambda caused by freezing the process is no evidence about the server', async () => {
  const { time, far, locate } = start()
  far.answer = new TimedOutError('No answer came.', { isServers: true, wasSent: false })
  const locating = locate(connection, 120_000)
  locating.catch(() => {})
  await time.advance(50)
  time.jump(60_000)
  await assert.rejects(time.until(locating), { blames: 'nothing' })
})

test('an endpoint on a new host is never used, and is on the event bus', async () => {
  const { time, far, raised, locate } = start()
  far.answer = naming('https://new.example.com/token')
  await assert.rejects(time.until(locate()), /tokenEndpointHosts of authorizationServer\/theServer/)
  const host = 'new.example.com'
  assert.deepEqual(raised, [
    { type: 'TokenEndpointOnNewHost', connection: 'conn', authorizationServer: 'theServer', host },
  ])
  far.answer = naming('https://tokens.example.com:8443/token')
  assert.equal(await time.until(locate()), 'https://tokens.example.com:8443/token')
})

test('elements that reach the same issuer in different ways share no answer', async () => {
  const { time, far, locate } = start()
  await time.until(locate())
  const tls = { ...server.tls, trustStore: 'tokenwell/test/other' }
  await time.until(locate({ ...connection, authorizationServer: { ...server, tls } }))
  await time.until(locate({ ...connection, name: 'other' }))
  assert.equal(far.requests, 2)
})

test('a token endpoint goes through the proxy of the element unless noProxy names its host', async () => {
  const proxy = { id: 'theProxy', host: 'proxy.example.com', port: 3128 }
  const discovery = { ...server.discovery, proxy, noProxy: ['as.example.com'] }
  const proxied = { ...connection, authorizationServer: { ...server, discovery } }
  for (const [host, expected] of [
    ['as.example.com', undefined],
    ['tokens.example.com', proxy],
  ] as const) {
    const { time, far, tokenEndpoints } = start()
    far.answer = naming(`https://${host}/token`)
    const located = await time.until(tokenEndpoints.locate(proxied, time.now() + 20_000))
    assert.deepEqual(located.authorizationServer.proxy, expected)
  }
})
