import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualRequest } from '../../support/virtual/virtual-ports.ts'

/* On a virtual clock: tokens of 300 s are stale after 216 s (random value 0.5) and usable for 270 s. */

function withMargin(marginSeconds: number): ServedConnection {
  const { authorizationServer: server } = plainConnection
  return { ...plainConnection, authorizationServer: { ...server, lifetime: { ...server.lifetime, marginSeconds } } }
}

test('the first request that meets a stale token renews it, and the others get it at once', async () => {
  const tokens = createTokensInVirtualTime(() => virtualToken())
  const old = await tokens.time.until(tokens.get())
  await tokens.time.advance(215_000)
  assert.equal((await tokens.time.until(tokens.get())).source, 'memory', 'still fresh')

  await tokens.time.advance(2_000)
  const first = tokens.get()
  const others = await Promise.all(Array.from({ length: 10 }, () => tokens.get()))
  for (const other of others) {
    assert.equal(other.source, 'memory')
    assert.equal(other.token.id, old.token.id)
  }
  const renewed = await tokens.time.until(first)
  assert.equal(renewed.source, 'server')
  assert.notEqual(renewed.token.id, old.token.id)
  assert.equal(tokens.requests.length, 2)
  assert.equal((await tokens.get()).token.id, renewed.token.id)
})

test('a stale token whose renewal fails is handed out while it is usable, and not after that', async () => {
  let isDown = false
  const tokens = createTokensInVirtualTime(() => {
    if (isDown) throw new UnreachableError('connection refused')
    return virtualToken()
  })
  const old = await tokens.time.until(tokens.get())
  isDown = true
  await tokens.time.advance(217_000)
  assert.equal((await tokens.time.until(tokens.get())).token.id, old.token.id)
  const asked = tokens.requests.length
  assert.equal(asked, 4, 'the first, and a renewal with two repetitions')
  assert.ok(tokens.events.some(({ event }) => event === 'renewal_failed'))

  for (let second = 0; second < 28; second++) {
    await tokens.time.advance(1_000)
    assert.equal((await tokens.get()).token.id, old.token.id)
  }
  assert.equal(tokens.requests.length, asked, 'no request is made during the cool-down')

  await tokens.time.advance(40_000)
  await assert.rejects(tokens.time.until(tokens.get()), { code: 'cooling_down' })
})

test('a programming error in a renewal is not hidden behind the stale token', async () => {
  let fault: Error | undefined
  const tokens = createTokensInVirtualTime(() => {
    if (fault) throw fault
    return virtualToken()
  })
  await tokens.time.until(tokens.get())
  fault = new TypeError('a programming error')
  await tokens.time.advance(217_000)
  await assert.rejects(tokens.time.until(tokens.get()), fault)
})

test('a stale token whose renewal is refused is not renewed at every request', async () => {
  let isRefused = false
  const tokens = createTokensInVirtualTime(() => (isRefused ? virtualRefusal('invalid_scope') : virtualToken()))
  await tokens.time.until(tokens.get())
  isRefused = true
  await tokens.time.advance(217_000)
  for (let count = 0; count < 20; count++) {
    await tokens.time.until(tokens.get())
    await tokens.time.advance(1_000)
  }
  assert.equal(tokens.requests.length, 2)
})

test('a stale token whose renewal gets an unusable answer is renewed after 30 s, not at every request', async () => {
  let isNonsense = false
  const tokens = createTokensInVirtualTime(() => (isNonsense ? { status: 200, body: '<html>' } : virtualToken()))
  await tokens.time.until(tokens.get())
  isNonsense = true
  await tokens.time.advance(217_000)
  for (let count = 0; count < 40; count++) {
    await tokens.time.until(tokens.get())
    await tokens.time.advance(1_000)
  }
  assert.equal(tokens.requests.length, 3)
})

test('a server that issues the same token again does not get a request for every hit', async () => {
  const born = createTokensInVirtualTime(() => virtualToken())
  const start = born.time.now()
  const end = start + 300_000
  const tokens = createTokensInVirtualTime(
    ({ at }) => virtualToken({ access_token: 'the-same', expires_in: Math.floor((end - at) / 1000) }),
    { connection: withMargin(30) },
  )
  const ids = new Set<string>()
  for (let count = 0; count < 294 * 5; count++) {
    const { token } = await tokens.time.until(tokens.get())
    ids.add(token.id)
    await tokens.time.advance(200)
  }
  assert.ok(tokens.requests.length <= 2 + 32, `${tokens.requests.length} requests`)
  assert.equal(ids.size, 1, 'the same token has the same id')
})

test('a stale token that expires during its renewal is not handed out', async () => {
  let isDead = false
  const tokens = createTokensInVirtualTime(async () => {
    if (!isDead) return virtualToken()
    await tokens.time.pause(11_000)
    throw new TimedOutError('too late', { isServers: true })
  })
  await tokens.time.until(tokens.get())
  isDead = true
  await tokens.time.advance(262_000)
  await assert.rejects(tokens.time.until(tokens.get()), { code: 'cooling_down' })
})

test('a request that arrives during a slow read or write of the shared cache causes no second token request', async () => {
  const tokens = createTokensInVirtualTime(() => virtualToken(), { cacheLatency: 20, latency: 50 })
  const all = [tokens.get()]
  for (let moment = 0; moment < 15; moment++) {
    await tokens.time.advance(10)
    all.push(tokens.get())
  }
  const ids = (await tokens.time.until(Promise.all(all))).map(({ token }) => token.id)
  assert.equal(new Set(ids).size, 1)
  assert.equal(tokens.requests.length, 1)
})

test('a token without a margin is not handed out in its last second', async () => {
  const connection = withMargin(0)
  const tokens = createTokensInVirtualTime(() => virtualToken({ expires_in: 3 }), { connection, latency: 10 })
  await tokens.time.until(tokens.get())
  await tokens.time.advance(2_300)
  assert.equal((await tokens.time.until(tokens.get())).source, 'server')
})

test('a caller with a short deadline gets a 504 in time, and the server stays available for others', async () => {
  let delay = 5_000
  const tokens = createTokensInVirtualTime(() => virtualToken(), { latency: 0 })
  const slow = createTokensInVirtualTime(
    async () => {
      await slow.time.pause(delay)
      return virtualToken()
    },
    { latency: 0 },
  )
  const patient = slow.get()
  const hurried = slow.get({}, 2_000)
  await assert.rejects(slow.time.until(hurried), { code: 'timed_out' })
  assert.equal((await slow.time.until(patient)).source, 'server')
  delay = 0
  assert.equal((await slow.time.until(slow.get({ scope: ['other'] }))).source, 'server', 'no cool-down began')
  assert.equal((await tokens.time.until(tokens.get())).source, 'server')
})

test('a clock that is set forward makes tokens expire, and makes no expired token valid', async () => {
  const tokens = createTokensInVirtualTime(() => virtualToken())
  const old = await tokens.time.until(tokens.get())
  tokens.time.jump(3_600_000)
  const { source, token } = await tokens.time.until(tokens.get())
  assert.equal(source, 'server')
  assert.notEqual(token.id, old.token.id)
})

test('after a rejection the next caller gets another token, however many callers reject', async () => {
  const tokens = createTokensInVirtualTime(() => virtualToken())
  const old = await tokens.time.until(tokens.get())
  const answers = await tokens.time.until(
    Promise.all(Array.from({ length: 50 }, () => tokens.get({ rejectedTokenId: old.token.id }))),
  )
  assert.ok(answers.every(({ token }) => token.id !== old.token.id))
  assert.equal(tokens.requests.length, 2)
})

test('a caller with a JWT notices nothing where the elements begin or end to take a claim of it', async () => {
  const [ofAll, ofCaller] = [elementsFor({ tokenSubject: 'everybody' }), elementsFor({ claim: 'email' })]
  const elements = changeableElements(ofAll)
  const endpoint = ({ form }: VirtualRequest) =>
    virtualToken({ access_token: `for-${decodeJwt(form.get('assertion') ?? '').sub}` })
  const options = { elements, memoryMaximumSeconds: 0 }
  const one = createTokensInVirtualTime(endpoint, options)
  const other = createTokensInVirtualTime(endpoint, { ...options, fleet: one })
  const ask = async (tokens: TokensInVirtualTime) =>
    (await one.time.until(tokens.get({ callersClaims: { email: 'bob' } }))).token.accessToken.reveal()
  assert.equal(await ask(one), 'for-everybody')
  for (const [next, expected] of [
    [ofCaller, 'for-bob'],
    [ofAll, 'for-everybody'],
  ] as const) {
    elements.change(next)
    await one.time.advance(61_000)
    assert.equal(await ask(other), expected)
    assert.equal(await ask(one), expected, 'by the elements that the other process has read')
  }
})

/** A connection with the grant jwt-bearer, for one user or for the user in that claim of the caller. */
function elementsFor({ tokenSubject, claim }: { tokenSubject?: string; claim?: string }): RawElements {
  const oAuth = {
    ...{ grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', clientId: 'theClient' },
    ...{ jwtAuthenticationTokenRef: undefined, ...(claim && { claimsFromRequest: { sub: { fromCaller: claim } } }) },
  }
  // As JSON, without the members that are undefined.
  return JSON.parse(JSON.stringify(exampleElements('https://as.example.com', { oAuth, tokenConfig: { tokenSubject } })))
}
