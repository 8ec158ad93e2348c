import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* run.js in a separate project, with a fake npm that only prints its arguments. */

interface Packages {
  readonly [path: string]: { readonly version?: string; readonly optional?: boolean }
}

interface ProjectOptions {
  readonly wanted?: Packages
  /** Null if nothing is installed. */
  readonly installed?: Packages | null
  readonly npmStatus?: number
  readonly files?: Readonly<Record<string, string>>
}

interface Project {
  readonly folder: string
  start(words: readonly string[]): ChildProcess
  run(words: readonly string[]): Promise<{ status: number | null; output: string }>
}

async function theProject(t: TestContext, options: ProjectOptions = {}): Promise<Project> {
  const { wanted = { '': {} }, installed = wanted, npmStatus = 0, files = {} } = options
  const npm = join('bin', process.platform === 'win32' ? 'npm.cmd' : 'npm')
  const folder = await temporaryFolder(t, {
    'package.json': '{ "type": "module" }',
    'package-lock.json': JSON.stringify({ packages: wanted }),
    'infra/toolchain/none': '',
    [npm]: `#!/bin/sh\necho "npm $*"\nexit ${npmStatus}\n`,
    ...(installed && { 'node_modules/.package-lock.json': JSON.stringify({ packages: installed }) }),
    ...files,
  })
  await chmod(join(folder, npm), 0o755)
  await copyFile(join(root, 'infra', 'toolchain', 'run.js'), join(folder, 'infra', 'toolchain', 'run.js'))
  const start: Project['start'] = (words) => {
    const { npm_execpath: _npm, ...environment } = process.env
    const PATH = [join(folder, 'bin'), process.env['PATH']].join(delimiter)
    return spawn(process.execPath, [join(folder, 'infra', 'toolchain', 'run.js'), ...words], {
      cwd: folder,
      env: { ...environment, PATH },
    })
  }
  return {
    folder,
    start,
    async run(words) {
      const child = start(words)
      let output = ''
      child.stdout?.on('data', (chunk) => {
        output += chunk
      })
      child.stderr?.on('data', (chunk) => {
        output += chunk
      })
      const [status] = (await once(child, 'close')) as [number | null]
      return { status, output }
    },
  }
}

const hello = ['--eval', 'console.log("hello", process.argv.slice(1).join())']

test('if everything is installed, the program runs at once, with its arguments and exit code', async (t) => {
  const { run } = await theProject(t)
  assert.deepEqual(await run([...hello, 'a', 'b']), { status: 0, output: 'hello a,b\n' })
  for (const status of [1, 7]) assert.equal((await run(['--eval', `process.exit(${status})`])).status, status)
  assert.equal(
    (await run(['--eval', 'process.kill(process.pid, "SIGKILL")'])).status,
    1,
    'an end by a signal is a failure',
  )
})

const a1 = { '': {}, 'node_modules/a': { version: '1.0.0' } }
for (const [what, options] of Object.entries<ProjectOptions>({
  'nothing is installed': { installed: null },
  'a package is missing': { wanted: a1, installed: { '': {} } },
  'a package has another version': { wanted: a1, installed: { 'node_modules/a': { version: '1.0.1' } } },
}))
  test(`if ${what}, everything is first installed from the lock file, without install scripts`, async (t) => {
    const { status, output } = await (await theProject(t, options)).run(hello)
    assert.equal(status, 0)
    assert.match(
      output,
      /^Installing missing packages\. This takes some minutes, and only the first time \.\.\.\nnpm ci --ignore-scripts .*\nhello/,
    )
  })

for (const [what, options] of Object.entries<ProjectOptions>({
  'every package has its version': { wanted: a1, installed: a1 },
  'an optional package is for another machine': {
    wanted: { ...a1, 'node_modules/b': { version: '2.0.0', optional: true } },
    installed: a1,
  },
  'there is a package more': { wanted: a1, installed: { ...a1, 'node_modules/b': { version: '2.0.0' } } },
}))
  test(`if ${what}, nothing is installed`, async (t) => {
    assert.equal((await (await theProject(t, options)).run(hello)).output, 'hello \n')
  })

test('if the installation fails, nothing runs and the exit code is 1 with a message', async (t) => {
  const { status, output } = await (await theProject(t, { installed: null, npmStatus: 3 })).run(hello)
  assert.equal(status, 1)
  assert.match(output, /npm ci failed\. See its output above\./)
  assert.doesNotMatch(output, /hello/)
})

const packaged = `node-${process.platform}-${process.arch}/bin/node`
const hasPackage = ['linux-x64', 'linux-arm64'].includes(`${process.platform}-${process.arch}`)
const skip = hasPackage ? false : 'npm has no Node.js for this machine that a shell script could stand for'

test('the program runs on the Node.js from npm, not on the one that runs npm', { skip }, async (t) => {
  const { folder, run } = await theProject(t)
  const path = join(folder, 'node_modules', packaged)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, '#!/bin/sh\necho "packaged $*"\n')
  await chmod(path, 0o755)
  assert.equal((await run(['file.ts', 'a'])).output, 'packaged file.ts a\n')
})

test('programs of packages are found, and node is the Node.js that runs', async (t) => {
  const { folder, run } = await theProject(t)
  const { output } = await run(['--eval', 'console.log(process.env.PATH)'])
  const [first, second] = output.split(delimiter)
  assert.equal(first, dirname(process.execPath))
  assert.equal(second, join(folder, 'node_modules', '.bin'))
})

test('SIGTERM is passed on to the program, which ends itself', { timeout: 20_000 }, async (t) => {
  const script = `process.on('SIGTERM', () => { console.log('told'); process.exit(5) })
    setInterval(() => {}, 1000)
    console.log('ready')`
  const child = (await theProject(t)).start(['--eval', script])
  t.after(() => child.kill('SIGKILL'))
  assert.ok(child.stdout)
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
    if (output === 'ready\n') child.kill('SIGTERM')
  })
  const [status] = await once(child, 'close')
  assert.equal(output, 'ready\ntold\n')
  assert.equal(status, 5)
})
