import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Runs npm in this project. Returns what it prints, and whether its exit code was 0. */
export function runNpm(words: readonly string[]): { readonly isContent: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(['npm', ...words].join(' '), {
    cwd: join(import.meta.dirname, '..'),
    shell: true,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { isContent: status === 0, output: stdout || stderr }
}
