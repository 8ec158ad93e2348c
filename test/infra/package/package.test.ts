import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { functionNames } from '../../../infra/bundle.ts'
import { buildPackage } from '../../../infra/package/build-package.ts'
import { packFolder } from '../../../infra/package/pack.ts'
import packageJson from '../../../package.json' with { type: 'json' }
import { exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { root } from '../../support/process/local-run.ts'

/*
 * The npm package as a stranger gets it: packed, installed from its tarball in an empty folder without network, and used by the apps and
 * commands of infra/README.md and of the package's own page. The folder has the CDK, and nothing else of this repository.
 */

const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
const ownPage = readFileSync(join(root, 'infra', 'package', 'README.md'), 'utf8')
const modules = join(root, 'node_modules')
const compiler = join(modules, 'typescript', 'bin', 'tsc')
const workspace = mkdtempSync(join(tmpdir(), 'tokenwell-package-'))
const built = join(workspace, 'built')
const app = join(workspace, 'app')
let tarball: ReturnType<typeof packFolder>

before(async () => {
  await buildPackage(built)
  tarball = packFolder(built, workspace)
  writeInApp(
    'package.json',
    JSON.stringify({ private: true, type: 'module', dependencies: installed('aws-cdk-lib', 'constructs') }),
  )
  runNpm(['install', '--offline', '--no-audit', '--no-fund', tarball.path])
  mkdirSync(join(app, 'node_modules', '@types'))
  symlinkSync(join(modules, '@types', 'node'), join(app, 'node_modules', '@types', 'node'))
  for (const [path, text] of Object.entries(elementFiles('prod'))) writeInApp(path, text)
  writeInApp('partners.json', JSON.stringify(elementsOf('partners')))
})
after(() => rmSync(workspace, { recursive: true, force: true }))

test('the tarball has the construct, its declarations, the built functions and the command, and nothing else', (t) => {
  const files = execFileSync('tar', ['-tzf', tarball.path], { encoding: 'utf8' }).trim().split('\n')
  const allowed = [
    /^package\/(package\.json|README\.md|LICENSE|THIRD-PARTY-LICENSES\.txt|elements\.schema\.json)$/,
    /^package\/(index|check-elements-thread)\.js$/,
    /^package\/types\/[\w/-]+\.d\.ts$/,
    /^package\/command\/[\w-]+\.mjs$/,
    new RegExp(`^package/functions/(${functionNames.join('|')})/[\\w-]+\\.mjs$`),
  ]
  assert.deepEqual(
    files.filter((file) => !allowed.some((pattern) => pattern.test(file))),
    [],
  )
  for (const name of functionNames) assert.ok(files.includes(`package/functions/${name}/index.mjs`), name)
  const packed = statSync(tarball.path).size
  t.diagnostic(`${packed} bytes, ${tarball.unpackedBytes} bytes unpacked`)
  assert.ok(packed < 3_300_000 && tarball.unpackedBytes < 13_000_000)

  const licenses = readFileSync(join(built, 'THIRD-PARTY-LICENSES.txt'), 'utf8')
  for (const name of ['undici', 'jose', 'valibot', 'commander', '@aws-sdk/client-ssm'])
    assert.match(licenses, new RegExp(`^${name} \\d`, 'm'))
})

test('the package has no dependencies, and npm would publish it; the repository itself stays private', () => {
  const manifest = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'))
  assert.deepEqual(manifest.dependencies, undefined)
  assert.deepEqual(Object.keys(manifest.peerDependencies), ['aws-cdk-lib', 'constructs'])
  assert.equal(manifest.private, undefined)
  assert.equal(packageJson.private, true)
  assert.match(runNpm(['publish', '--dry-run', '--offline'], built), /^\+ tokenwell@/m)
})

test('the app of the page compiles and synthesizes with every property, in one process', () => {
  writeInApp('app.ts', example(page))
  assert.deepEqual(typeErrors('app.ts'), '')
  const { status, output } = synthesize('app.ts')
  assert.equal(status, 0, output)

  const template = readFileSync(join(app, 'cdk.out', 'Tokens.template.json'), 'utf8')
  const { Resources: resources } = JSON.parse(template) as { Resources: Record<string, { Type: string }> }
  const types = Object.values(resources).map(({ Type }) => Type)
  const count = (type: string) => types.filter((each) => each === type).length
  // The second stage has one more, for client certificates.
  assert.equal(count('AWS::ApiGatewayV2::Api'), 3)
  assert.equal(count('AWS::ApiGatewayV2::DomainName'), 2)
  assert.equal(count('AWS::Route53::RecordSet'), 1)
  assert.equal(count('AWS::ApiGatewayV2::Authorizer'), 1)
  assert.equal(count('AWS::DynamoDB::Table'), 1)
  assert.ok(template.includes('valkeys://cache.example.com:6379') && template.includes('"VpcConfig"'))
  assert.ok(template.includes('Custom::TokenwellElements'))
  assert.ok(template.includes('/POST/connections/orders/token'))

  // The elements of each stage are a file, and each function is a folder.
  const assets = readdirSync(join(app, 'cdk.out')).filter((name) => /^asset\.\w+$/.test(name))
  const handlers = assets.filter((name) => readdirSync(join(app, 'cdk.out', name)).includes('index.mjs'))
  assert.equal(handlers.length, functionNames.length)
})

test('a mistake in an element fails the synthesis', () => {
  const broken = { ...elementsOf('prod'), zosconnect_jwtBuilder: {} }
  writeInApp('broken.json', JSON.stringify(broken))
  writeInApp(
    'broken.js',
    construction("import { App, Stack } from 'aws-cdk-lib'\nimport { Tokenwell } from 'tokenwell'", 'broken.json'),
  )
  const { status, output } = synthesize('broken.js')
  assert.equal(status, 1)
  assert.match(output, /The elements cannot be deployed:\nzosconnect_jwtBuilder: There is no such kind of element\./)
})

test('an app in CommonJS requires it, and one in TypeScript compiles as CommonJS', () => {
  const requires = "const { App, Stack } = require('aws-cdk-lib')\nconst { Tokenwell } = require('tokenwell')"
  writeInApp('app.cjs', construction(requires, 'elements'))
  const { status, output } = synthesize('app.cjs')
  assert.equal(status, 0, output)
  writeInApp('app.cts', example(ownPage))
  assert.deepEqual(typeErrors('app.cts'), '')
})

test('the commands of the page run', () => {
  assert.ok(page.includes(`/.build/tokenwell-${packageJson.version}.tgz`))
  const [, block = ''] = /^```sh\n(npx tokenwell [\s\S]*?)^```$/m.exec(page) ?? []
  const commands = block.trim().split('\n')
  assert.ok(commands.length > 0)
  for (const command of commands) {
    const { status, output } = run('/bin/sh', ['-c', command.replace('npx ', 'npx --no-install ')])
    assert.equal(status, 0, output)
    assert.match(output, /^elements: mistakes: 0, warnings: 0$/m)
  }
  const version = run('npx', ['--no-install', 'tokenwell', '--version'])
  assert.equal(version.output.trim(), packageJson.version)
})

/** The only example of a page with a construct. */
function example(text: string): string {
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const [found, ...more] = blocks.filter((block) => block.includes('new Tokenwell('))
  assert.ok(found !== undefined && more.length === 0)
  return found
}

function construction(imports: string, elements: string): string {
  return `${imports}
new Tokenwell(new Stack(new App(), 'Tokens'), 'Tokens', {
  stage: 'prod',
  publicUrl: 'https://tokens.example.com',
  elements: '${elements}',
})
`
}

/** What the CDK's command does: it runs the app. The app may start threads, but no other process. */
function synthesize(file: string) {
  rmSync(join(app, 'cdk.out'), { recursive: true, force: true })
  const permissions = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*', '--allow-worker']
  return run(process.execPath, [...permissions, file])
}

function typeErrors(file: string): string {
  const options = '--noEmit --strict --module nodenext --target es2023 --types node'.split(' ')
  return run(process.execPath, [compiler, ...options, '--skipLibCheck', 'false', file]).output
}

function run(program: string, words: string[]) {
  const env = { ...process.env, CDK_OUTDIR: 'cdk.out', CDK_VALIDATION: 'false' }
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: app, encoding: 'utf8', env })
  return { status, output: stdout + stderr }
}

function runNpm(words: string[], cwd = app): string {
  const { status, stdout, stderr } = spawnSync('npm', words, { cwd, encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  return stdout + stderr
}

function writeInApp(path: string, text: string): void {
  mkdirSync(dirname(join(app, path)), { recursive: true })
  writeFileSync(join(app, path), text)
}

/** Packages that are there already, so that npm needs no network for the peers. It still checks their versions. */
function installed(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `file:${join(modules, name)}`]))
}

/** Their connection is the one that the page grants. */
function elementsOf(stage: string): Record<string, Record<string, unknown>> {
  const { endpointConnection, ...others } = exampleElements(exampleIssuer)
  const elements = { ...others, endpointConnection: { orders: endpointConnection?.['conn'] } }
  return JSON.parse(JSON.stringify(elements).replaceAll('tokenwell/local/', `tokenwell/${stage}/`))
}

function elementFiles(stage: string): Record<string, string> {
  const elements = Object.entries(elementsOf(stage)).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`elements/${kind}/${id}.json`, JSON.stringify(element)] as const),
  )
  return Object.fromEntries(elements)
}
