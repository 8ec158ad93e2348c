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
      assert.deepEqual([known.status, unknown.status], [200, withoutElements[fault]])
      assert.ok(took < milliseconds, `${took} ms`)

      await aws.mend()
      aws.age(elementsMilliseconds)
      assert.deepEqual([(await callBy(warm)).status, (await callBy(cold)).status], [200, 200])
    })
})
