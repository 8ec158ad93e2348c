import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { decodeProtectedHeader } from 'jose'
import { type RepeatableRequest, type Token, type TokenKey, tokenKey } from '../../lib/access-token/token.ts'
import { timerPause } from '../../lib/adapters/process/clock.ts'
import { CacheUnavailableError, createCircuitBreaker } from '../../lib/fleet/circuit-breaker.ts'
import { readConnectionRecord, writeConnectionRecord } from '../../lib/fleet/connection-record.ts'
import { type ElementsRevision, withStaged } from '../../lib/fleet/connection-state.ts'
import { createFleetRecords } from '../../lib/fleet/fleet-records.ts'
import type { Lease } from '../../lib/fleet/lease.ts'
import { LeaseLostError } from '../../lib/fleet/lease.ts'
import type { RecordStore, StoredRecord } from '../../lib/fleet/record-store.ts'
import { connectionRecordName, type RecordName, recordNameText } from '../../lib/fleet/record-store.ts'
import { createSealing, type Sealing } from '../../lib/fleet/sealing.ts'
import { createTokenCache, type Look, type StoredToken, type TokenCache } from '../../lib/get-token/token-cache.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { createSecretCache } from '../../lib/secret/secret-cache.ts'
import { SecretError } from '../../lib/secret/secret-store.ts'
import { RefusedError, UnreachableError, writeFailure } from '../../lib/token-endpoint/token-endpoint-error.ts'
import { singleVersionSecrets } from '../support/virtual/secret-stores.ts'
import { someToken, someTokenKey } from '../support/virtual/some-token.ts'

/** The time of a lease, and the second that the others wait after its end. */
const leaseMilliseconds = 12_000
const graceMilliseconds = 1_000
const intervalMilliseconds = 10_000
const nothingElse: RepeatableRequest = { further: {} }
const someCaller = { caller: 'direct', connection: 'conn', scope: ['a'], further: {} }
const idleMilliseconds = 400_000
const plan = { idleMilliseconds, maximumVariants: 3, authorizationServer: 'theServer', maximumConcurrency: 10 }
/** Elements that keep tokens warm. */
const warm = { fingerprint: 'f1', warming: plan }

/** One instance of a function, on the clock of the test. */
interface Instance {
  readonly cache: TokenCache
  readonly events: readonly LogEvent[]
  look(key: TokenKey, connection?: string): Promise<Look>
  takeLease(look: Look, waitUntil: number): Promise<HeldLease | undefined>
  /** Takes the lease of a token that no other instance asks for, under these elements. */
  lease(key: TokenKey, under?: Under): Promise<HeldLease>
  /** Stores a token, as after a token request. Returns it as it is handed out. */
  obtain(key: TokenKey, token?: Token, under?: Under): Promise<Token>
  /** Stores a staged token for elements that are not yet in force. */
  storeNext(key: TokenKey, generation: number): Promise<Token | undefined>
  invalidate(tokenId: string, connection?: string): ReturnType<TokenCache['invalidate']>
}

/** A lease, and how its instance stores a token with it. */
interface HeldLease extends Lease {
  store(token: Token, asked: RepeatableRequest | undefined, isUse: boolean): Promise<StoredToken>
}

/** Elements, as their fingerprint alone or with their settings for warming, and whether a caller asks for the token. */
type Under = string | (ElementsRevision & { readonly isUse?: boolean })

interface Fleet {
  readonly store: RecordStore
  /** Only the test moves it. */
  readonly clock: { now: number }
  /** Every record ever written. */
  readonly written: readonly { readonly name: RecordName; readonly record: StoredRecord }[]
  open(sealing?: Sealing): Instance
  /** Announces the next elements. Returns the generation that they will have. */
  announce(fingerprint: string): Promise<number>
}

/** A sealing with new keys that no other sealing has. */
export function someSealing(): Sealing {
  const someKey = () => randomBytes(32).toString('base64url')
  const secret = new Secret(
    JSON.stringify({ namingKey: someKey(), encryptionKeys: [{ kid: 'the-key', k: someKey() }] }),
  )
  return createSealing(
    createSecretCache(
      singleVersionSecrets(async () => secret),
      Date.now,
    ),
    'tokenwell/test/cache',
  )
}

/**
 * The promises of the fleet's cache, over any store and with any keys.
 * @param open undefined ends the test
 */
export function testTokenCacheContract(
  name: string,
  open: (t: TestContext) => Promise<{ store: RecordStore; sealing: Sealing } | undefined>,
): void {
  function promise(title: string, run: (fleet: Fleet) => Promise<void>): void {
    test(`${name}: ${title}`, async (t) => {
      const opened = await open(t)
      if (opened) await run(createFleet(opened))
    })
  }

  promise('an instance finds a token that another instance stored, under its own key only', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const { now } = fleet.clock
    const key = someTokenKey()
    const asked = { scope: ['a', 'b'], resource: ['https://api.example'], audience: 'aud', further: { tenant: 't' } }
    const token = { ...aToken(now), scope: 'a b' }
    const lease = await one.lease(key)
    const stored = await lease.store(token, asked, true)
    assert.equal(stored.isCurrent, true)
    assert.match(stored.token.id, /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/)

    for (const instance of [one, other]) {
      const found = (await instance.look(key)).token
      assert.ok(found)
      const { accessToken, generation, ...rest } = found
      assert.ok(accessToken.equals(token.accessToken))
      assert.ok(generation > 0)
      const { accessToken: _, ...expected } = token
      assert.deepEqual(rest, { ...expected, id: stored.token.id, asked })
      for (const look of [await instance.look(someTokenKey()), await instance.look(key, 'other')]) {
        assert.equal(look.token, undefined)
        assert.equal(look.isLeased, false)
      }
    }
  })

  promise('of twenty instances that want the lease at the same time, one gets it', async (fleet) => {
    const instances = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    for (let round = 0; round < 3; round++) {
      const leases = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const { takeLease, look } = instances[index % 2] ?? assert.fail()
          return takeLease(await look(key), Infinity)
        }),
      )
      const held = leases.filter((lease) => lease !== undefined)
      assert.equal(held.length, 1)
      for (const { look } of instances) assert.equal((await look(key)).isLeased, true)
      await held[0]?.end({})
    }
  })

  promise('a token issued further in the future than clocks may differ is a miss, and is logged', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    await instance.obtain(key, aToken(fleet.clock.now + 3_599_001))
    assert.equal((await instance.look(key)).token, undefined)
    const reason =
      'The token was issued 3600 s in the future, according to the clock of this instance. Check the clocks of all instances.'
    assert.deepEqual(instance.events, [{ event: 'cached_token_unreadable', connection: 'conn', reason }])
    fleet.clock.now += 3_599_001
    assert.ok((await instance.look(key)).token)
  })

  promise('a noted use names its caller: `own`, or a short digest that differs for each caller', async (fleet) => {
    const instance = fleet.open()
    const brief = { ...warm, warming: { ...plan, maximumVariants: 10, idleLifetimes: 1 }, isUse: false }
    async function noted(request: typeof someCaller | Omit<typeof someCaller, 'scope'>) {
      const key = someTokenKey()
      await instance.obtain(key, undefined, brief)
      await instance.cache.noteUse(await instance.look(key), request, Infinity)
      const { caller, idleMilliseconds: idle } =
        (await instance.look(key)).read.connection?.variants[0] ?? assert.fail()
      return [caller, idle]
    }
    assert.deepEqual(await noted({ caller: 'direct', connection: 'conn', further: {} }), ['own', undefined])
    const [direct, again, two] = [
      await noted(someCaller),
      await noted(someCaller),
      await noted({ ...someCaller, caller: 'two' }),
    ]
    assert.match(String(direct?.[0]), /^[A-Za-z0-9_-]{11}$/)
    assert.equal(direct?.[1], 300_000, 'one lifetime')
    assert.deepEqual(again, direct)
    assert.notDeepEqual(two, direct)
  })

  promise(
    'the instance that stores a token learns whether the fleet has it, and whether it may answer more requests',
    async (fleet) => {
      const instance = fleet.open()
      const key = someTokenKey()
      const stored = await (await instance.lease(key)).store(aToken(fleet.clock.now), nothingElse, true)
      assert.deepEqual([stored.isCurrent, stored.isShared], [true, true])

      const lost = await instance.lease(someTokenKey(), 'f1')
      await lost.release(Infinity)
      const late = await lost.store(aToken(fleet.clock.now), nothingElse, true)
      assert.deepEqual([late.isCurrent, late.isShared], [false, false])

      const slow = await instance.lease(key)
      await slow.release(Infinity)
      fleet.clock.now += 1_000
      const newer = await instance.obtain(key, aToken(fleet.clock.now))
      const better = await slow.store(aToken(fleet.clock.now - 1), nothingElse, true)
      assert.deepEqual([better.token.id, better.isCurrent, better.isShared], [newer.id, true, true])

      const same = await instance.lease(key)
      await same.release(Infinity)
      const tie = await same.store(aToken(fleet.clock.now), nothingElse, true)
      assert.deepEqual([tie.isCurrent, tie.isShared], [false, false], 'not for a token that is not newer')
      fleet.clock.now = newer.usableUntil
      const tooLate = await same.store(aToken(newer.issuedAt - 1), nothingElse, true)
      assert.equal(tooLate.isShared, false, 'and not for a token that can no longer be used')

      const unknown = await instance.takeLease(await instance.look(someTokenKey(), 'other'), Infinity)
      const before = fleet.written.length
      const own = aToken(fleet.clock.now)
      const unshared = await unknown?.store(own, nothingElse, true)
      assert.deepEqual([unshared?.isCurrent, unshared?.isShared, fleet.written.length], [true, false, before])
      assert.match(unshared?.token.id ?? '', new RegExp(`^${own.id}\\.`))
    },
  )

  promise('a failure counts only with its time and under its own elements', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    await (await instance.lease(key)).end({})
    const { now } = fleet.clock
    const failure = writeFailure(new UnreachableError('no answer'))
    const whole = { failure, failedAt: now, coolDownUntil: now + 5_000, failedFingerprint: 'f1' }
    const failureOf = async (fields: StoredRecord['fields'], connection = 'conn') => {
      await overwrite(fleet, (await instance.look(key, connection)).read, fields)
      return (await instance.look(key, connection)).failure
    }
    const { failedAt: _failedAt, ...without } = whole
    assert.equal(await failureOf(without), undefined)
    assert.equal(await failureOf({ ...whole, failedFingerprint: 'f2' }), undefined)
    assert.equal(
      await failureOf({ ...whole, failedAt: now - 1 }),
      undefined,
      'the failure is older than that generation',
    )
    assert.equal(await failureOf(whole, 'other'), undefined, 'nothing is known about that connection')
    const { error, ...known } = (await failureOf(whole)) ?? assert.fail()
    assert.deepEqual([known, error.retryAfterSeconds], [{ failedAt: now, until: now + 5_000 }, 5])
    const told = (await failureOf({ ...whole, retryAt: now + 9_000 })) ?? assert.fail()
    assert.deepEqual([told.until, told.error.retryAfterSeconds], [now + 5_000, 9])
  })

  promise('a bug in Tokenwell does not count as a failure of the store', async (fleet) => {
    const fault = new TypeError('a bug')
    const faulty = fleet.open({ ...someSealing(), seal: () => Promise.reject(fault) })
    const lease = await faulty.lease(someTokenKey())
    await assert.rejects(lease.store(aToken(fleet.clock.now), nothingElse, true), fault)
  })

  promise('if another use is noted at the same time, this one is noted at the next hit', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const [key, another] = [someTokenKey(), someTokenKey()]
    await one.obtain(key, undefined, { ...warm, isUse: false })
    const look = await one.look(key)
    await other.obtain(another, undefined, warm)
    const before = fleet.written.length
    await one.cache.noteUse(look, someCaller, Infinity)
    assert.equal(fleet.written.length, before + 1, 'that write was refused, and the token is not listed')
    assert.equal((await one.look(key)).read.dueAt, undefined)
    await one.cache.noteUse(await one.look(key), someCaller, Infinity)
    assert.equal((await one.look(key)).read.dueAt, look.token?.refreshAt)
  })

  promise('no instance takes a lease if the record changed after it was read', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const old = await one.look(key)
    await other.obtain(key)
    assert.equal(await one.takeLease(old, Infinity), undefined)
  })

  promise('another instance takes over exactly one second after the lease of a dead holder ends', async (fleet) => {
    const [dead, heir] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    await dead.lease(key)
    fleet.clock.now += leaseMilliseconds + graceMilliseconds
    const early = await heir.look(key)
    assert.equal(early.isLeased, true)
    assert.equal(await heir.takeLease(early, Infinity), undefined)
    fleet.clock.now += 1
    const look = await heir.look(key)
    assert.equal(look.isLeased, false)
    assert.ok(await heir.takeLease(look, Infinity))
  })

  promise('a lease is extended to cover an attempt, and only if it would end too early', async (fleet) => {
    const [holder, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const lease = await holder.lease(key)
    const writes = fleet.written.length
    await lease.keepFor(leaseMilliseconds)
    assert.equal(fleet.written.length, writes, 'the lease lasts long enough')

    fleet.clock.now += 1
    await lease.keepFor(leaseMilliseconds)
    fleet.clock.now += 5_000
    await lease.keepFor(20_000)
    const kept = fleet.written.length
    await lease.keepFor(20_000)
    assert.equal(fleet.written.length, kept, 'the lease is extended already')
    fleet.clock.now += 20_000 + graceMilliseconds
    assert.equal((await other.look(key)).isLeased, true)
    fleet.clock.now += 1
    assert.equal((await other.look(key)).isLeased, false)
    await lease.keepFor(1_000)
    assert.equal((await other.look(key)).isLeased, true, 'no other instance has taken over yet')
  })

  promise('a holder that lost its lease extends nothing, stores nothing and ends nothing', async (fleet) => {
    const [old, heir] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const lost = await old.lease(key)
    fleet.clock.now += leaseMilliseconds + graceMilliseconds + 1
    const held = await heir.lease(key)

    await assert.rejects(lost.keepFor(1_000), LeaseLostError)
    const token = aToken(fleet.clock.now)
    const stored = await lost.store(token, nothingElse, true)
    assert.equal(stored.isCurrent, false, 'only the callers that wait get this token')
    assert.ok(stored.token.accessToken.equals(token.accessToken))
    await lost.end({ failure: writeFailure(new UnreachableError('nobody listens')), until: fleet.clock.now + 30_000 })
    const { isLeased, token: none, failure } = await heir.look(key)
    assert.deepEqual({ isLeased, none, failure }, { isLeased: true, none: undefined, failure: undefined })

    const newer = await held.store(aToken(fleet.clock.now), nothingElse, true)
    assert.equal(newer.isCurrent, true)
    assert.equal((await old.look(key)).token?.id, newer.token.id)
  })

  promise('a holder that lost its lease gets the token that the next holder stored', async (fleet) => {
    const [old, heir] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const lost = await old.lease(key)
    const late = aToken(fleet.clock.now)
    fleet.clock.now += leaseMilliseconds + graceMilliseconds + 1
    const newer = await heir.obtain(key)

    const stored = await lost.store(late, nothingElse, true)
    assert.deepEqual([stored.token.id, stored.isCurrent], [newer.id, true])
    await lost.end({ failure: writeFailure(new UnreachableError('nobody listens')), until: fleet.clock.now + 30_000 })
    const look = await old.look(key)
    assert.deepEqual([look.token?.id, look.failure], [newer.id, undefined])
  })

  promise('an expired token of the next holder is handed out to no caller', async (fleet) => {
    const [old, heir] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const lost = await old.lease(key)
    fleet.clock.now += leaseMilliseconds + graceMilliseconds + 1
    const { usableUntil } = await heir.obtain(key)
    fleet.clock.now = usableUntil
    const token = aToken(fleet.clock.now)
    const stored = await lost.store(token, nothingElse, true)
    assert.ok(stored.token.accessToken.equals(token.accessToken))
    assert.equal(stored.isCurrent, false)
  })

  promise('a token that was requested before a rejection is not stored after it', async (fleet) => {
    const [holder, rejecter] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const { id } = await holder.obtain(key)
    const renewal = await holder.lease(key)
    assert.deepEqual(await rejecter.invalidate(id), { outcome: 'dropped' })

    await assert.rejects(renewal.keepFor(leaseMilliseconds + 1), LeaseLostError)
    const stored = await renewal.store(aToken(fleet.clock.now), nothingElse, true)
    assert.equal(stored.isCurrent, false)
    const look = await rejecter.look(key)
    assert.equal(look.token, undefined)
    const next = await rejecter.takeLease(look, Infinity)
    assert.ok(next, 'no instance has to wait for that holder')
    await next.activate({ fingerprint: 'f1' })
    assert.equal((await next.store(aToken(fleet.clock.now), nothingElse, true)).isCurrent, true)
  })

  promise('a token that was obtained under older elements is neither stored nor found', async (fleet) => {
    const [old, newer] = [fleet.open(), fleet.open()]
    const [key, under, unsettled] = [someTokenKey(), someTokenKey(), someTokenKey()]
    await old.obtain(key, aToken(fleet.clock.now), 'f1')
    const lease = await old.lease(under, 'f1')
    const fallback = await old.takeLease(await old.look(unsettled), Infinity)
    assert.ok((await newer.look(key)).token)

    await newer.lease(someTokenKey(), 'f2')
    assert.equal((await newer.look(key)).token, undefined)
    for (const each of [lease, fallback]) {
      const stored = await each?.store(aToken(fleet.clock.now), nothingElse, true)
      assert.equal(stored?.isCurrent, false)
    }
    for (const each of [under, unsettled]) {
      const look = await newer.look(each)
      assert.deepEqual([look.token, look.isLeased], [undefined, false], 'the next instance may request a token at once')
    }
    await newer.lease(someTokenKey(), 'f1')
    assert.equal((await newer.look(key)).token, undefined, 'the same elements again are another generation')
  })

  promise('an instance that was frozen after it read elements does not undo newer ones', async (fleet) => {
    const [frozen, other] = [fleet.open(), fleet.open()]
    const [key, kept, first] = [someTokenKey(), someTokenKey(), someTokenKey()]
    await other.obtain(kept, aToken(fleet.clock.now), 'f1')
    const lease = (await frozen.takeLease(await frozen.look(key), Infinity)) ?? assert.fail()
    const { id } = await other.obtain(kept, aToken(fleet.clock.now), 'f3')
    await assert.rejects(lease.activate({ fingerprint: 'f2' }), LeaseLostError)
    assert.equal((await other.look(kept)).token?.id, id)
    assert.equal(
      (await other.look(key)).isLeased,
      false,
      'an instance that knows newer elements may request a token at once',
    )

    const agrees = (await frozen.takeLease(await frozen.look(first), Infinity)) ?? assert.fail()
    await other.obtain(kept, aToken(fleet.clock.now), 'f4')
    await agrees.activate({ fingerprint: 'f4' })
    assert.equal((await agrees.store(aToken(fleet.clock.now), nothingElse, true)).isCurrent, true)
  })

  promise('the same elements are one generation, even if many instances activate them at once', async (fleet) => {
    const instances = [fleet.open(), fleet.open()]
    const keys = Array.from({ length: 20 }, () => someTokenKey())
    const leases = await Promise.all(
      keys.map(async (key, index) => {
        const { takeLease, look } = instances[index % 2] ?? assert.fail()
        return (await takeLease(await look(key), Infinity)) ?? assert.fail('each instance has its own token key')
      }),
    )
    await Promise.all(leases.map((lease) => lease.activate({ fingerprint: 'f1' })))
    const stored = await Promise.all(leases.map((lease) => lease.store(aToken(fleet.clock.now), nothingElse, true)))
    assert.ok(stored.every(({ isCurrent }) => isCurrent))
    const looks = await Promise.all(keys.map((key) => fleet.open().look(key)))
    assert.equal(new Set(looks.map(({ token }) => token?.generation)).size, 1)
    assert.equal(new Set(looks.map(({ read }) => read.connection?.version)).size, 1)
  })

  promise('a generation rises with each change and never repeats, whatever the clock does', async (fleet) => {
    const instance = fleet.open()
    const numbers: number[] = []
    for (const [index, fingerprint] of ['f1', 'f2', 'f1', 'f3', 'f1'].entries()) {
      fleet.clock.now += [0, 0, -60_000, 5, 3_600_000][index] ?? 0
      await instance.obtain(someTokenKey(), aToken(fleet.clock.now), fingerprint)
      numbers.push((await instance.look(someTokenKey())).read.connection?.generation ?? Number.NaN)
    }
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    )
  })

  promise('the elements of one connection do not affect the tokens of another', async (fleet) => {
    const instance = fleet.open()
    const key = tokenKey({ connection: 'other', further: {} })
    const lease = await instance.takeLease(await instance.look(key, 'other'), Infinity)
    await lease?.activate({ fingerprint: 'f1' })
    await lease?.store({ ...aToken(fleet.clock.now), connection: 'other' }, nothingElse, true)
    await instance.lease(someTokenKey(), 'f2')
    assert.ok((await instance.look(key, 'other')).token)
  })

  promise('of twenty rejections of the same token, one drops it', async (fleet) => {
    const instances = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const { id } = await fleet.open().obtain(key)
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (instances[index % 2] ?? assert.fail()).invalidate(id)),
    )
    assert.deepEqual(outcomes.map((each) => each?.outcome).sort(), [
      ...Array.from({ length: 19 }, () => 'absent'),
      'dropped',
    ])
    for (const { look } of instances) assert.equal((await look(key)).token, undefined)
  })

  promise('a token can be rejected only by its own id and under its own connection', async (fleet) => {
    const instance = fleet.open()
    const [key, otherKey] = [someTokenKey(), someTokenKey()]
    const { id } = await instance.obtain(key)
    const other = await instance.obtain(otherKey)
    const [random, digest] = id.split('.')
    const [otherRandom] = other.id.split('.')
    assert.deepEqual(await instance.invalidate(id, 'other'), { outcome: 'absent' })
    assert.deepEqual(await instance.invalidate(`${otherRandom}.${digest}`), { outcome: 'absent' })
    assert.deepEqual(await instance.invalidate(`AAAAAAAAAAAAAAAAAAAAAA.${digest}`), { outcome: 'absent' })
    assert.equal(await instance.invalidate(random ?? ''), undefined, 'never shared')
    assert.equal((await instance.look(key)).token?.id, id)
    assert.equal((await instance.look(otherKey)).token?.id, other.id)
  })

  promise('after a rejection it is still known what the token was requested for, except for a user', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const [key, usersKey] = [someTokenKey(), someTokenKey()]
    const asked = { scope: ['a'], further: { tenant: 't' } }
    const { token } = await (await one.lease(key)).store(aToken(fleet.clock.now), asked, true)
    const users = await (await one.lease(usersKey, warm)).store(aToken(fleet.clock.now), undefined, true)
    assert.deepEqual((await other.look(usersKey)).read.connection?.variants, [], 'no instance could renew it')
    assert.equal((await other.look(usersKey)).token?.id, users.token.id)
    for (const { id } of [token, users.token]) await other.invalidate(id)
    const look = await one.look(key)
    assert.deepEqual([look.token, look.asked], [undefined, asked])
    const usersLook = await one.look(usersKey)
    assert.deepEqual([usersLook.token, usersLook.asked], [undefined, undefined])
    assert.equal(usersLook.read.record.sealedToken, undefined, 'the sealed token is gone')
    assert.deepEqual((await one.cache.lookAt(look.read.name, Infinity)).asked, asked)
  })

  promise('a look by the name of the record finds the same token as a look by the token key', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    const token = await instance.obtain(key)
    const look = await instance.look(key)
    assert.deepEqual(await instance.cache.lookAt(look.read.name, Infinity), look)
    assert.equal(look.token?.id, token.id)
  })

  promise(
    'of twenty instances that meet a stale token, one requests its renewal, and the next one 20 s later',
    async (fleet) => {
      const instances = [fleet.open(), fleet.open()]
      const key = someTokenKey()
      const { id } = await fleet.open().obtain(key)
      const claimAll = () =>
        Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            const { cache, look } = instances[index % 2] ?? assert.fail()
            return cache.claimRefresh(await look(key), Infinity)
          }),
        )
      for (const wait of [0, 20_000]) {
        fleet.clock.now += wait
        const claimed = (await claimAll()).filter((each) => each !== undefined)
        assert.equal(claimed.length, 1)
        assert.equal(claimed[0]?.token?.id, id)
        assert.ok(
          await fleet
            .open()
            .look(key)
            .then(({ token }) => token),
        )
        fleet.clock.now += 19_999
        assert.ok((await claimAll()).every((each) => each === undefined))
        fleet.clock.now -= 19_999
      }
    },
  )

  promise(
    'a claimed renewal can take the lease, and after the renewal the next claim succeeds at once',
    async (fleet) => {
      const [one, other] = [fleet.open(), fleet.open()]
      const key = someTokenKey()
      await one.obtain(key)
      const claimed = (await one.cache.claimRefresh(await one.look(key), Infinity)) ?? assert.fail()
      const lease = (await one.takeLease(claimed, Infinity)) ?? assert.fail()
      await lease.activate({ fingerprint: 'f1' })
      await lease.store(aToken(fleet.clock.now), nothingElse, true)
      assert.ok(await other.cache.claimRefresh(await other.look(key), Infinity))
    },
  )

  promise('a token in use is due when it becomes stale, and never if it was not used for too long', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const [key, unused] = [someTokenKey(), someTokenKey()]
    const { refreshAt } = await one.obtain(key, aToken(fleet.clock.now), warm)
    await (await one.lease(unused, warm)).store(aToken(fleet.clock.now), nothingElse, false)
    const { name } = (await one.look(key)).read
    assert.deepEqual(await fleet.store.due(refreshAt - 1, 10), [])
    assert.deepEqual(await fleet.store.due(refreshAt, 10), [name])
    assert.equal(await other.cache.isKeptWarm(await other.look(key), Infinity), true)
    assert.equal(await other.cache.isKeptWarm(await other.look(unused), Infinity), false)

    fleet.clock.now += idleMilliseconds
    assert.ok(await other.cache.isKeptWarm(await other.look(key), Infinity), 'it became stale before that')
    await one.obtain(key, aToken(fleet.clock.now), { ...warm, isUse: false })
    assert.equal(await other.cache.isKeptWarm(await other.look(key), Infinity), false)
    assert.deepEqual(await fleet.store.due(fleet.clock.now + 1e9, 10), [])
  })

  promise(
    'a use is written once the last one is a quarter of the idle time old, and other hits only read',
    async (fleet) => {
      const instance = fleet.open()
      const key = someTokenKey()
      await instance.obtain(key, aToken(fleet.clock.now), warm)
      const usedAt = fleet.clock.now
      const hit = async () => {
        const writes = fleet.written.length
        await instance.cache.noteUse(await instance.look(key), someCaller, Infinity)
        return fleet.written.length - writes
      }
      assert.equal(await hit(), 0)
      fleet.clock.now = usedAt + idleMilliseconds / 4 - 1
      assert.equal(await hit(), 0)
      fleet.clock.now += 1
      assert.equal(await hit(), 1)
      assert.equal(await hit(), 0)
      const { variants } = (await instance.look(key)).read.connection ?? assert.fail()
      assert.deepEqual(
        variants.map(({ lastUsedAt }) => lastUsedAt),
        [fleet.clock.now],
      )
    },
  )

  promise('an unused token is listed again when a caller uses it, also after it was forgotten', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    await (await one.lease(key, warm)).store(aToken(fleet.clock.now), nothingElse, false)
    const far = fleet.clock.now + 1e9
    assert.deepEqual(await fleet.store.due(far, 10), [])
    const { name } = (await one.look(key)).read
    await other.cache.noteUse(await other.look(key), someCaller, Infinity)
    assert.deepEqual(await fleet.store.due(far, 10), [name])
    await one.cache.forgetUse(await one.look(key), Infinity)
    assert.equal(await one.cache.isKeptWarm(await one.look(key), Infinity), false)
    assert.deepEqual(await fleet.store.due(far, 10), [])
    await other.cache.noteUse(await other.look(key), someCaller, Infinity)
    assert.deepEqual(await fleet.store.due(far, 10), [name])
  })

  promise('no more tokens are kept warm than allowed, and tokens in use are not displaced', async (fleet) => {
    const instance = fleet.open()
    const keys = Array.from({ length: 5 }, () => someTokenKey())
    for (const key of keys) await instance.obtain(key, aToken(fleet.clock.now), warm)
    const kept = await Promise.all(
      keys.map(async (key) => instance.cache.isKeptWarm(await instance.look(key), Infinity)),
    )
    assert.deepEqual(kept, [true, true, true, false, false])
    const writes = fleet.written.length
    await instance.cache.noteUse(await instance.look(keys[4] ?? assert.fail()), someCaller, Infinity)
    assert.equal(fleet.written.length, writes, 'a hit on a token that is not kept warm writes nothing')
  })

  promise('a staged token is handed out once its generation is in force', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const [key, without] = [someTokenKey(), someTokenKey()]
    const { id: old } = await one.obtain(key, aToken(fleet.clock.now), warm)
    await one.obtain(without, aToken(fleet.clock.now), warm)
    const generation = await fleet.announce('f2')
    fleet.clock.now += 50_000
    const next = await one.storeNext(key, generation)
    assert.equal((await other.look(key)).token?.id, old)
    assert.equal((await other.look(key)).isLeased, false)

    fleet.clock.now += 1
    await other.lease(someTokenKey(), { ...warm, fingerprint: 'f2' })
    const look = await other.look(key)
    assert.deepEqual([look.token?.id, look.token?.generation], [next?.id, generation])
    assert.equal((await other.look(without)).token, undefined)
    assert.deepEqual(await other.invalidate(next?.id ?? ''), { outcome: 'dropped' })
    assert.equal((await one.look(key)).token, undefined)
  })

  promise('a staged token is never handed out if its generation never comes into force', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    const { id } = await instance.obtain(key, aToken(fleet.clock.now), warm)
    const first = await fleet.announce('f2')
    assert.ok(await instance.storeNext(key, first))
    const second = await fleet.announce('f3')
    assert.equal(await instance.storeNext(key, first), undefined)
    assert.equal((await instance.look(key)).isLeased, false)
    assert.equal((await instance.look(key)).token?.id, id)
    await instance.lease(someTokenKey(), { ...warm, fingerprint: 'f3' })
    assert.equal((await instance.look(key)).read.connection?.generation, second)
    assert.equal((await instance.look(key)).token, undefined)
  })

  promise('a rejection drops at most one token of a token key in each interval, to the millisecond', async (fleet) => {
    const [one, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const rejectedAt = fleet.clock.now
    await one.invalidate((await one.obtain(key)).id)
    const { id } = await one.obtain(key)
    const retryAt = rejectedAt + intervalMilliseconds
    for (const now of [rejectedAt, retryAt - 1]) {
      fleet.clock.now = now
      assert.deepEqual(await other.invalidate(id), { outcome: 'too_soon', retryAt })
      assert.equal((await one.look(key)).token?.id, id)
    }
    fleet.clock.now = retryAt
    assert.deepEqual(await other.invalidate(id), { outcome: 'dropped' })
    assert.equal((await one.look(key)).token, undefined)
  })

  promise('instances with the same elements learn of a failure', async (fleet) => {
    const [holder, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const failedAt = fleet.clock.now
    const lease = await holder.lease(key, 'f1')
    const error = new RefusedError('The authorization server refuses.', 'invalid_scope', 'elements')
    await lease.end({ failure: writeFailure(error), until: failedAt + 2_000, retryAt: failedAt + 30_000 })

    fleet.clock.now += 1_500
    const look = await other.look(key)
    assert.equal(look.isLeased, false)
    assert.equal(look.failure?.failedAt, failedAt)
    assert.equal(look.failure?.until, failedAt + 2_000)
    assert.equal(look.failure?.error.retryAfterSeconds, 29)
    assert.deepEqual(look.failure?.error.failure, error)
    assert.equal((await other.look(someTokenKey())).failure, undefined, 'no failure is known for another token')

    await other.lease(someTokenKey(), 'f2')
    assert.equal((await other.look(key)).failure, undefined)
  })

  promise('a failure is over as soon as an instance takes the lease again', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    const error = new UnreachableError('nobody listens')
    await (await instance.lease(key)).end({ failure: writeFailure(error), until: fleet.clock.now + 1_000 })
    assert.ok((await instance.look(key)).failure)
    const lease = await instance.lease(key)
    assert.equal((await instance.look(key)).failure, undefined)
    await lease.store(aToken(fleet.clock.now), nothingElse, true)
    assert.equal((await instance.look(key)).failure, undefined)
  })

  promise('a failure without an end time ends when it happened', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    await (await instance.lease(key)).end({ failure: writeFailure(new UnreachableError('nobody listens')) })
    const { failure } = await instance.look(key)
    assert.deepEqual([failure?.failedAt, failure?.until], [fleet.clock.now, fleet.clock.now])
    assert.equal(failure?.error.retryAfterSeconds, 1)
  })

  promise('a renewal that is put off is put off for all instances, and the token stays', async (fleet) => {
    const [holder, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const { id, usableUntil } = await holder.obtain(key)
    const refreshAt = usableUntil - 5_000
    await (await holder.lease(key)).end({ refreshAt })
    const { token, isLeased, failure } = await other.look(key)
    assert.deepEqual(
      { id: token?.id, refreshAt: token?.refreshAt, usableUntil: token?.usableUntil, isLeased, failure },
      { id, refreshAt, usableUntil, isLeased: false, failure: undefined },
    )
  })

  promise('a renewal is put off at most until the token can no longer be used', async (fleet) => {
    const [holder, other] = [fleet.open(), fleet.open()]
    const key = someTokenKey()
    const { usableUntil } = await holder.obtain(key)
    await (await holder.lease(key)).end({ refreshAt: usableUntil + 86_400_000 })
    assert.equal((await other.look(key)).token?.refreshAt, usableUntil)
  })

  promise('a token in the record of another token is a miss', async (fleet) => {
    const instance = fleet.open()
    const [key, otherKey] = [someTokenKey(), someTokenKey()]
    await instance.obtain(key)
    await instance.obtain(otherKey)
    const from = (await instance.look(key)).read
    const to = (await instance.look(otherKey)).read
    await overwrite(fleet, to, { sealedToken: from.record.sealedToken ?? '' })
    assert.equal((await instance.look(otherKey)).token, undefined)
    assert.ok((await instance.look(key)).token)
    const unreadable = instance.events.filter(({ event }) => event === 'cached_token_unreadable')
    assert.equal(unreadable.length, 1)
  })

  promise(
    'a token is a miss under another connection, and under a generation that it was not sealed for',
    async (fleet) => {
      const instance = fleet.open()
      const key = someTokenKey()
      await instance.obtain(key)
      const { read } = await instance.look(key)
      const elsewhere = await instance.look(key, 'other')
      const lease = await instance.takeLease(elsewhere, Infinity)
      await lease?.activate({ fingerprint: 'f1' })
      const { read: to } = await instance.look(key, 'other')
      await overwrite(fleet, to, { ...read.record, generation: to.connection?.generation ?? 0 })
      assert.equal((await instance.look(key, 'other')).token, undefined)

      await instance.lease(someTokenKey(), 'f2')
      const { read: old } = await instance.look(key)
      await overwrite(fleet, old, { generation: old.connection?.generation ?? 0 })
      assert.equal((await instance.look(key)).token, undefined, 'the cleartext generation may be forged')
    },
  )

  promise('a token with any change is a miss, and the next token is found again', async (fleet) => {
    const instance = fleet.open()
    const key = someTokenKey()
    await instance.obtain(key)
    const sealed = (await instance.look(key)).read.record.sealedToken ?? ''
    const parts = sealed.split('.')
    const changes = parts.flatMap((part, index) => (part ? [parts.with(index, flipped(part)).join('.')] : []))
    assert.equal(changes.length, 4, 'header, iv, ciphertext and tag')
    for (const change of [...changes, sealed.slice(0, -5), '', '.', 'a.b.c.d.e', '....', '{}']) {
      await overwrite(fleet, (await instance.look(key)).read, { sealedToken: change })
      assert.equal((await instance.look(key)).token, undefined, change)
    }
    await overwrite(fleet, (await instance.look(key)).read, { sealedToken: sealed })
    assert.ok((await instance.look(key)).token)
    const { id } = await instance.obtain(key)
    assert.equal((await instance.look(key)).token?.id, id)
  })

  promise('the store holds no cleartext of a token or of what it was requested for', async (fleet) => {
    const instance = fleet.open()
    const texts = {
      scope: 'the-secret-scope',
      resource: 'https://the-secret-resource.example',
      audience: 'the-secret-audience',
      username: 'the-secret-user',
      password: 'the-secret-password',
      tenant: 'the-secret-tenant',
      accessToken: 'the-secret-access-token',
    }
    const { scope, resource, audience, username, password, tenant, accessToken } = texts
    const asked = { scope: [scope], resource: [resource], audience, further: { tenant } }
    const key = tokenKey({ connection: 'conn', ...asked, username, password: new Secret(password) })
    const token = { ...aToken(fleet.clock.now), accessToken: new Secret(accessToken), scope }
    const stored = await (await instance.lease(key)).store(token, asked, true)
    await (await instance.lease(key)).end({
      failure: writeFailure(new UnreachableError('nobody listens')),
      until: fleet.clock.now + 9,
    })
    await instance.invalidate(stored.token.id)

    const names = fleet.written.map(({ name: written }) => written)
    const there = await fleet.store.read(names)
    assert.ok(fleet.written.some(({ record }) => 'sealedToken' in record.fields))
    const all = JSON.stringify([fleet.written, names.map(recordNameText), there])
    for (const [what, text] of Object.entries(texts))
      for (const form of [text, Buffer.from(text).toString('base64'), Buffer.from(text).toString('hex')])
        assert.ok(!all.includes(form.replace(/=+$/, '')), `the ${what}`)
  })

  promise(
    'tokens sealed with the previous encryption key still open, and new ones are sealed with the newest',
    async (fleet) => {
      const [old, next] = [someEncryptionKey('old'), someEncryptionKey('next')]
      const secrets = theSecret(fleet, [old])
      const [one, other] = [fleet.open(secrets.sealing()), fleet.open(secrets.sealing())]
      const [key, newKey] = [someTokenKey(), someTokenKey()]
      const { id } = await one.obtain(key)
      assert.equal((await other.look(key)).token?.id, id)

      secrets.hold([next, old])
      fleet.clock.now += 300_000
      // Sealing starts a new read of the keys but does not wait for it, so only the next token is sealed with the new
      // key.
      await one.obtain(someTokenKey())
      await turn()
      const fresh = await one.obtain(newKey)
      const { sealedToken = '' } = (await one.look(newKey)).read.record
      assert.equal(decodeProtectedHeader(sealedToken)['kid'], 'next')
      const readBefore = secrets.reads()
      assert.equal((await other.look(newKey)).token?.id, fresh.id)
      assert.ok((await other.look(key)).token, 'sealed with the previous key')
      assert.equal((await one.look(newKey)).token?.id, fresh.id)
      assert.equal(secrets.reads(), readBefore + 1)

      secrets.hold([next])
      fleet.clock.now += 300_000
      await one.obtain(someTokenKey())
      await turn()
      assert.equal((await one.look(key)).token, undefined, 'its key was removed')
      assert.ok((await one.look(newKey)).token)
    },
  )

  promise('a token sealed with an unknown key makes the instance read the secret once more', async (fleet) => {
    const [old, next, unknown] = [someEncryptionKey('old'), someEncryptionKey('next'), someEncryptionKey('unknown')]
    const secrets = theSecret(fleet, [old])
    const late = fleet.open(secrets.sealing())
    await late.look(someTokenKey())
    secrets.hold([next, old])
    const early = fleet.open(secrets.sealing())
    const key = someTokenKey()
    const { id } = await early.obtain(key)
    const readBefore = secrets.reads()
    assert.equal((await late.look(key)).token?.id, id)
    assert.equal(secrets.reads(), readBefore + 1)

    secrets.hold([unknown])
    const strangers = fleet.open(secrets.sealing())
    const foreignKey = someTokenKey()
    await strangers.obtain(foreignKey)
    secrets.hold([next, old])
    fleet.clock.now += 10_000
    const before = secrets.reads()
    for (let count = 0; count < 5; count++) assert.equal((await late.look(foreignKey)).token, undefined)
    assert.equal(secrets.reads(), before + 1, 'once in 10 s, even if it is read more often')
  })

  promise('if the keys cannot be read, a token is not a miss: the cache fails', async (fleet) => {
    const secrets = theSecret(fleet, [someEncryptionKey('old')])
    const instance = fleet.open(secrets.sealing())
    await instance.look(someTokenKey())
    secrets.hold([someEncryptionKey('next')])
    const key = someTokenKey()
    await fleet.open(secrets.sealing()).obtain(key)
    secrets.hold(undefined)
    await assert.rejects(instance.look(key), CacheUnavailableError)
    assert.deepEqual(
      instance.events.map(({ event }) => event),
      ['cache_passed_over'],
    )
  })
}

function createFleet({ store, sealing }: { store: RecordStore; sealing: Sealing }): Fleet {
  const clock = { now: Date.now() }
  const written: { name: RecordName; record: StoredRecord }[] = []
  const overheard: RecordStore = {
    read: (names) => store.read(names),
    write(name, record, expected) {
      written.push({ name, record })
      return store.write(name, record, expected)
    },
    due: (...question) => store.due(...question),
  }
  return {
    store,
    clock,
    written,
    open: (own = sealing) => createInstance(overheard, own, () => clock.now),
    async announce(fingerprint) {
      const [stored] = await store.read([connectionRecordName('conn')])
      const before = readConnectionRecord(stored ?? assert.fail('the connection has no record'), clock.now)
      const after = withStaged(before, { fingerprint }, clock.now)
      const version = randomBytes(16).toString('base64url')
      const record = writeConnectionRecord(after, version, clock.now)
      assert.equal(await store.write(connectionRecordName('conn'), record, before.version), true)
      return after.staged?.generation ?? assert.fail('nothing was staged')
    },
  }
}

function createInstance(store: RecordStore, sealing: Sealing, now: () => number): Instance {
  const events: LogEvent[] = []
  const log = (event: LogEvent) => void events.push(event)
  const randomId = () => randomBytes(16).toString('base64url')
  const breaker = createCircuitBreaker({
    budgetMilliseconds: 10_000,
    now,
    random: () => 0.5,
    pause: timerPause,
    log,
  })
  const records = createFleetRecords({ store, breaker, now, randomId })
  const cache = createTokenCache({ records, sealing, breaker, now, randomId, log })
  const look = (key: TokenKey, connection = 'conn') => cache.look(connection, key, Infinity)
  const takeLease = async (look: Look, waitUntil: number): Promise<HeldLease | undefined> => {
    const taken = await cache.takeLease(look, waitUntil)
    return (
      taken && {
        ...taken,
        store: (token, asked, isUse) => cache.store(taken, token, asked, isUse ? someCaller : undefined),
      }
    )
  }
  const lease = async (key: TokenKey, under: Under = 'f1') => {
    const taken = await takeLease(await look(key), Infinity)
    assert.ok(taken, 'another instance holds the lease')
    await taken.activate(typeof under === 'string' ? { fingerprint: under } : under)
    return taken
  }
  return {
    cache,
    events,
    look,
    takeLease,
    lease,
    async obtain(key, token = aToken(now()), under) {
      const isUse = typeof under !== 'object' || (under.isUse ?? true)
      const stored = await (await lease(key, under)).store(token, nothingElse, isUse)
      assert.equal(stored.isCurrent, true)
      return stored.token
    },
    async storeNext(key, generation) {
      const taken =
        (await cache.takeLease(await look(key), Infinity)) ?? assert.fail('another instance holds the lease')
      return cache.storeStaged(taken, aToken(now()), nothingElse, generation)
    },
    invalidate: (tokenId, connection = 'conn') =>
      cache.invalidate({ connection, tokenId, now: now(), minimumIntervalMilliseconds: intervalMilliseconds }),
  }
}

function aToken(now: number): Token {
  return someToken({ issuedAt: now, refreshAt: now + 200_000, usableUntil: now + 270_000, expiresAt: now + 300_000 })
}

/** Writes what anyone with write access to the store can write. */
async function overwrite(
  { store }: Fleet,
  { name, version, record }: Look['read'],
  fields: StoredRecord['fields'],
): Promise<void> {
  const changed = {
    version: randomBytes(16).toString('base64url'),
    removableFrom: Date.now() + 86_400_000,
    fields: { ...record, ...fields },
  }
  assert.equal(await store.write(name, changed, version), true)
}

/** Changes a character in the middle, where each bit of it counts. */
function flipped(text: string): string {
  const index = Math.floor(text.length / 2)
  return text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1)
}

interface SomeKey {
  readonly kid: string
  readonly k: string
}

function someEncryptionKey(kid: string): SomeKey {
  return { kid, k: randomBytes(32).toString('base64url') }
}

/** The cache's secret, which the test changes. Each sealing reads it by itself, as each instance does. */
function theSecret({ clock }: Fleet, keys: readonly SomeKey[]) {
  const namingKey = randomBytes(32).toString('base64url')
  let encryptionKeys: readonly SomeKey[] | undefined = keys
  let reads = 0
  const store = {
    async get() {
      reads++
      if (!encryptionKeys) throw new SecretError('secret_denied', 'access denied')
      return new Secret(JSON.stringify({ namingKey, encryptionKeys }))
    },
  }
  return {
    sealing: () =>
      createSealing(
        createSecretCache(singleVersionSecrets(store.get), () => clock.now),
        'tokenwell/test/cache',
      ),
    /** Undefined means that no instance may read the secret any more. */
    hold(next: readonly SomeKey[] | undefined) {
      encryptionKeys = next
    },
    reads: () => reads,
  }
}
