import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { slug } from 'github-slugger'
import { root } from '../support/process/local-run.ts'

/** How a block of a page is shown to be true. */
export type Marker =
  | {
      readonly kind: 'local' | 'answer' | 'elements' | 'invoke' | 'event' | 'program' | 'types' | 'shell' | 'ci'
    }
  /** The block holds attributes of one element of that kind. */
  | { readonly kind: 'element'; readonly element: string }
  /** A separate test reads the block. */
  | { readonly kind: 'test'; readonly path: string }
  | { readonly kind: 'not-run'; readonly reason: string }

/** A fenced block of a page. */
export interface Block {
  readonly page: string
  /** The line of its fence, counted from 1. */
  readonly line: number
  readonly language: string
  readonly text: string
  /** Undefined if the page has no marker for it. */
  readonly marker: Marker | undefined
}

export interface Page {
  /** Relative to the repository's root. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** The targets of links: the headings, as GitHub names them, and named anchors. */
  readonly anchors: ReadonlySet<string>
}

export function readPages(): Page[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
  })
  const paths = listed.toString().split('\0').filter(Boolean)
  return [...new Set(paths)].sort().map((path) => readPage(path, readFileSync(join(root, path), 'utf8')))
}

export function readPage(path: string, text: string): Page {
  return { path, text, blocks: blocksOf(path, text), anchors: anchorsOf(text) }
}

function blocksOf(page: string, text: string): Block[] {
  return [...text.matchAll(/^( *)(`{3,})(\S*)[^\n]*\n([\s\S]*?)^\1\2$/gm)].map(
    ({ index, 1: indent = '', 3: language = '', 4: body = '' }) => {
      const above = text.slice(0, index)
      const [, marker] = /<!-- ((?:not-)?run: [^\n]*?) -->\n\s*$/.exec(above) ?? []
      const lines = body.split('\n').map((line) => line.slice(indent.length))
      return { page, line: above.split('\n').length, language, text: lines.join('\n'), marker: readMarker(marker) }
    },
  )
}

function readMarker(text: string | undefined): Marker | undefined {
  const [, how, what = ''] = /^((?:not-)?run): (.+)$/.exec(text ?? '') ?? []
  if (how === 'not-run') return { kind: 'not-run', reason: what }
  if (what.startsWith('test/')) return { kind: 'test', path: what }
  const [, element] = /^element (\w+)$/.exec(what) ?? []
  if (element !== undefined) return { kind: 'element', element }
  return simpleMarkers.find(({ kind }) => kind === what)
}

const simpleMarkers: readonly Marker[] = [
  { kind: 'local' },
  { kind: 'answer' },
  { kind: 'elements' },
  { kind: 'invoke' },
  { kind: 'event' },
  { kind: 'program' },
  { kind: 'types' },
  { kind: 'shell' },
  { kind: 'ci' },
]

function anchorsOf(text: string): Set<string> {
  const withoutBlocks = text.replace(/^( *)(`{3,})[\s\S]*?^\1\2$/gm, '')
  const headings = [...withoutBlocks.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    slug(heading.replace(/\]\([^)]*\)/g, '').replace(/[`[\]*]/g, '')),
  )
  const named = [...withoutBlocks.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = '']) => name)
  return new Set([...headings, ...named])
}
