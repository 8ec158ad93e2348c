import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { culprit, sameWay } from './connections.ts'
import { failureCalled } from './failures.ts'
import { type Ask, type CoolDownFleet, createCoolDownFleet } from './fleet.ts'

/*
 * Tokens that are kept warm: a variant that the server refuses from some time on, a caller with many variants, and a
 * token that was used once.
 */

const kept = (connection: ServedConnection): ServedConnection => ({
  ...connection,
  warming: {
    authorizationServer: connection.authorizationServer.id,
    maximumConcurrency: connection.authorizationServer.maximumConcurrency,
    ...{ idleMilliseconds: 86_400_000, idleLifetimes: 10, maximumVariants: 20 },
  },
})
const connections = [culprit, sameWay].map(kept)
const own: Ask = { caller: 'caller-2', connection: culprit.name }
const ownElsewhere: Ask = { ...own, connection: sameWay.name }

/** Makes a warm run each minute, and lets callers ask in between. */
async function live(
  fleet: CoolDownFleet,
  minutes: number,
  beside: (minute: number) => Promise<unknown>,
): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await fleet.time.until(fleet.warm())
    await fleet.time.until(beside(minute))
    await fleet.time.advance(60_000)
  }
}

/* Without a protection, 576 of 1,440 calls failed here, even without an attacker. */
for (const [name, hours] of [
  ['403 access_denied', 24],
  ['503', 24],
  ['400 invalid_request', 4],
  ['429', 4],
  ['silence', 4],
] as const)
  test(`a warm variant that starts to meet ${name} affects no other token for ${hours} hours`, async (t) => {
    const fleet = createCoolDownFleet({ connections, lifetimeSeconds: 300 })
    const variant: Ask = { caller: 'caller-1', connection: culprit.name, scope: ['retired'] }
    await fleet.time.until(Promise.all([own, variant, ownElsewhere].map((ask) => fleet.ask(ask))))
    const { farEnd } = failureCalled(name)
    fleet.weather = ({ form }) => (form.has('scope') ? farEnd : undefined)
    const refused: string[] = []
    const before = fleet.book.length
    await live(fleet, hours * 60, async (minute) => {
      for (const ask of [own, ownElsewhere]) {
        const outcome = await fleet.ask(ask)
        if ('error' in outcome) refused.push(`minute ${minute}: ${ask.connection} ${outcome.error.message}`)
      }
    })
    const failed = fleet.book.slice(before).filter(({ form }) => form.has('scope')).length
    t.diagnostic(`${failed} requests for it in ${hours} hours`)
    assert.deepEqual(refused.slice(0, 3), [], `${refused.length} of ${hours * 120} calls were refused`)
    assert.ok(failed <= hours * 13, `${failed} requests for it in ${hours} hours`)
  })

test("twenty scopes of one caller leave others' tokens warm", async () => {
  const fleet = createCoolDownFleet({ connections, lifetimeSeconds: 300 })
  const scopes = Array.from({ length: 20 }, (_, index) => ({ ...own, caller: 'caller-1', scope: [`scope-${index}`] }))
  const of: Record<string, number> = {}
  await live(fleet, 120, async (minute) => {
    for (const ask of scopes) await fleet.ask(ask)
    // The token lives for five minutes, so it must have been renewed in between.
    if (minute % 10 !== 0) return
    for (const ask of [own, { ...own, scope: ['of-caller-2'] }]) {
      const outcome = await fleet.ask(ask)
      const source = 'token' in outcome ? outcome.token.source : 'refused'
      if (minute > 0) of[source] = (of[source] ?? 0) + 1
    }
  })
  assert.deepEqual(Object.keys(of).sort(), ['cache'], JSON.stringify(of))
})

test('a token that was used once is renewed for a few lifetimes, not for a day', async () => {
  const fleet = createCoolDownFleet({ connections, lifetimeSeconds: 60 })
  await fleet.time.until(fleet.ask({ ...own, scope: ['once'] }))
  await live(fleet, 1_440, async () => {})
  assert.ok(fleet.book.length <= 40, `${fleet.book.length} token requests in a day`)
})
