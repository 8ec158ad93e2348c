import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from 'aws-lambda'
import { createHandler } from '../../../functions/warm-tokens/handler.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'

const context = { getRemainingTimeInMillis: () => 55_000 } as Context

test('each call makes one run, whatever its event contains, and returns the report', async () => {
  const deadlines: number[] = []
  const run = { due: 3, renewed: 1, failed: 1, left: 1 }
  const handler = createHandler({
    now: () => 1_000,
    application: {
      async warmTokens(deadline) {
        deadlines.push(deadline)
        return run
      },
    },
  })
  for (const event of [undefined, {}, { source: 'aws.scheduler' }]) assert.equal(await handler(event, context), run)
  assert.deepEqual(deadlines, [53_000, 53_000, 53_000], 'there is time left to report')
})

test('a run that cannot read the due tokens fails', async () => {
  const handler = createHandler({
    now: () => 0,
    application: { warmTokens: () => Promise.reject(new CacheUnavailableError('nobody listens')) },
  })
  await assert.rejects(handler({}, context), CacheUnavailableError)
})
