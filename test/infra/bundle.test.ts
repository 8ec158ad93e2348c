import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { bundleFunction, bundling, functionNames } from '../../infra/bundle.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../support/functions/issue-token-with-oidc-provider.ts'
import { createHttpEvent, environmentOf, tokenRequest } from '../support/functions/load-function.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'

const run = promisify(execFile)

test('the built issue-token answers an event with only its folder, in a separate process', async (t) => {
  const folder = await temporaryFolder(t)
  const bundle = await bundleFunction('issue-token', folder)
  const size = statSync(bundle).size
  assert.ok(size < 220_000, `${size} bytes`)
  t.diagnostic(`issue-token: ${Math.round(size / 1024)} KiB`)

  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const event = JSON.stringify(createHttpEvent(tokenRequest('conn')))
  const script = join(folder, 'invoke.mjs')
  await writeFile(
    script,
    `import { registerHooks } from 'node:module'
     const loaded = []
     registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
     const { handler } = await import(${JSON.stringify(bundle)})
     const invoked = (alias) => ({
       awsRequestId: 'the-request',
       invokedFunctionArn: 'arn:aws:lambda:eu-central-1:111122223333:function:tokens:' + alias,
       getRemainingTimeInMillis: () => 20_000,
     })
     const first = await handler(${event}, invoked('_live'))
     const second = await handler({}, invoked('c-conn'))
     process.stdout.write(JSON.stringify([first, second, loaded, process.moduleLoadList]))
     process.exit(0)`,
  )
  const { stdout } = await run(process.execPath, [script], { env: environmentOf(set.workspace), cwd: folder })
  const [first, second, loaded, builtIns] = JSON.parse(stdout)
  assert.equal(first.statusCode, 200)
  assert.equal(JSON.parse(first.body).source, 'server')
  assert.equal(second.source, 'memory')
  assert.equal(second.access_token, JSON.parse(first.body).access_token)
  const names = loaded.map((url: string) => basename(url)).join(' ')
  assert.match(names, /file-elements-/)
  assert.doesNotMatch(names, /parameter-store|secrets-manager|dynamodb|valkey/, 'no client is loaded that is not used')
  for (const unused of ['internal/deps/undici/undici', 'http2'])
    assert.ok(!builtIns.includes(`NativeModule ${unused}`), `nor is ${unused} of Node.js`)
})

test('a deployment has no source maps, and the frames of its errors have the names of the source', async (t) => {
  const folder = await temporaryFolder(t)
  const bundle = await bundleFunction('issue-token', folder)
  const files = readdirSync(dirname(bundle)).filter((file) => !file.endsWith('.mjs'))
  assert.deepEqual(files, [])
  // As Lambda's runtime client does. An uncaught error would be printed with the whole line of the bundle.
  const script = `await import(${JSON.stringify(bundle)}).catch(({ stack }) => process.stdout.write(stack))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { env: {} })
  assert.match(stdout, / at readEnvironment \(/)
})

test('a function without its environment variables names the missing ones', async (t) => {
  const folder = await temporaryFolder(t)
  const bundle = await bundleFunction('issue-token', folder)
  await assert.rejects(run(process.execPath, [bundle], { env: {} }), (error: { stderr: string }) => {
    for (const name of [
      'TOKENWELL_STAGE',
      'TOKENWELL_PUBLIC_URL',
      'TOKENWELL_ELEMENTS',
      'TOKENWELL_SECRETS',
      'TOKENWELL_CACHE',
    ])
      assert.match(error.stderr, new RegExp(name))
    return true
  })
})

test("every folder of functions is bundled and has a test with Lambda's runtime client", () => {
  assert.deepEqual(functionNames, [
    'call-api',
    'issue-token',
    'publish-keys',
    'put-elements',
    'refresh-token',
    'rotate-key',
    'warm-tokens',
  ])
  for (const name of functionNames)
    assert.ok(existsSync(join(import.meta.dirname, '..', 'functions', name, 'lambda.test.ts')), name)
})

test('node:http2 is replaced only for undici, and other packages get the real modules', async (t) => {
  const folder = await temporaryFolder(t)
  const other = join(folder, 'node_modules', 'other', 'index.js')
  await mkdir(dirname(other), { recursive: true })
  await writeFile(
    other,
    `import { Agent } from 'node:http'
     import { connect, constants } from 'node:http2'
     export const found = [typeof Agent, typeof connect, constants.HTTP2_HEADER_STATUS]`,
  )
  const root = join(import.meta.dirname, '..', '..')
  const contents = `import { found } from ${JSON.stringify(other)}
    import { createConnector } from './lib/adapters/http/connector.ts'
    import { Client } from './lib/adapters/http/undici.ts'
    console.log(JSON.stringify([found, typeof createConnector, typeof Client]))`
  const stdin = { contents, resolveDir: root, loader: 'ts' } as const
  const outfile = join(folder, 'bundle.mjs')
  const { splitting: _, outExtension: __, ...settings } = bundling
  const { metafile } = await build({ ...settings, stdin, outfile, metafile: true, logLevel: 'error' })

  const { stdout } = await run(process.execPath, [outfile])
  assert.deepEqual(JSON.parse(stdout), [['function', 'function', ':status'], 'function', 'function'])
  const resolved = (importer: string, module: string) => {
    const [, input] = Object.entries(metafile.inputs).find(([path]) => path.endsWith(importer)) ?? []
    return input?.imports.filter(({ path, original = path }) => original === module).map(({ path }) => basename(path))
  }
  assert.deepEqual(resolved('/undici/lib/dispatcher/client-h2.js', 'node:http2'), ['node-http2.cjs'])
  assert.deepEqual(resolved('lib/adapters/http/connector.ts', 'node:http'), ['node-http.cjs'])
  assert.deepEqual(resolved('/other/index.js', 'node:http2'), ['node:http2'])
  assert.deepEqual(resolved('/other/index.js', 'node:http'), ['node:http'])
})

test('nothing that issue-token loads imports node:http as an ES module, which is slow to start', async (t) => {
  const outdir = await temporaryFolder(t)
  const entryPoints = [join(import.meta.dirname, '../../functions/issue-token/index.ts')]
  const { metafile } = await build({ ...bundling, entryPoints, outdir, metafile: true, logLevel: 'error' })
  const importers = Object.entries(metafile.inputs).flatMap(([path, { imports }]) =>
    imports.some((each) => each.path === 'node:http') ? [basename(path)] : [],
  )
  // Both modules read the metadata of an EC2 instance.
  assert.deepEqual(importers.sort(), ['getInstanceMetadataRegion.js', 'node-http.js'])
})

test('the build in another process, for a construct, gives the same bundle', async (t) => {
  const folder = await temporaryFolder(t)
  const bundle = await bundleFunction('publish-keys', join(folder, 'awaited'))
  const outdir = join(folder, 'process', 'publish-keys')
  await run(process.execPath, [join(import.meta.dirname, '../../infra/bundle.ts'), 'publish-keys', outdir])
  // Each file name contains a digest of the file's content.
  assert.deepEqual(readdirSync(outdir).sort(), readdirSync(dirname(bundle)).sort())
})
