import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { functionNames } from '../infra/bundle.ts'

/*
 * Checks the layout and the dependency rule: functions import lib, and the folders of lib have one order in which
 * imports point down only.
 */

const root = join(import.meta.dirname, '..')

/** The folders of lib. Each imports from itself and from later folders in this list. */
const order = [
  'application',
  'adapters',
  'http-interface',
  'api-call',
  'renewal',
  'key-lifecycle',
  'get-token',
  'admission',
  'discovery',
  'fleet',
  'token-endpoint',
  'access-token',
  'signing',
  'configuration',
  'events',
  'log',
  'secret',
  'base',
]

interface Import {
  readonly from: string
  /** A path from the root for a file of this project. Otherwise a package or a built-in module. */
  readonly to: string
}

const sources = globSync('{functions,lib,infra}/**/*.{ts,js}', { cwd: root }).sort()
const imports = sources.flatMap(importsOf)
const isOurs = (path: string) => /^(functions|lib|infra|test)\//.test(path)
const folderOf = (path: string) => /^lib\/([\w-]+)\//.exec(path)?.[1] ?? ''
/** The domain. It knows no vendor, no clock, no randomness and no environment. */
const isCore = (path: string) => folderOf(path) !== '' && !['application', 'adapters'].includes(folderOf(path))
const wiring = /^functions\/[\w-]+\/index\.ts$|^lib\/application\/(application|open-ports|open-store-ports)\.ts$/

function importsOf(from: string): Import[] {
  const text = readFileSync(join(root, from), 'utf8')
  const specifiers = [...text.matchAll(/(?:\bfrom|^import|\bimport\()\s*'([^']+)'/gm)].map(
    ([, specifier = '']) => specifier,
  )
  return specifiers.map((specifier) => ({
    from,
    to: specifier.startsWith('.') ? relative(root, join(root, dirname(from), specifier)) : specifier,
  }))
}

function offences(rule: (each: Import) => boolean): string[] {
  return imports.filter(rule).map(({ from, to }) => `${from} imports ${to}`)
}

/** The code without comments and quoted text. */
function codeOf(path: string): string {
  const text = readFileSync(join(root, path), 'utf8')
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/gm, '')
}

test('the test finds imports, so that the rules below can fail', () => {
  assert.ok(imports.length > 200)
  assert.ok(
    imports.some(
      ({ from, to }) => from === 'functions/issue-token/index.ts' && to === 'lib/application/application.ts',
    ),
  )
  assert.ok(
    imports.some(({ from, to }) => from === 'lib/application/application.ts' && to === 'lib/get-token/get-token.ts'),
  )
})

test('the folders of lib are exactly those in the order', () => {
  const folders = readdirSync(join(root, 'lib'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['decisions', 'pictures'].includes(entry.name))
    .map(({ name }) => name)
  assert.deepEqual(folders.sort(), [...order].sort())
  assert.deepEqual(
    sources.filter((path) => dirname(path) === 'lib'),
    [],
    'a file of lib is in no folder',
  )
})

test('lib/README.md lists the folders in that order, and names files that exist', () => {
  const page = readFileSync(join(root, 'lib', 'README.md'), 'utf8')
  const [, map = ''] = /^## Map\n[^|]*((?:^\|.*\n)+)/m.exec(page) ?? []
  const folders = [...map.matchAll(/^\| `([\w-]+)\/` \|/gm)].map(([, folder]) => folder)
  assert.deepEqual(folders, order)
  const paths = [...page.matchAll(/`((?:functions|lib|test)\/[\w./-]+\.ts)`/g)].map(([, path = '']) => path)
  assert.ok(paths.length > 15)
  for (const path of paths) assert.ok(existsSync(join(root, path)), path)
})

test('imports within lib point down the order, and imports out of lib are of packages only', () => {
  const isUpward = ({ from, to }: Import) => order.indexOf(folderOf(from)) > order.indexOf(folderOf(to))
  assert.deepEqual(
    offences((each) => each.from.startsWith('lib/') && isOurs(each.to) && isUpward(each)),
    [],
  )
})

test('the fleet knows sealed bytes and codes, not tokens', () => {
  const above = ['token-endpoint', 'access-token']
  assert.deepEqual(
    offences(({ from, to }) => folderOf(from) === 'fleet' && above.includes(folderOf(to))),
    [],
  )
})

test("the core imports only pure libraries and Node.js's cryptography, and only its HTTP interface imports middy", () => {
  const pure = ['jose', 'valibot', 'lru-cache', 'node:crypto']
  const isHttp = (from: string, to: string) => folderOf(from) === 'http-interface' && /^(@middy\/|aws-lambda$)/.test(to)
  assert.deepEqual(
    offences(({ from, to }) => isCore(from) && !isOurs(to) && !pure.includes(to) && !isHttp(from, to)),
    [],
  )
})

test('the code that assembles the core imports no package and no Node.js module', () => {
  assert.deepEqual(
    offences(({ from, to }) => from.startsWith('lib/application/') && wiring.test(from) && !isOurs(to)),
    [],
  )
})

test('a function imports the library and its own folder, and no other function', () => {
  assert.deepEqual(
    offences(
      ({ from, to }) =>
        from.startsWith('functions/') && isOurs(to) && !to.startsWith('lib/') && dirname(from) !== dirname(to),
    ),
    [],
  )
})

test('infra names functions by path and does not import them', () => {
  assert.deepEqual(
    offences(({ from, to }) => from.startsWith('infra/') && to.startsWith('functions/')),
    [],
  )
})

test('no file imports itself through other files', () => {
  assert.deepEqual(circles(imports), [])
})

test('no folder of lib or functions imports itself through other folders', () => {
  const amongFolders = imports
    .filter(({ from, to }) => isOurs(to) && !from.startsWith('infra/'))
    .map(({ from, to }) => ({ from: dirname(from), to: dirname(to) }))
    .filter(({ from, to }) => from !== to)
  assert.deepEqual(circles(amongFolders), [])
})

/** Every node from which a path leads back to itself. */
function circles(edges: readonly Import[]): string[] {
  const next = Map.groupBy(edges, ({ from }) => from)
  return [...next.keys()].filter((start) => {
    const seen = new Set<string>()
    const waiting = [start]
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      for (const { to } of next.get(path) ?? []) {
        if (to === start) return true
        if (!seen.has(to)) waiting.push(to)
        seen.add(to)
      }
    }
    return false
  })
}

test('only the wiring of functions, and infra, read process.env', () => {
  const readers = sources.filter((path) => /process\s*\.\s*env|process\s*\[/.test(codeOf(path)))
  assert.deepEqual(
    readers.filter((path) => !path.startsWith('infra/') && !/^functions\/[\w-]+\/index\.ts$/.test(path)),
    [],
  )
})

test('the wiring has no branches', () => {
  const files = sources.filter((path) => wiring.test(path))
  assert.ok(files.includes('functions/issue-token/index.ts') && files.includes('lib/application/application.ts'))
  for (const path of files)
    assert.doesNotMatch(codeOf(path), /\b(if|else|switch|try|catch|for|while)\b|\?|&&|\|\|/, path)
})

test('the core and the code that assembles it get time and randomness as arguments', () => {
  const clocks =
    /Date\.now|new Date\(\)|performance\.|Math\.random\(|randomUUID|randomBytes|randomInt|getRandomValues|setTimeout|setInterval|setImmediate|AbortSignal\.timeout/
  assert.deepEqual(
    sources.filter((path) => (isCore(path) || path === 'lib/application/application.ts') && clocks.test(codeOf(path))),
    [],
  )
})

test('every function has its wiring in index.ts and its translation in handler.ts', () => {
  for (const folder of functionNames) {
    const files = readdirSync(join(root, 'functions', folder))
    assert.ok(files.includes('index.ts') && files.includes('handler.ts'), folder)
  }
})

test('every path says what is in it: no drawers such as utils, and no barrels', () => {
  const drawers = ['util', 'utils', 'helper', 'helpers', 'common', 'types', 'shared', 'misc', 'core', 'wiring']
  const parts = sources.flatMap((path) => path.replace(/\.\w+$/, '').split('/'))
  assert.deepEqual(
    parts.filter((part) => drawers.includes(part)),
    [],
  )
  assert.deepEqual(
    sources.filter((path) => path.startsWith('lib/') && basename(path) === 'index.ts'),
    [],
  )
  assert.deepEqual(
    sources.filter((path) => !/^[a-z0-9/.-]+$/.test(path)),
    [],
    'kebab-case',
  )
})

test('the top level has seven names, and the files that tools and laws demand', () => {
  const names = ['package.json', 'tsconfig.json', 'functions', 'lib', 'infra', 'test', 'README.md']
  const demanded = [
    'package-lock.json',
    'LICENSE',
    'SECURITY.md',
    'CHANGELOG.md',
    'biome.json',
    'node_modules',
    'cdk.out',
  ]
  const present = readdirSync(root).filter((name) => !name.startsWith('.'))
  assert.deepEqual(
    present.filter((name) => ![...names, ...demanded].includes(name)),
    [],
  )
  assert.deepEqual(
    names.filter((name) => !present.includes(name)),
    [],
  )
})

test('a secret is revealed only where it is used', () => {
  const users = sources.filter((path) => /\.reveal\(\)/.test(codeOf(path)))
  assert.deepEqual(users, [
    'functions/issue-token/handler.ts',
    'infra/local/register-clients.ts',
    'infra/local/workspace.ts',
    'lib/access-token/callers-token.ts',
    'lib/access-token/lifetime.ts',
    'lib/access-token/token.ts',
    'lib/adapters/aws/secrets-manager-rotation.ts',
    'lib/adapters/files/file-secrets.ts',
    'lib/adapters/http/connector.ts',
    'lib/adapters/http/tls-identity.ts',
    'lib/adapters/http/undici-api-endpoint.ts',
    'lib/adapters/http/undici-token-endpoint.ts',
    'lib/adapters/valkey/valkey-connection.ts',
    'lib/admission/sendable-credentials.ts',
    'lib/api-call/carried-token.ts',
    'lib/fleet/cache-keys.ts',
    'lib/fleet/sealing.ts',
    'lib/get-token/cool-down-names.ts',
    'lib/get-token/shared-token.ts',
    'lib/key-lifecycle/rotation-steps.ts',
    'lib/secret/secret.ts',
    'lib/signing/secret-use.ts',
    'lib/signing/signer-cache.ts',
    'lib/signing/signing-secret.ts',
    'lib/signing/web-identity.ts',
    'lib/token-endpoint/auth-token-request.ts',
    'lib/token-endpoint/client-authentication.ts',
    'lib/token-endpoint/printable-description.ts',
    'lib/token-endpoint/request-headers.ts',
    'lib/token-endpoint/signed-request.ts',
    'lib/token-endpoint/token-request-form.ts',
  ])
})
