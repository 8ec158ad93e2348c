import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type TestContext, test } from 'node:test'
import { moveToAws } from '../../../infra/local/aws-ground.ts'
import { logChannel } from '../../../lib/adapters/published-log.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { theElements } from '../../support/elements.ts'
import { type Moto, setEnvironment, startMoto } from '../../support/moto.ts'
import { someRole, withPermissionsLookedAt } from '../../support/moto-permissions.ts'
import { startIfThere } from '../../support/real-server.ts'
import { createTestStack, resourceNamed } from '../../support/stack.ts'
import { startCaller, startTheSet, type TheSet, tokenRequest } from '../../support/the-set.ts'

/*
 * The code of issue-token in a role that is allowed the actions of the template and no others. moto looks at actions; which
 * resources they are for, grants.test.ts says.
 */

/** Not the function's doing but Lambda's and X-Ray's daemon's; and what is said on the bus, for which nobody waits. */
const besides = /^(logs|xray|events):/

test('with the actions of the template the function does all that it is for', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  assert.deepEqual(await ground.runWith(actionsOfTemplate(t)), [])
})

test('without any one of them there is something that it does not do', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const actions = actionsOfTemplate(t)
  for (const action of actions) {
    const failures = await ground.runWith(actions.filter((each) => each !== action))
    t.diagnostic(`${action}: ${failures.join('; ')}`)
    assert.notDeepEqual(failures, [], `${action} is not needed`)
  }
})

function actionsOfTemplate(t: TestContext): string[] {
  const { stack } = createTestStack(t)
  const { Properties } = resourceNamed(stack, 'AWS::IAM::Policy', 'TokensIssueTokenRoleDefaultPolicy')
  const { Statement: statements } = Properties['PolicyDocument'] as { Statement: { Action: string | string[] }[] }
  const actions = statements.flatMap(({ Action }) => Action)
  assert.ok(actions.length > 5)
  return actions.filter((action) => !besides.test(action))
}

async function startGround(t: TestContext) {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  setEnvironment(t, moto.environment)
  return {
    async runWith(actions: readonly string[]): Promise<string[]> {
      await moto.reset()
      const set = await startTheSet(t, theElements)
      const { environment } = await moveToAws(set.workspace)
      return runAs(moto, actions, () => everythingItDoes(set, environment))
    },
  }
}

async function runAs(moto: Moto, actions: readonly string[], run: () => Promise<string[]>) {
  const credentials = await someRole(moto.endpoint, actions)
  const before = { ...process.env }
  Object.assign(process.env, credentials)
  try {
    return await withPermissionsLookedAt(moto.endpoint, run)
  } finally {
    for (const name of Object.keys(credentials)) delete process.env[name]
    Object.assign(process.env, before)
  }
}

/** A token, a hit, a rejection, the list, an outage of which the fleet is told; returns what did not go as it should. */
async function everythingItDoes(set: TheSet, environment: Record<string, string>): Promise<string[]> {
  const failures: string[] = []
  const expect = (what: string, actual: unknown, expected: unknown) => {
    if (actual !== expected) failures.push(`${what}: ${String(actual)}`)
  }
  const hear = (message: unknown) => {
    const event = message as LogEvent
    if (event.event === 'cache_passed_over') failures.push(`${event.event} ${event.reason}`)
  }
  subscribe(logChannel, hear)
  try {
    const settings = { ...environment, TOKENWELL_MEMORY_SECONDS: '0' }
    const [one, other] = [await startCaller(set.workspace, settings), await startCaller(set.workspace, settings)]
    const first = await one.http(tokenRequest('conn'))
    expect('first', first.body['source'], 'server')
    expect('second', (await other.http(tokenRequest('conn'))).body['source'], 'cache')
    const query = `token_id=${first.body['token_id']}`
    expect('rejected', (await one.http({ method: 'DELETE', path: '/connections/conn/token', query })).status, 204)
    expect('third', (await other.http(tokenRequest('conn'))).body['source'], 'server')
    const { status, body } = await one.http({ method: 'GET', path: '/connections' })
    const [listed] = (body['connections'] ?? []) as { usable: boolean }[]
    expect('list', [status, listed?.usable].join(), '200,true')
    await set.server.close()
    expect('outage', (await one.http(tokenRequest('conn', 'scope=other'))).status, 503)
  } finally {
    unsubscribe(logChannel, hear)
  }
  return failures
}
