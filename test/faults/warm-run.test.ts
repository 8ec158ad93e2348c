import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { WarmRun } from '../../lib/renewal/warm-tokens.ts'
import { ask, invoke, patient, startFunctionsOnFaultyAws } from './functions-on-faulty-aws.ts'

/*
 * A warm run reports the tokens that it could not renew because of a fault. The next run, a minute later, renews them.
 */

const scopes = ['a', 'b', 'c']
const runMilliseconds = 55_000
/** These tokens get stale before the run after the next one, and are valid until after it starts. */
const soonStale = { server: { maximumLifetimeSeconds: 150, maximumConcurrency: 1 } }

async function startWarm(t: TestContext) {
  const aws = await startFunctionsOnFaultyAws(t, soonStale)
  if (!aws) return undefined
  const [caller, warm] = [await aws.load('issue-token', patient), await aws.load('warm-tokens')]
  for (const scope of scopes) assert.equal((await ask(caller, scope)).outcome, 'a new token')
  const run = () => invoke(warm, {}, runMilliseconds) as Promise<WarmRun>
  return {
    ...aws,
    run,
    requests: () => aws.server.requests.length,
    /** Ends all faults and starts the next run. */
    async assertNextRenews(due: number): Promise<void> {
      aws.onRequest(() => {})
      await aws.mend()
      aws.age(60_000)
      assert.deepEqual(await run(), { due, renewed: due, failed: 0, left: 0 })
      const cold = await aws.load('issue-token', patient)
      const before = aws.server.requests.length
      for (const scope of scopes) assert.equal((await ask(cold, scope)).outcome, 'a new token')
      assert.equal(aws.server.requests.length, before, 'a token was not in the cache')
    },
  }
}

test('a table that is down before a run makes the run fail, so that the operator learns of it', async (t) => {
  const warm = await startWarm(t)
  if (!warm) return
  warm.break(['DynamoDB'], 'refusing connections')
  await assert.rejects(warm.run(), { name: 'CacheUnavailableError' })
  assert.equal(warm.requests(), 3)
  await warm.assertNextRenews(3)
})

test('if the table goes down during a run, the tokens that were not renewed are left for the next run', async (t) => {
  const warm = await startWarm(t)
  if (!warm) return
  warm.onRequest(() => warm.requests() === 5 && warm.break(['DynamoDB'], 'reset'))
  assert.deepEqual(await warm.run(), { due: 3, renewed: 1, failed: 0, left: 2 })
  await warm.assertNextRenews(3)
})

test('without elements nothing is renewed, and each failure is counted', async (t) => {
  const warm = await startWarm(t)
  if (!warm) return
  warm.break(['Parameter Store'], 'full of garbage')
  assert.deepEqual(await warm.run(), { due: 3, renewed: 0, failed: 3, left: 0 })
  await warm.assertNextRenews(3)
})

test("without the cache's keys no token can be opened, and all are left for the next run", async (t) => {
  const warm = await startWarm(t)
  if (!warm) return
  warm.break(['Secrets Manager'], 'full of garbage')
  assert.deepEqual(await warm.run(), { due: 3, renewed: 0, failed: 0, left: 3 })
  await warm.assertNextRenews(3)
})
