import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCalledApi } from '../support/called-api.ts'
import { type Fault, faults, startFaultyGround } from '../support/faulty-ground.ts'
import { loadFunction } from '../support/function-set.ts'
import { callBy } from '../support/the-calls.ts'
import { someToken, startTokenServer } from '../support/token-server.ts'

/* Who makes calls reads elements, in each instance, once a minute. */

const elementsMilliseconds = 61_000
/** What the function has left of its time: less than the store's client takes before it gives up. */
const milliseconds = 6_000

const withoutElements: Readonly<Record<Fault, number>> = {
  'refusing connections': 504,
  reset: 504,
  hung: 504,
  'slow, 500 ms': 200,
  'slow, 10 s': 504,
  throttling: 504,
  'full of garbage': 503,
  denying: 500,
}

test('elements that can not be read fail no call of an instance that has the connection in hand, and the others in time', async (t) => {
  const ground = await startFaultyGround(t)
  if (!ground) return
  const api = await startCalledApi(t)
  const tokens = await startTokenServer(
    t,
    (issuer) => api.elements(issuer, { builder: { signatureAlgorithm: 'ES256' } }),
    () => someToken({ expires_in: 36_000 }),
  )
  await api.trustIn(tokens.workspace)
  const environment = await ground.move(tokens.workspace)
  const warm = await loadFunction('call-api', tokens.workspace, environment)
  assert.equal((await callBy(warm)).status, 200)

  for (const fault of faults)
    await t.test(fault, async (each) => {
      const cold = await loadFunction('call-api', tokens.workspace, environment)
      ground.age(elementsMilliseconds)
      ground.break(['Parameter Store'], fault)
      const startedAt = performance.now()
      const [known, unknown] = await Promise.all([callBy(warm, { milliseconds }), callBy(cold, { milliseconds })])
      const took = performance.now() - startedAt
      each.diagnostic(`${Math.round(took)} ms`)
      assert.deepEqual([known.status, unknown.status], [200, withoutElements[fault]])
      assert.ok(took < milliseconds, `${took} ms`)

      await ground.mend()
      ground.age(elementsMilliseconds)
      assert.deepEqual([(await callBy(warm)).status, (await callBy(cold)).status], [200, 200])
    })
})
