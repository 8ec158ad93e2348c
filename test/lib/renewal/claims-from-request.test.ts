import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { connectionRecordName } from '../../../lib/fleet/record-store.ts'
import type { ElementChanges } from '../../support/elements/elements.ts'
import { changed, createFleetWithEventBus, type FleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

/* Tokens whose requests set claims: which of them are renewed while no caller waits. */

function taking(claimsFromRequest: object): ElementChanges {
  const oAuth = {
    ...{ grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', clientId: 'theClient' },
    ...{ jwtAuthenticationTokenRef: undefined, claimsFromRequest },
  }
  return { oAuth, tokenConfig: { tokenSubject: undefined } }
}
const fleetTaking = (claimsFromRequest: object) =>
  createFleetWithEventBus(() => virtualToken(), { changes: taking(claimsFromRequest) })

const claimsOf = (fleet: FleetWithEventBus) =>
  fleet.requests().map(({ form }) => decodeJwt(form.get('assertion') ?? ''))

async function getOnce({ time, caller }: FleetWithEventBus, request: Partial<CallerRequest>) {
  return await time.until(caller.get(request))
}

/** Runs the schedule for so many minutes. */
async function runFor({ time, refresher }: FleetWithEventBus, minutes: number) {
  for (let count = 0; count < minutes; count++) {
    await time.until(refresher.warm())
    await time.advance(60_000)
  }
}

test('a token with a listed claim is kept warm, and each renewal has the same claim', async () => {
  const fleet = fleetTaking({ department: ['sales', 'stock'] })
  for (const department of ['sales', 'stock']) await getOnce(fleet, { claims: { department } })
  await runFor(fleet, 20)
  const departments = claimsOf(fleet).map(({ department }) => department)
  for (const each of ['sales', 'stock'])
    assert.ok(departments.filter((one) => one === each).length > 3, String(departments))
  assert.equal(departments.filter((one) => one !== 'sales' && one !== 'stock').length, 0)
  const { source } = await getOnce(fleet, { claims: { department: 'stock' } })
  assert.equal(source, 'cache')
})

test('a claim that the elements list no longer is asked for no more', async () => {
  const fleet = fleetTaking({ department: ['sales', 'stock'] })
  await getOnce(fleet, { claims: { department: 'sales' } })
  fleet.change(taking({ department: ['stock'] }))
  await fleet.answer(changed)
  await runFor(fleet, 10)
  assert.equal(fleet.requests().length, 1)
  await assert.rejects(getOnce(fleet, { claims: { department: 'sales' } }), /claim\.department has a value/)
})

const forUsers: readonly (readonly [object, Partial<CallerRequest>])[] = [
  [{ sub: true }, { subject: 'alice' }],
  [{ sub: ['alice'] }, { subject: 'alice' }],
  [{ sub: { fromCaller: 'email' } }, { callersClaims: { email: 'alice' } }],
  [{ pid: true }, { claims: { pid: 'alice' } }],
]

for (const [claimsFromRequest, request] of forUsers)
  test(`a token for a user is renewed by the caller that gets it stale, and by nobody else: ${JSON.stringify(claimsFromRequest)}`, async () => {
    const fleet = fleetTaking(claimsFromRequest)
    await getOnce(fleet, request)
    const [record] = await fleet.caller.store.read([connectionRecordName('conn')])
    assert.doesNotMatch(JSON.stringify(record), /"id"/, 'no variant is listed')
    await runFor(fleet, 4)
    assert.equal(fleet.requests().length, 1)
    await fleet.time.advance(10_000)
    const stale = await getOnce(fleet, request)
    assert.deepEqual([stale.source, fleet.requests().length], ['server', 2])
    await fleet.deliver()
    assert.equal(fleet.requests().length, 2, 'no event asks for it')
    fleet.change(taking({ ...claimsFromRequest, other: ['x'] }))
    await fleet.answer(changed)
    assert.equal(fleet.requests().length, 2, 'nothing is staged')
  })

test("no control request follows a user's refusal: the token key alone waits, and another user gets a token", async () => {
  const fleet = createFleetWithEventBus(
    ({ form }) =>
      decodeJwt(form.get('assertion') ?? '').sub === 'mallory' ? virtualRefusal('unauthorized_client') : virtualToken(),
    { changes: taking({ sub: true }) },
  )
  await getOnce(fleet, { subject: 'alice' })
  await assert.rejects(getOnce(fleet, { subject: 'mallory' }))
  assert.ok(claimsOf(fleet).every(({ sub }) => sub === 'alice' || sub === 'mallory'))
  const { length } = fleet.requests()
  await assert.rejects(getOnce(fleet, { subject: 'mallory' }))
  assert.equal(fleet.requests().length, length)
  assert.equal((await getOnce(fleet, { subject: 'bob' })).source, 'server')
})
