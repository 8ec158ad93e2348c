import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import { kinds } from '../../lib/configuration/element.ts'
import { validateElements } from '../../lib/configuration/inspect-elements.ts'
import { readElement } from '../../lib/configuration/read-element.ts'
import { aliasOf } from '../../lib/http-interface/entry.ts'
import { root, runShell, type ServingRun, startServing } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { type Block, type Marker, type Page, readPage, readPages } from './page.ts'

/*
 * Runs every command and example of every page as it is written, with only the port and the folder of this run
 * replaced. A comment above a block says how; test/README.md lists these comments. A block that can't be run says why,
 * and is listed at the end.
 */

const pages = readPages()
const blocks = pages.flatMap((page) => page.blocks)
const at = ({ page, line }: Block) => `${page}:${line}`

function of<K extends Marker['kind']>(kind: K, among = blocks) {
  return among.filter((block): block is Block & { marker: Marker & { kind: K } } => block.marker?.kind === kind)
}

test('each block has a language, and all but plain text say how they are run', () => {
  assert.deepEqual(unmarked(blocks), [])
  assert.ok(blocks.length > 30)
})

test('a block without a language or without a known comment is found', () => {
  const text =
    '```\na\n```\n```sh\nb\n```\n<!-- run: somehow -->\n```json\n{}\n```\n<!-- run: ci -->\n```sh\nnpm test\n```\n'
  assert.deepEqual(unmarked(readPage('page.md', text).blocks), ['page.md:1', 'page.md:4', 'page.md:8'])
})

for (const page of pages.filter(({ blocks: own }) => own.some(needsLocalRun)))
  test(`the examples of ${page.path} work with the local run`, async (t) => {
    const folder = await temporaryFolder(t)
    await tryWithLocalRun(page, await startServing(t, { TOKENWELL_FOLDER: folder }), folder, t)
  })

for (const block of of('shell'))
  test(`the commands at ${at(block)} succeed`, async (t) => {
    const folder = await temporaryFolder(t)
    for (const command of commandsOf(block)) await succeed(command.replaceAll('.tokenwell/', `${folder}/`), folder)
  })

for (const block of of('elements'))
  test(`the elements at ${at(block)} have no mistake and no warning`, async (t) => {
    const path = join(await temporaryFolder(t), 'elements.json')
    await writeFile(path, block.text)
    const elements = fileElements(path)
    const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false }
    assert.deepEqual(await elements.findings(), [])
    assert.deepEqual(await validateElements(elements, deployment), [])
  })

for (const block of of('element'))
  test(`the element at ${at(block)} is right`, () => {
    const kind = kinds.find((each) => each === block.marker.element)
    assert.ok(kind, `${block.marker.element} is not a kind of element`)
    assert.deepEqual(readElement({ kind, id: 'example' }, JSON.parse(block.text)).findings, [])
  })

test('each command that CI should run is a step of .ci/run, or starts the local run', () => {
  const steps = readFileSync(join(root, '.ci', 'run'), 'utf8')
  for (const block of of('ci'))
    for (const command of commandsOf(block))
      assert.ok(command === 'npm start' || steps.includes(command), `${at(block)} ${command}`)
})

test('each test that should read a block reads its page', () => {
  for (const block of of('test')) {
    const path = join(root, block.marker.path)
    assert.ok(existsSync(path), `${at(block)} ${block.marker.path}`)
    assert.ok(
      readFileSync(path, 'utf8').includes(basename(block.page)),
      `${block.marker.path} does not read ${block.page}`,
    )
  }
})

test('the TypeScript of the pages compiles', async (t) => {
  const folder = join(root, 'test', 'pages', `examples-${process.pid}`)
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(folder)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: ['.'] }))
  for (const [index, block] of [...of('types'), ...of('program')].entries())
    await writeFile(join(folder, `example-${index}.ts`), `// ${at(block)}\n${fromRoot(block.text)}\nexport {}\n`)
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const { stdout } = await promisify(execFile)(tsc, ['-p', folder]).catch((error: { stdout: string }) => error)
  assert.equal(stdout, '')
})

test('a block that is not run says why', (t) => {
  for (const block of of('not-run')) {
    assert.match(block.marker.reason, /\w+ \w+/, at(block))
    t.diagnostic(`not run: ${at(block)} ${block.marker.reason}`)
  }
})

function unmarked(among: readonly Block[]): string[] {
  return among
    .filter(({ language, marker }) => language === '' || (language !== 'text' && marker === undefined))
    .map(at)
}

function needsLocalRun({ marker }: Block): boolean {
  return marker !== undefined && ['local', 'answer', 'invoke', 'event', 'program'].includes(marker.kind)
}

async function tryWithLocalRun({ blocks: own }: Page, run: ServingRun, folder: string, t: TestContext): Promise<void> {
  const here = (text: string) =>
    text.replaceAll('http://127.0.0.1:8787', run.url).replaceAll('.tokenwell/', `${folder}/`)
  let answer = ''
  for (const block of own.filter(needsLocalRun)) {
    if (block.marker?.kind === 'local')
      for (const command of commandsOf(block)) answer = await succeed(here(command), folder)
    if (block.marker?.kind === 'answer') assert.deepEqual(membersOf(answer), membersOf(block.text), at(block))
    if (block.marker?.kind === 'invoke') await invoke(block, run)
    if (block.marker?.kind === 'event') await post(`${run.url}/events`, block.text, at(block))
    if (block.marker?.kind === 'program') await runProgram(here(block.text), folder, t)
  }
}

async function invoke(block: Block, run: ServingRun): Promise<void> {
  const { connection } = JSON.parse(block.text)
  const url = `${run.url}/2015-03-31/functions/issue-token:${aliasOf(connection)}/invocations`
  const answer = await fetch(url, { method: 'POST', body: block.text })
  const members = (await answer.json()) as object
  assert.ok('access_token' in members, `${at(block)} ${JSON.stringify(members)}`)
}

async function post(url: string, body: string, where: string): Promise<void> {
  const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  assert.ok(answer.ok, `${where} ${answer.status} ${await answer.text()}`)
}

async function runProgram(text: string, folder: string, t: TestContext): Promise<void> {
  const path = join(root, 'test', `page-example-${process.pid}.ts`)
  t.after(() => rm(path, { force: true }))
  await writeFile(path, fromRoot(text))
  await succeed(`${process.execPath} ${path}`, folder)
}

/** Runs a command in the root of the repository. curl fails if the answer is an error. */
async function succeed(command: string, folder: string): Promise<string> {
  const environment = { TOKENWELL_FOLDER: folder }
  const strict = command.replace(/\bcurl /g, 'curl --fail-with-body ')
  let run = await runShell(strict, environment)
  // Another test may use a port that the block's own elements need.
  for (let tries = 0; tries < 60 && /Port 944[34] is in use/.test(run.output); tries++) {
    await pause(1_000)
    run = await runShell(strict, environment)
  }
  assert.equal(run.status, 0, `${command}\n${run.output}`)
  return run.output
}

/** One command on each line. A line that ends with a backslash continues on the next one. */
function commandsOf({ text }: Block): string[] {
  const lines = text.replace(/\\\n\s*/g, '').split('\n')
  return lines.map((line) => line.replace(/(?:^| +)# .*$/, '').trim()).filter(Boolean)
}

/** The examples import from the root of the repository. */
function fromRoot(text: string): string {
  return text.replace(/(from ')\.\//g, `$1${root}/`)
}

/** The names of the members of an object, or of the first object in a list, at every depth. */
function membersOf(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown) =>
    typeof value === 'object' && value !== null ? (Array.isArray(value) ? value.slice(0, 1) : value) : typeof value,
  )
}
