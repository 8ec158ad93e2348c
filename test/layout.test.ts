import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { test } from 'node:test'

/* The layout and the dependency rule: functions -> lib/wiring -> lib/adapters -> lib core, and nothing the other way. */

const root = join(import.meta.dirname, '..')

interface Import {
  readonly from: string
  /** A path from the root for a file of ours, else the package or built-in module. */
  readonly to: string
}

const sources = globSync('{functions,lib,infra}/**/*.{ts,js}', { cwd: root }).sort()
const imports = sources.flatMap(importsOf)
const isCore = (path: string) => path.startsWith('lib/') && !/^lib\/(adapters|wiring)\//.test(path)
/** The core, and what joins it. */
const isPure = (path: string) => isCore(path) || path === 'lib/application/application.ts'
const isOurs = (path: string) => /^(functions|lib|infra|test)\//.test(path)

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

/** Code alone: without comments and without what stands in quotes. */
function codeOf(path: string): string {
  const text = readFileSync(join(root, path), 'utf8')
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/gm, '')
}

test('the imports are seen at all, so that the rules below can fail', () => {
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

test('the core, and what joins it, import no vendor but jose, and of Node.js only its cryptography', () => {
  const allowed = ['jose', 'node:crypto']
  assert.deepEqual(
    offences(({ from, to }) => isPure(from) && !isCore(to) && !allowed.includes(to)),
    [],
  )
})

test('adapters import the core and vendors, and neither the wiring nor a function', () => {
  const allowed = (path: string) => isCore(path) || path.startsWith('lib/adapters/')
  assert.deepEqual(
    offences(({ from, to }) => from.startsWith('lib/adapters/') && isOurs(to) && !allowed(to)),
    [],
  )
})

test('the wiring of all functions imports the library, no vendor and no function', () => {
  assert.deepEqual(
    offences(({ from, to }) => from.startsWith('lib/wiring/') && !to.startsWith('lib/') && !to.startsWith('node:')),
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

test('infra names functions by path and imports none', () => {
  assert.deepEqual(
    offences(({ from, to }) => from.startsWith('infra/') && to.startsWith('functions/')),
    [],
  )
})

test('no file of the library imports itself, by whatever way round', () => {
  const next = (path: string) => imports.filter(({ from, to }) => from === path && isOurs(to)).map(({ to }) => to)
  const circular = sources.filter((start) => {
    const seen = new Set<string>()
    const waiting = next(start)
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (path === start) return true
      if (!seen.has(path)) waiting.push(...next(path))
      seen.add(path)
    }
    return false
  })
  assert.deepEqual(circular, [])
})

test('only the wiring of functions and infra read process.env', () => {
  const readers = sources.filter((path) => /process\s*\.\s*env|process\s*\[/.test(codeOf(path)))
  assert.deepEqual(
    readers.filter((path) => !path.startsWith('infra/') && !/^functions\/[\w-]+\/index\.ts$/.test(path)),
    [],
  )
})

test('the wiring has no branches', () => {
  const ofFunctions = sources.filter((path) => /^functions\/[\w-]+\/index\.ts$/.test(path))
  const joining = [
    'api-call-parts',
    'open-early',
    'open-ports',
    'open-store-ports',
    'parts',
    'publication-parts',
    'rotation-parts',
  ]
  for (const path of [...ofFunctions, ...joining.map((name) => `lib/wiring/${name}.ts`)])
    assert.doesNotMatch(codeOf(path), /\b(if|else|switch|try|catch|for|while)\b|\?|&&|\|\|/, path)
})

test('in the core, and in what joins it, time and chance are arguments', () => {
  const clocks = /Date\.now\(|new Date\(\)|performance\.|Math\.random\(|randomUUID|randomBytes|setTimeout|setInterval/
  assert.deepEqual(
    sources.filter((path) => isPure(path) && clocks.test(codeOf(path))),
    [],
  )
})

test('every function is wiring and translation', () => {
  for (const folder of readdirSync(join(root, 'functions'))) {
    const files = readdirSync(join(root, 'functions', folder))
    assert.ok(files.includes('index.ts') && files.includes('handler.ts'), folder)
  }
})

test('a path is a sentence: no drawers and no barrels', () => {
  const drawers = ['util', 'utils', 'helper', 'helpers', 'common', 'types', 'shared', 'misc']
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

test('the top level has seven names and what tools and law demand', () => {
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
    'lib/adapters/http/connector.ts',
    'lib/adapters/files/file-secrets.ts',
    'lib/adapters/aws/secrets-manager-rotation.ts',
    'lib/adapters/http/tls-identity.ts',
    'lib/adapters/http/undici-api-endpoint.ts',
    'lib/adapters/http/undici-token-endpoint.ts',
    'lib/adapters/valkey/valkey-connection.ts',
    'lib/adapters/valkey/valkey-connection.ts',
    'lib/key-lifecycle/rotation-steps.ts',
    'lib/secret/secret.ts',
    'lib/signing/signing-secret.ts',
    'lib/signing/signing-secret.ts',
    'lib/signing/signer-cache.ts',
    'lib/signing/signing-secret.ts',
    'lib/fleet/cache-keys.ts',
    'lib/get-token/token-cache.ts',
    'lib/token-endpoint/client-authentication.ts',
    'lib/token-endpoint/printable-description.ts',
    'lib/token-endpoint/token-request-form.ts',
    'lib/access-token/lifetime.ts',
    'lib/access-token/token.ts',
  ])
})
