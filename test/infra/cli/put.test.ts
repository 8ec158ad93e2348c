import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { DescribeParametersCommand, GetParametersByPathCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { deployedDescription } from '../../../lib/configuration/deployment.ts'
import { elementTexts } from '../../../lib/configuration/element-plan.ts'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { awsError, startMotoBehindProxy } from '../../support/servers/aws-proxy.ts'
import { createQueue } from '../../support/servers/moto-queue.ts'

/* The command as an operator runs it, with Parameter Store emulated by moto. */

test('put writes all elements, a second put changes nothing, and a third writes the one that differs', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, parameters, proxy } = stage
  const path = await elementsFileOf(t, elementsOf())
  const first = await put(path)
  assert.deepEqual([first.status, first.errors], [0, ''])
  assert.equal(first.lines.filter((line) => line.startsWith('add      ')).length, 7)
  assert.deepEqual(first.lines.slice(-2), [
    '/tokenwell/test: to add: 7, to change: 0, to delete: 0, unchanged: 0, kept: 0',
    'All elements are written.',
  ])
  assert.deepEqual(await parameters(), textsOf(elementsOf()))
  for (const { Description } of await stage.describe())
    assert.notEqual(Description, deployedDescription, 'the rule of the stack would leave out its event')

  const second = await put(path)
  assert.equal(second.status, 0)
  assert.deepEqual(second.lines, [
    '/tokenwell/test: to add: 0, to change: 0, to delete: 0, unchanged: 7, kept: 0',
    'All elements are written.',
  ])
  assert.equal(proxy.counts()['PutParameter'], 7)

  const changed = elementsOf({ tokenConfig: { claims: { purpose: 'another' } } })
  writeFileSync(path, JSON.stringify(changed))
  const third = await put(path)
  assert.deepEqual(third.lines.slice(0, -1), [
    'change   oAuthTokenConfig/theTokenConfig',
    '/tokenwell/test: to add: 0, to change: 1, to delete: 0, unchanged: 6, kept: 0',
  ])
  assert.deepEqual(await parameters(), textsOf(changed))
  assert.equal(proxy.counts()['PutParameter'], 8)
})

test('elements with a mistake are refused with all findings, and nothing is read or written', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, proxy } = stage
  const mistaken = elementsOf({ builder: { jti: false }, server: { tokenEndpoint: 'http://as.example.com/' } })
  const path = await elementsFileOf(t, mistaken)
  const { status, lines, errors } = await put(path)
  assert.deepEqual([status, errors, lines.length], [1, '', 3])
  assert.match(lines.join('\n'), /^mistake {2}authorizationServer\/theServer tokenEndpoint: /m)
  assert.match(lines.join('\n'), /^warning {2}jwtBuilder\/theBuilder jti: /m)
  assert.equal(lines.at(-1), `${path} has mistakes, so nothing was written.`)

  const long = await elementsFileOf(t, elementsOf({ tokenConfig: { claims: { text: 'x'.repeat(9_000) } } }))
  const tooLong = await put(long)
  assert.equal(tooLong.status, 1)
  assert.match(tooLong.lines.join('\n'), /^mistake {2}The element oAuthTokenConfig\/theTokenConfig has 9\d\d\d bytes/m)

  const missing = await put('/no/such/file', '--json')
  assert.equal(missing.status, 1)
  const { findings, written } = JSON.parse(missing.lines.join('\n'))
  assert.deepEqual([findings.length, written], [1, false])
  assert.deepEqual(proxy.requests, [])
})

test('with --dry-run the plan is printed, and nothing is written', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const path = await elementsFileOf(t, elementsOf())
  const { status, lines } = await stage.put(path, '--dry-run')
  assert.equal(status, 0)
  assert.deepEqual(lines.slice(-2), [
    '/tokenwell/test: to add: 7, to change: 0, to delete: 0, unchanged: 0, kept: 0',
    'Nothing was written, because of --dry-run.',
  ])
  const { plan, written } = JSON.parse((await stage.put(path, '--dry-run', '--json')).lines.join('\n'))
  assert.deepEqual([plan.created.length, plan.unchanged, written], [7, 0, false])
  assert.deepEqual(await stage.parameters(), new Map())
})

test('elements that are not in the folder stay and are listed, and --delete deletes them', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, parameters, moto } = stage
  await moto.putElements({ ...elementsOf(), authData: { old: { user: 'someone' } } }, 'test')
  await moto.putElements({ notes: { 'of/ours': {} } }, 'test')
  const files = [...textsOf(elementsOf())].map(([name, element]) => [`${name}.json`, element])
  const folder = await temporaryFolder(t, Object.fromEntries(files))
  const first = await put(folder)
  assert.deepEqual(first.lines, [
    `keep     authData/old: it is not in ${folder}. To delete it, add --delete.`,
    '/tokenwell/test: to add: 0, to change: 0, to delete: 0, unchanged: 7, kept: 1',
    'All elements are written.',
  ])
  assert.ok((await parameters()).has('authData/old'))

  const second = await put(folder, '--delete')
  assert.deepEqual([second.status, second.lines[0]], [0, 'delete   authData/old'])
  const left = await parameters()
  assert.deepEqual([left.has('authData/old'), left.has('notes/of/ours'), left.size], [false, true, 8])
})

test('parameters that a deployment wrote are changed or deleted only with --take-over', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, parameters, moto } = stage
  await moto.putElements(elementsOf(), 'test')
  for (const [name, Value] of textsOf({ ...elementsOf(), authData: { old: { user: 'someone' } } })) {
    const named = { Name: `/tokenwell/test/${name}`, Value, Type: 'String', Overwrite: true } as const
    await moto.parameterStore.send(new PutParameterCommand({ ...named, Description: deployedDescription }))
  }
  const before = await parameters()
  const changed = elementsOf({ tokenConfig: { claims: { purpose: 'another' } } })
  const path = await elementsFileOf(t, changed)
  for (const words of [[], ['--dry-run'], ['--delete']]) {
    const { status, errors } = await put(path, ...words)
    assert.equal(status, 1)
    assert.match(errors, /^A deployment wrote \d of the parameters .*oAuthTokenConfig\/theTokenConfig.* Nothing was /)
    assert.deepEqual(await parameters(), before)
  }
  assert.equal((await put(path, '--take-over', '--delete')).status, 0)
  assert.deepEqual(await parameters(), textsOf(changed))
})

test('after the deletion of a parameter that a deployment wrote, the functions learn of it from one event', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, moto, proxy } = stage
  const queue = await createQueue(t, moto)
  await queue.createBus('tokenwell-test', { 'detail-type': ['ReconcileElements'] })
  const path = await elementsFileOf(t, elementsOf())
  const addOld = async (Description: string) => {
    const old = { Name: '/tokenwell/test/authData/old', Value: '{"user":"someone"}', Type: 'String' } as const
    await moto.parameterStore.send(new PutParameterCommand({ ...old, Description }))
  }
  await addOld('By hand')
  assert.equal((await put(path, '--delete')).status, 0)
  assert.equal(proxy.counts()['PutEvents'], undefined, 'the event of Parameter Store is enough')

  await addOld(deployedDescription)
  const { status, errors } = await put(path, '--delete', '--take-over')
  assert.deepEqual([status, errors], [0, ''])
  const events = proxy.requests.filter(({ operation }) => operation === 'PutEvents')
  const entries = events.flatMap(({ body }) => body['Entries'] as Record<string, string>[])
  assert.deepEqual(
    entries.map(({ EventBusName, DetailType }) => [EventBusName, DetailType]),
    [['tokenwell-test', 'ReconcileElements']],
  )

  await addOld(deployedDescription)
  proxy.answerAll(({ operation }) => (operation === 'PutEvents' ? awsError(400, 'AccessDeniedException') : undefined))
  const silent = await put(path, '--delete', '--take-over')
  assert.equal(silent.status, 0)
  assert.match(silent.errors, /^The deleted elements may stay in use for up to an hour, .* tokenwell-test: .* put this/)
})

test('after an interruption the same command writes what is left', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, start, proxy, parameters } = stage
  const path = await elementsFileOf(t, elementsOf())
  let puts = 0
  proxy.answerAll(({ operation }) => (operation === 'PutParameter' && ++puts > 3 ? 'held' : undefined))
  const interrupted = start(path)
  const over = new Promise((resolve) => interrupted.on('close', resolve))
  while (puts < 4 || (await parameters()).size < 3) {
    assert.equal(interrupted.exitCode, null)
    await wait(20)
  }
  interrupted.kill('SIGKILL')
  await over
  assert.equal((await parameters()).size, 3)

  proxy.answerAll()
  const { status, lines } = await put(path)
  assert.equal(status, 0)
  assert.ok(lines.includes('/tokenwell/test: to add: 4, to change: 0, to delete: 0, unchanged: 3, kept: 0'))
  assert.deepEqual(await parameters(), textsOf(elementsOf()))
})

test('a denied right, any other error of AWS and a missing region are sentences without a stack trace', async (t) => {
  const stage = await startStage(t)
  if (!stage) return
  const { put, proxy } = stage
  const path = await elementsFileOf(t, elementsOf())
  let puts = 0
  proxy.answerAll(({ operation }) =>
    operation === 'PutParameter' && ++puts > 3 ? awsError(400, 'AccessDeniedException') : undefined,
  )
  const denied = await put(path)
  assert.equal(denied.status, 1)
  assert.match(denied.errors, /^The elements cannot be written \(AccessDeniedException\)\. Allow ssm:PutParameter on /)
  assert.match(denied.errors, / 3 of the elements are written or deleted\. Repeat the command to do the rest\.\n$/)

  proxy.answerAll(awsError(400, 'ParameterLimitExceeded', 'canary'))
  const refused = await put(path, '--json')
  assert.deepEqual([refused.status, refused.errors], [1, ''])
  assert.match(JSON.parse(refused.lines.join('\n')).failure, /^Parameter Store refused .* \(ParameterLimitExceeded\)\./)
  assert.ok(!refused.lines.join('\n').includes('canary'))

  const homeless = await ended(stage.start(path, { AWS_REGION: '' }))
  assert.deepEqual([homeless.status, homeless.lines], [1, []])
  assert.match(homeless.errors, /^No AWS region is set\. Set the environment variable AWS_REGION, [^\n]*\n$/)
})

test('put needs elements, a stage and a URL', async () => {
  for (const [words, missing] of [
    [['--stage', 'test', '--public-url', 'https://tokens.example'], "missing required argument 'elements'"],
    [['elements', '--public-url', 'https://tokens.example'], "required option '--stage <stage>' not specified"],
    [['elements', '--stage', 'test'], "required option '--public-url <url>' not specified"],
  ] as const) {
    const { status, errors } = await ended(run(words, {}))
    assert.deepEqual([status, errors], [1, `error: ${missing}\n`])
  }
})

/** Undefined if moto is not available. */
async function startStage(t: TestContext) {
  const ground = await startMotoBehindProxy(t)
  if (!ground) return undefined
  const { moto, proxy } = ground
  const Path = '/tokenwell/test'
  function start(path: string, ...more: (string | Readonly<Record<string, string>>)[]) {
    const words = more.filter((word) => typeof word === 'string')
    const variables = Object.assign({}, ...more.filter((word) => typeof word !== 'string')) as Record<string, string>
    const environment = { ...moto.environment, AWS_ENDPOINT_URL: proxy.endpoint, ...variables }
    return run([path, '--stage', 'test', '--public-url', 'https://tokens.example', ...words], environment)
  }
  return {
    ...{ moto, proxy, start },
    put: async (path: string, ...words: string[]) => await ended(start(path, ...words)),
    async parameters(): Promise<Map<string, string>> {
      const { Parameters = [] } = await moto.parameterStore.send(
        new GetParametersByPathCommand({ Path, Recursive: true, MaxResults: 10 }),
      )
      return sorted(Parameters.map(({ Name = '', Value = '' }) => [Name.slice(Path.length + 1), Value]))
    },
    async describe() {
      const filter = { Key: 'Path', Option: 'Recursive', Values: [Path] }
      return (
        (await moto.parameterStore.send(new DescribeParametersCommand({ ParameterFilters: [filter] }))).Parameters ?? []
      )
    },
  }
}

function run(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))
  const env = { ...Object.fromEntries(own), ...environment }
  return spawn(process.execPath, [join('infra', 'cli', 'tokenwell.ts'), 'put', ...words], { cwd: root, env })
}

async function ended(child: ReturnType<typeof run>) {
  const [output, errors, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ])
  return { status, lines: output.split('\n').filter(Boolean), errors }
}

/** Elements of the stage `test`. */
function elementsOf(changes?: ElementChanges): RawElements {
  return JSON.parse(
    JSON.stringify(exampleElements(exampleIssuer, changes)).replaceAll('tokenwell/local/', 'tokenwell/test/'),
  )
}

function textsOf(elements: RawElements): Map<string, string> {
  return sorted(elementTexts(elements))
}

function sorted(texts: Iterable<readonly [string, string]>): Map<string, string> {
  return new Map([...texts].sort(([a], [b]) => (a < b ? -1 : 1)))
}
