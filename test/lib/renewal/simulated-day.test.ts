import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { aheadMilliseconds, intervalMilliseconds } from '../../../lib/renewal/warm-tokens.ts'
import { type Call, dayMilliseconds, lifetimes, liveThroughTheDay, outage } from './simulated-day.ts'

/*
 * The expected values come from the servers' own records and the rules for a lifetime. Only the time when a token was to be
 * renewed comes from Tokenwell.
 */

/** A cool-down that began in the outage has ended by then, and a run has taken place. */
const outageIsOver = outage.until + 300_000 + aheadMilliseconds
const secondsAfterOutage = (at: number) => (at - outage.until) / 1000

/** A lifetime in seconds without the margin, which is 10 % and at most 30 s. */
const usableMilliseconds = (lifetime: number) => (lifetime - Math.min(lifetime / 10, 30)) * 1000
/** The part of that after which a token gets stale at the earliest. */
const freshShare = 0.75

// Before the first test or hook in this file or its imports: from then on the test runner tracks each promise, and a
// day takes three times as long.
const day = await liveThroughTheDay()
const books = Map.groupBy(day.servers.issued, ({ connection }) => connection)
/** Calls for which the last obtained token could not be used any more. */
const without = new Set(day.calls.filter((call) => !hadToken(call)))

function hadToken({ by, at }: Call): boolean {
  const last = books.get(by.name)?.findLast(({ arrivesAt }) => arrivesAt <= at)
  return last !== undefined && at < last.issuedAt + usableMilliseconds(by.lifetimeSeconds)
}

function gotTokenMeanwhile({ by, at, answeredAt }: Call): boolean {
  return books.get(by.name)?.some(({ arrivesAt }) => arrivesAt >= at && arrivesAt <= answeredAt) ?? false
}

function isInOutage({ by, at }: Call): boolean {
  return by.isInOutage && at >= outage.from && at < outageIsOver
}

function hadToWait({ at, answeredAt, handedOut }: Call): boolean {
  return answeredAt > at || handedOut?.source === 'server'
}

function tell(context: TestContext, which: string, calls: readonly Call[]): void {
  const waited = calls.filter(({ refusal, ...call }) => !refusal && hadToWait(call))
  const refused = calls.filter(({ refusal }) => refusal)
  context.diagnostic(`${which}: ${calls.length} calls, ${waited.length} waited, ${refused.length} refused`)
}

function assertNone(calls: readonly Call[]): void {
  assert.deepEqual(calls.slice(0, 3), [], `${calls.length} calls`)
}

test('outside the outage no caller waits for a token: the schedule is enough', (t) => {
  const outside = day.calls.filter((call) => !isInOutage(call))
  tell(t, 'outside the outage', outside)
  assert.ok(outside.length > 100_000)
  assertNone(outside.filter((call) => hadToWait(call) || call.refusal))
  const requested = day.refreshRequests.filter(({ at }) => at < outage.from || at >= outageIsOver)
  assert.deepEqual(requested, [], 'stale tokens met')
})

test('in the outage, callers whose token outlives it notice nothing', (t) => {
  const outlived = day.calls.filter((call) => isInOutage(call) && !without.has(call))
  tell(t, 'in the outage, with a token that outlives it', outlived)
  assert.ok(outlived.length > 500)
  t.diagnostic(`${day.refreshRequests.length} of them met a stale token that was asked to be renewed`)
  assertNone(outlived.filter((call) => hadToWait(call) || call.refusal))
})

test('the other callers are told to come back, no more often than the lifetimes explain', (t) => {
  tell(t, 'without a token', [...without])
  const expected = new Set([...without].filter((call) => !gotTokenMeanwhile(call)))
  const refused = day.calls.filter(({ refusal }) => refusal)
  t.diagnostic(`503 with Retry-After: ${refused.length}; by the lifetimes ${expected.size}`)
  assert.ok(expected.size > 100)
  assert.equal(refused.length, expected.size)
  assertNone(refused.filter((call) => !expected.has(call)))
  for (const { refusal } of refused) {
    const { status, retryAfterSeconds = 0 } = refusal ?? {}
    assert.equal(status, 503)
    assert.ok(retryAfterSeconds >= 1 && retryAfterSeconds <= 300, `Retry-After: ${retryAfterSeconds}`)
  }
})

test('a server that was down issues a token before the longest cool-down is over', (t) => {
  const { connections, servers } = day
  const byServer = Map.groupBy(
    connections.filter(({ isInOutage: isDown }) => isDown),
    ({ server }) => server,
  )
  const firsts = [...byServer.values()].map((some) => {
    const issued = some.flatMap(({ name }) => books.get(name) ?? []).filter(({ issuedAt }) => issuedAt >= outage.until)
    return secondsAfterOutage(Math.min(...issued.map(({ issuedAt }) => issuedAt)))
  })
  t.diagnostic(`${firsts.map((seconds) => seconds.toFixed(0)).join(', ')} s after the outage`)
  const asked = [...byServer.keys()].map((down) => {
    const isMeanwhile = ({ server, at }: { readonly server: string; readonly at: number }) =>
      server === down && at >= outage.from && at < outage.until
    return servers.requests.filter(isMeanwhile).length
  })
  t.diagnostic(`${asked.join(', ')} requests while they were down`)
  // First 10 at a time, then one at the end of each cool-down of 30, 60, 120 and 240 s. Each makes up to 3 attempts.
  assert.ok(asked.every((count) => count <= 3 * (10 + 4)))
  assert.equal(firsts.length, 10)
  for (const seconds of firsts) assert.ok(seconds <= secondsAfterOutage(outageIsOver))
})

test('no caller gets an expired token, by the records of the servers', (t) => {
  const issued = new Map(day.servers.issued.map((each) => [each.accessToken, each]))
  const wrong = day.calls.filter(({ by, answeredAt, handedOut }) => {
    if (!handedOut) return false
    const { token, secondsLeft } = handedOut
    const { connection, expiresAt = -Infinity } = issued.get(token.accessToken.reveal()) ?? {}
    return connection !== by.name || expiresAt <= answeredAt || expiresAt < answeredAt + secondsLeft * 1000
  })
  t.diagnostic(`expired tokens handed out: ${wrong.length}`)
  assertNone(wrong)
})

test('a token is renewed no earlier than two intervals of the schedule before its refreshAt', (t) => {
  const { connections, refreshAt } = day
  const early = [...books.values()].flatMap((book) =>
    book.filter(({ connection, expiresAt }, index) => {
      const next = book[index + 1]
      const from = (refreshAt(connection, expiresAt) ?? Infinity) - 2 * intervalMilliseconds
      return next !== undefined && next.issuedAt < from
    }),
  )
  assert.deepEqual(early.slice(0, 3), [], `${early.length} tokens`)

  for (const lifetime of lifetimes) {
    const names = connections.filter(({ lifetimeSeconds }) => lifetimeSeconds === lifetime).map(({ name }) => name)
    const counts = names.map((name) => (books.get(name)?.length ?? 0) - 1)
    assertRequests(t, lifetime, counts)
  }
})

/** The renewals in a day, without the first token request. */
function assertRequests(t: TestContext, lifetime: number, counts: readonly number[]): void {
  const bound = dayMilliseconds / (freshShare * usableMilliseconds(lifetime) - 2 * intervalMilliseconds)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  t.diagnostic(
    `a token of ${lifetime} s: ${mean.toFixed(1)} requests a day, at most ${most}; the bound is ${bound.toFixed(1)}`,
  )
  assert.ok(counts.length === 250 && least > 0 && most <= bound)
}
