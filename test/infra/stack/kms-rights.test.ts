import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { kmsKeyService } from '../../../lib/adapters/aws/kms-key-service.ts'
import { setEnvironment } from '../../support/process/this-process.ts'
import { createAwsAccount } from '../../support/servers/aws-account.ts'
import type { PolicyStatement } from '../../support/servers/iam-policy.ts'
import { startStageKeys } from '../../support/servers/stage-keys.ts'
import { createTestStack, resourcesOf } from './test-stack.ts'

/* The rights of the template, at a KMS that evaluates them as AWS documents it. */

const accountId = '111122223333'
const alias = 'alias/tokenwell/test/orders'
const digest = new Uint8Array(32)
const signers = ['IssueToken', 'CallApi', 'WarmTokens', 'RefreshToken']

for (const id of signers)
  test(`${id} signs by the ARN of a key with the alias of its elements, or with the second name for the key before`, async (t) => {
    const { kms, key, sign } = await startKeys(t, rightsOf(t, id))
    kms.pointAlias(alias, key)
    assert.equal((await sign()).length > 60, true)
    kms.pointAlias(`${alias}/previous`, key)
    kms.pointAlias(alias, kms.createKey('ECC_NIST_P256'))
    assert.equal((await sign()).length > 60, true)
  })

test('a key without an alias of the elements is denied, whatever other aliases it has', async (t) => {
  const { kms, key, sign } = await startKeys(t, rightsOf(t, 'IssueToken'))
  for (const other of [`${alias}s`, `${alias}/other`, 'alias/tokenwell/prod/orders', 'alias/orders']) {
    kms.pointAlias(other, key)
    await assert.rejects(sign(), /may not be used \(AccessDeniedException\)/, other)
  }
})

test('* allows each key with an alias of the stage, and none of another stage', async (t) => {
  const { kms, key, sign } = await startKeys(t, rightsOf(t, 'IssueToken', ['*']))
  kms.pointAlias('alias/tokenwell/test2/orders', key)
  await assert.rejects(sign(), /may not be used/)
  kms.pointAlias('alias/tokenwell/test/whatever', key)
  assert.equal((await sign()).length > 60, true)
})

test('the signing functions use both actions of the right: without one of them the key cannot be used', async (t) => {
  for (const missing of ['kms:Sign', 'kms:GetPublicKey']) {
    const rights = rightsOf(t, 'IssueToken').map((right) => ({
      ...right,
      Action: [right.Action].flat().filter((action) => action !== missing),
    }))
    const { kms, key, sign, publicKey } = await startKeys(t, rights)
    kms.pointAlias(alias, key)
    await assert.rejects(missing === 'kms:Sign' ? sign() : publicKey(), /may not be used/, missing)
  }
})

test('functions that get no tokens sign with no key of the elements', (t) => {
  for (const id of ['PublishKeys', 'RotateKey']) assert.deepEqual(rightsOf(t, id), [])
})

/** The statements about KMS keys by their aliases, in the policy of a function. */
function rightsOf(t: TestContext, id: string, kmsKeys = ['orders']): PolicyStatement[] {
  const { stack } = createTestStack(t, { kmsKeys })
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy'))
  const own = policies.filter(({ Properties }) => String(Properties['Roles']) === `Tokens${id}Role`)
  return own
    .flatMap(({ Properties }) => (Properties['PolicyDocument'] as { Statement: PolicyStatement[] }).Statement)
    .filter(({ Condition }) => JSON.stringify(Condition ?? {}).includes('kms:ResourceAliases'))
}

async function startKeys(t: TestContext, rights: readonly PolicyStatement[]) {
  const { kms, environment, allow } = await startStageKeys(t, { account: createAwsAccount({ accountId }) })
  setEnvironment(t, environment)
  allow(rights)
  const key = kms.createKey('ECC_NIST_P256')
  const patient = { connect: 60_000, answer: 60_000, total: 60_000 }
  const service = kmsKeyService({ timeouts: patient })
  return {
    kms,
    key,
    publicKey: () => service.publicKey(alias),
    sign: () => service.sign({ alias, keyArn: key.arn, algorithm: 'ES256', message: digest, digest }),
  }
}
