import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileElements } from '../lib/adapters/files/file-elements.ts'
import { validateElements } from '../lib/configuration/inspect-elements.ts'
import { root, runShell, startServing } from './support/process/local-run.ts'
import { temporaryFolder } from './support/process/temporary-folder.ts'

/* The README's commands and examples, run as they stand but for the port and the folder of this run. */

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
  language,
  text,
}))
const commands = blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.trim().split('\n'))
const curls = commands.filter((command) => command.startsWith('curl '))
const examples = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text))

test('each npm command of the README exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = [...readme.matchAll(/\bnpm (?:run )?(start|test|[a-z]+)\b/g)].map(([, name = '']) => name)
  for (const name of new Set(named.filter((each) => each !== 'run'))) assert.ok(scripts[name], `npm run ${name}`)
  assert.ok(named.length > 5)
})

test('the curl lines of the README run against npm start, in their order', async (t) => {
  const folder = await temporaryFolder(t)
  const run = await startServing(t, { TOKENWELL_FOLDER: folder })
  assert.ok(
    readme.includes(run.curl.replace(run.url, 'http://127.0.0.1:8787')),
    'the line that npm start prints is there',
  )

  assert.equal(curls.length, 12)
  for (const command of curls) {
    const here = command.replaceAll('http://127.0.0.1:8787', run.url).replaceAll('.tokenwell/', `${folder}/`)
    const { status, output } = await runShell(here)
    assert.equal(status, 0, here)
    if (command.includes('DELETE')) assert.equal(output, '')
    else if (command.endsWith('/connections')) assert.equal(JSON.parse(output).connections.length, 9)
    else if (command.endsWith('/orders/api/42')) assert.equal(JSON.parse(output).id, '42')
    else if (command.includes('/orders/api/')) assert.equal(JSON.parse(output).item, 'tea')
    else if (command.endsWith('/jwk')) assert.equal(JSON.parse(output).keys.length, 1)
    else if (command.includes('/rotate/')) assert.deepEqual(JSON.parse(output), { rotated: 'myJWTAuthBuilder' })
    else if (command.includes('/events')) assert.deepEqual(JSON.parse(output), { accepted: 'ClearTokenCache' })
    else assert.equal(JSON.parse(output).token_type, 'Bearer', output)
  }

  const [answer] = examples
  const first = JSON.parse((await runShell(run.curl)).output)
  assert.deepEqual(Object.keys(first), Object.keys(answer), 'the answer shown has the members of a real one')

  const example = blocks.find(({ language }) => language === 'ts')?.text ?? ''
  const path = join(root, 'test', `readme-example-${process.pid}.ts`)
  t.after(() => rm(path, { force: true }))
  await writeFile(path, example.replaceAll('http://127.0.0.1:8787', run.url))
  const { status, output } = await runShell(`${process.execPath} ${path}`)
  assert.equal(status, 0, output)
  assert.match(output, /^true \d+$/m)
})

test("elements of one's own are tried as the README says", async (t) => {
  const folder = await temporaryFolder(t)
  const own = commands.filter((command) => command.includes('my-elements.json'))
  assert.equal(own.length, 2)
  for (const command of own) {
    const here = command.replaceAll('.tokenwell/', `${folder}/`)
    let run = await runShell(here, { TOKENWELL_FOLDER: folder })
    // Another test may have a port that elements of one's own expect.
    for (let tries = 0; tries < 60 && /Port 944[34] is in use/.test(run.output); tries++) {
      await pause(1_000)
      run = await runShell(here, { TOKENWELL_FOLDER: folder })
    }
    assert.equal(run.status, 0, run.output)
  }
})

test('the elements of the README are without mistake or warning', async (t) => {
  const path = join(await temporaryFolder(t), 'elements.json')
  await writeFile(path, JSON.stringify(examples.at(-1)))
  const elements = fileElements(path)
  const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false }
  assert.deepEqual(await elements.findings(), [])
  assert.deepEqual(await validateElements(elements, deployment), [])
})

test('the direct invocation of the README names a connection of the local run', () => {
  const { connection, scope } = examples[1]
  const elements = JSON.parse(readFileSync(join(root, 'infra', 'local', 'elements.json'), 'utf8'))
  const config = elements.oAuthConfig[elements.endpointConnection[connection].authenticationConfigRef]
  assert.ok(config.scope.split(' ').includes(scope))
})

test('every path that the README names exists', () => {
  const paths = [...readme.matchAll(/\]\(([^)#:]+)\)|`((?:functions|lib|infra|test)[\w./-]*)`/g)].map(
    ([, link, path]) => link ?? path,
  )
  for (const path of paths) assert.ok(existsSync(join(root, path ?? '')), path)
  assert.ok(paths.length > 8)
})
