import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { tokenRequest } from '../support/functions/load-function.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { keySetMilliseconds } from '../support/servers/key-set-reading-server.ts'
import { type RotatingFleet, startRotatingFleet } from './rotating-fleet.ts'

/*
 * Keys rotate under load, in real time. A real server relies on a JWK set for 2 s, and does not read it again for an
 * unknown `kid`. Every request is for another token, so each one signs an assertion.
 */

const ratePerSecond = 50
/** Longer than a rotation takes on a busy machine. */
const serverKeepsMilliseconds = 5_000

/** Calls at a constant rate until `doing` is over. */
async function callDuring({ callers }: RotatingFleet, doing: () => Promise<void>): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>()
  const call = async (index: number) => {
    const caller = callers[index % 2 === 0 ? 0 : 1]
    const { status, body } = await caller.http(tokenRequest('conn', `audience=run-${index}`))
    const outcome = `${status} ${String(body['source'] ?? body['error'])}`
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  let isOver = false
  const done = doing().finally(() => {
    isOver = true
  })
  const calls: Promise<void>[] = []
  const startedAt = Date.now()
  for (let index = 0; !isOver; index++) {
    await pause(Math.max(0, startedAt + (index * 1000) / ratePerSecond - Date.now()))
    calls.push(call(index))
  }
  await Promise.all([done, ...calls])
  return outcomes
}

/** Waits, because requests come later than planned on a busy machine. */
async function signedOften(server: RotatingFleet['server'], kid: string): Promise<void> {
  const giveUpAt = Date.now() + 30_000
  while ((server.taken.get(kid) ?? 0) < ratePerSecond / 2 && Date.now() < giveUpAt) await pause(100)
}

function countPreviousKeyTried(t: TestContext): () => number {
  const events = captureLog(t)
  return () => events.filter(({ event }) => event === 'previous_key_tried').length
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0)
}

function describe({ server, keySetRequests }: RotatingFleet): string {
  const counts = (each: ReadonlyMap<string, number>) => [...each.values()].join(', ') || 'none'
  return `assertions by key: taken ${counts(server.taken)}; refused ${counts(server.refused)}; JWK set read ${keySetRequests()} times`
}

test('during three rotations at 50 requests a second the server refuses no assertion, and every key signs', async (t) => {
  const previousKeyTried = countPreviousKeyTried(t)
  const fleet = await startRotatingFleet(t, 4)
  const { server } = fleet
  const made: string[] = []
  const outcomes = await callDuring(fleet, async () => {
    await pause(1_000)
    for (let rotation = 0; rotation < 3; rotation++) {
      const { kid, signsFrom } = await fleet.rotate()
      made.push(kid)
      assert.equal(server.taken.has(kid), false, 'a key signed before it was published')
      await pause(signsFrom + keySetMilliseconds - Date.now())
      await signedOften(server, kid)
    }
  })
  t.diagnostic(describe(fleet))
  assert.deepEqual([...outcomes.keys()], ['200 server'])
  assert.equal(sum(server.taken), sum(outcomes), 'one assertion for each request, and no second attempt')
  assert.deepEqual([...server.taken.keys()].slice(1), made, 'the keys signed in another order')
  assert.deepEqual([...server.refused], [])
  assert.equal(previousKeyTried(), 0)
  for (const count of server.taken.values()) assert.ok(count >= ratePerSecond / 2, `${count} assertions by a key`)
  assert.ok(sum(outcomes) >= 20 * ratePerSecond, `${sum(outcomes)} requests`)
})

test('with publishAheadSeconds 0 the server refuses the new key until it reads the JWK set again, and the previous key keeps requests working', async (t) => {
  const previousKeyTried = countPreviousKeyTried(t)
  const fleet = await startRotatingFleet(t, 0)
  const { server } = fleet
  const made: string[] = []
  const outcomes = await callDuring(fleet, async () => {
    await pause(1_000)
    // On a busy machine the first request with a new key may come after the server has read that key.
    while (server.refused.size === 0 && made.length < 4) {
      await server.readKeys(serverKeepsMilliseconds)
      const { kid, signsFrom } = await fleet.rotate()
      made.push(kid)
      await pause(signsFrom + serverKeepsMilliseconds + keySetMilliseconds - Date.now())
      await signedOften(server, kid)
    }
  })
  t.diagnostic(describe(fleet))
  assert.deepEqual([...server.refused.keys()], made.slice(-1))
  assert.equal(previousKeyTried(), sum(server.refused))
  assert.deepEqual([...outcomes.keys()], ['200 server'])
  for (const kid of made) assert.ok((server.taken.get(kid) ?? 0) > 0, 'the server never accepted the key')
})
