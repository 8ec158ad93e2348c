import assert from 'node:assert/strict'
import { test } from 'node:test'
import { culprit, sameWay } from './connections.ts'
import { failureCalled } from './failures.ts'
import { type Ask, type CoolDownFleet, createCoolDownFleet, type Seen } from './fleet.ts'
import { failingRequest, narrowest } from './rules.ts'
import { settle, warmUp } from './run-cell.ts'

/* The control request: an own request of the connection. It shows whether a failure is the caller's or the server's. */

const own = (connection = culprit.name): Ask => ({ caller: 'bystander-2', connection })
const ofConnection = (name: string) => (seen: Seen) => seen.connection === name && !seen.form.has('scope')
const isOwn = ofConnection(culprit.name)
/** Every request with a scope fails. */
const scopesFail = (name: string) => (seen: Seen) => (seen.form.has('scope') ? failureCalled(name).farEnd : undefined)

/** Callers ask for new scopes every second during this time. The requests fail. */
async function askForNewScopes(fleet: CoolDownFleet, connections: readonly string[], seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    const asked = Array.from({ length: 20 }, (_, caller) => {
      const connection = connections[caller % connections.length] ?? culprit.name
      return fleet.ask({ caller: `caller-${caller}`, connection, scope: [`scope-${caller}-${second}`] })
    })
    await fleet.time.until(Promise.all(asked))
    await fleet.time.advance(1_000)
  }
}

for (const name of ['503', '400 unauthorized_client'])
  test(`after ${name} there is at most one control request in 30 s, even if many callers ask`, async () => {
    const fleet = createCoolDownFleet()
    await warmUp(fleet)
    const before = fleet.book.length
    fleet.weather = scopesFail(name)
    await askForNewScopes(fleet, [culprit.name], 180)
    const times = fleet.book
      .slice(before)
      .filter(isOwn)
      .map(({ at }) => at)
    assert.ok(times.length >= 2 && times.length <= 7, `${times.length} in 180 s`)
    for (const [index, at] of times.entries())
      if (index > 0) assert.ok(at - Number(times[index - 1]) >= 30_000, `${times}`)
  })

test('after 503 there is one control request for a token endpoint, even if many connections use it', async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  const before = fleet.book.length
  fleet.weather = scopesFail('503')
  await askForNewScopes(fleet, [culprit.name, sameWay.name], 60)
  const made = fleet.book.slice(before).filter((seen) => !seen.form.has('scope'))
  assert.ok(made.length >= 1 && made.length <= 3, `${made.length} in 60 s`)
})

test('the token of a control request is stored like any other, and the next caller gets it', async () => {
  const fleet = createCoolDownFleet({ lifetimeSeconds: 60 })
  await warmUp(fleet)
  await fleet.time.advance(60_000)
  const before = fleet.book.length
  fleet.weather = scopesFail('503')
  await fleet.time.until(fleet.ask(failingRequest('scope')))
  await settle(fleet)
  assert.equal(fleet.book.slice(before).filter(isOwn).length, 1)
  const outcome = await fleet.time.until(fleet.ask(own()))
  assert.ok('token' in outcome && outcome.token.source !== 'server')
  assert.equal(fleet.book.slice(before).filter(isOwn).length, 1)
})

test('if the connection never had an own token, there is no control request and only the token key waits', async () => {
  for (const name of ['503', '400 unauthorized_client']) {
    const fleet = createCoolDownFleet()
    const failure = failureCalled(name)
    fleet.weather = narrowest(failure, 'confirmed')
    await fleet.time.until(fleet.ask(failingRequest('scope')))
    await settle(fleet)
    assert.equal(fleet.book.filter(isOwn).length, 0)
    fleet.weather = () => undefined
    const [itself, beside] = await fleet.time.until(Promise.all([fleet.ask(failingRequest('scope')), fleet.ask(own())]))
    assert.ok('error' in itself && 'token' in beside)
  }
})

test("a user's request leads to no control request", async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  const before = fleet.book.length
  fleet.weather = narrowest(failureCalled('503'), 'user')
  await fleet.time.until(fleet.ask(failingRequest('user')))
  await settle(fleet)
  const made = fleet.book.slice(before)
  assert.ok(made.length >= 1 && made.every(({ form }) => form.has('username')))
})

test('a failed control request does not extend a cool-down that has begun', async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  const failure = failureCalled('503')
  fleet.weather = narrowest(failure, 'confirmed')
  await fleet.time.until(fleet.ask(failingRequest('scope')))
  await settle(fleet)
  const began = fleet.time.now()
  // New scopes every second, which all would fail.
  await askForNewScopes(fleet, [culprit.name], 25)
  fleet.weather = () => undefined
  await fleet.time.advance(Math.max(0, began + 32_000 - fleet.time.now()))
  const outcome = await fleet.time.until(fleet.ask(own()))
  assert.ok('token' in outcome, 'after 32 s an own request must get a token')
})
