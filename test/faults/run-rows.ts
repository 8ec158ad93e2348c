import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Handler } from '../support/functions/load-function.ts'
import { ask, type FunctionsOnFaultyAws, patient, startFunctionsOnFaultyAws } from './functions-on-faulty-aws.ts'
import { type Row, servicesOf } from './rows.ts'

/**
 * Old enough that an instance must check whether its token is still current. The token is still fresh a minute later.
 */
const unconfirmedMilliseconds = 40_000
/** How late a timer may be on a busy machine. */
const latenessMilliseconds = 2_000
/** How often to try until the fleet shares tokens again. An instance tries a failed cache again after 5 s. */
const healing = { tries: 8, betweenMilliseconds: 6_000 } as const

/**
 * Runs each row on the same emulated AWS, one after the other. So each row also shows that the rows before it left
 * nothing behind.
 */
export function testRows(title: string, rows: readonly Row[]): void {
  test(title, async (t) => {
    const aws = await startFunctionsOnFaultyAws(t)
    if (!aws) return
    for (const [index, row] of rows.entries()) {
      const { warm, cached, nothing, fault } = row
      const name = `${servicesOf(row)} ${fault}: ${warm}; ${cached}; ${nothing}`
      await t.test(name, (each) => runRow(each, aws, row, `row-${index}`))
    }
  })
}

async function runRow(t: TestContext, aws: FunctionsOnFaultyAws, row: Row, id: string): Promise<void> {
  // A cache that should fail has only the time that it has in production.
  const isAnswering = row.fault === 'slow, 500 ms' || row.services.every((service) => service === 'Parameter Store')
  const load = () => aws.load('issue-token', isAnswering ? patient : {})
  const warm = await load()
  const scopes = { warm: `${id}-warm`, cached: `${id}-cached`, nothing: `${id}-nothing` }
  const before = { warm: await ask(warm, scopes.warm), cached: await ask(warm, scopes.cached) }

  aws.age(unconfirmedMilliseconds)
  aws.break(row.services, row.fault)
  // The init of a cold instance meets the fault too.
  const [cached, nothing] = [await load(), await load()]
  const milliseconds = row.seconds * 1000
  const [first, second, third] = await Promise.all([
    ask(warm, scopes.warm, { milliseconds, before: before.warm.token }),
    ask(cached, scopes.cached, { milliseconds, before: before.cached.token }),
    ask(nothing, scopes.nothing, { milliseconds }),
  ])
  await aws.mend()
  const got = { warm: first, cached: second, nothing: third }
  t.diagnostic(
    Object.entries(got)
      .map(([state, each]) => `${state} ${Math.round(each.milliseconds)} ms`)
      .join(', '),
  )

  for (const state of ['warm', 'cached', 'nothing'] as const) {
    const { outcome, milliseconds: took } = got[state]
    assert.equal(outcome, row[state], state)
    assert.equal(
      aws.requestsFor(scopes[state]),
      (state === 'nothing' ? 0 : 1) + (outcome === 'a new token' ? 1 : 0),
      state,
    )
    assert.ok(took <= milliseconds + latenessMilliseconds, `${state}: ${took} ms`)
  }
  await assertHealed(aws, [warm, cached, nothing], id)
}

/** All three instances get one token, which the first of them requested. */
async function assertHealed(
  { age, requestsFor }: FunctionsOnFaultyAws,
  [first, ...others]: readonly Handler[],
  id: string,
): Promise<void> {
  assert(first)
  const answers: string[] = []
  for (let tries = 0; tries < healing.tries; tries++) {
    age(healing.betweenMilliseconds)
    const scope = `${id}-healed-${tries}`
    const { token, outcome } = await ask(first, scope)
    assert.equal(outcome, 'a new token')
    for (const other of others) answers.push((await ask(other, scope, { before: token })).outcome)
    if (requestsFor(scope) === 1) return
  }
  assert.fail(`the instances share no token within a minute: ${answers.join(', ')}`)
}
