import { spawnSync } from 'node:child_process'

/** Lines of a file, both ends included, counted from 1. */
export interface LineRange {
  readonly file: string
  readonly from: number
  readonly to: number
}

/**
 * The lines of these files that have changed since the first parent of HEAD, in the working tree too.
 * @returns undefined where there is no such commit: in a clone of depth 1, say
 */
export function changedLines(files: readonly string[], cwd: string): readonly LineRange[] | undefined {
  const words = [
    'diff',
    '--unified=0',
    '--no-color',
    '--no-ext-diff',
    '--src-prefix=a/',
    '--dst-prefix=b/',
    'HEAD^1',
    '--',
  ]
  const { status, stdout } = spawnSync('git', [...words, ...files], { cwd, encoding: 'utf8', maxBuffer: 1e8 })
  return status === 0 ? rangesIn(stdout) : undefined
}

/** The line ranges on the new side of a diff without context. */
export function rangesIn(diff: string): readonly LineRange[] {
  let file = ''
  return diff.split('\n').flatMap((line): LineRange[] => {
    file = /^\+\+\+ b\/(.*)$/.exec(line)?.[1] ?? file
    const [, start, count = '1'] = /^@@ \S+ \+(\d+)(?:,(\d+))? @@/.exec(line) ?? []
    if (start === undefined || count === '0') return []
    return [{ file, from: Number(start), to: Number(start) + Number(count) - 1 }]
  })
}
