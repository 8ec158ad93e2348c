import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { createSeveralTokensFleet, sessionToken } from '../../support/virtual/several-tokens.ts'
import type { TokensInVirtualTime } from '../../support/virtual/tokens-in-virtual-time.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { theSigner, theSigners, type VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

/* One connection has a token from an OAuth 2.0 server, one from another token server, and one that Tokenwell signs. */

const everyServer: VirtualEndpoint = ({ server }) => (server === 'theServer' ? virtualToken() : sessionToken())
const tokens = [undefined, 'session', 'signed'] as const
const named = (authentication: string | undefined) => (authentication === undefined ? {} : { authentication })
const minute = 60_000

function dead(server: string): VirtualEndpoint {
  return (request) => {
    if (request.server === server) throw new UnreachableError('Nobody listens at the token endpoint.')
    return everyServer(request)
  }
}

function getEach({ get }: TokensInVirtualTime) {
  return Promise.all(tokens.map((each) => get(named(each))))
}

test('each token of a connection is obtained once for the fleet', async () => {
  const fleet = createSeveralTokensFleet(everyServer, { size: 3 })
  const found = await fleet.time.until(Promise.all(fleet.callers.map(getEach)))
  for (const position of tokens.keys())
    assert.equal(new Set(found.map((each) => each[position]?.token.accessToken.reveal())).size, 1)
  assert.equal(new Set(found.flat().map(({ token }) => token.accessToken.reveal())).size, tokens.length)
  assert.deepEqual([fleet.requestsTo('theServer'), fleet.requestsTo('sessionServer')], [1, 1])
})

test('the name of the main token is a repetition: the request without it has the same token', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  const { token } = await fleet.time.until(fleet.caller.get({ authentication: 'theConfig' }))
  assert.equal((await fleet.time.until(fleet.join().get())).token.id, token.id)
  assert.equal(fleet.requests().length, 1)
})

test('a dead token server of one token neither keeps the others from callers nor from being renewed', async () => {
  for (const server of ['sessionServer', 'theServer']) {
    const [deadToken, liveToken, liveServer] =
      server === 'theServer' ? [undefined, 'session', 'sessionServer'] : ['session', undefined, 'theServer']
    const fleet = createSeveralTokensFleet(dead(server))
    const get = (authentication: string | undefined) => fleet.time.until(fleet.caller.get(named(authentication)))
    await assert.rejects(get(deadToken), { code: 'cooling_down' })
    const first = await get(liveToken)
    const signed = await get('signed')
    const before = fleet.time.now()
    await assert.rejects(get(deadToken), { code: 'cooling_down' })
    assert.equal((await get(liveToken)).token.id, first.token.id)
    assert.equal((await get('signed')).token.id, signed.token.id)
    assert.equal(fleet.time.now(), before, 'a caller waits')

    for (let minutes = 0; minutes < 10; minutes++) {
      await fleet.time.advance(minute)
      await fleet.time.until(fleet.refresher.warm())
    }
    assert.ok(fleet.requestsTo(liveServer) > 1, 'no warm run has renewed the other token')
    const later = await get(liveToken)
    assert.deepEqual([later.source, later.token.id === first.token.id], ['cache', false], liveServer)
    assert.notEqual((await get('signed')).token.accessToken.reveal(), signed.token.accessToken.reveal())
  }
})

test('a refused client of one token does not keep the other tokens waiting', async () => {
  const fleet = createSeveralTokensFleet((request) =>
    request.server === 'sessionServer' ? virtualRefusal('invalid_client', { status: 401 }) : everyServer(request),
  )
  const get = (authentication?: string) => fleet.time.until(fleet.caller.get(named(authentication)))
  await assert.rejects(get('session'), { code: 'cooling_down' })
  await get()
  await get('signed')
  await assert.rejects(get('session'), { code: 'cooling_down' })
  assert.equal(fleet.requestsTo('sessionServer'), 1)
})

test('a rejected token is replaced alone', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  const before = await fleet.time.until(getEach(fleet.caller))
  await fleet.time.advance(minute / 2)
  for (const [position, authentication] of tokens.entries()) {
    const rejectedTokenId = before[position]?.token.id ?? ''
    const { token } = await fleet.time.until(fleet.caller.get({ ...named(authentication), rejectedTokenId }))
    assert.notEqual(token.id, rejectedTokenId)
  }
  assert.deepEqual([fleet.requestsTo('theServer'), fleet.requestsTo('sessionServer')], [2, 2])

  await fleet.time.advance(minute / 2)
  const [main, session, signed] = await fleet.time.until(getEach(fleet.caller))
  assert.equal(await fleet.time.until(fleet.caller.delete(session?.token.id ?? '')), 'dropped')
  await fleet.deliver()
  const after = await fleet.time.until(getEach(fleet.join()))
  assert.deepEqual([after[0]?.token.id, after[2]?.token.id], [main?.token.id, signed?.token.id])
  assert.deepEqual([after[1]?.source, after[1]?.token.id === session?.token.id], ['cache', false])
  assert.deepEqual([fleet.requestsTo('theServer'), fleet.requestsTo('sessionServer')], [2, 3])
})

test('a stale token is handed out at once, and an event renews it alone', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  const first = await fleet.time.until(fleet.caller.get({ authentication: 'session' }))
  await fleet.time.until(fleet.caller.get())
  await fleet.time.advance(first.token.refreshAt - fleet.time.now() + 1)
  const stale = await fleet.time.until(fleet.caller.get({ authentication: 'session' }))
  assert.equal(stale.token.id, first.token.id)
  await fleet.deliver()
  const next = await fleet.time.until(fleet.caller.get({ authentication: 'session' }))
  assert.deepEqual([next.source, next.token.id === first.token.id], ['cache', false])
  assert.deepEqual([fleet.requestsTo('theServer'), fleet.requestsTo('sessionServer')], [1, 2])
})

test('each request for a JWT with a jti gets one of its own, and no caller waits for another', async () => {
  const fleet = createSeveralTokensFleet(everyServer, {
    size: 4,
    cacheLatency: 5,
    several: { signingBuilder: { jti: true } },
  })
  const from = fleet.time.now()
  const requests = fleet.callers.flatMap(({ get }) =>
    Array.from({ length: 100 }, () => get({ authentication: 'signed' })),
  )
  const found = await fleet.time.until(Promise.all(requests))
  const ids = found.map(({ token }) => decodeJwt(token.accessToken.reveal()).jti)
  assert.equal(new Set(ids).size, found.length)
  assert.ok(fleet.time.now() - from < 100, `${fleet.time.now() - from} ms`)
})

test('a caller that gets a token of its own waits no longer than its deadline', async () => {
  let signatures = 0
  const current = () => (++signatures === 2 ? new Promise<never>(() => {}) : Promise.resolve(theSigner))
  const several = { signingBuilder: { jti: true } }
  const { time, caller } = createSeveralTokensFleet(everyServer, { several, signers: { ...theSigners, current } })
  const asked = [1, 2].map(() => caller.get({ authentication: 'signed' }, 5_000))
  const [first, second] = await time.until(Promise.allSettled(asked))
  assert.equal(first?.status, 'fulfilled')
  assert.match(String(second?.status === 'rejected' && second.reason), /deadline/)
})

test('the same of a token server that gives each JWT a jti', async () => {
  const fleet = createSeveralTokensFleet(
    (request) =>
      request.server === 'theServer' ? virtualToken() : sessionToken({ jti: `id-${request.index}-${request.at}` }),
    { size: 4, cacheLatency: 5 },
  )
  const from = fleet.time.now()
  const requests = fleet.callers.flatMap(({ get }) =>
    Array.from({ length: 25 }, () => get({ authentication: 'session' })),
  )
  const found = await fleet.time.until(Promise.all(requests))
  assert.equal(new Set(found.map(({ token }) => token.accessToken.reveal())).size, found.length)
  assert.equal(fleet.requestsTo('sessionServer'), found.length, 'a token is thrown away')
  assert.ok(fleet.time.now() - from < 1_000, `${fleet.time.now() - from} ms`)
})

test('the processes of a large fleet that has just begun do not wait for each other', async () => {
  const answers: VirtualEndpoint = (request) =>
    request.server === 'theServer' ? virtualToken() : sessionToken({ jti: `id-${request.index}-${request.at}` })
  for (const [authentication, builder] of [
    ['session', {}],
    ['signed', { jti: true }],
  ] as const) {
    const several = { signingBuilder: builder }
    const fleet = createSeveralTokensFleet(answers, { size: 60, cacheLatency: 5, latency: 200, several })
    const from = fleet.time.now()
    const found = await fleet.time.until(Promise.all(fleet.callers.map(({ get }) => get({ authentication }))))
    assert.equal(new Set(found.map(({ token }) => token.accessToken.reveal())).size, found.length)
    assert.ok(fleet.time.now() - from < 2_000, `${authentication}: ${fleet.time.now() - from} ms`)
  }
})

test('a token server that shares its tokens again has one request of the fleet after a minute', async () => {
  let hasJwtId = true
  const fleet = createSeveralTokensFleet((request) =>
    request.server === 'theServer' ? virtualToken() : sessionToken(hasJwtId ? { jti: `id-${request.index}` } : {}),
  )
  await fleet.time.until(fleet.caller.get({ authentication: 'session' }))
  hasJwtId = false
  await fleet.time.advance(minute)
  const found = await fleet.time.until(
    Promise.all(Array.from({ length: 10 }, () => fleet.join().get({ authentication: 'session' }))),
  )
  assert.equal(new Set(found.map(({ token }) => token.id)).size, 1)
  assert.equal(fleet.requestsTo('sessionServer'), 2)
})

test('with cacheTokensWithJti, a JWT with a jti answers all requests', async () => {
  const fleet = createSeveralTokensFleet(everyServer, {
    size: 4,
    several: { signingBuilder: { jti: true }, signed: { cacheTokensWithJti: true } },
  })
  const found = await fleet.time.until(Promise.all(fleet.callers.map(({ get }) => get({ authentication: 'signed' }))))
  assert.equal(new Set(found.map(({ token }) => token.accessToken.reveal())).size, 1)
})

test('where a token server begins to issue tokens for one request, one is obtained in vain and none is kept warm', async () => {
  let hasJwtId = false
  const fleet = createSeveralTokensFleet((request) =>
    request.server === 'theServer' ? virtualToken() : sessionToken(hasJwtId ? { jti: 'some id' } : {}),
  )
  await fleet.time.until(fleet.caller.get({ authentication: 'session' }))
  hasJwtId = true
  for (let minutes = 0; minutes < 15; minutes++) {
    await fleet.time.advance(minute)
    await fleet.time.until(fleet.refresher.warm())
  }
  assert.equal(fleet.requestsTo('sessionServer'), 2)
})

test('the last outcome of a connection is that of the token that fails', async () => {
  const fleet = createSeveralTokensFleet(dead('sessionServer'))
  await assert.rejects(fleet.time.until(fleet.caller.get({ authentication: 'session' })))
  await fleet.time.until(fleet.caller.get())
  const outcome = await fleet.time.until(fleet.caller.outcome())
  assert.deepEqual([outcome?.failure, outcome?.obtainedAt], ['unreachable', undefined])
})

test('a token that the connection has lost is no longer its last outcome', async () => {
  const fleet = createSeveralTokensFleet(dead('sessionServer'))
  await assert.rejects(fleet.time.until(fleet.caller.get({ authentication: 'session' })))
  await fleet.time.until(fleet.caller.get())
  fleet.changeSeveral({ endpoint: { authenticationConfigRef: ['theConfig', 'signed'] } })
  const outcome = await fleet.time.until(fleet.caller.outcome())
  assert.deepEqual([outcome?.failure, outcome?.obtainedAt !== undefined], [undefined, true])
})
