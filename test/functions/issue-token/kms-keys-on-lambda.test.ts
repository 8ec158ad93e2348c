import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { bundleFunction } from '../../../infra/bundle.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import {
  type IssueTokenWithScriptedServer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { createHttpEvent, tokenRequest } from '../../support/functions/load-function.ts'
import { startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type LambdaInstance, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { allAnswers, startFleet, type Worker } from '../../support/process/fleet-of-processes.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { AwsRefusal } from '../../support/servers/aws-refusal.ts'
import { type StageKeys, startStageKeys } from '../../support/servers/stage-keys.ts'
import type { KeySpec } from '../../support/servers/strict-kms.ts'

/* The built functions with keys in KMS: they sign, publish and change keys. No private key is anywhere but in KMS. */

const folder = await temporaryFolder({ after })
const [issueToken, refreshToken, publishKeys] = [
  await bundleFunction('issue-token', folder),
  await bundleFunction('refresh-token', folder),
  await bundleFunction('publish-keys', folder),
]

const algorithms: Readonly<Record<string, KeySpec>> = {
  RS256: 'RSA_2048',
  PS384: 'RSA_2048',
  ES256: 'ECC_NIST_P256',
  ES384: 'ECC_NIST_P384',
  ES512: 'ECC_NIST_P521',
}

interface Ground {
  readonly keys: StageKeys
  readonly set: IssueTokenWithScriptedServer
  readonly environment: Readonly<Record<string, string>>
  /** Publishes the keys that the aliases name now. */
  publish(): Promise<void>
  keySetOf(jwtBuilder: string): Promise<JSONWebKeySet>
}

/** A connection for each algorithm, named like it, whose key is in KMS. Undefined if moto is not installed. */
async function startGround(
  t: TestContext,
  names: readonly string[],
  builder: object = {},
): Promise<Ground | undefined> {
  const aws = await startAwsForLambda(t)
  if (!aws) return undefined
  const keys = await startStageKeys(t, { names })
  for (const name of names) keys.kms.pointAlias(aliasOf(name), keys.kms.createKey(algorithms[name] ?? 'RSA_2048'))
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, names, builder),
    () => tokenAnswer(),
  )
  const environment = { ...(await aws.move(set.workspace)), ...keys.environment }
  const refresher = await startLambdaInstance(t, refreshToken, environment)
  return {
    keys,
    set,
    environment,
    async publish() {
      const event = { source: 'operator', 'detail-type': 'ReconcileElements', detail: {} }
      const attributes = { ApproximateReceiveCount: '1' }
      const record = { messageId: 'message', body: JSON.stringify(event), attributes, eventSource: 'aws:sqs' }
      // Without an event bus it can't tell the fleet. Instances see the publication when they read it.
      await refresher.invoke({ Records: [record] })
      assert.match(refresher.output(), /keys_published/)
    },
    async keySetOf(jwtBuilder) {
      // An instance keeps what it has read for a while.
      const publisher = await startLambdaInstance(t, publishKeys, environment)
      const { answer } = await publisher.invoke(createHttpEvent({ method: 'GET', path: `/jwt/${jwtBuilder}/jwk` }))
      const { statusCode, body } = answer as APIGatewayProxyStructuredResultV2
      assert.equal(statusCode, 200, body)
      return JSON.parse(body ?? '') as JSONWebKeySet
    },
  }
}

const aliasOf = (name: string) => `alias/tokenwell/local/${name}`

function elementsOf(issuer: string, names: readonly string[], builder: object): RawElements {
  const elements = exampleElements(issuer)
  const of = (member: string, element: (name: string) => object) =>
    Object.fromEntries(names.map((name) => [`${name}${member}`, { ...element(name) }]))
  return {
    ...elements,
    jwtBuilder: of('Builder', (name) => ({
      issuer: name,
      signatureAlgorithm: name,
      keyStoreRef: `${name}Keys`,
      ...builder,
    })),
    oAuthTokenConfig: of('Jwt', (name) => ({ tokenGeneratorRef: `${name}Builder`, tokenSubject: name })),
    oAuthConfig: of('Config', (name) => ({ authServerRef: 'theServer', jwtAuthenticationTokenRef: `${name}Jwt` })),
    endpointConnection: of('', (name) => ({ authenticationConfigRef: `${name}Config`, directInvocation: true })),
    keyStore: { ...elements['keyStore'], ...of('Keys', (name) => ({ location: `kms:${aliasOf(name)}` })) },
  }
}

async function ask(instance: LambdaInstance, connection: string, body?: string) {
  const { answer } = await instance.invoke(createHttpEvent(tokenRequest(connection, body)))
  const { statusCode, body: said } = answer as APIGatewayProxyStructuredResultV2
  return { status: statusCode, body: JSON.parse(said ?? '{}') as Readonly<Record<string, unknown>> }
}

function assertionOf({ set }: Ground, index = -1): string {
  return String(set.requests.at(index)?.form.get('client_assertion'))
}

test('a built function signs by each algorithm, before its key is published and after', async (t) => {
  const names = Object.keys(algorithms)
  const ground = await startGround(t, names)
  if (!ground) return
  const { keys, environment } = ground
  for (const isPublished of [false, true]) {
    if (isPublished) await ground.publish()
    const instance = await startLambdaInstance(t, issueToken, environment)
    for (const name of names) {
      const { status } = await ask(instance, name, `audience=${isPublished}`)
      assert.equal(status, 200, instance.output())
      const assertion = assertionOf(ground)
      if (!isPublished) continue
      const keySet = createLocalJWKSet(await ground.keySetOf(`${name}Builder`))
      const verified = await jwtVerify(assertion, keySet)
      assert.equal(verified.payload.sub, name)
      // The signature before the publication had the same key.
      const before = assertionOf(ground, -1 - names.length)
      assert.equal(decodeProtectedHeader(before).kid, verified.protectedHeader.kid)
      await jwtVerify(before, keySet)
    }
  }
  const pinned = keys.kms.signatures.slice(-names.length).map(({ askedFor }) => askedFor)
  assert(
    pinned.every((each) => each.startsWith('arn:aws:kms:')),
    pinned.join(),
  )
})

/** What the operator does, and what the log says of it. */
const faults: Readonly<Record<string, readonly [fault: (keys: StageKeys) => void, says: RegExp]>> = {
  'throttles it': [({ kms }) => kms.fail('Sign', new AwsRefusal('ThrottlingException', 'Reduce it.')), /throttle/i],
  'denies it': [(keys) => keys.allow([]), /kms:Sign|kms:GetPublicKey/],
  'cannot be reached': [({ kms }) => kms.refuseConnections(), /alias\/tokenwell\/local\/ES256/],
  'hangs up': [({ kms }) => kms.fail('Sign', 'reset'), /alias\/tokenwell\/local\/ES256/],
}

for (const [name, [fault, says]] of Object.entries(faults))
  test(`when KMS ${name}, no server is asked, the log names the key, and the next request after that succeeds`, async (t) => {
    const ground = await startGround(t, ['ES256'])
    if (!ground) return
    const instance = await startLambdaInstance(t, issueToken, ground.environment)
    assert.equal((await ask(instance, 'ES256')).status, 200)
    fault(ground.keys)
    const refused = await ask(instance, 'ES256', 'audience=another')
    assert(Number(refused.status) >= 500, JSON.stringify(refused.body))
    assert.doesNotMatch(JSON.stringify(refused.body), /alias|arn:|kms/i)
    assert.match(instance.output(), says)
    // A token that is kept needs no key.
    assert.equal((await ask(instance, 'ES256')).status, 200)
    assert.equal(ground.set.requests.length, 1)

    ground.keys.kms.work()
    ground.keys.allow([{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }])
    const healed = await ask(instance, 'ES256', 'audience=another')
    assert.equal(healed.status, 200, JSON.stringify(healed.body))
  })

const fleetSize = 16
const publishAheadSeconds = 8
/** On a busy machine. */
const longestChangeMilliseconds = 60_000

test(`${fleetSize} processes change to a new KMS key while they work: it signs only after it is published, and no request fails`, async (t) => {
  const ground = await startGround(t, ['ES256'], { publishAheadSeconds })
  if (!ground) return
  const { kms } = ground.keys
  await ground.publish()
  const fleet = await startFleet(t, fleetSize, { ...ground.environment, TOKENWELL_MEMORY_SECONDS: '0' })
  const [old = assert.fail()] = (await ground.keySetOf('ES256Builder')).keys
  const answers = await useFleet(fleet, 'before')

  // As infra/operations.md describes it.
  const key = kms.createKey('ECC_NIST_P256')
  const [{ keyArn = '' } = {}] = kms.signatures.slice(-1)
  kms.pointAlias(`${aliasOf('ES256')}/previous`, { ...key, arn: keyArn })
  kms.pointAlias(aliasOf('ES256'), key)
  await ground.publish()
  const publishedAt = Date.now()
  const keySet = await ground.keySetOf('ES256Builder')
  assert.equal(keySet.keys.length, 2)
  const next = keySet.keys.find(({ kid }) => kid !== old.kid)
  const isUsed = () =>
    ground.set.requests.some(
      ({ form }) => decodeProtectedHeader(String(form.get('client_assertion'))).kid === next?.kid,
    )
  while (!isUsed() && Date.now() < publishedAt + longestChangeMilliseconds)
    answers.push(...(await useFleet(fleet, `at ${Date.now()}`)))

  assert.deepEqual(
    answers.flatMap(({ error, description }) => (error === undefined ? [] : [`${error}: ${description}`])),
    [],
  )
  const verified = ground.set.requests.map(({ form }) =>
    jwtVerify(String(form.get('client_assertion')), createLocalJWKSet(keySet)),
  )
  const used = (await Promise.all(verified)).map(({ payload, protectedHeader: { kid } }) => ({ kid, iat: payload.iat }))
  const first = used.find(({ kid }) => kid === next?.kid)
  assert(first?.iat !== undefined, 'the new key has not signed')
  assert(first.iat * 1000 >= publishedAt + (publishAheadSeconds - 2) * 1000)
  t.diagnostic(`${used.length} assertions, ${used.filter(({ kid }) => kid === next?.kid).length} by the new key`)
})

/** Each process gets tokens that no other request got. */
async function useFleet(fleet: readonly Worker[], round: string) {
  const event = (worker: number) => ({ connection: 'ES256', audience: `${round}, process ${worker}` })
  const reports = await Promise.all(fleet.map((worker, index) => worker.call({ callers: 1, event: event(index) })))
  return allAnswers(reports)
}
