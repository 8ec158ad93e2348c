import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCalledApi } from '../support/called-api.ts'
import { faults, startFaultyGround } from '../support/faulty-ground.ts'
import { callBy } from '../support/the-calls.ts'
import { loadFunction } from '../support/the-set.ts'
import { someToken, startTokenServer } from '../support/token-server.ts'

/* Who makes calls reads elements, in each instance, once a minute. */

const elementsMilliseconds = 61_000
/** What the function has left of its time: less than the store's client takes before it gives up. */
const milliseconds = 8_000

test('elements that can not be read fail no call of an instance that has the connection in hand', async (t) => {
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
      const known = await callBy(warm, { milliseconds })
      const took = performance.now() - startedAt
      each.diagnostic(`${Math.round(took)} ms`)
      assert.equal(known.status, 200)
      assert.ok(took < milliseconds, `${took} ms`)
      // The others it would wait for until the store's own time is over.
      if (fault === 'denying') assert.equal((await callBy(cold, { milliseconds })).status, 500)
      if (fault === 'full of garbage') assert.equal((await callBy(cold, { milliseconds })).status, 503)

      await ground.mend()
      ground.age(elementsMilliseconds)
      assert.deepEqual([(await callBy(warm)).status, (await callBy(cold)).status], [200, 200])
    })
})
