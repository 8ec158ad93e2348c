import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './stryker-process.ts'

const root = join(import.meta.dirname, '../..')

/** A mutant as it is named in the output and in test/README.md: by its code, which stays when lines above it change. */
export function nameOf(file: string, text: string, { location: { start, end }, replacement }: Mutant): string {
  const lines = text.split('\n')
  const [first = '', last = ''] = [lines[start.line - 1], lines[end.line - 1]]
  const before = lines.slice(start.line - 1, end.line).join('\n')
  const after = first.slice(0, start.column - 1) + replacement + last.slice(end.column - 1)
  return `${file}: \`\` ${short(before)} \`\` -> \`\` ${short(after)} \`\``
}

/** On one line, and not the middle of what is long. */
function short(code: string): string {
  const line = code.replace(/\s+/g, ' ').trim()
  return line.length <= 160 ? line : `${line.slice(0, 100)} … ${line.slice(-55)}`
}

/** The names of the survivors that test/README.md explains. */
export function explainedSurvivors(page = readFileSync(join(root, 'test/README.md'), 'utf8')): readonly string[] {
  const [, section = ''] = /\n## Mutants that survive\n([\s\S]*?)(?:\n## |$)/.exec(page) ?? []
  return [...section.matchAll(/^- (\S+: `` .+ `` -> `` .+ ``): \S.*$/gm)].map(([, name = '']) => name)
}
