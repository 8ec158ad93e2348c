import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readPage } from '../../pages/page.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { root } from '../../support/process/local-run.ts'

/* The blocks of lib/configuration/providers.md, each with the heading above it. */

const path = 'lib/configuration/providers.md'
const page = readPage(path, readFileSync(join(root, path), 'utf8'))
const lines = page.text.split('\n')

export const headings: readonly string[] = lines.flatMap((line) => /^## (.+)$/.exec(line)?.slice(1) ?? [])

/** The blocks of one language that the test with this path reads. */
function blocksOf(testPath: string, language: 'json' | 'sh'): [heading: string, text: string][] {
  return page.blocks
    .filter(({ language: own, marker }) => own === language && marker?.kind === 'test' && marker.path === testPath)
    .map(({ line, text }) => [headingAbove(line), text])
}

function headingAbove(line: number): string {
  const heading = lines.slice(0, line).findLast((each) => each.startsWith('## ')) ?? ''
  return heading.replace('## ', '')
}

export function examplesOf(testPath: string): [heading: string, elements: RawElements][] {
  return blocksOf(testPath, 'json').map(([heading, text]) => [heading, JSON.parse(text)])
}

export function commandsOf(testPath: string): ReadonlyMap<string, string> {
  return new Map(blocksOf(testPath, 'sh'))
}
