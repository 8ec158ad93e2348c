import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** Each function is a folder. */
export const functionNames: readonly string[] = readdirSync(join(root, 'functions'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

interface ReplacedModule {
  readonly module: string
  readonly replacement: string
  /** The folders whose imports of the module are replaced. Every other package gets the real module. */
  readonly importers: readonly string[]
}

const replaced: readonly ReplacedModule[] = [
  {
    module: 'node:http',
    replacement: 'node-http.cjs',
    importers: [
      'lib/adapters/http',
      'node_modules/undici',
      'node_modules/@middy/util',
      'node_modules/@smithy/node-http-handler',
    ],
  },
  { module: 'node:http2', replacement: 'node-http2.cjs', importers: ['node_modules/undici'] },
]

/** Gives some importers a replacement of a built-in module that starts faster. Each replacement file says why. */
const replacedModules: Plugin = {
  name: 'replaced-modules',
  setup(building) {
    building.onResolve({ filter: /^(node:)?http2?$/ }, ({ path, importer }) => {
      const found = replaced.find(
        ({ module, importers }) =>
          module === `node:${path.replace(/^node:/, '')}` && importers.some((folder) => isWithin(folder, importer)),
      )
      return found ? { path: join(import.meta.dirname, found.replacement) } : undefined
    })
  },
}

function isWithin(folder: string, path: string): boolean {
  return path.split(sep).join('/').includes(`/${folder}/`)
}

/**
 * How a function is bundled for Lambda's nodejs24.x: ESM, minified. Clients that not every deployment uses are
 * separate files, so that an instance loads only those that it needs.
 */
export const bundling = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // One file for everything would start no sooner: a file that is not loaded is not parsed.
  splitting: true,
  outExtension: { '.js': '.mjs' },
  minify: true,
  // The frames of an error keep their names. Source maps would be most of what is deployed, and nothing on Lambda reads them.
  keepNames: true,
  // No compile cache of V8 is deployed. It would save a thirtieth of the first token's time, and is valid only for one version of Node.js, one
  // architecture and one user id. Lambda changes these without notice. In /tmp a cold instance would find none.
  // The ESM builds of the AWS SDK and others are smaller and start faster than their CommonJS ones.
  mainFields: ['module', 'main'],
  plugins: [replacedModules],
  // undici's own switch, which leaves out its experimental parser.
  define: { esbuildDetection: 'true' },
  // undici is CommonJS and requires built-in modules, but an ES module has no require.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
} as const satisfies BuildOptions

/** Builds one function into `<outputFolder>/<name>`; returns the path of its `index.mjs`. */
export async function bundleFunction(name: string, outputFolder: string): Promise<string> {
  const outdir = join(outputFolder, name)
  await build(optionsOf(name, outdir))
  return join(outdir, 'index.mjs')
}

function optionsOf(name: string, outdir: string): BuildOptions {
  return { ...bundling, entryPoints: [join(root, 'functions', name, 'index.ts')], outdir, logLevel: 'error' }
}

/* Builds one function into a folder: `node infra/bundle.ts <name> <folder>`, for a construct, which must wait for it. */
if (import.meta.main) {
  const [name = '', outdir = ''] = process.argv.slice(2)
  await build(optionsOf(name, outdir))
}
