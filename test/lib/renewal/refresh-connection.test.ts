import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { ConfigurationError, UnknownConnectionError } from '../../../lib/configuration/finding.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import { type ConnectionRecord, readConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import type { StoredRecord } from '../../../lib/fleet/record-store.ts'
import { connectionRecordName } from '../../../lib/fleet/record-store.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import {
  changed,
  createFleetWithEventBus,
  type FleetWithEventBus,
  type FleetWithEventBusOptions,
  fulfilled,
  watchCallers,
} from '../../support/virtual/fleet-with-event-bus.ts'
import { changeableElements, virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint, VirtualRequest } from '../../support/virtual/virtual-ports.ts'
import { plainFingerprints } from '../../support/virtual/virtual-ports.ts'

const audiences = ['one', 'two', 'three']
const scopeOf = ({ form }: VirtualRequest) => form.get('scope')
const scoped = (scope: string) => ({ oAuth: { scope } })

/** A fleet with a token for each audience. Each token was used a second ago, and no token was requested since. */
async function theWarm(endpoint: VirtualEndpoint = () => virtualToken(), options?: FleetWithEventBusOptions) {
  const fleet = createFleetWithEventBus(endpoint, options)
  const old = await fleet.getAll(audiences)
  await fleet.time.advance(1_000)
  return { fleet, old }
}

async function recordOf({ caller }: FleetWithEventBus): Promise<ConnectionRecord> {
  const [record] = await caller.store.read([connectionRecordName('conn')])
  return readConnectionRecord(record ?? assert.fail('there is a record'), caller.time.now())
}

for (const cacheLatency of [0, 5])
  test(`the old tokens are handed out until the new ones are there, and no caller waits (store: ${cacheLatency} ms)`, async () => {
    const { fleet, old } = await theWarm(undefined, { latency: 3_000, cacheLatency })
    const oldIds = old.map(({ token }) => token.id)
    fleet.change(scoped('new'))
    const watch = watchCallers(fleet, audiences)
    const start = fleet.time.now()
    fulfilled(await fleet.answer(changed))
    const end = fleet.time.now()
    await fleet.time.advance(100)
    await watch.end()

    assert.deepEqual(watch.failures, [])
    assert.equal(watch.longestWait(), cacheLatency, 'a look, and nothing else')
    assert.deepEqual(fleet.requests().map(scopeOf), [null, null, null, 'new', 'new', 'new'])
    for (const { at, answer } of watch.answers) {
      if (at < start + 3_000) assert.ok(oldIds.includes(answer.token.id), 'the new ones are not there yet')
      if (at > end) assert.equal(answer.token.scope, 'new')
    }
    const news = await fleet.getAll(audiences)
    assert.deepEqual(
      fleet.bus
        .of('TokenRefreshed')
        .map(({ tokenId }) => tokenId)
        .sort(),
      news.map(({ token }) => token.id).sort(),
    )
    assert.equal(fleet.requests().length, 6)
  })

for (const maximumConcurrency of [1, 2, 10])
  test(`a change that three processes handle at once costs one token request for each token (${maximumConcurrency} at a time)`, async () => {
    const server = { maximumConcurrency }
    const { fleet } = await theWarm(undefined, { changes: { server }, size: 3, latency: 700, cacheLatency: 3 })
    fleet.change({ ...scoped('new'), server })
    const watch = watchCallers(fleet, audiences)
    const start = fleet.time.now()
    fulfilled(await fleet.answer(changed, 3))
    assert.ok(fleet.time.now() - start < 5_000, `${fleet.time.now() - start} ms`)
    await watch.end()
    assert.equal(watch.longestWait(), 3)
    assert.equal(fleet.requests().length, 6)
    fulfilled(await fleet.answer(changed, 3))
    assert.equal(fleet.requests().length, 6, 'nor does one that comes late')
  })

test('staging keeps to the concurrency of the authorization server', async () => {
  let [now, most] = [0, 0]
  const endpoint: VirtualEndpoint = async () => {
    most = Math.max(most, ++now)
    await fleet.time.pause(100)
    now--
    return virtualToken()
  }
  const server = { maximumConcurrency: 2 }
  const fleet = createFleetWithEventBus(endpoint, { changes: { server } })
  await fleet.getAll([...audiences, 'four', 'five'])
  most = 0
  fleet.change({ ...scoped('new'), server })
  fulfilled(await fleet.answer(changed))
  assert.equal(most, 2)
})

test('every instance that has tokens in memory follows within 30 s', async () => {
  const { fleet } = await theWarm(undefined, { memoryMaximumSeconds: 30, size: 4 })
  const ask = () => fleet.time.until(Promise.all(fleet.callers.map(({ get }) => get({ audience: 'one' }))))
  await ask()
  fleet.change(scoped('new'))
  fulfilled(await fleet.answer(changed))
  await fleet.time.advance(30_000)
  for (const { token } of await ask()) assert.equal(token.scope, 'new')
  assert.equal(fleet.requests().length, 6)
})

test('changed elements that affect no token are active at once, without a token request', async () => {
  const { fleet, old } = await theWarm()
  const before = await recordOf(fleet)
  fleet.change({ server: { maximumConcurrency: 3, receiveTimeout: '5s' }, endpoint: { warmIdle: '2h' } })
  fulfilled(await fleet.answer(changed))
  const { generation, staged, warming } = await recordOf(fleet)
  assert.deepEqual([generation, staged], [before.generation, undefined])
  assert.deepEqual([warming?.maximumConcurrency, warming?.idleMilliseconds], [3, 7_200_000])
  assert.equal(fleet.requests().length, 3)
  const again = await fleet.getAll(audiences)
  assert.deepEqual(
    again.map(({ token }) => token.id),
    old.map(({ token }) => token.id),
  )
})

test('if the server refuses the new elements, the old tokens still end', async () => {
  const refuse: VirtualEndpoint = (request) =>
    scopeOf(request) === 'wrong' ? virtualRefusal('invalid_client') : virtualToken()
  const { fleet } = await theWarm(refuse)
  const start = fleet.time.now()
  fleet.change(scoped('wrong'))
  const [first] = await fleet.answer(changed)
  assert.equal(first?.status, 'rejected', 'it comes again')
  assert.ok(fleet.time.now() - start < 30_000)
  await assert.rejects(fleet.getAll(audiences), { code: 'cooling_down' })
  assert.ok(fleet.bus.of('ConnectionRefused').length > 0)
  assert.deepEqual(new Set(fleet.bus.raised.map(({ type }) => type)), new Set(['ConnectionRefused']))

  fleet.change(scoped('right'))
  fulfilled(await fleet.answer(changed))
  for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'right')
})

test('a refused client causes one token request, not one for each token', async () => {
  const endpoint: VirtualEndpoint = (request) =>
    scopeOf(request) === 'wrong' ? virtualRefusal('invalid_client') : virtualToken()
  const server = { maximumConcurrency: 1 }
  const { fleet } = await theWarm(endpoint, { changes: { server } })
  fleet.change({ ...scoped('wrong'), server })
  await fleet.answer(changed)
  assert.equal(fleet.requests().length, 4)
  assert.equal(fleet.bus.raised.length, 1, 'and told of once')
})

test('tokens that were not staged in time are obtained as soon as the cool-down ends, without a caller', async () => {
  let isBroken = true
  const endpoint: VirtualEndpoint = (request) =>
    isBroken && scopeOf(request) === 'new' ? { status: 503, body: '' } : virtualToken()
  const { fleet } = await theWarm(endpoint)
  fleet.change(scoped('new'))
  const [first] = await fleet.answer(changed)
  assert.equal(first?.status, 'rejected')
  isBroken = false
  await fleet.time.advance(61_000)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).due, 3)
  // The first request found that the server works again.
  await fleet.time.advance(59_000)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).failed, 0)
  const watch = watchCallers(fleet, audiences)
  await watch.end()
  assert.equal(watch.longestWait(), 0)
})

test('if the server does not answer, the new elements are active within half a minute', async () => {
  const silent = Promise.withResolvers<never>()
  const { fleet } = await theWarm((request) => (scopeOf(request) === 'new' ? silent.promise : virtualToken()))
  fleet.change(scoped('new'))
  const answering = fleet.refresher.answer(changed).catch((error: unknown) => error)
  await fleet.time.advance(19_000)
  const { generation } = await recordOf(fleet)
  await fleet.time.advance(11_000)
  assert.ok((await recordOf(fleet)).generation > generation)
  silent.reject(new Error('the connection is lost'))
  await fleet.time.until(answering)
})

test('one token that cannot be obtained does not delay the others', async () => {
  const endpoint: VirtualEndpoint = (request) =>
    scopeOf(request) === 'new' && request.form.get('audience') === 'two'
      ? virtualRefusal('invalid_target')
      : virtualToken()
  const { fleet } = await theWarm(endpoint)
  fleet.change(scoped('new'))
  await fleet.answer(changed)
  const watch = watchCallers(fleet, ['one', 'three'])
  await watch.end()
  assert.equal(watch.longestWait(), 0)
  assert.deepEqual(watch.failures, [])
  await assert.rejects(fleet.getAll(['two']), { code: 'cooling_down' })
  assert.equal((await recordOf(fleet)).variants.length, 2, 'who asked for it has to hear of it')
})

test('elements with mistakes change nothing, and the event fails', async () => {
  const { fleet, old } = await theWarm()
  const before = await recordOf(fleet)
  fleet.change({ server: { tokenEndpoint: 'no URL' } })
  const [answered] = await fleet.answer(changed)
  assert.ok(answered?.status === 'rejected' && answered.reason instanceof ConfigurationError)
  assert.deepEqual(await recordOf(fleet), before)
  assert.deepEqual(
    (await fleet.getAll(audiences)).map(({ token }) => token.id),
    old.map(({ token }) => token.id),
  )
})

test('the tokens of a deleted connection end, and its callers get unknown_connection', async () => {
  const { fleet } = await theWarm()
  fleet.change({}, { endpointConnection: {} })
  fulfilled(await fleet.answer(changed, 2))
  for (const { get } of fleet.callers)
    await assert.rejects(fleet.time.until(get({ audience: 'one' })), UnknownConnectionError)
  fulfilled(await fleet.answer(changed))
  fleet.change({})
  fulfilled(await fleet.answer(changed))
  assert.equal(fleet.requests().length, 6, 'when it is there again so are the tokens that were in use')
  await fleet.getAll(audiences)
  assert.equal(fleet.requests().length, 6)
})

test('a change that is taken back while tokens are obtained for it changes nothing', async () => {
  const { fleet, old } = await theWarm(undefined, { latency: 2_000 })
  fleet.change(scoped('new'))
  const first = fleet.refresher.answer(changed)
  await fleet.time.advance(500)
  fleet.change({})
  fulfilled(
    await fleet.time.until(Promise.allSettled([first, fleet.refreshers[1]?.answer(changed)].map(async (each) => each))),
  )
  assert.deepEqual(
    (await fleet.getAll(audiences)).map(({ token }) => token.id),
    old.map(({ token }) => token.id),
  )
  fleet.change(scoped('new'))
  fulfilled(await fleet.answer(changed))
  for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'new')
})

test('elements that change again during staging are staged by the same process', async () => {
  const { fleet, old } = await theWarm(undefined, { latency: 2_000 })
  for (const [scope, expected] of [
    ['third', 'third'],
    [undefined, undefined],
  ]) {
    fleet.change(scoped('second'))
    const answering = fleet.refresher.answer(changed)
    await fleet.time.advance(500)
    fleet.change(scope === undefined ? {} : scoped(scope))
    await fleet.time.until(answering)
    for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, expected)
  }
  assert.notEqual((await fleet.getAll(['one']))[0]?.token.id, old[0]?.token.id)
})

test('if the elements cannot be read again, the elements that were read become active', async () => {
  const { fleet } = await theWarm(undefined, { latency: 2_000 })
  const elements = changeableElements(exampleElements(exampleIssuer, scoped('new')))
  let isDown = false
  const refresher = fleet.join({
    elements: {
      ...elements,
      get: (references) =>
        isDown ? Promise.reject(new ElementStoreError('elements_unreachable', 'it fails')) : elements.get(references),
    },
  })
  fleet.change(scoped('new'))
  const answering = refresher.answer(changed)
  await fleet.time.advance(500)
  isDown = true
  await fleet.time.until(answering)
  const before = fleet.requests().length
  for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'new')
  assert.equal(fleet.requests().length, before)
})

test('the later of two changes becomes active, in whatever order their events arrive and are answered', async () => {
  for (const pause of [0, 100, 1_900, 2_000, 2_100, 4_100]) {
    const { fleet } = await theWarm(undefined, { latency: 2_000, cacheLatency: 3 })
    fleet.change(scoped('second'))
    const watch = watchCallers(fleet, audiences)
    const start = fleet.time.now()
    const first = fleet.refresher.answer(changed)
    await fleet.time.advance(pause)
    fleet.change(scoped('third'))
    const second = fleet.refreshers[1]?.answer(changed) ?? assert.fail()
    fulfilled(await fleet.time.until(Promise.allSettled([first, second])))
    await watch.end()
    assert.ok(fleet.time.now() - start < pause + 5_000, `${fleet.time.now() - start} ms after ${pause} ms`)
    const asked = Object.groupBy(fleet.requests(), (request) => scopeOf(request) ?? 'first')
    assert.ok((asked['second']?.length ?? 0) <= 3, 'what is to come no more is not asked for again')
    assert.equal(asked['third']?.length, 3)
    for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'third', `after ${pause} ms`)
    assert.equal(watch.longestWait(), 3, `after ${pause} ms`)
    assert.deepEqual(watch.failures, [])
  }
})

for (const [moment, isFrozenAt] of [
  ['before it has said so', (call: number) => call === 1],
  ['before they come into force', (call: number) => call === 2],
] as const)
  test(`a process that was frozen with older elements, ${moment}, does not make those active again`, async () => {
    const { fleet } = await theWarm()
    const older = changeableElements(exampleElements(exampleIssuer, scoped('older')))
    const waking = Promise.withResolvers<void>()
    let calls = 0
    const connections = createConnectionCache({
      fingerprints: plainFingerprints,
      elements: older,
      deployment: localDeployment,
      now: fleet.time.now,
      pause: fleet.time.pause,
      log() {},
    })
    const frozen = fleet.join({
      connections: {
        ...connections,
        async readAgain(name) {
          const known = await connections.readAgain(name)
          if (isFrozenAt(++calls)) await waking.promise
          return known
        },
      },
    })
    const late = frozen.answer(changed, 3_600_000)
    await fleet.time.advance(1_000)
    fleet.change(scoped('newer'))
    fulfilled(await fleet.answer(changed))
    older.change(exampleElements(exampleIssuer, scoped('newer')))
    await fleet.time.advance(60_000)
    waking.resolve()
    await fleet.time.until(late)
    assert.equal((await recordOf(fleet)).staged, undefined)
    const before = fleet.requests().length
    for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'newer')
    assert.equal(fleet.requests().length, before)
  })

test('tokens that are no longer used are not requested under new elements', async () => {
  const { fleet } = await theWarm(undefined, { changes: { endpoint: { warmIdle: '1h' } } })
  await fleet.time.advance(3_600_000)
  await fleet.getAll(['three'])
  fleet.change({ ...scoped('new'), endpoint: { warmIdle: '1h' } })
  fulfilled(await fleet.answer(changed))
  const asked = fleet.requests().filter((request) => scopeOf(request) === 'new')
  assert.deepEqual(
    asked.map(({ form }) => form.get('audience')),
    ['three'],
  )
})

test('no token is requested if no token is to be kept warm any more', async () => {
  const { fleet } = await theWarm()
  fleet.change({ ...scoped('new'), endpoint: { warm: false } })
  fulfilled(await fleet.answer(changed))
  assert.equal(fleet.requests().length, 3)
  const [{ token } = assert.fail()] = await fleet.getAll(['one'])
  assert.equal(token.scope, 'new')
})

test('for a connection without a token yet, no token is requested', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken())
  fulfilled(await fleet.answer(changed))
  assert.deepEqual(fleet.requests(), [])
  assert.deepEqual((await recordOf(fleet)).variants, [])
})

for (const [name, changes, code] of [
  ['changed', scoped('new'), undefined],
  ['disabled', { endpoint: { disabled: true } }, 'connection_disabled'],
] as const)
  test(`elements that an instance read before they were ${name} bring no token after the event, even the first one`, async () => {
    const fleet = createFleetWithEventBus(() => virtualToken(), { size: 3 })
    await assert.rejects(fleet.time.until(fleet.caller.get({ grantType: 'password' })), { code: 'invalid_request' })
    fleet.change(changes)
    fulfilled(await fleet.answer(changed, 3))
    const first = fleet.time.until(fleet.caller.get({ audience: 'one' }))
    if (code) await assert.rejects(first, { code })
    else assert.equal((await first).token.scope, 'new')
    assert.deepEqual(fleet.requests().map(scopeOf), code ? [] : ['new'])
  })

test('elements with mistakes of a connection without a token yet cause no failure', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), { changes: { server: { tokenEndpoint: 'no URL' } } })
  fulfilled(await fleet.answer(changed))
  assert.deepEqual(await fleet.caller.store.read([connectionRecordName('conn')]), [undefined])
})

test('an instance that reads the new elements meanwhile makes them active, with the tokens that are staged', async () => {
  const endpoint: VirtualEndpoint = async (request) => {
    const audience = request.form.get('audience')
    if (scopeOf(request) === 'new' && audience === 'three') await fleet.time.pause(5_000)
    return virtualToken()
  }
  const fleet = createFleetWithEventBus(endpoint)
  await fleet.getAll(audiences)
  await fleet.time.advance(1_000)
  fleet.change(scoped('new'))
  const answering = fleet.refresher.answer(changed)
  await fleet.time.advance(1_000)
  const stranger = fleet.join()
  assert.equal((await fleet.time.until(stranger.get({ audience: 'other' }))).token.scope, 'new')
  const watch = watchCallers(fleet, ['one', 'two'])
  await watch.end()
  assert.equal(watch.longestWait(), 0)
  for (const { answer } of watch.answers) assert.equal(answer.token.scope, 'new')
  await fleet.time.until(answering)
  const before = fleet.requests().length
  await fleet.getAll(audiences)
  assert.equal(fleet.requests().length, before)
})

test('a renewal under the old elements keeps the staged token', async () => {
  const { fleet, old } = await theWarm(async (request) => {
    if (scopeOf(request) === 'new' && request.form.get('audience') === 'three') await fleet.time.pause(5_000)
    return virtualToken()
  })
  fleet.change(scoped('new'))
  const answering = fleet.refresher.answer(changed)
  await fleet.time.advance(1_000)
  const [{ token } = assert.fail()] = old
  const other = fleet.join({ elements: changeableElements(exampleElements(exampleIssuer)) })
  await other.delete(token.id)
  await fleet.time.until(other.get({ audience: 'one' }))
  const before = fleet.requests().length
  await fleet.time.until(answering)
  const [next] = await fleet.getAll(['one'])
  assert.equal(next?.token.scope, 'new')
  assert.equal(fleet.requests().length, before)
})

test('if an operator clears the connection meanwhile, no earlier token is handed out', async () => {
  const { fleet } = await theWarm(async (request) => {
    if (scopeOf(request) === 'new' && request.form.get('audience') === 'three') await fleet.time.pause(5_000)
    return virtualToken()
  })
  fleet.change(scoped('new'))
  const answering = fleet.refresher.answer(changed)
  await fleet.time.advance(1_000)
  const clearedAt = fleet.time.now()
  fulfilled(
    await fleet.time.until(
      Promise.allSettled(
        [fleet.refreshers[1]?.answer({ type: 'ClearTokenCache', connection: 'conn' })].map(async (each) => each),
      ),
    ),
  )
  await fleet.time.until(answering)
  for (const { token } of await fleet.getAll(audiences)) {
    assert.equal(token.scope, 'new')
    assert.ok(token.issuedAt >= clearedAt)
  }
})

test('after a short failure of the shared cache, the change is active within a minute', async () => {
  for (const failsFrom of [0, 1, 500]) {
    const store = createFaultInjectingStore()
    const { fleet } = await theWarm(undefined, { store, latency: 1_000 })
    fleet.change(scoped('new'))
    const answering = fleet.refresher.answer(changed)
    await fleet.time.advance(failsFrom)
    store.before = { read: isDown, write: isDown }
    await fleet.time.advance(12_000)
    store.before = isFine
    await fleet.time.until(answering)
    await fleet.time.advance(6_000)
    for (const { token } of await fleet.getAll(audiences))
      assert.equal(token.scope, 'new', `failing from ${failsFrom} ms on`)
  }
})

test('the same holds if the shared cache fails at the start, or at the activation', async () => {
  for (const isFailing of [
    () => true,
    (fields: StoredRecord['fields']) => fields['variants'] !== undefined && fields['nextGeneration'] === undefined,
  ]) {
    const store = createFaultInjectingStore()
    const { fleet } = await theWarm(undefined, { store })
    const failsUntil = fleet.time.now() + 12_000
    const fail = (fields: StoredRecord['fields']) => {
      if (fleet.time.now() < failsUntil && isFailing(fields)) isDown()
    }
    store.before = { read: () => fail({}), write: (_name, { fields }) => fail(fields) }
    fleet.change(scoped('new'))
    const start = fleet.time.now()
    fulfilled(await fleet.answer(changed))
    assert.ok(fleet.time.now() - start < 30_000)
    for (const { token } of await fleet.getAll(audiences)) assert.equal(token.scope, 'new')
  }
})

test('if the shared cache fails all the time, the event fails and is repeated', async () => {
  const store = createFaultInjectingStore()
  const { fleet } = await theWarm(undefined, { store })
  store.before = { read: isDown, write: isDown }
  fleet.change(scoped('new'))
  const start = fleet.time.now()
  const [answered] = await fleet.answer(changed)
  assert.ok(answered?.status === 'rejected' && answered.reason instanceof CacheUnavailableError)
  assert.ok(fleet.time.now() - start <= 55_000)
})
