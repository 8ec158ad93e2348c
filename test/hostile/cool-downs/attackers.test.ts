import assert from 'node:assert/strict'
import { test } from 'node:test'
import { culprit, otherEndpoint, otherWay, sameClient, sameWay } from './connections.ts'
import { type FarEnd, failureCalled } from './failures.ts'
import { type Ask, type CoolDownFleet, createCoolDownFleet, type Seen } from './fleet.ts'
import { warmUp } from './run-cell.ts'

/*
 * A caller makes the server fail with caller parameters. No other caller waits for it, no matter how often and how that
 * caller asks.
 */

const hour = 3_600
/** What caller parameters may cause at a server. */
const farEnds = [
  '503',
  '500',
  '500 with HTML',
  '429',
  '429 with Retry-After: 120',
  'silence',
  'a connection closed after the request, without a byte',
  '200 with HTML',
  '401 without a body',
  '403 access_denied',
  '400 unauthorized_client',
  '400 invalid_request',
  '400 invalid_grant',
  '400 a_code_of_its_own',
  '400 invalid_scope',
].map((name) => failureCalled(name).farEnd)
const victims: readonly Ask[] = [
  { caller: 'victim-2', connection: culprit.name },
  { caller: 'victim-1', connection: culprit.name, scope: ['fine'] },
  ...[sameClient, sameWay, otherWay, otherEndpoint].map(({ name }) => ({ caller: 'victim-2', connection: name })),
]

/** Each of the attacker's requests meets the next kind of failure. The number in its scope or parameter selects it. */
function provoke({ form }: Seen): FarEnd | undefined {
  const [, number] = /^bad-(\d+)$/.exec(form.get('scope') ?? form.get('tenant') ?? '') ?? []
  return number === undefined ? undefined : farEnds[Number(number) % farEnds.length]
}

/**
 * The attacker asks as often as the test says. The victims ask every five seconds, each time for a token that must be
 * obtained.
 */
async function attack(fleet: CoolDownFleet, perHour: number, seconds: number, nextAsk: (index: number) => Ask) {
  const refused: string[] = []
  const underWay: Promise<unknown>[] = []
  const gap = hour / perHour
  for (let second = 0, asked = 0; second < seconds; second += 1) {
    while (asked * gap <= second) underWay.push(fleet.ask(nextAsk(asked++)))
    if (second % 5 === 0)
      underWay.push(
        ...victims.map(async (victim) => {
          const outcome = await fleet.ask(victim)
          if ('error' in outcome) refused.push(`${victim.connection} ${second} s: ${outcome.error.message}`)
        }),
      )
    await fleet.time.advance(1_000)
  }
  await fleet.time.until(Promise.all(underWay))
  return refused
}

const newScope = (index: number): Ask => ({ caller: 'attacker-1', connection: culprit.name, scope: [`bad-${index}`] })
const newParameter = (index: number): Ask => ({
  caller: 'attacker-1',
  connection: culprit.name,
  further: { tenant: `bad-${index}` },
})

for (const perHour of [12, 45, 600])
  test(`a caller with ${perHour} failing requests an hour makes no other caller wait in two hours`, async (t) => {
    const fleet = createCoolDownFleet()
    await warmUp(fleet)
    fleet.weather = provoke
    const refused = await attack(fleet, perHour, 2 * hour, (index) =>
      (index % 3 === 0 ? newParameter : newScope)(index),
    )
    const sent = fleet.book.filter(provoke).length
    t.diagnostic(`${sent} of the ${2 * perHour} failing requests reached the server`)
    assert.deepEqual(refused.slice(0, 3), [], `${refused.length} refused`)
  })

test('if ten new token keys of one caller fail within a minute, only that caller waits, and only at that connection', async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  const { farEnd } = failureCalled('403 access_denied')
  fleet.weather = ({ form }) => (form.get('scope')?.startsWith('bad') ? farEnd : undefined)
  const refused = await attack(fleet, 3_600, 300, newScope)
  assert.deepEqual(refused.slice(0, 3), [])
  const sent = fleet.book.filter((seen) => fleet.weather(seen)).length
  assert.ok(sent >= 10 && sent <= 60, `${sent} of 300 requests reached the server`)
  const elsewhere = await fleet.time.until(
    fleet.ask({ caller: 'attacker-1', connection: sameWay.name, scope: ['other'] }),
  )
  assert.ok('token' in elsewhere, 'at another connection that caller must get a token')
})
