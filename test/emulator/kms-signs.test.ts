import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { RawElements } from '../support/elements/elements.ts'
import type { Credentials } from '../support/servers/ministack.ts'
import { startIfThere } from '../support/servers/real-server.ts'
import { blocksOfPage, findAwsCommand } from './aws-command.ts'
import { type DeployedStage, deployStage, eventually, stageElements } from './deployed-stage.ts'

/*
 * A deployed stage that signs with a key in KMS, by the commands of infra/operations.md. ministack evaluates the rights of the functions with
 * kms:ResourceAliases as AWS does, because ministack_with_aliases.py gives it this condition key. It lets a changed alias count at once: AWS takes
 * up to five minutes.
 */

const page = 'operations.md'
const jwtBuilder = 'theBuilder'

test('a stage signs with a key in KMS, which an operator makes and changes by its aliases', async (t) => {
  const started = await startIfThere(t, async () => {
    const deployed = await deployStage(t, { showsDifference: false })
    return { deployed, aws: await findAwsCommand(deployed.ministack.commandEnvironment) }
  })
  if (!started) return
  const { deployed, aws } = started
  const caller = await deployed.callerOf('a-caller', ['conn'])
  const [create = ''] = blocksOfPage('Make a KMS key', page)
  const [change = ''] = blocksOfPage('Change a KMS key', page)
  const run = async (lines: string) => (await aws.run(lines, '/')).trim()

  await t.test(
    'an operator makes the key and its alias, and the deployment gives the functions the right to it',
    async () => {
      await run(create)
      await deployed.deploy(kmsElements(deployed.server.issuer))
      await published(deployed, 1)
      const answer = await freshToken(deployed, caller)
      assert.equal(answer.status, 200, JSON.stringify(answer))
    },
  )

  await t.test('without its alias the key does not sign, and with another alias of the elements it does', async () => {
    const key = await keyOf(run, 'alias/tokenwell/prod/orders')
    await run('aws kms delete-alias --alias-name alias/tokenwell/prod/orders')
    await run(`aws kms create-alias --alias-name alias/tokenwell/prod/other --target-key-id ${key}`)
    assert.equal((await freshToken(deployed, caller)).status, 500)
    await run(`aws kms create-alias --alias-name alias/tokenwell/prod/orders/previous --target-key-id ${key}`)
    assert.equal((await freshToken(deployed, caller)).status, 200)
    await run('aws kms delete-alias --alias-name alias/tokenwell/prod/orders/previous')
    await run(`aws kms create-alias --alias-name alias/tokenwell/prod/orders --target-key-id ${key}`)
  })

  await t.test('after the alias was moved both keys are published, and the one before signs', async () => {
    const [before = ''] = await deployed.publishedKeys(jwtBuilder)
    await run(change)
    await deployed.putEvent('ReconcileElements', {})
    const keys = await published(deployed, 2)
    assert.ok(keys.includes(before))
    const answer = await freshToken(deployed, caller)
    assert.equal(answer.status, 200, JSON.stringify(answer))
    // The key of the alias has its right now. The key that signs has lost its own.
    await run('aws kms delete-alias --alias-name alias/tokenwell/prod/orders/previous')
    assert.equal((await freshToken(deployed, caller)).status, 500)
  })

  await t.test(
    'the identity role of a connection has its fixed name, and a role that is not a function of the stage may not assume it',
    async () => {
      const roleArn = 'arn:aws:iam::111122223333:role/tokenwell-prod-identity-reports'
      const named = 'aws iam get-role --role-name tokenwell-prod-identity-reports --query Role.Arn --output text'
      assert.equal(await run(named), roleArn)
      const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: roleArn }
      const other = await deployed.account.assumeNewRole('another-role', statement)
      assert.equal(await deployed.account.assumeRole(roleArn, other), undefined)
    },
  )

  await t.test('no function can make, move or delete a key or an alias, and none can sign without a condition', () => {
    assert.deepEqual(
      deployed.leftOut.widenedActions.filter((action) => action.startsWith('kms:')),
      [],
    )
  })
})

function kmsElements(issuer: string): RawElements {
  const {
    keyStore,
    jwtBuilder: builders,
    oAuthTokenConfig,
    oAuthConfig,
    endpointConnection,
    ...others
  } = stageElements(issuer)
  return {
    ...others,
    awsWebIdentity: { aws: { audience: issuer, role: 'connection' } },
    oAuthTokenConfig: { ...oAuthTokenConfig, signedByAws: { tokenGeneratorRef: 'aws' } },
    oAuthConfig: { ...oAuthConfig, byAws: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'signedByAws' } },
    endpointConnection: { ...endpointConnection, reports: { authenticationConfigRef: 'byAws' } },
    keyStore: { ...keyStore, inKms: { location: 'kms:alias/tokenwell/prod/orders' } },
    jwtBuilder: {
      ...builders,
      [jwtBuilder]: { issuer: 'theClient', keyStoreRef: 'inKms', signatureAlgorithm: 'ES256' },
    },
  }
}

async function published(deployed: DeployedStage, count: number): Promise<readonly string[]> {
  return await eventually(`the publication of ${count} keys`, 120, async () => {
    const keys = await deployed.publishedKeys(jwtBuilder)
    return keys.length === count ? keys : undefined
  })
}

/** An answer that is not the token that was handed out before. A clearing within 30 s of another one has no effect, so it is repeated. */
async function freshToken(deployed: DeployedStage, caller: Credentials) {
  const before = await deployed.getToken('conn', caller)
  return await eventually('another token', 180, async () => {
    await deployed.putEvent('ClearTokenCache', { connection: 'conn' })
    await pause(5_000)
    const answer = await deployed.getToken('conn', caller)
    return answer.status === 200 && answer.access_token === before.access_token ? undefined : answer
  })
}

async function keyOf(run: (lines: string) => Promise<string>, alias: string): Promise<string> {
  return await run(`aws kms describe-key --key-id ${alias} --query KeyMetadata.KeyId --output text`)
}
