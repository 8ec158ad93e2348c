import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventBusError } from '../../../lib/events/event-bus.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { leaks } from '../../support/output/canary.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import {
  createFleetWithEventBus,
  type FleetWithEventBus,
  type FleetWithEventBusOptions,
  fulfilled,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { incoming } from '../../support/virtual/queueing-event-bus.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

/* Tokens of 300 s are stale after 216 s (a chance of 0.5) and usable for 270 s. */

const about = (type: 'TokenRefreshRequested' | 'TokenRejected', tokenId: string) =>
  incoming({ type, connection: 'conn', tokenId })
const clear: IncomingEvent = { type: 'ClearTokenCache', connection: 'conn' }
const password = { oAuth: { grantType: 'password' } }
const alice = { username: 'alice', password: new Secret('the password of alice') }

async function theToken(endpoint: VirtualEndpoint = () => virtualToken(), options?: FleetWithEventBusOptions) {
  const fleet = createFleetWithEventBus(endpoint, options)
  const { token } = await fleet.time.until(fleet.caller.get())
  return { fleet, token }
}

async function idNow(fleet: FleetWithEventBus): Promise<string> {
  return (await fleet.time.until(fleet.caller.get())).token.id
}

test('a stale token is renewed once, however often and in however many processes its event arrives', async () => {
  const { fleet, token } = await theToken(undefined, { size: 4, latency: 2_000, cacheLatency: 3 })
  await fleet.time.advance(217_000)
  const requested = about('TokenRefreshRequested', token.id)
  fulfilled(await fleet.answer(requested, 4))
  fulfilled(await fleet.answer(requested, 4))
  assert.equal(fleet.requests().length, 2)
  const id = await idNow(fleet)
  assert.notEqual(id, token.id)
  assert.deepEqual(
    fleet.bus.raised.map(({ type }) => type),
    ['TokenRefreshed'],
  )
  const [told] = fleet.bus.of('TokenRefreshed')
  const { expiresAt } = (await fleet.time.until(fleet.caller.get())).token
  assert.deepEqual(told, {
    type: 'TokenRefreshed',
    connection: 'conn',
    tokenId: id,
    expiresAt: Math.floor(expiresAt / 1000),
  })
})

test('an event about a token that was renewed already, or is unknown, has no effect', async () => {
  const { fleet, token } = await theToken()
  const [random, digest] = token.id.split('.')
  const strange = [
    token.id.replace(random ?? '', 'AAAAAAAAAAAAAAAAAAAAAA'),
    token.id.replace(digest ?? '', 'A'.repeat(43)),
    'AAAAAAAAAAAAAAAAAAAAAA',
  ]
  for (const tokenId of strange)
    for (const type of ['TokenRefreshRequested', 'TokenRejected'] as const)
      fulfilled(await fleet.answer(about(type, tokenId)))
  await fleet.time.advance(217_000)
  fulfilled(await fleet.answer(about('TokenRefreshRequested', token.id)))
  const id = await idNow(fleet)
  await fleet.time.advance(217_000)
  fulfilled(await fleet.answer(about('TokenRefreshRequested', token.id)))
  assert.equal(await idNow(fleet), id)
  assert.equal(fleet.requests().length, 2)
})

test('a rejected token is replaced once, however often and in however many processes its event arrives', async () => {
  const { fleet, token } = await theToken(undefined, { size: 4, latency: 2_000, cacheLatency: 3 })
  const rejected = about('TokenRejected', token.id)
  fulfilled(await fleet.answer(rejected, 4))
  fulfilled(await fleet.answer(rejected, 4))
  assert.notEqual(await idNow(fleet), token.id)
  assert.equal(fleet.requests().length, 2)
})

test('a token that a caller deletes is replaced by its event', async () => {
  const { fleet, token } = await theToken()
  await fleet.caller.delete(token.id)
  await fleet.deliver()
  assert.equal(fleet.requests().length, 2)
  assert.notEqual(await idNow(fleet), token.id)
  assert.equal(fleet.requests().length, 2)
})

test('a late rejection does not affect the token that replaced the rejected one', async () => {
  const { fleet, token } = await theToken()
  await fleet.time.until(fleet.caller.get({ rejectedTokenId: token.id }))
  const id = await idNow(fleet)
  await fleet.time.advance(20_000)
  for (const type of ['TokenRejected', 'TokenRefreshRequested', 'TokenRejected'] as const)
    fulfilled(await fleet.answer(about(type, token.id)))
  assert.equal(await idNow(fleet), id)
  assert.equal(fleet.requests().length, 2)
})

test('a token that has just replaced a rejected one stays, and its event is answered', async () => {
  const { fleet, token } = await theToken(() => virtualToken({ expires_in: 100 }))
  fulfilled(await fleet.answer(about('TokenRejected', token.id)))
  const id = await idNow(fleet)
  fulfilled(await fleet.answer(about('TokenRejected', id)))
  assert.equal(await idNow(fleet), id)
  await fleet.time.advance(10_000)
  fulfilled(await fleet.answer(about('TokenRejected', id)))
  assert.notEqual(await idNow(fleet), id)
  assert.equal(fleet.requests().length, 3)
})

test('if a token is rejected during its renewal, the renewal is discarded and repeated', async () => {
  const { fleet, token } = await theToken(undefined, { latency: 3_000 })
  await fleet.time.advance(217_000)
  const renewing = fleet.refresher.answer(about('TokenRefreshRequested', token.id))
  await fleet.time.advance(1_000)
  const rejectedAt = fleet.time.now()
  const other = fleet.refreshers[1] ?? assert.fail()
  fulfilled(await fleet.time.until(Promise.allSettled([renewing, other.answer(about('TokenRejected', token.id))])))
  const now = (await fleet.time.until(fleet.caller.get())).token
  assert.ok(now.issuedAt >= rejectedAt, 'what was asked for before may be refused as the other was')
  assert.equal(fleet.requests().length, 3)
})

test("a user's token is only dropped, because the password is not stored", async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), { changes: password })
  const { token } = await fleet.time.until(fleet.caller.get(alice))
  await fleet.caller.delete(token.id)
  fulfilled(await fleet.answer(about('TokenRejected', token.id), 2))
  assert.equal(fleet.requests().length, 1)
  const again = await fleet.time.until(fleet.caller.get(alice))
  assert.notEqual(again.token.id, token.id)
  await fleet.time.advance(20_000)
  fulfilled(await fleet.answer(about('TokenRejected', again.token.id)))
  assert.equal(fleet.requests().length, 2)
  assert.equal((await fleet.time.until(fleet.caller.get(alice))).source, 'server')
})

test('a change of elements ends the tokens of users, and requests no new ones', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), { changes: password })
  await fleet.time.until(fleet.caller.get(alice))
  fleet.change({ oAuth: { ...password.oAuth, scope: 'new' } })
  fulfilled(await fleet.answer({ type: 'ConnectionChanged', connection: 'conn' }))
  assert.equal(fleet.requests().length, 1)
  assert.equal((await fleet.time.until(fleet.caller.get(alice))).token.scope, 'new')
})

test('an event whose renewal fails is repeated, and only the reason is announced', async () => {
  const answers = [virtualToken(), { status: 200, body: '<html>' }, virtualRefusal('invalid_client')]
  const { fleet, token } = await theToken(({ index }) => answers[index] ?? virtualToken())
  const refresher = createRefresher(fleet, answers)
  await fleet.time.advance(217_000)
  const requested = about('TokenRefreshRequested', token.id)
  await assert.rejects(fleet.time.until(refresher.answer(requested)), { code: 'cooling_down' })
  await fleet.time.advance(31_000)
  await assert.rejects(fleet.time.until(refresher.answer(requested)), { code: 'cooling_down' })
  assert.deepEqual(fleet.bus.raised, [
    { type: 'TokenRefreshFailed', connection: 'conn', code: 'unreadable_answer' },
    { type: 'ConnectionRefused', connection: 'conn', error: 'invalid_client' },
  ])
  const tried = () => refresher.events.filter(({ event }) => event === 'renewal_failed').length
  const before = tried()
  await assert.rejects(fleet.time.until(refresher.answer(requested)), { code: 'cooling_down' })
  assert.equal(fleet.bus.raised.length, 2, 'a cool-down that goes on is no news')
  assert.equal(tried(), before, 'nor is it tried')
  await fleet.time.advance(31_000)
  await fleet.time.until(refresher.answer(requested))
  assert.equal(fleet.bus.of('TokenRefreshed').length, 1)
})

/** A server that gives the second answer from the second request on. */
function createRefresher(fleet: FleetWithEventBus, answers: readonly Awaited<ReturnType<VirtualEndpoint>>[]) {
  return fleet.join({}, ({ index }) => answers[index + 1] ?? virtualToken())
}

test('after an operator clears a connection, no earlier token is handed out, and tokens in use are obtained again', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  const old = await fleet.getAll(['one', 'two'])
  const oldIds = old.map(({ token }) => token.id)
  fulfilled(await fleet.answer(clear))
  assert.equal(fleet.requests().length, 4)
  for (const { token, source } of await fleet.getAll(['one', 'two'])) {
    assert.ok(!oldIds.includes(token.id))
    assert.equal(source, 'cache')
  }
  fulfilled(await fleet.answer({ type: 'ClearTokenCache', connection: 'nowhere' }))
})

test('a clearing happens once even if some tokens cannot be obtained again, and those stay due', async () => {
  let isRefused = false
  const fleet = createFleetWithEventBus(({ form }) =>
    isRefused && form.get('audience') === 'two' ? { status: 200, body: '<html>' } : virtualToken(),
  )
  await fleet.getAll(['one', 'two'])
  isRefused = true
  fulfilled(await fleet.answer(clear))
  assert.equal(fleet.bus.of('TokenRefreshFailed').length, 1)
  isRefused = false
  await fleet.time.advance(30_000)
  const run = await fleet.time.until(fleet.refresher.warm())
  assert.deepEqual([run.due, run.renewed], [1, 1])
  const before = fleet.requests().length
  await fleet.getAll(['one', 'two'])
  assert.equal(fleet.requests().length, before)
})

const manyConnections: RawElements = {
  ...exampleElements(exampleIssuer),
  jwtBuilder: {
    theBuilder: { issuer: 'theClient', jwkEnabled: true },
    other: { issuer: 'theClient', jwkEnabled: true },
  },
  oAuthTokenConfig: {
    theTokenConfig: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'theClient' },
    other: { tokenGeneratorRef: 'other', tokenSubject: 'theClient' },
  },
  oAuthConfig: {
    theConfig: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' },
    other: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'other' },
  },
  endpointConnection: {
    conn: { authenticationConfigRef: 'theConfig' },
    second: { authenticationConfigRef: 'theConfig' },
    third: { authenticationConfigRef: 'other' },
  },
}

async function theMany(names: readonly string[] = ['conn', 'second', 'third']) {
  const fleet = createFleetWithEventBus(() => virtualToken())
  fleet.change({}, manyConnections)
  for (const connection of names) await fleet.time.until(fleet.caller.get({ connection }))
  return fleet
}

test('a clearing of all connections raises one event for each connection', async () => {
  const fleet = await theMany()
  fulfilled(await fleet.answer({ type: 'ClearTokenCache' }))
  assert.deepEqual(
    fleet.bus
      .of('ClearTokenCache')
      .map(({ connection }) => connection)
      .sort(),
    ['conn', 'second', 'third'],
  )
  assert.equal(fleet.requests().length, 3)
  await fleet.deliver()
  assert.equal(fleet.requests().length, 6)
})

test('thirty clearings of a connection in half a minute, in several processes, count as two', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), { size: 3 })
  const audiences = Array.from({ length: 20 }, (_, index) => `audience-${index}`)
  await fleet.getAll(audiences)
  for (let count = 0; count < 30; count++) {
    fulfilled(await fleet.answer(clear, 3))
    await fleet.time.advance(1_100)
  }
  assert.equal(fleet.requests().length, 3 * audiences.length)
  const skipped = fleet.refreshers.flatMap(({ events }) => events.filter(({ event }) => event === 'clearing_skipped'))
  assert.deepEqual(new Set(skipped.map((each) => JSON.stringify(each))).size, 1)
  assert.equal(skipped.length, 3 * 30 - 2)
})

test('a clearing counts for half a minute, even if the elements change meanwhile', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  const clearAndCount = async () => {
    const before = fleet.requests().length
    fulfilled(await fleet.answer(clear))
    return fleet.requests().length - before
  }
  await fleet.getAll(['one'])
  fleet.change({ oAuth: { scope: 'read' } })
  fulfilled(await fleet.answer({ type: 'ConnectionChanged', connection: 'conn' }))
  assert.equal(await clearAndCount(), 1, 'new elements are no clearing')
  fleet.change({ oAuth: { scope: 'write' } })
  fulfilled(await fleet.answer({ type: 'ConnectionChanged', connection: 'conn' }))
  await fleet.time.advance(29_000)
  assert.equal(await clearAndCount(), 0)
  await fleet.time.advance(2_000)
  assert.equal(await clearAndCount(), 1)
})

test('all connections are cleared once in half a minute, however often and in however many processes that is requested', async () => {
  const fleet = await theMany()
  const clearAll: IncomingEvent = { type: 'ClearTokenCache' }
  for (let count = 0; count < 10; count++) fulfilled(await fleet.answer(clearAll, 2))
  assert.equal(fleet.bus.of('ClearTokenCache').length, 3)
  await fleet.deliver()
  assert.equal(fleet.requests().length, 6)
  await fleet.time.advance(31_000)
  fulfilled(await fleet.answer(clearAll))
  await fleet.deliver()
  assert.equal(fleet.requests().length, 9)
})

test('a clearing of all connections that the bus did not accept starts anew when its event is repeated', async () => {
  const fleet = await theMany()
  fleet.bus.refuse()
  const [failed] = await fleet.answer({ type: 'ClearTokenCache' })
  assert.equal(failed?.status, 'rejected')
  fleet.bus.refuse(false)
  fulfilled(await fleet.answer({ type: 'ClearTokenCache' }))
  assert.equal(fleet.bus.of('ClearTokenCache').length, 3)
})

test('a change of an element raises an event for each connection that depends on it, and for no other', async () => {
  for (const [kind, id, dependents] of [
    ['jwtBuilder', 'theBuilder', ['conn', 'second']],
    ['jwtBuilder', 'other', ['third']],
    ['authorizationServer', 'theServer', ['conn', 'second', 'third']],
    ['oAuthConfig', 'other', ['third']],
    ['endpointConnection', 'second', ['second']],
    ['endpointConnection', 'deleted', ['deleted']],
    // The connection may have presented another certificate before.
    ['ssl', 'defaultSSLConfig', ['conn', 'second', 'third']],
    ['keyStore', 'theTrust', []],
    ['jwtBuilder', 'unknown', []],
  ] as const) {
    const fleet = await theMany([])
    fulfilled(await fleet.answer({ type: 'ElementChanged', kind, id }))
    assert.deepEqual(
      fleet.bus
        .of('ConnectionChanged')
        .map(({ type, connection }) => `${type} ${connection}`)
        .sort(),
      dependents.map((name) => `ConnectionChanged ${name}`),
    )
  }
})

test('a changed jwtBuilder leads to new tokens of the connections that use it', async () => {
  const fleet = await theMany()
  const builder = { ...manyConnections['jwtBuilder'], theBuilder: { issuer: 'another', jwkEnabled: true } }
  fleet.change({}, { ...manyConnections, jwtBuilder: builder })
  fulfilled(await fleet.answer({ type: 'ElementChanged', kind: 'jwtBuilder', id: 'theBuilder' }))
  await fleet.deliver()
  assert.deepEqual(
    fleet
      .requests()
      .slice(3)
      .map(({ claims }) => claims['iss']),
    ['another', 'another'],
  )
})

test('the reconciliation raises an event for every connection that the fleet has had a token for', async () => {
  const fleet = await theMany(['conn', 'third'])
  fulfilled(await fleet.answer({ type: 'ReconcileElements' }))
  assert.deepEqual(
    fleet.bus
      .of('ConnectionChanged')
      .map(({ connection }) => connection)
      .sort(),
    ['conn', 'third'],
  )
  await fleet.deliver()
  assert.equal(fleet.requests().length, 2, 'nothing has changed')
})

test('the reconciliation of many connections raises an event for each of them', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  const names = Array.from({ length: 250 }, (_, index) => `conn-${index}`)
  const endpointConnection = Object.fromEntries(names.map((name) => [name, { authenticationConfigRef: 'theConfig' }]))
  fleet.change({}, { endpointConnection })
  await fleet.time.until(Promise.all(names.map((connection) => fleet.caller.get({ connection }))))
  fulfilled(await fleet.answer({ type: 'ReconcileElements' }))
  assert.deepEqual(new Set(fleet.bus.of('ConnectionChanged').map(({ connection }) => connection)), new Set(names))
  assert.equal(fleet.bus.raised.length, 250)
})

test('if the bus does not accept an event, the answered event is repeated', async () => {
  const fleet = await theMany()
  fleet.bus.refuse()
  for (const event of [
    { type: 'ElementChanged', kind: 'jwtBuilder', id: 'theBuilder' },
    { type: 'ReconcileElements' },
    { type: 'ClearTokenCache' },
  ] as const) {
    const [answered] = await fleet.answer(event)
    assert.ok(answered?.status === 'rejected' && answered.reason instanceof EventBusError)
  }
})

test('a bus that does not accept announcements fails no event', async () => {
  const { fleet, token } = await theToken()
  await fleet.time.advance(217_000)
  fleet.bus.refuse()
  fulfilled(await fleet.answer(about('TokenRefreshRequested', token.id)))
  assert.notEqual(await idNow(fleet), token.id)
  const told = fleet.refresher.events.filter(({ event }) => event === 'event_not_raised')
  assert.deepEqual(
    told.map((event) => 'type' in event && event.type),
    ['TokenRefreshed'],
  )
})

test('after a client certificate is replaced, only the connections that present it get new tokens', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  fleet.change(
    {},
    {
      ...manyConnections,
      ssl: { ...manyConnections['ssl'], mutual: { keyStoreRef: 'theCertificate' } },
      keyStore: { ...manyConnections['keyStore'], theCertificate: { location: 'tokenwell/local/the-certificate' } },
      authorizationServer: {
        ...manyConnections['authorizationServer'],
        presenting: { ...manyConnections['authorizationServer']?.['theServer'], sslCertsRef: 'mutual' },
      },
      oAuthConfig: {
        ...manyConnections['oAuthConfig'],
        other: { ...manyConnections['oAuthConfig']?.['other'], authServerRef: 'presenting' },
      },
    },
  )
  for (const connection of ['conn', 'third']) await fleet.time.until(fleet.caller.get({ connection }))
  fulfilled(await fleet.answer({ type: 'SecretChanged', name: 'tokenwell/local/the-certificate' }))
  assert.deepEqual(fleet.bus.of('ClearTokenCache'), [{ type: 'ClearTokenCache', connection: 'third' }])
  await fleet.deliver()
  assert.equal(fleet.requests().length, 3)
  fulfilled(await fleet.answer({ type: 'SecretChanged', name: 'tokenwell/local/another' }))
  assert.equal(fleet.bus.of('ClearTokenCache').length, 1)
})

test('an ignored event has no effect', async () => {
  const { fleet } = await theToken()
  fulfilled(await fleet.answer({ type: 'Ignored', why: 'of another stage' }))
  assert.deepEqual(fleet.bus.raised, [])
  assert.equal(fleet.requests().length, 1)
})

test('while the shared cache fails, events fail and no token is requested, and afterwards they succeed', async () => {
  const store = createFaultInjectingStore()
  const { fleet, token } = await theToken(undefined, { store })
  await fleet.time.advance(217_000)
  store.before = { read: isDown, write: isDown }
  const events: readonly IncomingEvent[] = [
    about('TokenRefreshRequested', token.id),
    about('TokenRejected', token.id),
    clear,
    { type: 'SecretChanged', name: 'tokenwell/test/some' },
    { type: 'ReconcileElements' },
  ]
  for (const event of events) {
    const [answered] = await fleet.answer(event)
    assert.ok(answered?.status === 'rejected' && answered.reason instanceof CacheUnavailableError, event.type)
  }
  assert.equal(fleet.requests().length, 1)
  store.before = isFine
  await fleet.time.advance(6_000)
  for (const event of events) fulfilled(await fleet.answer(event))
  assert.notEqual(await idNow(fleet), token.id)
})

test('a process that was frozen during a renewal does no harm when it resumes', async () => {
  const { fleet, token } = await theToken()
  await fleet.time.advance(217_000)
  const waking = Promise.withResolvers<void>()
  const frozen = fleet.join({}, async () => {
    await waking.promise
    return virtualToken()
  })
  const late = frozen.answer(about('TokenRefreshRequested', token.id)).catch(() => {})
  await fleet.time.advance(13_100)
  fulfilled(await fleet.answer(about('TokenRefreshRequested', token.id)))
  const id = await idNow(fleet)
  assert.notEqual(id, token.id)
  waking.resolve()
  await fleet.time.until(late)
  assert.equal(await idNow(fleet), id)
  assert.equal(fleet.requests().length, 3)
  assert.deepEqual(new Set(fleet.bus.of('TokenRefreshed').map(({ tokenId }) => tokenId)), new Set([id]))
})

test('no event, and no log line about it, holds a token, a parameter, a user or a password', async () => {
  const asked = {
    scope: ['the-planted-scope'],
    resource: ['https://the-planted-resource.example'],
    audience: 'the-planted-audience',
    further: { tenant: 'the-planted-tenant' },
  }
  const user = { username: 'the-planted-user', password: new Secret('the planted password') }
  const accessTokens: string[] = []
  const refusals = ['invalid_scope', 'invalid_client', 'invalid_target']
  let isRefused = false
  const endpoint: VirtualEndpoint = () => {
    if (isRefused) return virtualRefusal(refusals.shift() ?? 'invalid_scope')
    const accessToken = `the-planted-token-${accessTokens.length}`
    accessTokens.push(accessToken)
    return virtualToken({ access_token: accessToken })
  }
  const fleet = createFleetWithEventBus(endpoint)
  const users = createFleetWithEventBus(endpoint, { changes: password })
  const { token } = await fleet.time.until(fleet.caller.get(asked))
  const { token: usersToken } = await users.time.until(users.caller.get(user))
  await users.caller.delete(usersToken.id)
  await fleet.time.advance(217_000)
  await fleet.caller.get(asked)
  await fleet.deliver()
  fleet.change({ tokenConfig: { claims: { note: 'the-planted-claim' } } })
  fulfilled(await fleet.answer({ type: 'ConnectionChanged', connection: 'conn' }))
  assert.equal(fleet.requests().at(-1)?.claims['note'], 'the-planted-claim')
  await fleet.answer({ type: 'ClearTokenCache' })
  await fleet.deliver()
  isRefused = true
  for (let count = 0; count < 4; count++) {
    await fleet.time.advance(400_000)
    await fleet.answer(about('TokenRejected', token.id))
    await fleet.answer(clear)
    await fleet.time.until(fleet.refresher.warm())
  }
  const processes = [fleet, users].flatMap(({ callers, refreshers }) => [...callers, ...refreshers])
  const said = [fleet.bus.raised, users.bus.raised, processes.map(({ events }) => events)].map((each) =>
    JSON.stringify(each),
  )
  const types = new Set([...fleet.bus.raised, ...users.bus.raised].map(({ type }) => type))
  for (const type of ['TokenRefreshRequested', 'TokenRejected', 'ClearTokenCache', 'TokenRefreshed'] as const)
    assert.ok(types.has(type), type)
  assert.ok(types.has('ConnectionRefused') || types.has('TokenRefreshFailed'))
  const parameters = [...asked.scope, ...asked.resource, asked.audience, asked.further.tenant]
  const planted = [...accessTokens, ...parameters, user.username]
  assert.deepEqual(leaks([...planted, user.password.reveal(), 'the-planted-claim'], said), [])
})
