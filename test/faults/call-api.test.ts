import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callBy } from '../support/functions/call-api-with-scripted-servers.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { loadFunction } from '../support/functions/load-function.ts'
import { startEchoApi } from '../support/servers/echo-api.ts'
import { type Fault, faults, startFaultyAws } from './faulty-aws.ts'

/* An instance that calls APIs reads its elements once a minute. */

const elementsMilliseconds = 61_000
/** How much of the function's time is left: less than the store's client needs before it gives up. */
const milliseconds = 6_000

/**
 * A failure at once is repeated after pauses by chance. Either the store's client gives up, because its next pause would be too long,
 * or the deadline comes first.
 */
const failsAtOnce = [503, 504]
const withoutElements: Readonly<Record<Fault, readonly number[]>> = {
  'refusing connections': failsAtOnce,
  reset: failsAtOnce,
  hung: [504],
  'slow, 500 ms': [200],
  'slow, 10 s': [504],
  throttling: failsAtOnce,
  'full of garbage': [503],
  denying: [500],
}

test('if elements cannot be read, an instance that knows the connection still makes calls, and other instances answer with an error in time', async (t) => {
  const aws = await startFaultyAws(t)
  if (!aws) return
  const api = await startEchoApi(t)
  const tokens = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => api.elements(issuer, { builder: { signatureAlgorithm: 'ES256' } }),
    () => tokenAnswer({ expires_in: 36_000 }),
  )
  await api.trustIn(tokens.workspace)
  const environment = await aws.move(tokens.workspace)
  const warm = await loadFunction('call-api', tokens.workspace, environment)
  assert.equal((await callBy(warm)).status, 200)

  for (const fault of faults)
    await t.test(fault, async (each) => {
      const cold = await loadFunction('call-api', tokens.workspace, environment)
      aws.age(elementsMilliseconds)
      aws.break(['Parameter Store'], fault)
      const startedAt = performance.now()
      const [known, unknown] = await Promise.all([callBy(warm, { milliseconds }), callBy(cold, { milliseconds })])
      const took = performance.now() - startedAt
      each.diagnostic(`${Math.round(took)} ms`)
      assert.equal(known.status, 200)
      assert.ok(withoutElements[fault].includes(unknown.status), `${unknown.status}`)
      assert.ok(took < milliseconds, `${took} ms`)

      await aws.mend()
      aws.age(elementsMilliseconds)
      assert.deepEqual([(await callBy(warm)).status, (await callBy(cold)).status], [200, 200])
    })
})
