import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createCircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { createCoolDownRegistry } from '../../../lib/fleet/cool-downs.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { coolDownNames, type NamedRequest } from '../../../lib/get-token/cool-down-names.ts'
import { type Clearance, createCoolDownPolicy } from '../../../lib/get-token/cool-down-policy.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import {
  RefusedError,
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { thePassword } from '../../support/virtual/virtual-ports.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

const own: NamedRequest = {
  connection: plainConnection,
  request: { connection: 'conn', further: {} },
  parameters: { scope: [], resource: [], further: {} },
  deadline: 0,
  caller: 'one',
  isOwn: true,
  fingerprint: 'f1',
}
/** A request with caller parameters. */
const added: NamedRequest = { ...own, request: { ...own.request, scope: ['a'] }, isOwn: false }
const withScope = (scope: string, caller = 'one'): NamedRequest => ({
  ...added,
  caller,
  request: { ...own.request, scope: [scope] },
})
const withPassword = (caller = 'one', username = 'alice'): NamedRequest => ({
  ...added,
  caller,
  connection: { ...plainConnection, grant: { type: 'password' } },
  request: { ...own.request, username, password: new Secret('a guess') },
})

function thePolicy() {
  const { now, pause, advance } = createVirtualTime()
  const events: LogEvent[] = []
  const log = (event: LogEvent) => void events.push(event)
  const randomId = () => randomBytes(16).toString('base64url')
  const breaker = createCircuitBreaker({ budgetMilliseconds: 250, now, random: () => 0.5, pause, log })
  const store = memoryRecords({ maximumRecords: 1_000 })
  const sealing = withoutSealing(new Uint8Array(32))
  const coolDowns = createCoolDownRegistry({ store, breaker, sealing, now, randomId })
  const policy = createCoolDownPolicy({ coolDowns, secrets: thePassword, log })
  async function fail(error: unknown, context: NamedRequest, { isRepeated = false } = {}) {
    return await policy.noteFailure(error, context, await policy.clear(context), isRepeated)
  }
  /** The error that a request gets. Undefined where it may be made. */
  async function told(context: Parameters<typeof policy.clear>[0]): Promise<CoolingDownError | undefined> {
    let clearance: Clearance
    try {
      clearance = await policy.clear(context)
    } catch (error) {
      assert.ok(error instanceof CoolingDownError, String(error))
      return error
    }
    await policy.noteFailure(new Error('it was not made'), context, clearance, false)
    return undefined
  }
  /** The kinds that cool down, of all that a request depends on. */
  async function cooling(context: NamedRequest): Promise<readonly string[]> {
    const names = Object.entries(await coolDownNames(context, thePassword))
    const checks = names.map(async ([kind, name]) => {
      const { kind: verdict } = await coolDowns.check({ [kind]: name }, context)
      return verdict === 'cooling_down' ? [kind] : []
    })
    return (await Promise.all(checks)).flat()
  }
  const begun = () => events.filter(({ event }) => event === 'cool_down_begun')
  const ended = () => events.flatMap((each) => (each.event === 'cool_down_ended' ? [each.of] : []))
  return { policy, fail, told, cooling, begun, ended, events, advance, now }
}

const refused = (error: string, isOfCredentials = false) =>
  RefusedError.of({ error, isOfCredentials }, 'theServer', 'elements')

test("what cools down is what the failure is evidence about, and something wider only if caller parameters can't be the reason", async () => {
  const rows = [
    [new UnreachableError('no way'), 'way', 'way', undefined],
    [new UnreachableError('TLS', { wasSent: true }), 'way', 'token', 'endpoint'],
    [new UnreachableError('503', { blames: 'endpoint' }), 'endpoint', 'token', 'endpoint'],
    [new UnreachableError('429', { blames: 'client' }), 'client', 'variants', undefined],
    [new TimedOutError('silence', { isServers: true }), 'endpoint', 'token', 'endpoint'],
    [new TimedOutError('no connection', { isServers: true, wasSent: false }), 'way', 'way', undefined],
    [new TimedOutError('short deadline'), undefined, undefined, undefined],
    [new UnreadableAnswerError('nonsense'), 'endpoint', 'token', 'endpoint'],
    [refused('invalid_client', true), 'client', 'client', undefined],
    [refused('http_401', true), 'client', 'token', 'client'],
    [refused('unauthorized_client'), 'connection', 'token', 'connection'],
    [refused('invalid_scope'), 'token', 'token', undefined],
  ] as const
  for (const [error, ofOwn, ofAdded, suspect] of rows) {
    for (const [context, of] of [
      [own, ofOwn],
      [added, ofAdded],
      [withPassword(), ofAdded],
    ] as const) {
      const { fail, begun, cooling } = thePolicy()
      const verdict = await fail(error, context)
      const isSuspected = context === added && suspect !== undefined
      assert.deepEqual(verdict.suspect, isSuspected ? suspect : undefined, error.message)
      const [event, ...others] = begun()
      assert.deepEqual(others, [], error.message)
      assert.equal(event?.event === 'cool_down_begun' ? event.of : undefined, of, error.message)
      const kinds = of === 'variants' ? ['token', 'variants'] : [of].filter((each) => each !== undefined)
      assert.deepEqual(await cooling(context), kinds, error.message)
      if (of === undefined) assert.equal(verdict.reported, error)
      else assert.ok(verdict.reported instanceof CoolingDownError && verdict.reported.failure === error)
    }
  }
})

test('the log says what cools down, why, for how long, and for which caller alone', async () => {
  const { fail, begun } = thePolicy()
  await fail(new UnreachableError('429', { blames: 'client', retryAfterSeconds: 45 }), added)
  const event = { event: 'cool_down_begun', connection: 'conn', authorizationServer: 'theServer', code: 'unreachable' }
  assert.deepEqual(begun(), [{ ...event, of: 'variants', seconds: 45, caller: 'one' }])
  await fail(refused('unauthorized_client'), own)
  assert.deepEqual(begun()[1], { ...event, code: 'refused', of: 'connection', seconds: 30 })
})

test('the error for callers has the failure, the wait, what began to cool down, and the caller that it is for', async () => {
  const { fail, told } = thePolicy()
  const error = new UnreachableError('429', { blames: 'client', retryAfterSeconds: 45 })
  const { reported } = await fail(error, added)
  assert.ok(reported instanceof CoolingDownError)
  assert.deepEqual([reported.began, reported.caller, reported.retryAfterSeconds], ['variants', 'one', 45])
  const later = await told(withScope('b'))
  assert.equal(later?.failure?.message, '429')
  assert.deepEqual([later.began, later.caller, later.retryAfterSeconds], [undefined, 'one', 45])
  assert.equal(await told(withScope('b', 'two')), undefined)
  assert.equal(await told(own), undefined)
  // Any number of callers that ask for one token key cost one request.
  const shared = await told({ ...added, caller: 'two' })
  assert.deepEqual([shared?.failure?.message, shared?.caller], ['429', undefined])
})

test('a failure that will be retried is a suspicion for other requests, and no cool-down', async () => {
  const { policy, fail, told, begun } = thePolicy()
  const error = new UnreachableError('503', { blames: 'endpoint' })
  const verdict = await fail(error, added, { isRepeated: true })
  assert.deepEqual(verdict, { reported: error })
  assert.deepEqual(begun(), [])
  assert.equal(await told(added), undefined)
  assert.equal((await policy.clear(added)).pass.isSuspected, true)
})

test('where the server says when to come back, all requests wait until then, even if a retry follows', async () => {
  const { fail, told, begun } = thePolicy()
  const error = new UnreachableError('503', { blames: 'endpoint', retryAfterSeconds: 3 })
  const { reported } = await fail(error, own, { isRepeated: true })
  assert.ok(reported instanceof CoolingDownError)
  assert.equal(begun().length, 1)
  assert.equal((await told(added))?.retryAfterSeconds, 3)
})

test("while a server may be failing each caller has one request at a time, and warm runs don't wait", async () => {
  const { policy, fail, told } = thePolicy()
  await fail(new UnreachableError('503', { blames: 'endpoint' }), own, { isRepeated: true })
  const first = await policy.clear(added)
  assert.equal(first.pass.isSuspected, true)
  const second = await told(withScope('b'))
  assert.deepEqual([second?.caller, second?.retryAfterSeconds, second?.failure], ['one', 1, undefined])
  const elsewhere = { ...plainConnection.authorizationServer, tokenEndpoint: 'https://b.example/token' }
  const other = { ...own, connection: { ...plainConnection, authorizationServer: elsewhere } }
  await fail(new UnreachableError('503', { blames: 'endpoint' }), other, { isRepeated: true })
  const [atOther, ofTwo] = [await policy.clear(other), await policy.clear(withScope('b', 'two'))]
  assert.ok(await told(withScope('b')))
  await policy.noteFailure(new TimedOutError('short deadline'), other, atOther, false)
  await policy.noteFailure(new TimedOutError('short deadline'), withScope('b', 'two'), ofTwo, false)
  assert.ok(await told(withScope('b')), 'another caller, or another server, has its own turn')
  await policy.clear(withScope('c', 'tokenwell'))
  assert.equal(await told(withScope('d', 'tokenwell')), undefined)
  await policy.noteFailure(new TimedOutError('short deadline'), added, first, false)
  assert.equal(await told(withScope('b')), undefined, 'the first is over')
  const third = await policy.clear(added)
  assert.ok(await told(withScope('b')))
  await policy.noteSuccess(third, added)
  await fail(new UnreachableError('503', { blames: 'endpoint' }), { ...own, caller: 'two' }, { isRepeated: true })
  assert.equal(await told(withScope('b')), undefined, 'that one has ended as well')
})

test('a failure without evidence about the server begins no suspicion', async () => {
  const { policy, fail } = thePolicy()
  await fail(new TimedOutError('short deadline'), own, { isRepeated: true })
  assert.equal((await policy.clear(own)).pass.isSuspected, false)
})

test('without a suspicion a caller may have many requests under way', async () => {
  const { policy, told } = thePolicy()
  await policy.clear(added)
  assert.equal(await told(withScope('b')), undefined)
})

test('a request that does not get a turn leaves the probe to the next one', async () => {
  const { policy, fail, told, advance } = thePolicy()
  await fail(refused('invalid_scope'), added)
  await advance(30_000)
  await fail(new UnreachableError('503', { blames: 'endpoint' }), own, { isRepeated: true })
  const underWay = await policy.clear(withScope('b'))
  assert.match((await told(added))?.message ?? '', /another request of this caller is under way/)
  await policy.noteSuccess(underWay, withScope('b'))
  assert.equal(await told(added), undefined)
})

test('a guess takes a place of its caller and one of all callers before it is sent, and only a refusal keeps them', async () => {
  const { policy, fail, told } = thePolicy()
  for (const error of [new TimedOutError('short deadline'), new Error('a programming error')])
    for (let count = 0; count < 4; count++) await fail(error, withPassword())
  for (let count = 0; count < 4; count++) await policy.noteSuccess(await policy.clear(withPassword()), withPassword())
  const clearances: Clearance[] = []
  for (let count = 0; count < 3; count++) clearances.push(await policy.clear(withPassword()))
  assert.deepEqual(
    clearances.map(({ reservations }) => reservations.length),
    [2, 2, 2],
  )
  const tooMany = await told(withPassword())
  assert.deepEqual([tooMany?.caller, tooMany?.retryAfterSeconds, tooMany?.failure], ['one', 60, undefined])
  assert.deepEqual((await policy.clear(added)).reservations, [])
  const [first = assert.fail()] = clearances
  await policy.noteFailure(refused('invalid_grant'), withPassword(), first, false)
  assert.ok(await told(withPassword()))
})

test("where all places are taken, the caller's place and the probe are given back", async () => {
  const { policy, told, advance } = thePolicy()
  for (let count = 0; count < 30; count++) await policy.clear(withPassword(`caller-${count}`))
  for (let count = 0; count < 5; count++) assert.equal((await told(withPassword()))?.retryAfterSeconds, 60)
  await advance(60_000)
  for (let count = 0; count < 3; count++) await policy.clear(withPassword())
  assert.ok(await told(withPassword()))
})

test('a guess too many leaves the probe of a cool-down to others', async () => {
  const { policy, fail, told, advance } = thePolicy()
  await fail(new UnreachableError('no way'), own)
  await advance(30_000)
  const probe = await policy.clear(withPassword())
  await policy.noteSuccess(probe, withPassword())
  for (let count = 0; count < 3; count++) await policy.clear(withPassword())
  await fail(new UnreachableError('no way'), own)
  await advance(30_000)
  assert.match((await told(withPassword()))?.message ?? '', /^The authorization server refused too many passwords/)
  assert.equal(await told(withPassword('two')), undefined)
})

test("ten failed tokens of a caller within a minute make that caller's requests for the connection wait", async () => {
  const { fail, told, begun } = thePolicy()
  for (let count = 0; count < 9; count++) await fail(refused('invalid_scope'), withScope(`s${count}`))
  assert.equal(await told(withScope('next')), undefined)
  await fail(refused('invalid_scope'), withScope('s9'))
  assert.deepEqual(
    begun().flatMap((each) => (each.event === 'cool_down_begun' && each.of === 'caller' ? [each] : [])),
    [
      {
        event: 'cool_down_begun',
        connection: 'conn',
        authorizationServer: 'theServer',
        of: 'caller',
        code: 'refused',
        seconds: 60,
        caller: 'one',
      },
    ],
  )
  const next = await told(withScope('next'))
  assert.deepEqual([next?.caller, next?.retryAfterSeconds, next?.failure?.code], ['one', 60, 'refused'])
  assert.equal(await told(withScope('next', 'two')), undefined)
  assert.equal(await told(own), undefined)
})

test('own requests, warm runs and password guesses do not count against a caller', async () => {
  const counted = thePolicy()
  for (let count = 0; count < 12; count++) {
    const scope = [`s${count}`]
    await counted.fail(refused('invalid_scope'), { ...own, request: { ...own.request, scope } })
    await counted.fail(refused('invalid_scope'), withScope(`t${count}`, 'tokenwell'))
    await counted.fail(refused('invalid_grant'), withPassword('one', `user-${count}`))
  }
  for (const caller of ['one', 'tokenwell']) assert.equal(await counted.told(withScope('next', caller)), undefined)
  const many = thePolicy()
  const together = Array.from({ length: 12 }, async (_, count) => {
    return await many.fail(new UnreachableError('no way'), withScope(`s${count}`))
  })
  await Promise.all(together)
  assert.deepEqual(await many.cooling(withScope('next')), ['way'], 'nor failures that no caller can cause')
  const { fail, told } = thePolicy()
  for (let count = 0; count < 5; count++) {
    await fail(refused('invalid_scope'), withPassword('one', `user-${count}`))
    await fail(refused('invalid_grant'), withScope(`s${count}`))
  }
  assert.ok(await told(withScope('next')), 'other refusals count, with a password or without')
})

test('a token ends all cool-downs, and a failure ends the cool-downs of what it proves to work', async () => {
  const rows = [
    [undefined, ['way', 'endpoint', 'client', 'token']],
    [refused('invalid_client', true), ['way', 'endpoint']],
    [refused('unauthorized_client'), ['way', 'endpoint']],
    [refused('invalid_scope'), ['way', 'endpoint']],
    [new UnreachableError('503', { blames: 'endpoint' }), ['way']],
    [new UnreachableError('no way'), []],
    [new TimedOutError('short deadline'), []],
  ] as const
  for (const [error, fine] of rows) {
    const { policy, fail, ended, events, advance } = thePolicy()
    const passes: Clearance[] = []
    for (let count = 0; count < 4; count++) passes.push(await policy.clear(own))
    const failures = [
      new UnreachableError('no way'),
      new UnreachableError('503', { blames: 'endpoint' }),
      refused('invalid_client', true),
      refused('invalid_scope'),
    ]
    for (const [index, clearance] of passes.entries()) await policy.noteFailure(failures[index], own, clearance, false)
    await advance(30_000)
    if (error) await fail(error, own)
    else await policy.noteSuccess(await policy.clear(own), own)
    assert.deepEqual(ended(), fine, error?.message ?? 'a token')
    const [first] = events.filter(({ event }) => event === 'cool_down_ended')
    if (fine.length > 0) assert.deepEqual(first, { event: 'cool_down_ended', connection: 'conn', of: 'way' })
  }
})

test("a failure that is not the token endpoint's is returned unchanged, and the next request may probe", async () => {
  const { fail, told, begun, advance } = thePolicy()
  await fail(refused('invalid_scope'), own)
  await advance(30_000)
  const fault = new TypeError('a programming error')
  assert.deepEqual(await fail(fault, own), { reported: fault })
  assert.equal(await told(own), undefined)
  await fail(new TimedOutError('short deadline'), own)
  assert.equal(await told(own), undefined)
  assert.equal(begun().length, 1)
})

test('after a rate limit own requests go first, and requests with caller parameters wait two seconds longer', async () => {
  const { fail, told, advance } = thePolicy()
  await fail(new UnreachableError('429', { blames: 'client' }), own)
  await advance(30_000)
  assert.equal((await told(added))?.retryAfterSeconds, 2)
  assert.equal(await told(own), undefined)
  await advance(2_000)
  assert.equal(await told(added), undefined)
})

test('after a fix no request waits for an older cool-down', async () => {
  const { fail, told, advance, now } = thePolicy()
  await fail(refused('invalid_scope'), own)
  await advance(1_000)
  assert.equal((await told(own))?.retryAfterSeconds, 29)
  assert.ok(await told({ ...own, mendedAt: now() - 2_000 }))
  assert.equal(await told({ ...own, mendedAt: now() }), undefined)
})
