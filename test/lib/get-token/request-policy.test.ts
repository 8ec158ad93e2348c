import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { RefusedError, TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import {
  createTokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* On a virtual clock: which requests are retried, what cools down, and for how long. */

const down = (): never => {
  throw new UnreachableError('connection refused')
}

async function failure(promise: Promise<unknown>): Promise<CoolingDownError> {
  const error = await promise.then(
    () => assert.fail('there was no failure'),
    (reason: unknown) => reason,
  )
  assert(error instanceof CoolingDownError, String(error))
  return error
}

test('a passing failure is repeated twice, each time with a new assertion', async () => {
  const tokens = createTokensInVirtualTime(({ index }) => (index < 2 ? down() : virtualToken()))
  const { source } = await tokens.time.until(tokens.get())
  assert.equal(source, 'server')
  assert.equal(tokens.requests.length, 3)
  assert.equal(new Set(tokens.requests.map(({ claims }) => claims['jti'])).size, 3)
  const waits = tokens.requests.slice(1).map(({ at }, index) => at - (tokens.requests[index]?.at ?? 0) - 50)
  assert.deepEqual(waits, [100, 200], 'half of 200 ms, then half of 400 ms, with a random value of 0.5')
})

test('after two retries the endpoint cools down for every request', async () => {
  const tokens = createTokensInVirtualTime(down)
  const error = await failure(tokens.time.until(tokens.get()))
  assert.equal(tokens.requests.length, 3)
  assert.equal(error.retryAfterSeconds, 30)
  assert(error.failure instanceof UnreachableError)

  const other = await failure(tokens.time.until(tokens.get({ scope: ['other'] })))
  assert.equal(other.retryAfterSeconds, 30)
  assert(other.failure instanceof UnreachableError)
  assert.equal(tokens.requests.length, 3)
})

test("a retry that can't have an answer before the deadline is not begun", async () => {
  const tokens = createTokensInVirtualTime(down)
  await failure(tokens.time.until(tokens.get({}, 2_100)))
  assert.equal(tokens.requests.length, 1)
})

test('a retry waits for Retry-After where it fits the deadline', async () => {
  const tokens = createTokensInVirtualTime(({ index }) =>
    index === 0 ? { status: 429, retryAfter: '7', body: '' } : virtualToken(),
  )
  assert.equal((await tokens.time.until(tokens.get())).source, 'server')
  assert.equal((tokens.requests[1]?.at ?? 0) - (tokens.requests[0]?.at ?? 0), 50 + 7_000 + 100)
})

test('while one request waits for Retry-After no other request goes to that endpoint', async () => {
  const tokens = createTokensInVirtualTime(({ index }) =>
    index === 0 ? { status: 503, retryAfter: '7', body: '' } : virtualToken(),
  )
  const waiting = tokens.get()
  await tokens.time.advance(1_000)
  const { retryAfterSeconds } = await failure(tokens.get({ scope: ['other'] }))
  assert.equal(retryAfterSeconds, 7)
  assert.equal(tokens.requests.length, 1)
  await tokens.time.until(waiting)
  assert.equal((await tokens.time.until(tokens.get({ scope: ['other'] }))).source, 'server')
})

test('callers get a Retry-After beyond the deadline at once, up to 5 min', async () => {
  for (const [retryAfter, told] of [
    ['24', 24],
    ['31536000', 300],
  ] as const) {
    const tokens = createTokensInVirtualTime(() => ({ status: 429, retryAfter, body: '' }))
    assert.equal((await failure(tokens.time.until(tokens.get()))).retryAfterSeconds, told)
    await tokens.time.advance(told * 1000 - 100)
    await failure(tokens.get())
    assert.equal(tokens.requests.length, 1)
  }
})

test('Retry-After as a date counts from now, and an invalid one is ignored', async () => {
  const tokens = createTokensInVirtualTime(({ index, at }) => {
    if (index > 0) return virtualToken()
    return { status: 503, retryAfter: new Date(at + 5_000).toUTCString(), body: '' }
  })
  await tokens.time.until(tokens.get())
  assert.equal((tokens.requests[1]?.at ?? 0) - (tokens.requests[0]?.at ?? 0), 5_000 + 50 + 100)

  for (const retryAfter of ['-5', 'soon', '1.5', '2026-01-01', '']) {
    const odd = createTokensInVirtualTime(() => ({ status: 503, retryAfter, body: '' }))
    await failure(odd.time.until(odd.get()))
    assert.equal(odd.requests.length, 3, retryAfter)
  }
})

test('a request that may have been answered is not retried, and the endpoint cools down', async () => {
  const tokens = createTokensInVirtualTime(() => {
    throw new TimedOutError('too late', { isServers: true })
  })
  const error = await failure(tokens.time.until(tokens.get()))
  assert(error.failure instanceof TimedOutError)
  assert.equal(tokens.requests.length, 1)
})

test("a time-out by a caller's short deadline is no evidence about the server: the next request is made", async () => {
  const tokens = createTokensInVirtualTime(({ index }) => {
    if (index > 0) return virtualToken()
    throw new TimedOutError('too late', { isServers: true })
  })
  await assert.rejects(tokens.time.until(tokens.get({}, 11_999)), { code: 'timed_out' })
  assert.equal((await tokens.time.until(tokens.get())).source, 'server')
})

test('after an untrusted certificate no retry is made at once', async () => {
  const tokens = createTokensInVirtualTime(() => {
    throw new UnreachableError('not trusted', { isLasting: true })
  })
  await failure(tokens.time.until(tokens.get()))
  assert.equal(tokens.requests.length, 1)
})

test('a refusal is never retried, and is remembered for its token only', async () => {
  const tokens = createTokensInVirtualTime(({ form }) =>
    form.get('scope') === 'no' ? virtualRefusal('invalid_scope') : virtualToken(),
  )
  const error = await failure(tokens.time.until(tokens.get({ scope: ['no'] })))
  assert(error.failure instanceof RefusedError)
  assert.equal(error.retryAfterSeconds, 30)

  await tokens.time.advance(10_000)
  const again = await failure(tokens.get({ scope: ['no'] }))
  assert.equal(again.retryAfterSeconds, 20)
  assert.deepEqual(again.failure?.message, error.failure.message)
  assert.equal(tokens.requests.length, 1)

  assert.equal((await tokens.time.until(tokens.get({ scope: ['yes'] }))).source, 'server')
})

test('a refused client is remembered for its whole connection', async () => {
  const tokens = createTokensInVirtualTime(() => virtualRefusal('invalid_client'))
  await failure(tokens.time.until(tokens.get()))
  await failure(tokens.time.until(tokens.get({ scope: ['other'] })))
  assert.equal(tokens.requests.length, 1)
})

test('a cool-down ends with one probe, and doubles up to 5 min as long as the probe fails', async () => {
  const tokens = createTokensInVirtualTime(() => virtualRefusal('invalid_client'))
  const waits: number[] = []
  for (let count = 0; count < 6; count++) {
    const { retryAfterSeconds } = await failure(tokens.time.until(tokens.get()))
    waits.push(retryAfterSeconds)
    await tokens.time.advance(retryAfterSeconds * 1000)
  }
  assert.deepEqual(waits, [30, 60, 120, 240, 300, 300])
  assert.equal(tokens.requests.length, 6)
})

test('while the probe is under way other requests must wait', async () => {
  let isDown = true
  const tokens = createTokensInVirtualTime(() => (isDown ? down() : virtualToken()))
  await failure(tokens.time.until(tokens.get()))
  await tokens.time.advance(30_000)
  isDown = false
  const before = tokens.requests.length
  const probe = tokens.get()
  const others = await Promise.allSettled(['a', 'b', 'c'].map((scope) => tokens.get({ scope: [scope] })))
  assert.ok(others.every(({ status }) => status === 'rejected'))
  await tokens.time.until(probe)
  assert.equal(tokens.requests.length - before, 1)
  assert.equal(
    (await tokens.time.until(tokens.get({ scope: ['a'] }))).source,
    'server',
    'it has come back: all may ask',
  )
})

for (const [what, answer] of [
  ['a refusal', () => virtualRefusal('invalid_scope')],
  ['nonsense', () => ({ status: 200, body: '<html>' })],
] as const)
  test(`an endpoint that answers its probe with ${what} works again: other requests are made, and nothing doubles`, async () => {
    let isDown = true
    const tokens = createTokensInVirtualTime(({ form }) => {
      if (isDown) return down()
      return form.get('scope') === 'no' ? answer() : virtualToken({ expires_in: 10 })
    })
    await failure(tokens.time.until(tokens.get()))
    await tokens.time.advance(30_000)
    isDown = false
    await assert.rejects(tokens.time.until(tokens.get({ scope: ['no'] })))
    isDown = true
    assert.equal((await failure(tokens.time.until(tokens.get()))).retryAfterSeconds, 30)
  })

test('a probe that ends with a programming error has no result, and the next request probes', async () => {
  let fault: Error | undefined
  const tokens = createTokensInVirtualTime(() => {
    if (fault) throw fault
    return virtualRefusal('invalid_client')
  })
  await failure(tokens.time.until(tokens.get()))
  await tokens.time.advance(30_000)
  fault = new TypeError('a programming error')
  await assert.rejects(tokens.time.until(tokens.get()), fault)
  await assert.rejects(tokens.time.until(tokens.get()), fault)
  assert.equal(tokens.requests.length, 3)
})

test('requests that fail together count as one failure: the first cool-down is not doubled', async () => {
  const tokens = createTokensInVirtualTime(() => {
    throw new UnreachableError('not trusted', { isLasting: true })
  })
  const all = Promise.allSettled(Array.from({ length: 20 }, (_, index) => tokens.get({ scope: [`scope-${index}`] })))
  await tokens.time.until(all)
  const error = await failure(tokens.get())
  assert.equal(error.retryAfterSeconds, 30)
})

test('a probe that never comes back does not stop other requests for ever', async () => {
  let isHanging = false
  const tokens = createTokensInVirtualTime(() => (isHanging ? new Promise(() => {}) : virtualRefusal('invalid_client')))
  await failure(tokens.time.until(tokens.get()))
  await tokens.time.advance(30_000)
  isHanging = true
  tokens.get().catch(() => {})
  await tokens.time.advance(29_000)
  await failure(tokens.get({ scope: ['other'] }))
  await tokens.time.advance(1_000)
  const asked = tokens.requests.length
  tokens.get({ scope: ['other'] }).catch(() => {})
  await tokens.time.advance(100)
  assert.equal(tokens.requests.length, asked + 1)
})

test('a success ends a cool-down and its doubling', async () => {
  let isRefused = true
  const tokens = createTokensInVirtualTime(() =>
    isRefused ? virtualRefusal('invalid_client') : virtualToken({ expires_in: 10 }),
  )
  await failure(tokens.time.until(tokens.get()))
  await tokens.time.advance(30_000)
  isRefused = false
  await tokens.time.until(tokens.get())
  isRefused = true
  await tokens.time.advance(20_000)
  assert.equal((await failure(tokens.time.until(tokens.get()))).retryAfterSeconds, 30)
})

test('a user whose passwords are refused several times in a minute cools down, whatever the password', async () => {
  const tokens = createTokensInVirtualTime(() => virtualRefusal('invalid_grant'), {
    connection: { ...plainConnection, grant: { type: 'password' } },
  })
  const guess = (username: string, password: string) =>
    failure(tokens.time.until(tokens.get({ username, password: new Secret(password) })))
  for (const password of ['a', 'b', 'c', 'd', 'e']) await guess('alice', password)
  assert.equal(tokens.requests.length, 3)
  await guess('bob', 'a')
  assert.equal(tokens.requests.length, 4)
})

test('a user whose passwords are refused now and then does not cool down', async () => {
  const tokens = createTokensInVirtualTime(() => virtualRefusal('invalid_grant'), {
    connection: { ...plainConnection, grant: { type: 'password' } },
  })
  for (const [password, wait] of [
    ['a', 40_000],
    ['b', 40_000],
    ['c', 5_000],
    ['d', 0],
  ] as const) {
    await failure(tokens.time.until(tokens.get({ username: 'alice', password: new Secret(password) })))
    await tokens.time.advance(wait)
  }
  assert.equal(tokens.requests.length, 4)
})

for (const ahead of [4 * 60_000, -4 * 60_000, -5_000])
  test(`after invalid_client with a Date that differs by ${ahead} ms one more attempt is made, by the server's clock`, async () => {
    const tokens = createTokensInVirtualTime(({ claims, at }) => {
      const serverTime = Math.floor((at + ahead) / 1000)
      const isAccepted = Number(claims['iat']) <= serverTime && serverTime < Number(claims['exp'])
      return isAccepted
        ? virtualToken()
        : virtualRefusal('invalid_client', { date: new Date(serverTime * 1000).toUTCString() })
    })
    assert.equal((await tokens.time.until(tokens.get())).source, 'server')
    assert.equal(tokens.requests.length, 2)
    const learned = tokens.events.find(({ event }) => event === 'clock_offset_learned')
    assert(learned?.event === 'clock_offset_learned')
    assert.ok(Math.abs(learned.milliseconds - ahead) <= 1_000, `${learned.milliseconds}`)

    await tokens.time.until(tokens.get({ scope: ['other'] }))
    assert.equal(tokens.requests.length, 3, 'the offset is remembered')
  })

test('a right clock, a missing Date or an invalid one leads to no second attempt', async () => {
  for (const date of [(at: number) => new Date(at).toUTCString(), () => undefined, () => 'yesterday']) {
    const tokens = createTokensInVirtualTime(({ at }) => {
      const text = date(at)
      return virtualRefusal('invalid_client', text === undefined ? {} : { date: text })
    })
    await failure(tokens.time.until(tokens.get()))
    assert.equal(tokens.requests.length, 1)
  }
})

test('a server that refuses by every clock gets two requests, not more', async () => {
  const tokens = createTokensInVirtualTime(({ at }) =>
    virtualRefusal('invalid_client', { date: new Date(at + 140_000 * (1 + Math.random())).toUTCString() }),
  )
  await failure(tokens.time.until(tokens.get()))
  assert.equal(tokens.requests.length, 2)
})
