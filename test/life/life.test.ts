import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { exampleElements } from '../support/elements/elements.ts'
import type { Caller } from '../support/functions/function-caller.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'

/*
 * The life of a process, in real time with a real TLS server. The tests assert counts, and only print milliseconds.
 * They run side by side.
 */

const ratePerSecond = 200
const lifeSeconds = 100

interface Life {
  readonly statuses: Map<number, number>
  readonly expired: number
  readonly slowestMilliseconds: number
}

/** Calls at a constant rate, and compares each answer with the time at which its token expires at the server. */
async function live(
  caller: Caller,
  seconds: number,
  expiryOf: (token: string) => number,
  onAnswer: (status: number, at: number) => void = () => {},
): Promise<Life> {
  const statuses = new Map<number, number>()
  let expired = 0
  let slowestMilliseconds = 0
  const calls: Promise<void>[] = []
  const startedAt = Date.now()
  const call = async () => {
    const calledAt = Date.now()
    const { status, body } = await caller.http(tokenRequest('conn'))
    const answeredAt = Date.now()
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    slowestMilliseconds = Math.max(slowestMilliseconds, answeredAt - calledAt)
    if (status === 200 && expiryOf(String(body['access_token'])) <= answeredAt) expired++
    onAnswer(status, answeredAt - startedAt)
  }
  for (let index = 0; index < seconds * ratePerSecond; index++) {
    const due = startedAt + (index * 1000) / ratePerSecond
    if (due > Date.now()) await pause(due - Date.now())
    calls.push(call())
  }
  await Promise.all(calls)
  return { statuses, expired, slowestMilliseconds }
}

/** Issues tokens and remembers when they expire. */
function createTokens(expiresIn: number) {
  const expiries = new Map<string, number>()
  return {
    issue() {
      const answer = tokenAnswer({ expires_in: expiresIn })
      const { access_token: token } = answer.body as { access_token: string }
      expiries.set(token, Date.now() + expiresIn * 1000)
      return answer
    },
    expiryOf: (token: string) => expiries.get(token) ?? 0,
  }
}

suite('the life of a process', { concurrency: true }, () => {
  test('with tokens of 5 s and 200 requests a second for 60 s, no expired token is handed out, and there are few token requests', async (t) => {
    const tokens = createTokens(5)
    const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokens.issue())
    const { statuses, expired, slowestMilliseconds } = await live(set, 60, tokens.expiryOf)
    t.diagnostic(`${set.requests.length} token requests, slowest answer ${slowestMilliseconds} ms`)
    assert.deepEqual([...statuses], [[200, 60 * ratePerSecond]])
    assert.equal(expired, 0)
    // Each token is usable for 4 s and renewed after 3 s at the earliest.
    assert.ok(set.requests.length >= 12 && set.requests.length <= 21, `${set.requests.length} token requests`)
  })

  test('with tokens of 60 s and a server that is down for 40 s, no request fails before expiry, and the server gets few requests', async (t) => {
    const tokens = createTokens(60)
    let deadRequests = 0
    const startedAt = Date.now()
    const isDead = () => Date.now() - startedAt >= 30_000 && Date.now() - startedAt < 70_000
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => exampleElements(issuer, { server: { coolDownSeconds: 5 } }),
      (_request, response) => {
        if (!isDead()) return tokens.issue()
        deadRequests++
        response.socket?.destroy()
        return undefined
      },
    )
    const failedAt: number[] = []
    let recoveredAt = 0
    const { expired, slowestMilliseconds } = await live(set, lifeSeconds, tokens.expiryOf, (status, at) => {
      if (status !== 200) failedAt.push(at)
      else if (failedAt.length > 0 && recoveredAt === 0 && at > 70_000) recoveredAt = at
    })
    t.diagnostic(
      `${deadRequests} requests while dead, ${failedAt.length} failures, slowest answer ${slowestMilliseconds} ms`,
    )
    assert.equal(expired, 0)
    // The first token is usable for 54 of its 60 s.
    assert.deepEqual(
      failedAt.filter((at) => at < 53_000),
      [],
      'a request failed before expiry',
    )
    assert.deepEqual(
      failedAt.filter((at) => at > 70_000 + 41_000),
      [],
      'requests failed after the first probe',
    )
    // A renewal and probes after 5, 10 and 20 s, with two repetitions each.
    assert.ok(deadRequests >= 3 && deadRequests <= 4 * 3, `${deadRequests} requests while dead`)
    assert.ok(failedAt.length === 0 || recoveredAt > 0, 'no request succeeded again')
  })
})
