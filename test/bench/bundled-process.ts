import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { build, type Metafile } from 'esbuild'
import { bundling } from '../../infra/bundle.ts'

/** A bundle built like the functions, which prints its one result. */
export interface Bundle {
  readonly path: string
  /** The size of the modules that it loads at its start. */
  readonly kibibytes: number
}

const run = promisify(execFile)

/** @param text a module of this folder */
export async function bundleText(text: string, outdir: string): Promise<Bundle> {
  const stdin = { contents: text, resolveDir: import.meta.dirname, sourcefile: 'entry.ts', loader: 'ts' as const }
  const { metafile } = await build({ ...bundling, stdin, outdir, metafile: true, logLevel: 'error' })
  const path = join(outdir, 'stdin.mjs')
  return { path, kibibytes: bytesWith(relative(process.cwd(), path), metafile) / 1024 }
}

/** The size of an output and everything that it imports at its start. */
function bytesWith(entry: string, { outputs }: Metafile): number {
  const loaded = new Set([entry])
  for (const path of loaded)
    for (const { path: next, kind, external } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && external !== true) loaded.add(next)
  return [...loaded].reduce((sum, path) => sum + statSync(path).size, 0)
}

/**
 * Runs it from its start to its end.
 * @returns what it printed
 */
export async function runBundle(
  { path }: Bundle,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await run(process.execPath, [path, ...args], { env: { ...environment } })
  return stdout
}
