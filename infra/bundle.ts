import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** Each function is a folder. */
export const functionNames: readonly string[] = readdirSync(join(root, 'functions'))

/** How a function becomes one file for Lambda's nodejs24.x: ESM, minified, with a source map. */
export const bundling = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minify: true,
  keepNames: true,
  sourcemap: true,
  // The ESM builds of the AWS SDK and others are smaller and start faster than their CommonJS ones.
  mainFields: ['module', 'main'],
  // undici is CommonJS and requires built-in modules, which an ES module has no require for.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
} as const satisfies BuildOptions

/** Builds one function into `<outputFolder>/<name>/index.mjs`; returns that path. */
export async function bundleFunction(name: string, outputFolder: string): Promise<string> {
  const outfile = join(outputFolder, name, 'index.mjs')
  await build({ ...bundling, entryPoints: [join(root, 'functions', name, 'index.ts')], outfile, logLevel: 'error' })
  return outfile
}
