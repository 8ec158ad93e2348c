import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build, buildSync } from 'esbuild'

const root = join(import.meta.dirname, '..')

/** Each function is a folder. */
export const functionNames: readonly string[] = readdirSync(join(root, 'functions'))

/**
 * How a function becomes a folder for Lambda's nodejs24.x: ESM, minified, with source maps; in files of their own the
 * clients that not every deployment uses, so that an instance loads none in vain.
 */
export const bundling = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  minify: true,
  keepNames: true,
  sourcemap: true,
  // The ESM builds of the AWS SDK and others are smaller and start faster than their CommonJS ones.
  mainFields: ['module', 'main'],
  alias: {
    'node:http': join(import.meta.dirname, 'node-http.cjs'),
    'node:http2': join(import.meta.dirname, 'node-http2.cjs'),
  },
  // undici's own switch: without the parser that it is trying out.
  define: { esbuildDetection: 'true' },
  // undici is CommonJS and requires built-in modules, which an ES module has no require for.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
} as const satisfies BuildOptions

/** Builds one function into `<outputFolder>/<name>`; returns the path of its `index.mjs`. */
export async function bundleFunction(name: string, outputFolder: string): Promise<string> {
  const outdir = join(outputFolder, name)
  await build(optionsOf(name, outdir))
  return join(outdir, 'index.mjs')
}

/** The same into that folder itself, for who can't wait: constructs are made synchronously. */
export function bundleFunctionSync(name: string, outdir: string): void {
  buildSync(optionsOf(name, outdir))
}

function optionsOf(name: string, outdir: string): BuildOptions {
  return { ...bundling, entryPoints: [join(root, 'functions', name, 'index.ts')], outdir, logLevel: 'error' }
}
