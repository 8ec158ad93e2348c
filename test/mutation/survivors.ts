import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './stryker-process.ts'

const root = join(import.meta.dirname, '../..')

/** A mutant as the output and `test/mutation/survivors.md` name it: by its code, which stays when lines above it change. */
export function nameOf(file: string, text: string, { location: { start, end }, replacement }: Mutant): string {
  const lines = text.split('\n')
  const [first = '', last = ''] = [lines[start.line - 1], lines[end.line - 1]]
  const before = lines.slice(start.line - 1, end.line).join('\n')
  const after = first.slice(0, start.column - 1) + replacement + last.slice(end.column - 1)
  return `${file}: \`\` ${short(before)} \`\` -> \`\` ${short(after)} \`\``
}

/** The code on one line. Long code loses its middle. */
function short(code: string): string {
  const line = code.replace(/\s+/g, ' ').trim()
  return line.length <= 160 ? line : `${line.slice(0, 100)} … ${line.slice(-55)}`
}

/** The names of the survivors that `test/mutation/survivors.md` explains, each below the heading of its file. */
export function explainedSurvivors(
  page = readFileSync(join(root, 'test/mutation/survivors.md'), 'utf8'),
): readonly string[] {
  return page
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [, file = ''] = /^`(\S+)`\n/.exec(section) ?? []
      const explained = section.matchAll(/^- (`` .+ `` -> `` .+ ``): \S.*$/gm)
      return file === '' ? [] : [...explained].map(([, change = '']) => `${file}: ${change}`)
    })
}
