import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type TestContext, test } from 'node:test'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { logChannel } from '../../lib/adapters/log/powertools.ts'
import { eventChannel } from '../../lib/adapters/process/published-bus.ts'
import { ConfigurationError } from '../../lib/configuration/finding.ts'
import { RotationGivenUpError, RotationRefusedError } from '../../lib/key-lifecycle/rotating-secret.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'
import { SecretError } from '../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../lib/signing/signing-key.ts'
import {
  type AccessMatrix,
  asConfigured,
  inOneForm,
  readWanted,
  startAccessMatrix,
} from '../support/functions/access-matrix.ts'
import { contextFor } from '../support/functions/alias.ts'
import { loadFunction } from '../support/functions/load-function.ts'
import { overhear } from '../support/output/canary.ts'
import { membersOf } from './asked-for.ts'
import { batch, rotationEvent } from './hostile-aws-events.ts'
import { oddValue } from './hostile-values.ts'
import { holdsFor } from './seeded.ts'

/*
 * Events as they may be in the queue, come from Secrets Manager or a schedule, or be sent by hand. Each one is answered
 * or refused with Tokenwell's own errors. No secret is logged, as the check after each test file proves.
 */

const environment = { TOKENWELL_EVENTS: 'process' }
subscribe(eventChannel, (event) => overhear(JSON.stringify(event)))

/** Collects log events with the code `unexpected`, which means a bug in Tokenwell. */
function hearFaults(t: TestContext): LogEvent[] {
  const faults: LogEvent[] = []
  const hear = (message: unknown) => {
    const event = message as LogEvent
    if ('code' in event && event.code === 'unexpected') faults.push(event)
  }
  subscribe(logChannel, hear)
  t.after(() => unsubscribe(logChannel, hear))
  return faults
}

/** After any rejections and renewals, each connection has its own token. */
async function demandOwnTokens({ instances, issuedFor }: AccessMatrix): Promise<string[]> {
  const ids: string[] = []
  for (const { issueToken, isGuarded } of instances)
    for (const connection of ['orders', 'stock']) {
      if (isGuarded) continue
      const answer = membersOf(await issueToken({ connection }, contextFor({ connection })))
      const token = answer['access_token']
      const issued = issuedFor(String(token))
      assert.ok(issued, JSON.stringify(answer))
      assert.equal(inOneForm(issued), inOneForm(asConfigured(readWanted(connection, []))))
      ids.push(String(answer['token_id']))
    }
  return ids
}

test('refresh-token reports exactly the failed messages of a batch, and never throws', async (t) => {
  const matrix = await startAccessMatrix(t)
  const { workspace } = matrix.tokens
  const refreshToken = await loadFunction('refresh-token', workspace, { ...matrix.environment, ...environment })
  const faults = hearFaults(t)
  let ids = await demandOwnTokens(matrix)
  const counts = { done: 0, failed: 0 }
  await holdsFor(t, 150, batch, async (makeMessages) => {
    const messages = makeMessages(ids)
    const event = {
      Records: messages.map(({ id, body, attempt }) => ({
        messageId: id,
        body,
        attributes: { ApproximateReceiveCount: attempt },
      })),
    }
    const answer = membersOf(await refreshToken(event, createLocalContext(Date.now())))
    assert.deepEqual(Object.keys(answer), ['batchItemFailures'])
    const failures = answer['batchItemFailures'] as readonly { readonly itemIdentifier: string }[]
    const failed = failures.map(({ itemIdentifier }) => itemIdentifier)
    assert.ok(
      failed.every((id) => messages.some((message) => message.id === id)),
      'a message that is not in the batch',
    )
    assert.equal(new Set(failed).size, failed.length)
    assert.deepEqual(faults, [])
    ids = await demandOwnTokens(matrix)
    counts.failed += failed.length
    counts.done += messages.length - failed.length
  })
  t.diagnostic(`${counts.done} done, ${counts.failed} failed`)
  assert.ok(counts.done > 0 && counts.failed > 0)
})

test("rotate-key performs a step, or refuses it with one of Tokenwell's errors", async (t) => {
  const matrix = await startAccessMatrix(t)
  const rotateKey = await loadFunction('rotate-key', matrix.tokens.workspace, matrix.environment)
  const faults = hearFaults(t)
  const ours = [RotationRefusedError, RotationGivenUpError, ConfigurationError, KeyStoreError, SecretError]
  const counts = { done: 0, refused: 0 }
  await holdsFor(t, 300, rotationEvent, async (event) => {
    try {
      assert.equal(await rotateKey(structuredClone(event), createLocalContext(Date.now())), undefined)
      counts.done++
    } catch (error) {
      if (!ours.some((each) => error instanceof each)) throw error
      counts.refused++
    }
    assert.deepEqual(faults, [])
  })
  t.diagnostic(`${counts.done} done, ${counts.refused} refused`)
  assert.ok(counts.done > 0 && counts.refused > 0)
  await demandOwnTokens(matrix)
})

test('warm-tokens makes a run for any event', async (t) => {
  const matrix = await startAccessMatrix(t)
  const warmTokens = await loadFunction('warm-tokens', matrix.tokens.workspace, {
    ...matrix.environment,
    ...environment,
  })
  const faults = hearFaults(t)
  await demandOwnTokens(matrix)
  await holdsFor(t, 100, oddValue, async (event) => {
    assert.equal(typeof (await warmTokens(event, createLocalContext(Date.now()))), 'object')
    assert.deepEqual(faults, [])
  })
  await demandOwnTokens(matrix)
})
