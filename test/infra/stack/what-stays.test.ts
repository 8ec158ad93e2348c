import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RemovalPolicy, type Stack } from 'aws-cdk-lib'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { readCacheKeys } from '../../../lib/fleet/cache-keys.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createTestStack, everyProperty, resourceOf, resourcesOf } from './test-stack.ts'

/* The table, the secret and the logs: their contents, their retention, and what happens to them when the stack is deleted. */

test('the table has the key, index and TTL attribute of the storage schema, and is billed by request', (t) => {
  const { Properties } = resourceOf(createTestStack(t).stack, 'AWS::DynamoDB::Table')
  assert.deepEqual(Properties, {
    AttributeDefinitions: [
      { AttributeName: 'name', AttributeType: 'S' },
      { AttributeName: 'dueShard', AttributeType: 'S' },
      { AttributeName: 'dueAt', AttributeType: 'N' },
    ],
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [
      {
        IndexName: 'due',
        KeySchema: [
          { AttributeName: 'dueShard', KeyType: 'HASH' },
          { AttributeName: 'dueAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    KeySchema: [{ AttributeName: 'name', KeyType: 'HASH' }],
    TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
  })
})

test('the secret that Secrets Manager generates contains the keys of the cache', (t) => {
  const { Properties } = resourceOf(createTestStack(t).stack, 'AWS::SecretsManager::Secret')
  assert.equal(Properties['Name'], 'tokenwell/test/cache')
  const { GenerateStringKey, PasswordLength, SecretStringTemplate, ...how } = Properties['GenerateSecretString'] as {
    GenerateStringKey: string
    PasswordLength: number
    SecretStringTemplate: string
  }
  assert.deepEqual(how, { ExcludePunctuation: true })
  const made = { ...JSON.parse(SecretStringTemplate), [GenerateStringKey]: 'x'.repeat(PasswordLength) }
  const { encryptionKeys } = readCacheKeys('tokenwell/test/cache', new Secret(JSON.stringify(made)))
  assert.equal(encryptionKeys.size, 1)
})

test("logs are deleted after three months, or after the operator's retention time", (t) => {
  const days = (stack: Stack) =>
    Object.values(resourcesOf(stack, 'AWS::Logs::LogGroup')).map(({ Properties }) => Properties['RetentionInDays'])
  assert.deepEqual(days(createTestStack(t).stack), new Array(7).fill(90))
  assert.deepEqual(days(createTestStack(t, { logRetention: RetentionDays.ONE_YEAR }).stack), new Array(7).fill(365))
})

test('the table is deleted with the stack, and secret and logs stay, unless the deployment that creates them is rolled back', (t) => {
  assert.deepEqual(fates(createTestStack(t).stack), {
    TokensTable: 'Delete',
    TokensPublicationKey: 'Delete',
    TokensCacheSecret: stays,
    TokensIssueTokenLog: stays,
    TokensCallApiLog: stays,
    TokensWarmTokensLog: stays,
    TokensRefreshTokenLog: stays,
    TokensPublishKeysLog: stays,
    TokensRotateKeyLog: stays,
    TokensHttpAccessLog: stays,
  })
})

test('the operator can keep everything or nothing', (t) => {
  for (const [removalPolicy, fate] of [
    [RemovalPolicy.RETAIN, stays],
    [RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, stays],
    [RemovalPolicy.DESTROY, 'Delete'],
  ] as const)
    assert.deepEqual(new Set(Object.values(fates(createTestStack(t, { removalPolicy }).stack))), new Set([fate]))
})

test("a key of the operator encrypts table, secret and logs, and CloudWatch Logs may use it for this account's logs", (t) => {
  const { app, stack } = createTestStack(t, (elsewhere) => {
    const { encryptionKey } = everyProperty(elsewhere)
    return encryptionKey ? { encryptionKey } : {}
  })
  const key = 'Elsewhere:ExportsOutputFnGetAttKeyArn'
  assert.deepEqual(resourceOf(stack, 'AWS::DynamoDB::Table').Properties['SSESpecification'], {
    KMSMasterKeyId: key,
    SSEEnabled: true,
    SSEType: 'KMS',
  })
  assert.equal(resourceOf(stack, 'AWS::SecretsManager::Secret').Properties['KmsKeyId'], key)
  for (const { Properties } of Object.values(resourcesOf(stack, 'AWS::Logs::LogGroup')))
    assert.equal(Properties['KmsKeyId'], key)

  const elsewhere = app.node.findChild('Elsewhere') as Stack
  const policy = resourceOf(elsewhere, 'AWS::KMS::Key').Properties['KeyPolicy'] as { Statement: { Sid?: string }[] }
  const logs = policy.Statement.filter(({ Sid }) => Sid === 'LogsOfTokenwell')
  assert.deepEqual(logs, [
    {
      Sid: 'LogsOfTokenwell',
      Effect: 'Allow',
      Principal: { Service: 'logs.eu-central-1.amazonaws.com' },
      Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      Resource: '*',
      Condition: {
        ArnLike: { 'kms:EncryptionContext:aws:logs:arn': 'arn:aws:logs:eu-central-1:111122223333:log-group:*' },
      },
    },
  ])
})

/** The resource stays when the stack is deleted. It goes if its first deployment fails, so that the deployment can be repeated. */
const stays = 'RetainExceptOnCreate'

/** The deletion policies of stateful resources. A resource stays if it is replaced, too, unless it goes with the stack. */
function fates(stack: Stack): Record<string, string | undefined> {
  const types = ['AWS::DynamoDB::Table', 'AWS::SecretsManager::Secret', 'AWS::Logs::LogGroup', 'AWS::KMS::Key']
  const resources = types.flatMap((type) => Object.entries(resourcesOf(stack, type)))
  for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of resources)
    assert.equal(UpdateReplacePolicy, DeletionPolicy === stays ? 'Retain' : DeletionPolicy, id)
  return Object.fromEntries(resources.map(([id, { DeletionPolicy }]) => [id, DeletionPolicy]))
}
