import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { after, type TestContext, test } from 'node:test'
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { bundleFunction } from '../../../infra/bundle.ts'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createWorkspace } from '../../support/functions/function-caller.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type Invocation, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { plant } from '../../support/output/canary.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* The built function as Lambda runs it, invoked step by step as by Secrets Manager, and the public function that serves the keys. */

const folder = await temporaryFolder({ after })
const [rotateKey, publishKeys] = [
  await bundleFunction('rotate-key', folder),
  await bundleFunction('publish-keys', folder),
]

const name = 'tokenwell/local/jwk/theBuilder'

/** The secret is as the stack makes it. Undefined if moto is not available. */
async function startRotation(t: TestContext, builder: Record<string, unknown> = {}) {
  const ground = await startAwsForLambda(t)
  if (!ground) return undefined
  const workspace = await createWorkspace(t, exampleElements('https://as.example.com', { builder }))
  await writeFile(secretPath(workspace.secretsFolder, 'local', name), '{ "keys": [] }')
  const environment = await ground.move(workspace)
  const instance = await startLambdaInstance(t, rotateKey, environment)
  const { secretsManager } = ground.moto
  const arn = (await secretsManager.send(new DescribeSecretCommand({ SecretId: name }))).ARN
  const invocations: Invocation[] = []
  return {
    ...{ ground, environment, instance, invocations },
    async step(step: string, token: string): Promise<void> {
      const event = { Step: step, SecretId: arn, ClientRequestToken: token, RotationToken: randomUUID() }
      invocations.push(await instance.invoke(event))
    },
    /** Labels a version without a text, as RotateSecret does. moto's RotateSecret would look for the function next. */
    begin: (token: string) =>
      secretsManager
        .send(
          new RotateSecretCommand({
            SecretId: name,
            ClientRequestToken: token,
            RotationLambdaARN: 'arn:aws:lambda:none',
          }),
        )
        .catch(() => {}),
    async keys(stage = 'AWSCURRENT') {
      const command = new GetSecretValueCommand({ SecretId: name, VersionStage: stage })
      const { keys } = JSON.parse((await secretsManager.send(command)).SecretString ?? '')
      for (const key of keys) plant(key.d)
      return keys as Record<string, string>[]
    },
    /** Writes a version by hand in place of that one. moto moves the label only with the version to remove it from. */
    async put(text: string, before: string): Promise<void> {
      const put = new PutSecretValueCommand({ SecretId: name, SecretString: text, VersionStages: ['BY_HAND'] })
      const { VersionId: version } = await secretsManager.send(put)
      const labels = {
        SecretId: name,
        VersionStage: 'AWSCURRENT',
        RemoveFromVersionId: before,
        MoveToVersionId: version,
      }
      await secretsManager.send(new UpdateSecretVersionStageCommand(labels))
    },
    stages: async () =>
      (await secretsManager.send(new DescribeSecretCommand({ SecretId: name }))).VersionIdsToStages ?? {},
    async published() {
      const publisher = await startLambdaInstance(t, publishKeys, environment)
      const { answer } = await publisher.invoke(createHttpEvent({ method: 'GET', path: '/jwt/theBuilder/jwk' }))
      const { statusCode, body } = answer as APIGatewayProxyStructuredResultV2
      return { statusCode, kids: (JSON.parse(body ?? '{}').keys ?? []).map(({ kid }: { kid: string }) => kid) }
    },
  }
}

test('four steps make the first key, four more the next key, and both are published before the next one signs', async (t) => {
  const rotation = await startRotation(t)
  if (!rotation) return
  const { begin, step, keys, stages, published, instance, invocations } = rotation
  assert.deepEqual(await published(), { statusCode: 404, kids: [] })

  const [first, second] = [randomUUID(), randomUUID()]
  await begin(first)
  for (const each of rotationSteps) await step(each, first)
  assert.deepEqual((await stages())[first]?.toSorted(), ['AWSCURRENT', 'AWSPENDING'])
  const [firstKey] = await keys()
  assert.deepEqual(await published(), { statusCode: 200, kids: [firstKey?.['kid']] })

  await begin(second)
  for (const each of rotationSteps) for (let count = 0; count < 2; count++) await step(each, second)
  assert.ok((await stages())[second]?.includes('AWSCURRENT'))
  const [next, current] = await keys()
  assert.equal(current?.['kid'], firstKey?.['kid'])
  assert.equal(current?.['signsUntil'], next?.['signsFrom'])
  const aheadSeconds = Number(next?.['signsFrom']) - Date.now() / 1000
  assert.ok(aheadSeconds > 86_400 && aheadSeconds <= 87_001, `${aheadSeconds} s`)
  assert.deepEqual((await published()).kids, [next?.['kid'], current?.['kid']])

  const events = assertCatalogued(linesOf(instance), invocations)
  assert.equal(events.filter((each) => each === 'rotation_step_done').length, 12)
  t.diagnostic(
    `init ${Math.round(instance.initMilliseconds)} ms, steps ${invocations.map((each) => Math.round(each.milliseconds)).join(', ')} ms`,
  )
})

test('a refused rotation is a function error with its name, and nothing is left pending', async (t) => {
  const rotation = await startRotation(t)
  if (!rotation) return
  const { begin, step, stages, instance } = rotation
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()]
  for (const token of [first, second]) for (const each of rotationSteps) await step(each, token)
  await begin(third)
  await assert.rejects(step('createSecret', third), {
    type: 'RotationRefusedError',
    message:
      /^The secret tokenwell\/local\/jwk\/theBuilder was already rotated\. Its next key .+ starts to sign in \d+ min\. Rotate it again after that\.$/,
  })
  const labelled = Object.entries(await stages()).filter(([, labels]) => labels.includes('AWSPENDING'))
  assert.deepEqual(
    labelled.filter(([, labels]) => !labels.includes('AWSCURRENT')),
    [],
  )
  await assert.rejects(step('dropSecret', third), { type: 'RotationRefusedError' })

  // Besides these, the runtime client writes the thrown error as text.
  const texts = instance.output().split('\n')
  const lines: Record<string, unknown>[] = texts.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  const [failed] = lines.filter(({ message }) => message === 'rotation_failed')
  assert.deepEqual(
    [failed?.['jwtBuilder'], failed?.['step'], failed?.['code'], failed?.['level']],
    ['theBuilder', 'createSecret', 'rotation_refused', 'WARN'],
  )
  assert.equal(lines.filter((line) => line['RotationsFailed'] === 1).length, 2)
})

test('a secret that an operator changes during a rotation is not overwritten', async (t) => {
  const rotation = await startRotation(t, { publishAheadSeconds: 0, signatureAlgorithm: 'ES256' })
  if (!rotation) return
  const { step, keys, put } = rotation
  const [first, second] = [randomUUID(), randomUUID()]
  for (const each of rotationSteps) await step(each, first)
  const before = await keys()
  for (const each of rotationSteps.slice(0, 3)) await step(each, second)
  await put(JSON.stringify({ keys: before }), first)
  await assert.rejects(step('finishSecret', second), { type: 'RotationGivenUpError' })
  assert.deepEqual(await keys(), before)
})
