import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { NestedStack, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Secret } from '../../../lib/secret/secret.ts'
import { readGeneratedKeys } from '../../../lib/signing/signing-secret.ts'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import {
  assertWithinLimits,
  createTestStack,
  everyProperty,
  type Resource,
  resourceNamed,
  resourcesOf,
} from './test-stack.ts'

/* The secrets of the keys that Tokenwell makes, and their rotation. */

const ownKeys = { theTrust: { location: 'tokenwell/test/ca' }, theKeys: { location: 'tokenwell/test/key' } }
const scheduleType = 'AWS::SecretsManager::RotationSchedule'

test('each jwtBuilder whose keys Tokenwell makes has a secret with its name, and no other has one', async (t) => {
  const { stack } = await deploy(t, {
    enabled: { jwkEnabled: true },
    'as.text': { jwkEnabled: 'true' },
    es256: { jwkEnabled: true, signatureAlgorithm: 'ES256' },
    disabled: { jwkEnabled: false, keyStoreRef: 'theKeys' },
    disabledAsText: { jwkEnabled: 'false', keyStoreRef: 'theKeys' },
    unsaid: { keyStoreRef: 'theKeys' },
    shared: { signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/test/shared' },
  })
  const names = keySecretsOf(stack).map(({ Properties }) => Properties['Name'])
  const builders = ['as.text', 'enabled', 'es256', 'theBuilder']
  assert.deepEqual(
    names.toSorted(),
    builders.map((each) => `tokenwell/test/jwk/${each}`),
  )
  assert.equal(Object.keys(resourcesOf(stack, scheduleType)).length, builders.length)
})

test('a jwtBuilder with a shared key algorithm never gets a made key, and fails the synthesis if it is used', async (t) => {
  const shared = { signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/test/shared', jwkEnabled: true }
  await assert.rejects(deploy(t, { theBuilder: shared }), /theBuilder jwkEnabled: jwkEnabled publishes a public key/)
  assert.equal(keySecretsOf((await deploy(t, { shared })).stack).length, 1)
})

test('names that differ only in a dot are two secrets', async (t) => {
  const { stack } = await deploy(t, { 'a.b': { jwkEnabled: true }, 'a-b': { jwkEnabled: true } })
  Template.fromStack(stack).resourceCountIs(scheduleType, 3)
})

test('without elements nothing is rotated', (t) => {
  const { stack } = createTestStack(t)
  assert.deepEqual([keySecretsOf(stack), resourcesOf(stack, scheduleType)], [[], {}])
})

test('a secret has no key until its first rotation, which the deployment starts', async (t) => {
  const { stack } = await deploy(t)
  const { Properties } = theSecret(stack)
  const { Description, ...properties } = Properties
  // A deployment compares this text. Another text would overwrite the keys.
  assert.deepEqual(properties, { Name: 'tokenwell/test/jwk/theBuilder', SecretString: '{"keys":[]}' })
  assert.match(String(Description), /theBuilder.* test$/)
  const noKeys = new Secret(String(properties['SecretString']))
  assert.deepEqual(readGeneratedKeys('tokenwell/test/jwk/theBuilder', noKeys), [])
  assert.deepEqual(theSchedule(stack).Properties, {
    SecretId: 'TokensSigningKeystheBuilder',
    RotationLambdaARN: 'TokensRotateKeyLive',
    RotationRules: { ScheduleExpression: 'rate(720 hours)' },
    RotateImmediatelyOnUpdate: true,
  })
})

test('a key is rotated at the interval of its jwtBuilder, in the notation of z/OS Connect', async (t) => {
  const rates = {
    '12h': 'rate(12 hours)',
    '4h': 'rate(4 hours)',
    '300m': 'rate(5 hours)',
    '360': 'rate(6 hours)',
    '999h': 'rate(999 hours)',
    '1000h': 'rate(41 days)',
    '8760h': 'rate(365 days)',
  }
  const builders = Object.keys(rates).map((jwkRotationTime) => [
    `every${jwkRotationTime}`,
    { jwkEnabled: true, jwkRotationTime, publishAheadSeconds: 7200 },
  ])
  const asNumber = { jwkEnabled: true, jwkRotationTime: 480, publishAheadSeconds: 7200 }
  const { stack } = await deploy(t, { ...Object.fromEntries(builders), asNumber })
  const rateOf = (builder: string) =>
    resourceNamed(stack, scheduleType, `TokensSigningKeys${builder}Rotation`).Properties['RotationRules']
  for (const [time, rate] of Object.entries(rates))
    assert.deepEqual(rateOf(`every${time}`), { ScheduleExpression: rate }, time)
  assert.deepEqual(rateOf('asNumber'), { ScheduleExpression: 'rate(8 hours)' })
})

test('the first rotation comes after the function, its rights and permissions, the elements and the table', async (t) => {
  const { stack } = await deploy(t, { another: { jwkEnabled: true } })
  const before = namesOf(theSchedule(stack).DependsOn)
  const permissions = Object.entries(resourcesOf(stack, 'AWS::Lambda::Permission'))
  const [permission] =
    permissions.find(([, { Properties }]) => String(Properties['Principal']).startsWith('secrets')) ?? []
  assert.ok(permission !== undefined && before.has(permission), 'the permission')
  assert.ok(before.has('TokensTable'))
  assert.equal(theSchedule(stack).Properties['RotationLambdaARN'], 'TokensRotateKeyLive', 'and so after it')
  assert.ok(before.has('TokensElementsWritten'))
  assert.equal([...before].filter((each) => each.includes('another')).length, 0, 'and on no other jwtBuilder')
  const lambda = resourceNamed(stack, 'AWS::Lambda::Function', 'TokensRotateKeyFunction')
  assert.ok(namesOf(lambda.DependsOn).has('TokensRotateKeyRoleDefaultPolicy'), 'its rights')
})

test('keys stay when the stack is deleted, unless the operator sets another removal policy', async (t) => {
  const fateOf = ({ DeletionPolicy, UpdateReplacePolicy }: Resource) => [DeletionPolicy, UpdateReplacePolicy]
  assert.deepEqual(fateOf(theSecret((await deploy(t)).stack)), ['RetainExceptOnCreate', 'Retain'])
  const { stack } = await deploy(t, {}, { removalPolicy: RemovalPolicy.DESTROY })
  assert.deepEqual(fateOf(theSecret(stack)), ['Delete', 'Delete'])
})

test('a key of the operator encrypts the secrets', async (t) => {
  const elements = await elementsWith(t)
  const { stack } = createTestStack(t, (elsewhere) => ({ elements, encryptionKey: new Key(elsewhere, 'Key') }))
  assert.equal(theSecret(stack).Properties['KmsKeyId'], 'Elsewhere:ExportsOutputFnGetAttKeyArn')
})

test('with Valkey there is no table to wait for, and the rotation is the same', async (t) => {
  const elements = await elementsWith(t)
  const { stack } = createTestStack(t, (elsewhere) => ({ ...everyProperty(elsewhere), elements }))
  assert.equal(theSchedule(stack).Properties['RotationLambdaARN'], 'TokensRotateKeyLive')
})

test('secrets are replicated to the regions that the operator names', async (t) => {
  const { stack } = await deploy(t, {}, { signingKeyReplicas: ['eu-north-1', 'us-east-2'] })
  assert.deepEqual(theSecret(stack).Properties['ReplicaRegions'], [{ Region: 'eu-north-1' }, { Region: 'us-east-2' }])
})

test('a stage whose keys are replicas has neither their secrets nor a rotation, and may still rotate by hand', async (t) => {
  const { stack, tokenwell } = await deploy(t, {}, { makesSigningKeys: false })
  assert.deepEqual([keySecretsOf(stack), resourcesOf(stack, scheduleType)], [[], {}])
  const principals = Object.values(resourcesOf(stack, 'AWS::Lambda::Permission')).map(({ Properties }) =>
    String(Properties['Principal']),
  )
  assert.ok(principals.includes('secretsmanager.amazonaws.com'), 'after a promotion it rotates')
  assert.throws(() => tokenwell.signingKeys.add('byHand', 86_400_000, []), /jwtBuilder byHand is a replica/)
  await assert.rejects(
    deploy(t, {}, { makesSigningKeys: false, signingKeyReplicas: ['eu-north-1'] }),
    /signingKeyReplicas has no effect with makesSigningKeys: false/,
  )
})

test('a jwtBuilder of elements from elsewhere can be added by hand', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.signingKeys.add('byHand', 86_400_000, [])
  const { Properties } = resourceNamed(stack, scheduleType, 'TokensSigningKeysbyHandRotation')
  assert.deepEqual(Properties['RotationRules'], { ScheduleExpression: 'rate(24 hours)' })
})

test('all secrets are in the stack itself, where 0.1 created them, and there is no nested stack', async (t) => {
  const { stack } = await deploy(t, builders(99))
  assert.equal(keySecretsOf(stack).length, 100)
  assert.deepEqual(nestedStacksOf(stack), [])
})

test('with 200 jwtBuilders each template has room, and each nested stack waits for what its rotations need', async (t) => {
  const { stack } = await deploy(t, builders(199), { signingKeysInStack: ['theBuilder', 'builder7'] })
  assert.deepEqual(
    keySecretsOf(stack)
      .map(({ Properties }) => Properties['Name'])
      .toSorted(),
    ['tokenwell/test/jwk/builder7', 'tokenwell/test/jwk/theBuilder'],
  )
  const nested = nestedStacksOf(stack)
  const counts = nested.map((each) => Object.keys(Template.fromStack(each).toJSON()['Resources']).length)
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    2 * 198,
  )
  assert.ok(counts.length > 1 && counts.every((count) => count <= 300), String(counts))
  for (const each of [stack, ...nested]) assertWithinLimits(each)
  for (const { DependsOn } of Object.values(resourcesOf(stack, 'AWS::CloudFormation::Stack')))
    for (const needed of ['TokensRotateKeyLiveRotationBySecretsManager', 'TokensTable', 'TokensElementsWritten'])
      assert.ok(namesOf(DependsOn).has(needed), needed)
})

test('another jwtBuilder moves no secret from one stack to another', async (t) => {
  const placesOf = async (count: number) => {
    const { stack } = await deploy(t, builders(count), { signingKeysInStack: [] })
    return new Map(
      nestedStacksOf(stack).flatMap((each) =>
        Object.values(resourcesOf(each, 'AWS::SecretsManager::Secret')).map(
          ({ Properties }) => [Properties['Name'], each.node.id] as const,
        ),
      ),
    )
  }
  const [before, after] = [await placesOf(20), await placesOf(30)]
  assert.deepEqual([before.size, after.size], [21, 31])
  for (const [name, place] of before) assert.equal(after.get(name), place)
})

test('more jwtBuilders than a stack has room for fail the synthesis, and the error says what to set', async (t) => {
  await assert.rejects(
    deploy(t, builders(100)),
    /The secrets of 101 jwtBuilders with jwkEnabled are in the stack itself, which has room for 100\. Set signingKeysInStack/,
  )
  await assert.rejects(
    deploy(t, {}, { signingKeysInStack: ['theBilder'] }),
    /signingKeysInStack: "theBilder" is not a jwtBuilder/,
  )
})

test('more secrets than one operation of CloudFormation has room for fail the synthesis', (t) => {
  const { tokenwell } = createTestStack(t, { signingKeysInStack: [] })
  const many = (count: number, name: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => ({ jwtBuilder: name(index), rotationMilliseconds: 86_400_000 }))
  const thousand = many(1_001, (index) => `builder${index}`)
  assert.throws(() => tokenwell.signingKeys.addAll(thousand, []), /^Error: 1001 jwtBuilders have jwkEnabled\./)
  const sameStack = many(151, () => 'builder')
  assert.throws(
    () => tokenwell.signingKeys.addAll(sameStack, []),
    /^Error: The nested stack Part\w would have the secrets of 151 jwtBuilders, and has room for 150\./,
  )
})

function builders(count: number): Record<string, Record<string, unknown>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`builder${index}`, { jwkEnabled: true }]))
}

function nestedStacksOf(stack: Stack): NestedStack[] {
  return stack.node.findAll().filter((each) => each instanceof NestedStack)
}

function elementsWith(t: TestContext, builders: Record<string, Record<string, unknown>> = {}): Promise<string> {
  const { jwtBuilder, ...others } = exampleElements(exampleIssuer)
  return elementsFileOf(t, { ...others, jwtBuilder: { ...jwtBuilder, ...builders }, keyStore: ownKeys })
}

async function deploy(t: TestContext, builders: Record<string, Record<string, unknown>> = {}, props: object = {}) {
  return createTestStack(t, { ...props, elements: await elementsWith(t, builders) })
}

function keySecretsOf(stack: Stack): Resource[] {
  const secrets = Object.values(resourcesOf(stack, 'AWS::SecretsManager::Secret'))
  return secrets.filter(({ Properties }) => Properties['Name'] !== 'tokenwell/test/cache')
}

function theSecret(stack: Stack): Resource {
  return resourceNamed(stack, 'AWS::SecretsManager::Secret', 'TokensSigningKeystheBuilder')
}

function theSchedule(stack: Stack): Resource {
  return resourceNamed(stack, scheduleType, 'TokensSigningKeystheBuilderRotation')
}

/** Logical ids without the digits that the CDK appends. */
function namesOf(logicalIds: readonly string[] = []): Set<string> {
  return new Set(logicalIds.map((each) => each.replace(/[0-9A-F]{8}$/, '')))
}
