import assert from 'node:assert/strict'
import { test } from 'node:test'
import { culprit, sameClient, sameWay } from './connections.ts'
import { failureCalled } from './failures.ts'
import { type CoolDownFleet, createCoolDownFleet } from './fleet.ts'
import { warmUp } from './run-cell.ts'

/* A server limits the requests of a client. Callers can use the limit up, but own requests go first. */

const own = { caller: 'bystander-2', connection: culprit.name }
const { farEnd: limited } = failureCalled('429')
/** Every second 20 callers each ask for a new scope, and one caller asks for the connection's own token. */
async function askEverySecond(fleet: CoolDownFleet, seconds: number, note: (isToken: boolean, second: number) => void) {
  const underWay: Promise<unknown>[] = []
  for (let second = 0; second < seconds; second++) {
    for (let caller = 0; caller < 20; caller++)
      underWay.push(fleet.ask({ caller: `caller-${caller}`, connection: culprit.name, scope: [`${caller}-${second}`] }))
    underWay.push(fleet.ask(own).then((outcome) => note('token' in outcome, second)))
    await fleet.time.advance(1_000)
  }
  await fleet.time.until(Promise.all(underWay))
}

test("while a server limits callers' variants, the connection's own requests still get tokens", async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  fleet.weather = ({ form }) => (form.has('scope') ? limited : undefined)
  const refused: number[] = []
  await askEverySecond(fleet, 120, (isToken, second) => !isToken && refused.push(second))
  assert.deepEqual(refused, [])
  const sent = fleet.book.filter(({ form }) => form.has('scope')).length
  assert.ok(sent <= 100, `${sent} of 2,400 variants were requested`)
})

test('at the end of a wait for a limit the own request goes first, whatever callers add to theirs', async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  fleet.weather = () => limited
  assert.ok('error' in (await fleet.time.until(fleet.ask(own))))
  // The client gets one token in ten seconds.
  let nextAt = fleet.time.now() + 29_000
  fleet.weather = () => {
    if (fleet.time.now() < nextAt) return limited
    nextAt = fleet.time.now() + 10_000
    return undefined
  }
  const had: number[] = []
  await askEverySecond(fleet, 60, (isToken, second) => isToken && had.push(second))
  assert.ok(Number(had[0]) <= 32, `the first own token came after ${had[0]} s`)
})

test('a limit holds for its client: other clients of the server go on, and other connections of the client wait', async () => {
  const fleet = createCoolDownFleet()
  await warmUp(fleet)
  fleet.weather = ({ connection }) => (connection === sameWay.name ? undefined : limited)
  await fleet.time.until(fleet.ask(own))
  const before = fleet.book.length
  const [otherClient, another] = await fleet.time.until(
    Promise.all([fleet.ask({ ...own, connection: sameWay.name }), fleet.ask({ ...own, connection: sameClient.name })]),
  )
  assert.ok('token' in otherClient && 'error' in another)
  assert.equal(fleet.book.length, before + 1)
})
