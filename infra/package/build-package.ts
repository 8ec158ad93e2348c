import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import packageJson from '../../package.json' with { type: 'json' }
import { bundling, functionNames } from '../bundle.ts'
import { writeDeclarations } from './declarations.ts'
import { thirdPartyLicenses } from './third-party-licenses.ts'

const root = join(import.meta.dirname, '..', '..')
const declarations = 'types'
const { devDependencies } = packageJson

/**
 * Builds the npm package `tokenwell` in a folder of its own: the construct with its declarations, the built functions, and the command.
 * Everything that they import is in their bundles, except the peers. So the package has no dependencies.
 */
export async function buildPackage(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const bundles = [await bundleConstruct(folder), await bundleCommand(folder)]
  for (const name of functionNames) bundles.push(await bundleFunction(name, folder))
  const types = writeDeclarations(join(folder, declarations))

  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), thirdPartyLicenses(bundles))
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  copyFileSync(join(import.meta.dirname, 'README.md'), join(folder, 'README.md'))
  copyFileSync(join(root, 'lib', 'configuration', 'elements.schema.json'), join(folder, 'elements.schema.json'))
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify(manifestOf(`./${declarations}/${types}`), undefined, 2)}\n`,
  )
}

/** The `package.json` of the package. The repository's own is private and lists what development needs. */
function manifestOf(types: string): object {
  const { name, version, description, license } = packageJson
  return {
    name,
    version,
    description,
    license,
    keywords: ['aws', 'aws-cdk', 'oauth2', 'private_key_jwt', 'token'],
    main: './index.js',
    types,
    exports: {
      '.': { types, default: './index.js' },
      './elements.schema.json': './elements.schema.json',
      './package.json': './package.json',
    },
    bin: { tokenwell: './command/tokenwell.mjs' },
    engines: { node: '>=22' },
    // The lowest versions are those that the tests use.
    peerDependencies: {
      'aws-cdk-lib': `^${devDependencies['aws-cdk-lib']}`,
      constructs: `^${devDependencies.constructs}`,
    },
  }
}

/**
 * CommonJS, as the CDK is: apps can `import` and `require` it, and so can test runners that cannot load ES modules. It is not minified,
 * because developers step into constructs.
 */
async function bundleConstruct(folder: string): Promise<Metafile> {
  return await bundle({
    entryPoints: {
      index: join(import.meta.dirname, 'index.ts'),
      'check-elements-thread': join(root, 'infra', 'stack', 'check-elements-thread.ts'),
    },
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    mainFields: bundling.mainFields,
    external: ['aws-cdk-lib', 'constructs'],
    define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
  })
}

async function bundleCommand(folder: string): Promise<Metafile> {
  const entryPoints = [join(root, 'infra', 'cli', 'tokenwell.ts')]
  return await bundle({ ...bundling, target: 'node22', entryPoints, outdir: join(folder, 'command') })
}

async function bundleFunction(name: string, folder: string): Promise<Metafile> {
  const entryPoints = [join(root, 'functions', name, 'index.ts')]
  return await bundle({ ...bundling, entryPoints, outdir: join(folder, 'functions', name) })
}

async function bundle(options: BuildOptions): Promise<Metafile> {
  const { metafile } = await build({ ...options, absWorkingDir: root, metafile: true, logLevel: 'error' })
  return metafile
}
