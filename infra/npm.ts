import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** What npm prints of this project, and whether it is content. */
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
