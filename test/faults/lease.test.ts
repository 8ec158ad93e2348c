import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from './faulty-aws.ts'
import { ask, patient, startFunctionsOnFaultyAws } from './functions-on-faulty-aws.ts'

/* The table fails after the lease is taken and before the token is stored: during the token request. */

/** The rest of a lease that its holder could not end, and the time that others wait after it. */
const leaseMilliseconds = 14_000

const ways: readonly Fault[] = ['refusing connections', 'reset', 'hung', 'throttling', 'full of garbage', 'denying']

test('if the table fails during a lease, the caller still gets the token, and the fleet recovers by itself', async (t) => {
  const aws = await startFunctionsOnFaultyAws(t)
  if (!aws) return
  for (const fault of ways)
    await t.test(fault, async (each) => {
      const [holder, other] = [await aws.load('issue-token'), await aws.load('issue-token', patient)]
      await ask(other, `${fault}-before`)
      aws.onRequest(() => aws.break(['DynamoDB'], fault))
      const scope = fault.replaceAll(' ', '-')
      const got = await ask(holder, scope, { milliseconds: 17_000 })
      each.diagnostic(`${Math.round(got.milliseconds)} ms`)
      assert.equal(got.outcome, 'a new token')
      assert.equal((await ask(holder, scope, { before: got.token })).outcome, 'the same token')
      assert.equal(aws.requestsFor(scope), 1)

      aws.onRequest(() => {})
      await aws.mend()
      aws.age(leaseMilliseconds)
      const { outcome, token } = await ask(other, scope, { before: got.token })
      assert.equal(outcome, 'a new token', 'the first token is not in the shared cache')
      assert.equal(aws.requestsFor(scope), 2)
      const third = await aws.load('issue-token', patient)
      assert.equal((await ask(third, scope, { before: token })).outcome, 'the same token')
    })
})
