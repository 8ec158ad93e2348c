import assert from 'node:assert/strict'
import { test } from 'node:test'
import { subjectSegment } from '../../lib/configuration/subject.ts'
import { overhear } from '../support/output/canary.ts'
import type { Credentials } from '../support/servers/ministack.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { callerRoleStack } from './caller-role-stack.ts'
import { deployStage, eventually, stageElements } from './deployed-stage.ts'
import type { Resource } from './emulated-template.ts'

/*
 * The stage as operators and callers see it: the CDK's own command line deploys it to ministack, an emulator of AWS that enforces IAM.
 * Its commands are those of infra/README.md. All checks share one deployment, and follow one another. `emulated-template.ts` lists what
 * ministack lacks.
 */

test('the CDK deploys a stage to an emulated account, where callers and operators can use it', async (t) => {
  const deployed = await startIfThere(t, () => deployStage(t))
  if (!deployed) return
  const { account, server, output } = deployed
  let tokenRequests = 0
  server.server.on('request', ({ url }: { url?: string }) => {
    if (url?.startsWith('/token')) tokenRequests++
  })
  const caller = await deployed.callerOf('a-caller', ['conn'])
  const otherCaller = await deployed.callerOf('another-caller', ['brief', 'third'])

  await t.test('what ministack lacks is left out, and nothing else', () => {
    const { resources } = deployed.leftOut
    const isAlarm = ({ Type, Properties }: Resource) => Type === 'AWS::CloudWatch::Alarm' && Properties?.['Metrics']
    assert.ok(resources.some(isAlarm), 'alarms on computed metrics')
    const schedules = resources
      .filter((each) => !isAlarm(each))
      .map(({ Type, Properties = {} }) => [Type, Properties['RotationRules'], Properties['RotateImmediatelyOnUpdate']])
    assert.deepEqual(schedules, [
      ['AWS::SecretsManager::RotationSchedule', { ScheduleExpression: 'rate(720 hours)' }, true],
    ])
    const services = deployed.leftOut.widenedActions.map((action) => action.split(':')[0])
    assert.deepEqual([...new Set(services)].sort(), ['dynamodb', 'ssm'])
  })

  await t.test('the first rotation makes a key, which the stage publishes to everybody', async () => {
    await deployed.rotate('theBuilder')
    assert.equal((await deployed.publishedKeys('theBuilder')).length, 1)
  })

  let first = ''
  await t.test('a role with the right to a connection gets its token', async () => {
    const answer = await deployed.getToken('conn', caller)
    assert.deepEqual([answer.status, answer.source, tokenRequests], [200, 'server', 1], JSON.stringify(answer.error))
    first = answer.access_token ?? ''
    const again = await deployed.getToken('conn', caller)
    assert.deepEqual([again.status, again.access_token === first, tokenRequests], [200, true, 1])
  })

  await t.test('nobody else gets that token', async () => {
    const forged = { ...caller, secretAccessKey: 'the secret of somebody else' }
    for (const signedBy of [undefined, otherCaller, forged]) {
      const { status, access_token } = await deployed.getToken('conn', signedBy)
      assert.deepEqual([status, access_token], [403, undefined])
    }
    assert.equal((await deployed.getToken('brief', caller)).status, 403)
  })

  await t.test('such a role also reads how a client gets that token, and nobody else does', async () => {
    // At the URL of the API itself, the public URL of the stage counts.
    const issuer = 'https://tokens.example.com/connections/conn'
    const [oauth, openid, keys] = await deployed.describe('conn', caller)
    for (const description of [oauth, openid])
      assert.deepEqual(
        [description?.status, description?.issuer, description?.token_endpoint],
        [200, issuer, `${issuer}/token`],
      )
    assert.equal(keys?.status, 200)
    const refused = [...(await deployed.describe('conn', otherCaller)), ...(await deployed.describe('conn'))]
    assert.deepEqual(new Set(refused.map(({ status }) => status)), new Set([403]))
  })

  await t.test("a role with the right to one user's path reaches no other user's, in no spelling", async () => {
    const zoe = `conn/as/${subjectSegment('Zoë')}`
    const forAlice = await deployed.callerOf('a-caller-for-alice', ['conn/as/alice'])
    const forZoe = await deployed.callerOf('a-caller-for-zoe', [zoe])
    const forAll = await deployed.callerOf('a-caller-for-all', ['conn/as/*'])
    // The elements of conn leave no user to a request. Only the function answers so.
    const reached = async (path: string, signedBy: Credentials) => {
      const { status, error } = await deployed.getToken(path, signedBy)
      assert.ok(status === 403 || (status === 400 && error === 'invalid_request'), `${path}: ${status}`)
      return status === 400
    }
    const [alice, bob] = ['conn/as/alice', 'conn/as/bob']
    for (const [role, allowed] of [
      [forAlice, [alice]],
      [forZoe, [zoe]],
      [forAll, [alice, bob, zoe]],
      [caller, []],
    ] as const)
      for (const path of [alice, bob, zoe])
        assert.equal(await reached(path, role), (allowed as readonly string[]).includes(path), path)
    for (const path of ['conn', 'brief/as/alice', 'conn/as/Alice', 'conn/as/alice2', 'conn/as/bob%2F..%2Falice'])
      assert.equal((await deployed.getToken(path, forAlice)).status, 403, path)
    assert.equal((await deployed.getToken('conn', forAll)).status, 403)
  })

  await t.test(
    'a caller of another account assumes its role, and gets the token of its connection and of no other',
    async () => {
      const { roleArn, template } = callerRoleStack({
        apiUrl: output('ApiUrl'),
        account: '444455556666',
        connection: 'conn',
      })
      await account.createStack('Shop', template)
      // The emulator takes a number of twelve digits for the root user of that account.
      const rootOf = (accountId: string) => ({ accessKeyId: accountId, secretAccessKey: 'the secret of that account' })
      assert.equal(await account.assumeRole(roleArn, rootOf('777788889999')), undefined)
      // AWS answers 403. The emulator finds the API in its own account only.
      const withoutRole = await deployed.getToken('conn', rootOf('444455556666'))
      assert.deepEqual([withoutRole.status, withoutRole.access_token], [404, undefined])
      const role = await account.assumeRole(roleArn, rootOf('444455556666'))
      assert.ok(role)
      const answer = await deployed.getToken('conn', role)
      assert.deepEqual([answer.status, answer.access_token === first], [200, true], JSON.stringify(answer))
      assert.equal((await deployed.getToken('brief', role)).status, 403)
    },
  )

  let brief = ''
  await t.test(
    'a role with the right to the alias of a connection gets its token by direct invocation, and nothing else',
    async () => {
      const direct = await deployed.directCallerOf('a-direct-caller', ['c-conn'])
      const answer = await deployed.invokeIssueToken('c-conn', {}, direct)
      assert.deepEqual([answer.status, answer.access_token === first], [200, true], JSON.stringify(answer))
      for (const alias of [undefined, '$LATEST', '1', '_live', 'c-brief']) {
        const { status, access_token } = await deployed.invokeIssueToken(alias, { connection: 'conn' }, direct)
        assert.deepEqual([status, access_token], [403, undefined], alias)
      }
      const event = { version: '2.0', rawPath: '/connections/conn/token', requestContext: { http: { method: 'POST' } } }
      for (const forged of [{ connection: 'brief' }, event]) {
        const refused = await deployed.invokeIssueToken('c-conn', forged, direct)
        assert.ok(JSON.stringify(refused).includes('access_denied'), JSON.stringify(refused))
      }
    },
  )

  await t.test('a principal with every right gets nothing from the function without an alias', async () => {
    for (const alias of [undefined, '$LATEST', '1']) {
      const refused = await deployed.invokeIssueToken(alias, { connection: 'conn' })
      assert.deepEqual([refused.status, refused.error], [403, 'access_denied'], alias)
    }
  })

  await t.test('elements in Parameter Store become a connection without a deployment', async () => {
    assert.equal((await deployed.getToken('brief', otherCaller)).status, 404)
    await deployed.putElements(briefElements(server.issuer))
    const answer = await eventually('a token of the new connection', 90, async () => {
      const each = await deployed.getToken('brief', otherCaller)
      return each.status === 200 ? each : undefined
    })
    assert.equal(answer.source, 'server')
    brief = answer.access_token ?? ''
  })

  await t.test('a cleared token is not handed out any more', async () => {
    await deployed.putEvent('ClearTokenCache', { connection: 'conn' })
    const newer = await eventually('a token after the clearing', 90, async () => {
      const { access_token } = await deployed.getToken('conn', caller)
      return access_token !== undefined && access_token !== first ? access_token : undefined
    })
    const answered = await eventually('the log line of the event', 60, async () => {
      const lines = await account.logLines(output('RefreshTokenLog'))
      return lines.find(({ message, type }) => message === 'event_answered' && type === 'ClearTokenCache')
    })
    assert.ok(answered)
    first = newer
  })

  await t.test('a rotation by hand publishes the next key ahead, while the current key signs', async () => {
    const [current] = await deployed.publishedKeys('theBuilder')
    await deployed.rotate('theBuilder')
    const keys = await eventually('the publication of the next key', 90, async () => {
      const each = await deployed.publishedKeys('theBuilder')
      return each.length > 1 ? each : undefined
    })
    assert.equal(keys.length, 2)
    assert.ok(keys.includes(current ?? ''))
  })

  await t.test('the schedule renews a token that is in use, and callers get it from the shared cache', async () => {
    await eventually('a renewal by a warm run', 150, async () => {
      const lines = await account.logLines(output('WarmTokensLog'))
      return lines.find(({ message, renewed }) => message === 'warm_run_ended' && Number(renewed) > 0)
    })
    const answer = await eventually('the renewed token', 60, async () => {
      const each = await deployed.getToken('brief', otherCaller)
      return each.access_token === brief ? undefined : each
    })
    assert.deepEqual([answer.status, answer.source], [200, 'cache'])
  })

  await t.test('an update to a changed stack keeps tokens and keys, and adds what is new', async () => {
    const keys = await deployed.publishedKeys('theBuilder')
    const elements = stageElements(server.issuer)
    const difference = await deployed.deploy(
      {
        ...elements,
        endpointConnection: { ...elements['endpointConnection'], third: { authenticationConfigRef: 'theConfig' } },
      },
      ['reservedConcurrency=issue-token=5'],
    )
    assert.match(difference, /ReservedConcurrentExecutions/)
    const kept = await deployed.getToken('conn', caller)
    assert.deepEqual([kept.status, kept.access_token === first], [200, true])
    assert.deepEqual(await deployed.publishedKeys('theBuilder'), keys)
    const answer = await eventually('a token of the connection that the update adds', 90, async () => {
      const each = await deployed.getToken('third', otherCaller)
      return each.status === 200 ? each : undefined
    })
    assert.equal(answer.source, 'server')
  })

  await t.test('no secret is in a log', async () => {
    for (const name of ['FunctionLog', 'RefreshTokenLog', 'WarmTokensLog', 'RotateKeyLog']) {
      const lines = await account.logLines(output(name))
      assert.ok(lines.length > 0, name)
      overhear(JSON.stringify(lines))
    }
  })

  await t.test('destroy removes the stage, and keeps its secrets and what the operator made', async () => {
    assert.equal(await deployed.destroy(), 'Tokenwell-prod')
    assert.deepEqual(await account.functionNames(), [])
    assert.deepEqual(
      [...(await deployed.parameterVersions()).keys()],
      ['authorizationServer/briefServer', 'endpointConnection/brief', 'oAuthConfig/briefConfig'],
    )
    for (const name of ['cache', 'jwk/theBuilder', 'authorization-server-ca'])
      assert.equal(await deployed.hasSecret(name), true, name)
  })
})

/** A connection to the same server. Its tokens count as expired after a minute, so each warm run finds them due. */
function briefElements(issuer: string) {
  return {
    authorizationServer: {
      briefServer: { tokenEndpoint: `${issuer}/token`, issuer, maximumLifetimeSeconds: 60 },
    },
    oAuthConfig: { briefConfig: { authServerRef: 'briefServer', jwtAuthenticationTokenRef: 'theTokenConfig' } },
    endpointConnection: { brief: { authenticationConfigRef: 'briefConfig' } },
  }
}
