import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { ConnectionDisabledError } from '../../../lib/configuration/finding.ts'
import { readConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import { connectionRecordName, type RecordFields } from '../../../lib/fleet/record-store.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { KeyRevocation } from '../../../lib/signing/key-revocation.ts'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { createFaultInjectingStore, isDown } from '../../support/virtual/fault-injecting-store.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  type TokensInVirtualTimeOptions,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'
import {
  theSigners,
  unchangingConnections,
  type VirtualEndpoint,
  type VirtualRequest,
} from '../../support/virtual/virtual-ports.ts'

/* Two processes and a server whose answers each test sets. Tokens of 300 s are stale after 216 s, and usable for 270 s. */

type Answer = ReturnType<typeof virtualToken>

function thePair(options: TokensInVirtualTimeOptions = {}) {
  const far: { answer(request: VirtualRequest): Answer | Promise<Answer> } = { answer: () => virtualToken() }
  const endpoint: VirtualEndpoint = (request) => far.answer(request)
  const one = createTokensInVirtualTime(endpoint, options)
  const other = createTokensInVirtualTime(endpoint, { ...options, fleet: one })
  /** The scopes of the requests since the last call. null for the connection's own request. */
  let seen = 0
  const asked = () => {
    const all = [...one.requests, ...other.requests].sort((a, b) => a.at - b.at)
    const scopes = all.slice(seen).map(({ form }) => form.get('scope'))
    seen = all.length
    return scopes
  }
  return { far, one, other, time: one.time, advance: one.time.advance, asked }
}

const ask = ({ time, get }: TokensInVirtualTime, ...request: Parameters<TokensInVirtualTime['get']>) =>
  time.until(get(...request))

async function failureOf(...asked: Parameters<typeof ask>): Promise<CoolingDownError> {
  const error = await ask(...asked).then(
    () => assert.fail('it brings a token'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof CoolingDownError, String(error))
  return error
}

const unavailable = () => {
  throw new UnreachableError('503', { blames: 'endpoint', isLasting: true })
}
/** A request with a scope gets this answer, and the connection's own request gets a token. */
const onlyScopes =
  (answer: () => Answer) =>
  ({ form }: VirtualRequest) =>
    form.has('scope') ? answer() : virtualToken()

const scoped = (scope: string) => ({ scope: [scope] })

test("a request that fails with a caller's scope is tried without it, and if that succeeds only the scope waits", async () => {
  const { far, one, other, asked, advance } = thePair()
  const { token: old } = await ask(one)
  await advance(1_000)
  asked()
  far.answer = onlyScopes(unavailable)
  assert.equal((await failureOf(one, scoped('a'))).began, 'token')
  assert.deepEqual(asked(), ['a', null])
  const { token, source } = await ask(other)
  assert.notEqual(token.id, old.id, 'its token is stored as any other')
  assert.equal(source, 'cache')
  await failureOf(other, scoped('a'))
  assert.deepEqual(asked(), [])
  await failureOf(other, scoped('b'))
  assert.deepEqual(asked(), ['b'], 'and not again within 30 s')
  await advance(30_000)
  await failureOf(other, scoped('c'))
  assert.deepEqual(asked(), ['c', null])
})

test('where the control request fails as well, the server is the reason, and every request waits', async () => {
  const { far, one, other, asked } = thePair()
  await ask(one)
  asked()
  far.answer = unavailable
  await failureOf(one, scoped('a'))
  assert.deepEqual(asked(), ['a', null])
  await failureOf(other, scoped('b'))
  assert.deepEqual(asked(), [])
  assert.ok(one.events.some((each) => each.event === 'cool_down_begun' && each.of === 'endpoint'))
})

test("a refusal that the control request does not get is the caller's mistake, and the caller gets the server's words", async () => {
  const { far, one, asked } = thePair()
  await ask(one)
  far.answer = onlyScopes(() => virtualRefusal('unauthorized_client'))
  asked()
  const { failure, began, caller, retryAfterSeconds } = await failureOf(one, scoped('a'))
  assert.deepEqual(asked(), ['a', null])
  assert.equal(
    failure?.publicMessage,
    'The authorization server theServer refused the token request: unauthorized_client.',
  )
  assert.deepEqual([began, caller, retryAfterSeconds], ['token', undefined, 30])
  far.answer = () => virtualRefusal('unauthorized_client')
  await one.time.advance(30_000)
  const second = await failureOf(one, scoped('b'))
  assert.deepEqual(asked(), ['b', null])
  assert.match(second.failure?.publicMessage ?? '', /^The authorization server refused this connection's client/)
})

test('where the own token no longer exists, a refused control request blames the client as well', async () => {
  const { far, one, asked, advance } = thePair()
  await ask(one)
  await advance(280_000)
  asked()
  far.answer = () => virtualRefusal('unauthorized_client')
  const { failure, began } = await failureOf(one, scoped('a'))
  assert.deepEqual(asked(), ['a', null])
  assert.match(failure?.publicMessage ?? '', /^The authorization server refused this connection's client/)
  assert.equal(began, 'token', 'the caller gets the failure of its own request')
})

test('no caller is blamed for a refusal where no control request was made', async () => {
  const isRefused = () => virtualRefusal('unauthorized_client')
  const isUnblamed = ({ failure }: CoolingDownError) =>
    assert.match(failure?.publicMessage ?? '', /^The authorization server refused this connection's client/)
  const early = thePair()
  early.far.answer = isRefused
  isUnblamed(await failureOf(early.one, scoped('a')))
  const hasty = thePair()
  await ask(hasty.one)
  hasty.far.answer = onlyScopes(isRefused)
  isUnblamed(await failureOf(hasty.one, scoped('a'), 5_000))
  const busy = thePair()
  await ask(busy.one)
  await busy.advance(280_000)
  busy.far.answer = async (request) => {
    if (request.form.has('scope')) return isRefused()
    await busy.time.pause(5_000)
    return virtualToken()
  }
  busy.other.get().catch(() => {})
  await busy.advance(0)
  isUnblamed(await failureOf(busy.one, scoped('a')))
})

test('a control request does not count as a use: it keeps nothing warm', async () => {
  const connection = {
    ...plainConnection,
    warming: {
      authorizationServer: 'theServer',
      maximumConcurrency: 10,
      idleMilliseconds: 400_000,
      maximumVariants: 5,
    },
  }
  const { far, one, time, advance } = thePair({ connection })
  await ask(one)
  const at = time.now()
  await advance(150_000)
  far.answer = onlyScopes(unavailable)
  await failureOf(one, scoped('a'))
  const [record] = await one.store.read([connectionRecordName('conn')])
  const { variants } = readConnectionRecord(record ?? assert.fail(), time.now())
  assert.equal(variants.length, 1)
  assert.ok((variants[0]?.lastUsedAt ?? 0) <= at)
})

test('no control request is made before the first own token, for a user, or without time for it', async () => {
  const { far, one, asked } = thePair()
  far.answer = unavailable
  await failureOf(one, scoped('a'))
  assert.deepEqual(asked(), ['a'])
  const users = thePair({ connection: { ...plainConnection, grant: { type: 'password' } } })
  users.far.answer = unavailable
  await failureOf(users.one, { username: 'alice', password: new Secret('hers') })
  assert.equal(users.asked().length, 1)
  const hasty = thePair()
  await ask(hasty.one)
  hasty.asked()
  hasty.far.answer = unavailable
  await failureOf(hasty.one, scoped('a'), 5_000)
  assert.deepEqual(hasty.asked(), ['a'])
  await failureOf(hasty.one, scoped('b'), 25_000)
  assert.deepEqual(hasty.asked(), ['b'], 'the right was taken, and is free again after 30 s')
})

test('while another process requests the own token no control request is made', async () => {
  const { far, one, other, asked, advance } = thePair()
  await ask(one)
  await advance(280_000)
  far.answer = async (request) => {
    if (request.form.has('scope')) return unavailable()
    await one.time.pause(5_000)
    return virtualToken()
  }
  asked()
  other.get().catch(() => {})
  await advance(0)
  await failureOf(one, scoped('a'))
  assert.equal(asked().length, 2)
})

test('a programming error in a control request is not hidden behind the failure', async () => {
  const { far, one } = thePair()
  await ask(one)
  const fault = new TypeError('a programming error')
  far.answer = ({ form }) => {
    if (form.has('scope')) return unavailable()
    throw fault
  }
  await assert.rejects(ask(one, scoped('a')), fault)
})

test('without the shared cache no control request is made', async () => {
  const store = createFaultInjectingStore()
  const { far, one, asked } = thePair({ store })
  await ask(one)
  asked()
  store.before = { read: isDown, write: isDown }
  far.answer = unavailable
  await failureOf(one, scoped('a'))
  assert.deepEqual(asked(), ['a'])
})

test('a server that may be failing gets one attempt, and any other server gets three', async () => {
  const { far, one, other, asked, advance } = thePair()
  far.answer = () => {
    throw new UnreachableError('503', { blames: 'endpoint' })
  }
  const first = one.get().catch(() => {})
  await advance(60)
  await failureOf(other, { ...scoped('a'), caller: 'two' })
  assert.deepEqual(
    asked().filter((scope) => scope !== null),
    ['a'],
  )
  await one.time.until(first)
  const { far: dead, one: only, asked: attempts } = thePair()
  dead.answer = far.answer
  await failureOf(only)
  assert.equal(attempts().length, 3)
  const repeated = only.events.filter(({ event }) => event === 'token_request_repeated')
  assert.deepEqual(repeated, [
    { event: 'token_request_repeated', connection: 'conn', attempt: 1, milliseconds: 100 },
    { event: 'token_request_repeated', connection: 'conn', attempt: 2, milliseconds: 200 },
  ])
})

test('no revoked key signs: the revoked keys are read before each attempt', async () => {
  const seen: (readonly KeyRevocation[])[] = []
  const signers = { ...theSigners, revoke: (keys: readonly KeyRevocation[]) => void seen.push(keys) }
  const { far, one } = thePair({ signers })
  far.answer = () => {
    throw new UnreachableError('503', { blames: 'endpoint' })
  }
  await failureOf(one)
  assert.deepEqual(seen, [[], [], []])
})

test('disabling a connection ends all its tokens in the whole fleet, and none is handed out until it is enabled', async () => {
  let isDisabled = false
  const known = unchangingConnections(plainConnection)
  const connections: ConnectionCache = {
    ...known,
    async get(...asked) {
      if (isDisabled) throw new ConnectionDisabledError('conn')
      return await known.get(...asked)
    },
    has: () => !isDisabled,
  }
  const { one, other, asked, advance } = thePair({ connections, memoryMaximumSeconds: 30 })
  const { token: old } = await ask(one)
  await ask(other)
  await advance(217_000)
  isDisabled = true
  await assert.rejects(ask(one), { code: 'connection_disabled' })
  await assert.rejects(ask(other), { code: 'connection_disabled' })
  isDisabled = false
  const { token } = await ask(other)
  assert.notEqual(token.id, old.id)
  assert.equal(asked().length, 2)
})

test('once one process finds a connection disabled, no other process hands out its tokens', async () => {
  const known = unchangingConnections(plainConnection)
  const other = createTokensInVirtualTime(() => virtualToken(), { memoryMaximumSeconds: 0 })
  const { token } = await ask(other)
  const disabled = { ...known, has: () => false, get: () => Promise.reject(new ConnectionDisabledError('conn')) }
  const one = createTokensInVirtualTime(() => virtualToken(), { fleet: other, connections: disabled })
  assert.equal((await ask(other)).token.id, token.id)
  await assert.rejects(ask(one, scoped('a')), { code: 'connection_disabled' })
  assert.equal((await ask(other)).source, 'server')
})

test('a process that finds only under the lease that a request repeats the elements gives up the lease, and gets the own token', async () => {
  const connection = { ...plainConnection, parameters: { ...plainConnection.parameters, audience: 'aud' } }
  const connections = { ...unchangingConnections(connection), has: () => false }
  const { one, other, asked, time } = thePair({ connections })
  const { token } = await ask(one)
  const at = time.now()
  for (const process of [one, other]) assert.equal((await ask(process, { audience: 'aud' })).token.id, token.id)
  assert.equal(asked().length, 1)
  assert.ok(time.now() - at < 1_000, 'the lease has ended')
})

test('after a failed renewal the log has the reason, and the next one is made when it may help', async () => {
  const { far, one, other, asked, advance } = thePair()
  const { token: old } = await ask(one)
  await advance(217_000)
  far.answer = () => {
    throw new TimedOutError('short deadline')
  }
  asked()
  const postponed = await ask(one)
  assert.deepEqual([postponed.token.id, postponed.source], [old.id, 'memory'])
  const [failed] = one.events.filter(({ event }) => event === 'renewal_failed')
  assert.deepEqual(failed, {
    event: 'renewal_failed',
    connection: 'conn',
    code: 'timed_out',
    reason: 'short deadline',
  })
  await advance(9_000)
  for (const process of [one, other]) assert.equal((await ask(process)).token.id, old.id)
  assert.equal(asked().length, 1)
  await advance(1_000)
  await ask(one)
  assert.equal(asked().length, 1, '10 s later')
})

test('the failure of one process goes to the processes that wait for that token, and to later ones while it may still apply', async () => {
  const { far, one, other, asked, advance } = thePair()
  far.answer = () => virtualRefusal('invalid_scope')
  const [first, second] = [one.get(scoped('a')), other.get(scoped('a'))].map((each) => each.catch((error) => error))
  for (const each of [first, second])
    assert.match(String(await one.time.until(each as Promise<unknown>)), /invalid_scope/)
  assert.equal(asked().length, 1)
  await advance(29_000)
  const told = await failureOf(other, scoped('a'))
  assert.deepEqual([told.retryAfterSeconds, told.failure?.code], [1, 'refused'])
  assert.equal(asked().length, 0)
})

test('the list of connections says when the last token came and what failed last', async () => {
  const { far, one, other, time } = thePair({ elements: changeableElements(exampleElements(exampleIssuer)) })
  const first = time.now()
  await ask(one)
  assert.deepEqual(await one.outcome(), { obtainedAt: first + 50 })
  assert.deepEqual(await other.outcome(), {})
  far.answer = unavailable
  await failureOf(other, scoped('a'))
  const { failedAt, failure } = (await other.outcome()) ?? assert.fail()
  assert.deepEqual([failedAt, failure], [time.now(), 'unreachable'])
})

test('a lost lease is not a failure of the connection', async () => {
  const { far, one, other, advance, time } = thePair({ elements: changeableElements(exampleElements(exampleIssuer)) })
  far.answer = async () => {
    await time.pause(14_000)
    throw new UnreachableError('503', { blames: 'endpoint' })
  }
  const slow = one.get({}, 60_000)
  await advance(13_001)
  far.answer = () => virtualToken()
  const { token } = await ask(other)
  assert.equal((await time.until(slow)).token.id, token.id)
  assert.deepEqual(await one.outcome(), {})
})

test('the record of a token has its failure and the end of the cool-down, and for a wider cool-down only for a moment', async () => {
  const store = createFaultInjectingStore()
  const { far, one, time, advance } = thePair({ store })
  let written: RecordFields = {}
  store.before.write = ({ id }, { fields }) => {
    if (id.startsWith('token#')) written = fields
  }
  async function recorded(answer: () => Answer, scope: string) {
    far.answer = answer
    await assert.rejects(ask(one, scoped(scope)))
    const { failure, coolDownUntil = time.now(), retryAt = time.now() } = written
    const code = failure === undefined ? undefined : JSON.parse(String(failure)).code
    return [code, Number(coolDownUntil) - time.now(), Number(retryAt) - time.now()]
  }
  const limited = () => {
    throw new UnreachableError('429', { blames: 'client' })
  }
  const fault = () => {
    throw new TypeError('a programming error')
  }
  assert.deepEqual(await recorded(() => virtualRefusal('invalid_scope'), 'a'), ['refused', 30_000, 30_000])
  assert.deepEqual(await recorded(limited, 'b'), [undefined, 0, 0], 'it concerns one caller')
  assert.deepEqual(await recorded(limited, 'c'), [undefined, 0, 0], 'as does an active cool-down')
  await advance(60_000)
  assert.deepEqual(await recorded(fault, 'd'), [undefined, 0, 0])
  const noWay = () => {
    throw new UnreachableError('no way', { isLasting: true })
  }
  assert.deepEqual(await recorded(noWay, 'e'), ['unreachable', 2_000, 30_000])
  assert.deepEqual(await recorded(noWay, 'f'), ['unreachable', 0, 30_000], 'it cools down already')
})
