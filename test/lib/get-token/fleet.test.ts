import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { RecordStoreError } from '../../../lib/fleet/record-store.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  type TokensInVirtualTimeOptions,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'
import { plainFingerprints } from '../../support/virtual/virtual-ports.ts'

/*
 * Processes that share one store, on one virtual clock. Tokens of 300 s are stale after 216 s (random value 0.5) and usable for
 * 270 s.
 */

interface Fleet {
  readonly processes: readonly TokensInVirtualTime[]
  readonly first: TokensInVirtualTime
  readonly time: TokensInVirtualTime['time']
  /** The number of requests from all processes that the server got. */
  requests(): number
  /** One or more callers in each process, at the same time. */
  getAll(callers?: number): ReturnType<TokensInVirtualTime['get']>[]
}

function createFleet(size: number, endpoint: VirtualEndpoint, options: TokensInVirtualTimeOptions = {}): Fleet {
  const first = createTokensInVirtualTime(endpoint, options)
  const others = Array.from({ length: size - 1 }, () =>
    createTokensInVirtualTime(endpoint, { ...options, fleet: first }),
  )
  return fleetOf([first, ...others])
}

function fleetOf(processes: readonly TokensInVirtualTime[]): Fleet {
  const [first = assert.fail('a fleet has a process')] = processes
  return {
    processes,
    first,
    time: first.time,
    requests: () => processes.reduce((sum, { requests }) => sum + requests.length, 0),
    getAll: (callers = 1) => processes.flatMap(({ get }) => Array.from({ length: callers }, () => get())),
  }
}

/** Pseudo-random numbers that are the same in each run. */
function someChance(): () => number {
  let state = 42
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

/** A store that counts its calls, and that fails or hangs on demand. */
function theStore() {
  const records = memoryRecords({ maximumRecords: 1_000 })
  const counts = { reads: 0, writes: 0 }
  let state: 'fine' | 'down' | 'silent' | 'throttled' = 'fine'
  async function call<T>(work: () => Promise<T>): Promise<T> {
    switch (state) {
      case 'fine':
        return work()
      case 'down':
        throw new RecordStoreError('connection refused')
      case 'silent':
        return new Promise<T>(() => {})
      case 'throttled':
        throw new RecordStoreError('it asks to wait', { isThrottled: true })
    }
  }
  const store: RecordStore = {
    read(names) {
      counts.reads++
      return call(() => records.read(names))
    },
    write(...change) {
      counts.writes++
      return call(() => records.write(...change))
    },
    due: (...query) => call(() => records.due(...query)),
  }
  return {
    store,
    counts,
    become(next: typeof state) {
      state = next
    },
  }
}

function failuresOf(settled: readonly PromiseSettledResult<unknown>[]): CoolingDownError[] {
  return settled.map((each) => {
    assert.equal(each.status, 'rejected')
    assert.ok(each.status === 'rejected' && each.reason instanceof CoolingDownError, String(each))
    return each.reason
  })
}

test('a fleet without tokens makes one request, however many processes and callers it has', async () => {
  for (const cacheLatency of [0, 7]) {
    const fleet = createFleet(16, () => virtualToken(), { random: someChance(), cacheLatency })
    const answers = await fleet.time.until(Promise.all(fleet.getAll(10)))
    assert.equal(fleet.requests(), 1)
    assert.equal(new Set(answers.map(({ token }) => token.id)).size, 1)
    const sources = Object.groupBy(answers, ({ source }) => source)
    assert.equal(sources.server?.length, 10, 'the values of the requesting process')
    assert.equal(sources.cache?.length, 150)
  }
})

test('over an hour of many token keys no assertion is sent twice, and each token is requested once in its lifetime', async () => {
  const fleet = createFleet(8, () => virtualToken(), { random: someChance(), memoryMaximumSeconds: 30 })
  const scopes = ['a', 'b', 'c']
  for (let moment = 0; moment < 360; moment++) {
    const calls = fleet.processes.flatMap(({ get }) => scopes.map((scope) => get({ scope: [scope] })))
    await fleet.time.until(Promise.all(calls))
    await fleet.time.advance(10_000)
  }
  const ids = fleet.processes.flatMap(({ requests }) => requests.map(({ claims }) => claims['jti']))
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.length >= scopes.length * 13 && ids.length <= scopes.length * 18, `${ids.length} requests`)
})

test('where the holder dies another process takes over one second after the lease, and the others wait for it', async () => {
  const store = theStore()
  const dead = createTokensInVirtualTime(() => new Promise(() => {}), { store: store.store })
  const heirs = Array.from({ length: 5 }, () =>
    createTokensInVirtualTime(() => virtualToken(), { fleet: dead, random: someChance() }),
  )
  const { time } = dead
  const start = time.now()
  dead.get().catch(() => {})
  await time.advance(100)
  assert.equal(dead.requests.length, 1)

  const fleet = fleetOf(heirs)
  const answers = await time.until(Promise.all(fleet.getAll(3)))
  assert.equal(fleet.requests(), 1)
  assert.equal(new Set(answers.map(({ token }) => token.id)).size, 1)
  const askedAt = heirs.flatMap(({ requests }) => requests.map(({ at }) => at - start))[0] ?? 0
  assert.ok(askedAt > 13_000 && askedAt <= 14_000, `${askedAt} ms after the holder began`)
})

test('a holder that wakes after another process took over stores nothing, and gets the token that the other one stored', async () => {
  const waking = Promise.withResolvers<void>()
  const slow = createTokensInVirtualTime(async () => {
    await waking.promise
    return virtualToken({ access_token: 'the-late-token' })
  })
  const heir = createTokensInVirtualTime(() => virtualToken(), { fleet: slow })
  const late = slow.get({}, 60_000)
  await slow.time.advance(13_001)
  const { token } = await slow.time.until(heir.get())
  waking.resolve()
  assert.equal((await slow.time.until(late)).token.id, token.id)
  assert.equal((await heir.get()).token.id, token.id)
})

test('a holder that lost its lease between two attempts makes no further attempt, and waits as the others do', async () => {
  const slow = createTokensInVirtualTime(async () => {
    await slow.time.pause(14_000)
    throw new UnreachableError('connection refused')
  })
  const heir = createTokensInVirtualTime(
    async () => {
      await slow.time.pause(2_000)
      return virtualToken()
    },
    { fleet: slow },
  )
  const late = slow.get({}, 60_000)
  await slow.time.advance(13_001)
  const [{ token }, answer] = await slow.time.until(Promise.all([heir.get(), late]))
  assert.equal(slow.requests.length, 1)
  assert.deepEqual([answer.token.id, answer.source], [token.id, 'cache'])
})

test('all processes get a refusal, and none makes a request until its cool-down ends', async () => {
  const fleet = createFleet(16, () => virtualRefusal('invalid_scope'), { random: someChance() })
  const told = failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll(10))))
  assert.equal(fleet.requests(), 1)
  for (const { failure } of told) assert.match(failure?.message ?? '', /refused the token request: invalid_scope/)

  for (let second = 0; second < 29; second++) {
    await fleet.time.advance(1_000)
    const later = failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll())))
    for (const { failure } of later) assert.equal(failure?.code, 'refused')
  }
  assert.equal(fleet.requests(), 1)
  await fleet.time.advance(2_000)
  failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll(10))))
  assert.equal(fleet.requests(), 2, 'one process makes the request for the whole fleet')
})

test('a refused client stops the requests of the whole fleet, for any token', async () => {
  const fleet = createFleet(4, () => virtualRefusal('invalid_client'), { random: someChance() })
  failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll(2))))
  for (const wait of [1_000, 1_500, 25_000]) {
    await fleet.time.advance(wait)
    const others = fleet.processes.flatMap(({ get }) => [get(), get({ scope: [`other-${wait}`] })])
    failuresOf(await fleet.time.until(Promise.allSettled(others)))
  }
  assert.equal(fleet.requests(), 1)
})

test('at the end of a cool-down one process makes a request to the fixed server, and all callers get the token', async () => {
  let isRefused = true
  const fleet = createFleet(8, () => (isRefused ? virtualRefusal('invalid_client') : virtualToken()), {
    random: someChance(),
  })
  failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll())))
  isRefused = false
  await fleet.time.advance(31_000)
  const answers = await fleet.time.until(Promise.all(fleet.getAll(3)))
  assert.equal(fleet.requests(), 2)
  assert.equal(new Set(answers.map(({ token }) => token.id)).size, 1)
})

test('a waiting request gets the error about an unusable answer, and so does any request during the cool-down', async () => {
  let isNonsense = true
  const fleet = createFleet(8, () => (isNonsense ? { status: 200, body: '<html>' } : virtualToken()), {
    random: someChance(),
  })
  const settled = await fleet.time.until(Promise.allSettled(fleet.getAll(5)))
  assert.equal(fleet.requests(), 1)
  for (const each of settled) {
    assert.ok(each.status === 'rejected')
    const cause: unknown = each.reason instanceof CoolingDownError ? each.reason.failure : each.reason
    assert.equal((cause as { code?: string }).code, 'unreadable_answer')
  }
  isNonsense = false
  await fleet.time.advance(1_000)
  for (const each of await Promise.allSettled(fleet.getAll())) assert.equal(each.status, 'rejected')
  assert.equal(fleet.requests(), 1)
  await fleet.time.advance(29_000)
  assert.equal((await fleet.time.until(Promise.all(fleet.getAll()))).length, 8)
  assert.equal(fleet.requests(), 2)
})

test('a stale token is renewed by one process; the others hand it out at once, and check again after a second', async () => {
  const { store, counts } = theStore()
  const fleet = createFleet(6, () => virtualToken(), { store })
  const [old] = await fleet.time.until(Promise.all(fleet.getAll()))
  await fleet.time.advance(217_000)

  const [renewing = assert.fail(), ...others] = fleet.getAll()
  const before = fleet.time.now()
  for (const { token, source } of await Promise.all(others)) {
    assert.equal(token.id, old?.token.id)
    assert.equal(source, 'cache')
  }
  assert.equal(fleet.time.now(), before)
  const renewed = await fleet.time.until(renewing)
  assert.equal(renewed.source, 'server')
  assert.notEqual(renewed.token.id, old?.token.id)

  await fleet.time.advance(before + 999 - fleet.time.now())
  const reads = counts.reads
  for (const { token, source } of await Promise.all(fleet.getAll().slice(1)))
    assert.deepEqual([token.id, source], [old?.token.id, 'memory'])
  assert.equal(counts.reads, reads, 'no process reads again within the second')
  await fleet.time.advance(1)
  for (const { token, source } of await Promise.all(fleet.getAll().slice(1)))
    assert.deepEqual([token.id, source], [renewed.token.id, 'cache'])
  assert.equal(fleet.requests(), 2)
})

test('a failed renewal stops the whole fleet from renewing again for a while', async () => {
  let isNonsense = false
  const fleet = createFleet(4, () => (isNonsense ? { status: 200, body: '<html>' } : virtualToken()))
  const [old] = await fleet.time.until(Promise.all(fleet.getAll()))
  isNonsense = true
  await fleet.time.advance(217_000)
  for (let second = 0; second < 20; second++) {
    for (const { token } of await fleet.time.until(Promise.all(fleet.getAll()))) assert.equal(token.id, old?.token.id)
    await fleet.time.advance(1_000)
  }
  assert.equal(fleet.requests(), 2, 'the first, and one in 30 s')
})

test('memory hands out a token for 30 s without a read of the shared cache, and then reads once', async () => {
  const { store, counts } = theStore()
  const fleet = createFleet(2, () => virtualToken(), { store, memoryMaximumSeconds: 30 })
  const { first, time } = fleet
  const { token } = await time.until(first.get())
  const { ...before } = counts
  await time.advance(29_900)
  for (let count = 0; count < 10; count++) assert.equal((await first.get()).source, 'memory')
  assert.deepEqual(counts, before)

  await time.advance(100)
  const answers = await Promise.all(Array.from({ length: 10 }, () => first.get()))
  assert.ok(answers.every((each) => each.token.id === token.id))
  assert.deepEqual(counts, { reads: before.reads + 1, writes: before.writes })
  await time.advance(29_999)
  assert.equal((await first.get()).source, 'memory')
  assert.equal(counts.reads, before.reads + 1)
  assert.equal(fleet.requests(), 1)
})

for (const state of ['down', 'silent', 'throttled'] as const)
  test(`while the store is ${state} tokens in memory stay in use, and each process makes its own requests`, async () => {
    const { store, become } = theStore()
    const options = { store, memoryMaximumSeconds: 30, random: someChance() }
    const fleet = createFleet(3, () => virtualToken(), options)
    const [old] = await fleet.time.until(Promise.all(fleet.getAll()))
    become(state)
    await fleet.time.advance(31_000)
    const before = fleet.time.now()
    for (const { token, source } of await fleet.time.until(Promise.all(fleet.getAll(5))))
      assert.deepEqual([token.id, source], [old?.token.id, 'memory'])
    assert.ok(fleet.time.now() - before <= 250, 'within the budget of a look')
    for (let second = 0; second < 4; second++) {
      await fleet.time.advance(1_000)
      for (const { token } of await Promise.all(fleet.getAll())) assert.equal(token.id, old?.token.id)
    }
    assert.equal(fleet.requests(), 1)
    for (const { events } of fleet.processes) {
      const passedOver = events.filter(({ event }) => event === 'cache_passed_over')
      assert.equal(passedOver.length, state === 'throttled' ? 0 : 1)
    }

    const other = fleet.processes.flatMap(({ get }) => [0, 1, 2, 3].map(() => get({ scope: ['other'] })))
    await fleet.time.until(Promise.all(other))
    assert.equal(fleet.requests(), 1 + 3)
    await fleet.time.until(Promise.all(fleet.processes.map(({ get }) => get({ scope: ['other'] }))))
    assert.equal(fleet.requests(), 1 + 3, 'each process keeps its own tokens')

    become('fine')
    await fleet.time.advance(60_000)
    const answers = await fleet.time.until(Promise.all(fleet.processes.map(({ get }) => get({ scope: ['other'] }))))
    assert.equal(fleet.requests(), 1 + 3 + 1, 'the fleet has one token again')
    assert.equal(new Set(answers.map(({ token }) => token.id)).size, 1)
  })

/** Processes that each read their own elements, and keep them for a minute. */
function createFleetOfReaders(size: number, endpoint: VirtualEndpoint) {
  const change = (changes: ElementChanges) => ({
    ...exampleElements(exampleIssuer, { builder: { signatureAlgorithm: 'ES256' }, ...changes }),
  })
  const reads = Array.from({ length: size }, () => 0)
  const stores = Array.from({ length: size }, (_, index) => {
    const elements = changeableElements(change({}))
    return {
      ...elements,
      get(...of: Parameters<typeof elements.get>) {
        reads[index] = (reads[index] ?? 0) + 1
        return elements.get(...of)
      },
    }
  })
  const processes: TokensInVirtualTime[] = []
  for (const elements of stores) {
    const connections = createConnectionCache({
      fingerprints: plainFingerprints,
      elements,
      deployment: localDeployment,
      now: () => processes[0]?.time.now() ?? 0,
      pause: () => new Promise(() => {}),
      log() {},
    })
    const [first] = processes
    const options = { connections, memoryMaximumSeconds: 30, ...(first && { fleet: first }) }
    processes.push(createTokensInVirtualTime(endpoint, options))
  }
  const changeAt = (index: number, changes: ElementChanges) => stores[index]?.change(change(changes))
  return { ...fleetOf(processes), changeAt, reads }
}

const newScope = { oAuth: { scope: 'new' } }
const scopeOf = ({ form }: { readonly form: URLSearchParams }) => form.get('scope')

test('within 30 s after the elements change, no process hands out tokens of the old ones', async () => {
  const fleet = createFleetOfReaders(3, () => virtualToken())
  const [first = assert.fail(), second = assert.fail()] = fleet.processes
  const [old] = await fleet.time.until(Promise.all(fleet.getAll()))
  for (const index of [0, 1, 2]) fleet.changeAt(index, newScope)
  await fleet.time.advance(60_000)
  // No process learns of the change before one of them reads the elements.
  assert.equal((await fleet.time.until(first.get())).token.id, old?.token.id)
  const other = await fleet.time.until(second.get({ audience: 'other' }))
  assert.equal(other.token.scope, 'new')
  assert.equal((await first.get()).token.id, old?.token.id, 'it stays in use from memory')

  await fleet.time.advance(30_000)
  const answers = await fleet.time.until(Promise.all(fleet.getAll()))
  for (const { token } of answers) {
    assert.notEqual(token.id, old?.token.id)
    assert.equal(token.scope, 'new')
  }
  assert.equal(fleet.requests(), 3)
  assert.deepEqual(
    fleet.processes.flatMap(({ requests }) => requests.map(scopeOf)),
    [null, 'new', 'new'],
  )
})

test('a holder with older elements than the fleet stores nothing, and its token goes to the waiting callers', async () => {
  const latencies = [5_000, 0]
  const fleet = createFleetOfReaders(2, async ({ index }) => {
    await fleet.time.pause(latencies[index] ?? 0)
    return virtualToken()
  })
  const [old = assert.fail(), newer = assert.fail()] = fleet.processes
  const slow = old.get()
  await fleet.time.advance(100)
  fleet.changeAt(0, newScope)
  fleet.changeAt(1, newScope)
  latencies[0] = 0
  await fleet.time.until(newer.get({ audience: 'other' }))
  const { token, source } = await fleet.time.until(slow)
  assert.deepEqual([token.scope, source], [undefined, 'server'])

  // Its own elements are a minute old: the fleet's fingerprint shows that they are outdated.
  for (const { get } of fleet.processes) assert.equal((await fleet.time.until(get())).token.scope, 'new')
  assert.deepEqual(old.requests.map(scopeOf), [null, 'new'])
})

test('a holder that knows older elements than the fleet reads them again', async () => {
  const fleet = createFleetOfReaders(2, () => virtualToken())
  const [old = assert.fail(), newer = assert.fail()] = fleet.processes
  await fleet.time.until(old.get({ audience: 'some' }))
  fleet.changeAt(0, newScope)
  fleet.changeAt(1, newScope)
  await fleet.time.until(newer.get({ audience: 'other' }))
  assert.equal((await fleet.time.until(old.get())).token.scope, 'new')
})

test('a request that was refused under old elements is made at once under new ones', async () => {
  const fleet = createFleetOfReaders(2, (request) =>
    scopeOf(request) === 'new' ? virtualToken() : virtualRefusal('invalid_scope'),
  )
  failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll())))
  for (const index of [0, 1]) fleet.changeAt(index, newScope)
  const [, second = assert.fail()] = fleet.processes
  await second.time.advance(5_000)
  failuresOf(await fleet.time.until(Promise.allSettled(fleet.getAll())))
  assert.equal(fleet.requests(), 1)
  await second.time.advance(20_000)
  const third = createTokensInVirtualTime(() => virtualToken(), {
    fleet: second,
    connection: { ...plainConnection, parameters: { ...plainConnection.parameters, scope: ['new'] } },
  })
  await third.time.until(third.get({ audience: 'other' }))
  const { token } = await second.time.until(third.get())
  assert.equal(token.scope, 'new')
})

test('a token that one process rejects is not handed out by any other process once it reads the shared cache', async () => {
  const fleet = createFleet(3, () => virtualToken(), { memoryMaximumSeconds: 30 })
  const [first = assert.fail(), second = assert.fail()] = fleet.processes
  const [old] = await fleet.time.until(Promise.all(fleet.getAll()))
  const id = old?.token.id ?? ''
  await fleet.time.advance(20_000)
  await first.delete(id)
  const next = await fleet.time.until(first.get())
  assert.notEqual(next.token.id, id)
  assert.equal((await second.get()).token.id, id, 'it stays in use from memory')

  await fleet.time.advance(11_000)
  for (const { token } of await fleet.time.until(Promise.all(fleet.getAll()))) assert.equal(token.id, next.token.id)
  assert.equal(fleet.requests(), 2)
})

test('where all processes reject the same token at once, it is replaced once', async () => {
  const fleet = createFleet(8, () => virtualToken(), { random: someChance() })
  const [old] = await fleet.time.until(Promise.all(fleet.getAll()))
  const rejectedTokenId = old?.token.id ?? ''
  const callers = fleet.processes.flatMap(({ get }) => Array.from({ length: 5 }, () => get({ rejectedTokenId })))
  const answers = await fleet.time.until(Promise.all(callers))
  assert.equal(new Set(answers.map(({ token }) => token.id)).size, 1)
  assert.notEqual(answers[0]?.token.id, rejectedTokenId)
  assert.equal(fleet.requests(), 2)
})

/** A server whose tokens are inside their margin at once. */
const dying: ServedConnection = {
  ...plainConnection,
  authorizationServer: {
    ...plainConnection.authorizationServer,
    lifetime: { assumedLifetimeSeconds: 300, marginSeconds: 300 },
  },
}

test('a token that arrives inside its margin goes to the waiting processes, and to none after that', async () => {
  const fleet = createFleet(16, () => virtualToken(), { connection: dying, random: someChance(), cacheLatency: 5 })
  const answers = await fleet.time.until(Promise.all(fleet.getAll()))
  assert.equal(fleet.requests(), 1)
  assert.equal(new Set(answers.map(({ token }) => token.id)).size, 1)
  const [later] = fleet.getAll()
  assert.notEqual((await fleet.time.until(later ?? assert.fail())).token.id, answers[0]?.token.id)
  assert.equal(fleet.requests(), 2)
})

test('a process without the lease reads no element, whether the generation is known or not', async () => {
  const fleet = createFleetOfReaders(4, async () => {
    await fleet.time.pause(500)
    return virtualToken()
  })
  const [first = assert.fail(), ...others] = fleet.processes
  for (const audience of ['one', 'other']) {
    const asking = first.get({ audience })
    await fleet.time.advance(10)
    await fleet.time.until(Promise.all([asking, ...others.map(({ get }) => get({ audience }))]))
  }
  assert.ok((fleet.reads[0] ?? 0) > 0)
  assert.deepEqual(fleet.reads.slice(1), [0, 0, 0])

  await fleet.time.until(Promise.all(others.map(({ get }) => get({ audience: 'third' }))))
  assert.equal(fleet.reads.slice(1).filter((count) => count > 0).length, 1, 'only the holder reads elements')
  assert.equal(fleet.requests(), 3)
})
