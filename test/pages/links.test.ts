import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { root } from '../support/process/local-run.ts'
import { type Page, readPage, readPages } from './page.ts'

/* Checks links, anchors and paths of every page, and the npm scripts that the page names. */

const pages = readPages()

for (const page of pages) {
  test(`${page.path} links to pages, files and headings that exist`, () => {
    assert.deepEqual(brokenLinks(page), [])
  })

  test(`${page.path} names paths and npm scripts that exist`, () => {
    assert.deepEqual(missingPaths(page), [])
    assert.deepEqual(missingScripts(page), [])
  })
}

test('a broken link, a missing anchor, a missing path and a missing script are found', () => {
  const text =
    '# A page\n[a](#a-page) [b](#no-such) [c](nowhere.md) [d](README.md#no-such)\n`lib/nowhere.ts` `npm run nothing`\n'
  const page = readPage('page.md', text)
  assert.deepEqual(brokenLinks(page), ['#no-such', 'nowhere.md', 'README.md#no-such'])
  assert.deepEqual(missingPaths(page), ['lib/nowhere.ts'])
  assert.deepEqual(missingScripts(page), ['nothing'])
})

function brokenLinks({ path, text, anchors }: Page): string[] {
  const prose = text.replace(/^( *)(`{3,})[\s\S]*?^\1\2$/gm, '').replace(/`[^`\n]*`/g, '')
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)|(?:src|href|srcset)="([^"]+)"/g)].map(
    ([, link, source]) => link ?? source ?? '',
  )
  return targets.filter((target) => {
    if (/^(?:https?|mailto):/.test(target)) return false
    const [file = '', anchor] = target.split('#')
    const to = file === '' ? path : normalize(join(dirname(path), file))
    if (file !== '' && !existsSync(join(root, to))) return true
    if (anchor === undefined) return false
    const found = file === '' ? anchors : pages.find((page) => page.path === to)?.anchors
    return !found?.has(anchor)
  })
}

/** Paths in code, from the root or from the page's own folder. `<...>` and `*` mark patterns, not paths. */
function missingPaths({ path, text }: Page): string[] {
  const named = [...text.matchAll(/`((?:functions|lib|infra|test)\/[\w./-]*)`/g)].map(([, name = '']) => name)
  return named.filter((name) => !existsSync(join(root, name)) && !existsSync(join(root, dirname(path), name)))
}

function missingScripts({ text }: Page): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
  const named = [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name = '']) => name)
  return named.filter((name) => !Object.hasOwn(scripts, name))
}
