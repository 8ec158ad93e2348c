import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { DescribeSecretCommand, GetSecretValueCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager'
import { secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { type RotationStep, rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createWorkspace, sendHttp } from '../support/functions/function-caller.ts'
import { loadFunction } from '../support/functions/load-function.ts'
import { plant } from '../support/output/canary.ts'
import { awsError } from '../support/servers/aws-proxy.ts'
import { allServices, type Service, startFaultyAws } from './faulty-aws.ts'
import { invoke } from './functions-on-faulty-aws.ts'

/* Each step of a rotation fails at each of its calls and is repeated, until the rotation is complete. */

const name = 'tokenwell/local/jwk/theBuilder'
const stepMilliseconds = 29_000
/** After this time an instance uses the table again. */
const restMilliseconds = 6_000
/** More failures than any step can have. */
const tooMany = 20
/** The SDK does not repeat a call after this answer. */
const denied = awsError(400, 'AccessDeniedException')

async function startRotation(t: TestContext) {
  const aws = await startFaultyAws(t)
  if (!aws) return undefined
  const builder = { signatureAlgorithm: 'ES256', publishAheadSeconds: 0 }
  const workspace = await createWorkspace(t, exampleElements('https://as.example.com', { builder }))
  await writeFile(secretPath(workspace.secretsFolder, 'local', name), '{ "keys": [] }')
  const environment = await aws.move(workspace)
  const handler = await loadFunction('rotate-key', workspace, environment)
  const { secretsManager } = aws.moto
  const { ARN: arn } = await secretsManager.send(new DescribeSecretCommand({ SecretId: name }))
  return {
    ...aws,
    async begin(): Promise<string> {
      const token = randomUUID()
      const rotate = { SecretId: name, ClientRequestToken: token, RotationLambdaARN: 'arn:aws:lambda:none' }
      // moto makes the version before it looks for the function, which does not exist.
      await secretsManager.send(new RotateSecretCommand(rotate)).catch(() => {})
      return token
    },
    async step(step: RotationStep, token: string): Promise<void> {
      await invoke(handler, { Step: step, SecretId: arn, ClientRequestToken: token }, stepMilliseconds)
    },
    /** The keys of the current version. The first one signs from now on. */
    async keys(): Promise<readonly string[]> {
      const current = new GetSecretValueCommand({ SecretId: name, VersionStage: 'AWSCURRENT' })
      const { keys } = JSON.parse((await secretsManager.send(current)).SecretString ?? '')
      for (const { d } of keys) plant(d)
      return keys.map(({ kid }: { readonly kid: string }) => kid)
    },
    stages: async () =>
      (await secretsManager.send(new DescribeSecretCommand({ SecretId: name }))).VersionIdsToStages ?? {},
    async published(): Promise<readonly string[]> {
      const publisher = await loadFunction('publish-keys', workspace, environment)
      const { body } = await sendHttp(publisher, { method: 'GET', path: '/jwt/theBuilder/jwk' })
      return (body['keys'] as { readonly kid: string }[]).map(({ kid }) => kid)
    },
  }
}

test('a step that fails at any of its calls succeeds when it is repeated', async (t) => {
  const rotation = await startRotation(t)
  if (!rotation) return
  const first = await rotation.begin()
  for (const step of rotationSteps) await rotation.step(step, first)
  for (const service of allServices) await t.test(service, (each) => rotateThroughFaults(each, rotation, service))
})

type TheRotation = NonNullable<Awaited<ReturnType<typeof startRotation>>>

async function rotateThroughFaults(t: TestContext, rotation: TheRotation, service: Service): Promise<void> {
  const { begin, step, keys, stages, published, age } = rotation
  const before = await keys()
  const token = await begin()
  const failures: Record<string, number> = {}
  for (const each of rotationSteps) {
    let failed = 0
    for (; ; failed++) {
      assert.ok(failed < tooMany, `${each} failed ${tooMany} times`)
      // Each call fails twice: once before it takes effect, and once after.
      const at = { call: Math.floor(failed / 2), isDone: failed % 2 === 1 }
      const error = await failingAt(at, rotation, service, () => step(each, token))
      age(restMilliseconds)
      if (!error) break
      assert.match(error.name, /^(ElementStoreError|SecretError|CacheUnavailableError)$/, each)
    }
    failures[each] = failed
  }
  t.diagnostic(JSON.stringify(failures))

  assert.ok((await stages())[token]?.includes('AWSCURRENT'))
  const after = await keys()
  assert.equal(
    after.filter((kid) => !before.includes(kid)).length,
    1,
    'the rotation made another number of keys than one',
  )
  assert.deepEqual(
    after.filter((kid) => !before.includes(kid)),
    (await published()).filter((kid) => !before.includes(kid)),
  )
}

/** @returns what the step throws */
async function failingAt(
  { call, isDone }: { readonly call: number; readonly isDone: boolean },
  { proxies, mend }: TheRotation,
  service: Service,
  run: () => Promise<void>,
): Promise<Error | undefined> {
  let calls = 0
  proxies[service].answerAll(() => {
    const left = call - calls++
    if (left > 0) return undefined
    // The SDK repeats a call whose answer is lost. The repetition is denied.
    return left === 0 && isDone ? 'lost' : denied
  })
  try {
    await run()
    return undefined
  } catch (error) {
    assert(error instanceof Error)
    return error
  } finally {
    await mend()
  }
}
