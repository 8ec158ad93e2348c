import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { connectionRecordName, type RecordStore } from '../../../lib/fleet/record-store.ts'
import { localTokenElements } from '../../support/elements/local-token-elements.ts'
import { leaks, overhear, plant } from '../../support/output/canary.ts'
import { changed, createFleetWithEventBus, type FleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'

/* Tokens that Tokenwell signs for users whom requests name. They live for 20 minutes, and are stale after 936 s. */

const alice = 'canary-alice@example.com'
plant(alice)

function elementsTaking(claimsFromRequest: object, token: object = {}) {
  return localTokenElements({
    builder: { jti: false, expiresInSeconds: '20m' },
    token: { claimsFromRequest, ...token },
  })
}

/** A fleet, and all that it has written but for the sealed tokens. */
function fleetTaking(claimsFromRequest: object) {
  const records = memoryRecords({ maximumRecords: 1_000 })
  const written: string[] = []
  const store: RecordStore = {
    ...records,
    write(name, record, expected) {
      const { sealedToken: _, ...fields } = record.fields
      written.push(JSON.stringify([name, { ...record, fields }]))
      return records.write(name, record, expected)
    },
  }
  const fleet = createFleetWithEventBus(() => assert.fail('no server is asked'), { store })
  fleet.change({}, elementsTaking(claimsFromRequest))
  return { ...fleet, written }
}

async function getOnce({ time, caller }: FleetWithEventBus, request: Partial<CallerRequest>) {
  const { token, source } = await time.until(caller.get(request))
  return { source, id: token.id, claims: decodeJwt(token.accessToken.reveal()) }
}

async function runFor({ time, refresher }: FleetWithEventBus, minutes: number) {
  for (let count = 0; count < minutes; count++) {
    await time.until(refresher.warm())
    await time.advance(60_000)
  }
}

const signatures = ({ callers, refreshers }: FleetWithEventBus) =>
  [...callers, ...refreshers].flatMap(({ events }) => events.filter(({ event }) => event === 'token_signed')).length

const forUsers: readonly (readonly [object, Partial<CallerRequest>, Partial<CallerRequest>, string])[] = [
  [{ sub: true }, { subject: alice }, { subject: 'bob' }, 'sub'],
  [{ sub: [alice, 'bob'] }, { subject: alice }, { subject: 'bob' }, 'sub'],
  [{ sub: { fromCaller: 'email' } }, { callersClaims: { email: alice } }, { callersClaims: { email: 'bob' } }, 'sub'],
  [{ pid: true }, { claims: { pid: alice } }, { claims: { pid: 'bob' } }, 'pid'],
]
for (const [rules, request, other, claim] of forUsers) {
  const what = JSON.stringify(rules).replace(alice, 'alice')

  test(`a local token has the user of its request, and each user has a token of its own: ${what}`, async () => {
    const fleet = fleetTaking(rules)
    const first = await getOnce(fleet, request)
    assert.deepEqual([first.claims[claim], first.source], [alice, 'server'])
    assert.deepEqual([(await getOnce(fleet, request)).id, (await getOnce(fleet, request)).source], [first.id, 'cache'])
    assert.equal((await getOnce(fleet, other)).claims[claim], 'bob')
    await assert.rejects(
      getOnce(fleet, {}),
      /subject must be in the path|from the JWT of its caller|claim\.pid is missing/,
    )
  })

  test(`a local token of a user is renewed by its caller alone, and no log, event or record has the user: ${what}`, async () => {
    const fleet = fleetTaking(rules)
    await getOnce(fleet, request)
    await runFor(fleet, 16)
    assert.equal(signatures(fleet), 1)
    assert.equal((await getOnce(fleet, request)).source, 'server')
    await fleet.deliver()
    fleet.change({}, elementsTaking({ ...rules, other: ['x'] }))
    await fleet.answer(changed)
    assert.equal(signatures(fleet), 2, 'nothing is staged')

    const [record] = await fleet.caller.store.read([connectionRecordName('conn')])
    assert.doesNotMatch(JSON.stringify(record), /"id"/, 'no variant is listed')
    const processes = [...fleet.callers, ...fleet.refreshers]
    const texts = [
      JSON.stringify(processes.map(({ events }) => events)),
      JSON.stringify(fleet.bus.raised),
      ...fleet.written,
    ]
    for (const text of texts) overhear(text)
    const encoded = (['base64', 'base64url', 'hex'] as const).map((each) => Buffer.from(alice).toString(each))
    assert.deepEqual(leaks([alice, ...encoded], texts), [])
  })
}

test('a listed claim is kept warm, and each renewal has the same value', async () => {
  const fleet = fleetTaking({ role: ['reader', 'writer'] })
  for (const role of ['reader', 'writer']) await getOnce(fleet, { claims: { role } })
  await runFor(fleet, 30)
  for (const role of ['reader', 'writer']) {
    const { source, claims } = await getOnce(fleet, { claims: { role } })
    assert.deepEqual([source, claims['role']], ['cache', role])
  }
  assert.ok(signatures(fleet) >= 4)
  await assert.rejects(
    getOnce(fleet, { claims: { role: 'admin' } }),
    /claim\.role has a value that this connection does not allow/,
  )
})

test('no request sets another claim, a scope, a resource or an audience of a local token', async () => {
  const fleet = fleetTaking({ role: ['reader'] })
  const claims = { role: 'reader' }
  const refused: readonly (readonly [Partial<CallerRequest>, RegExp])[] = [
    [{ claims: { ...claims, admin: 'yes' } }, /claim\.admin cannot be set/],
    [{ claims: { ...claims, iss: 'another' } }, /claim\.iss cannot be set/],
    [{ claims, subject: 'bob' }, /subject cannot be named for this connection/],
    [{ claims, scope: ['all'] }, /scope cannot be set/],
    [{ claims, resource: ['https://api.example.com'] }, /resource cannot be set/],
    [{ claims, audience: 'another' }, /audience cannot be set/],
  ]
  for (const [request, message] of refused) await assert.rejects(getOnce(fleet, request), message)
  assert.equal(signatures(fleet), 0)
})
